/** How deeds are sent to StorageRequests, and the proofs of possession that go with them. */
import { hexlify } from "ethers";
import { challengeIndices, fillQuestionId, type StorageRequest, signTerms } from "../../../src/protocol/index.js";
import { callOf, type Proof } from "../calls.js";
import { seedOf, TIERS } from "../world.js";
import { type Deed, type Filling, seedBlock } from "./model.js";
import type { RequestsWorld } from "./world.js";

/** As TypeChain wants it: an array that could be written to. */
const plain = (request: StorageRequest) => ({ ...request, regions: [...request.regions] });

/** The transaction of a deed in block `block`; `proofs` go with actions on the market. */
export async function transactionOf(world: RequestsWorld, deed: Deed, block: number, proofs: readonly Proof[]) {
  if (deed.kind === "market") return callOf(world, deed.action, proofs);
  const { interface: abi } = world.requests;
  const call = (data: string, to = world.requestsAddress) => ({ from: deed.by, to, data });
  switch (deed.kind) {
    case "unprovision": {
      const { token, amount } = deed;
      const data = world.registry.interface.encodeFunctionData("unprovision", [world.requestsAddress, token, amount]);
      return call(data, await world.registry.getAddress());
    }
    case "post":
    case "cancel":
    case "refund":
      return call(abi.encodeFunctionData(deed.kind as "post", [plain(deed.request)]));
    case "refundSlot":
      return call(abi.encodeFunctionData(deed.kind, [plain(deed.request), deed.slot]));
    case "fill":
      return call(await fillData(world, deed, block));
    default:
      return call(abi.encodeFunctionData(deed.kind as "repair", [plain(deed.request), deed.provider]));
  }
}

async function fillData(world: RequestsWorld, deed: Filling, block: number): Promise<string> {
  const { request, slot, terms, signedBy, valid } = deed;
  const signer = Object.values(world.accounts).find(({ address }) => address === signedBy)!;
  const signature = await signTerms(signer, world.domain, terms);
  const right = await possession(world, deed, block);
  const proof = hexlify(valid ? right : right.subarray(32));
  return world.requests.interface.encodeFunctionData("fill", [plain(request), slot, terms, signature, proof]);
}

/** The leaves that this provider is asked for in this block, with their paths. */
async function possession(world: RequestsWorld, { id, request, slot, terms }: Filling, block: number) {
  const piece = world.pieces.find(({ root }) => root === request.root)!;
  const leaves = challengeIndices({
    chainId: world.chainId,
    market: world.requestsAddress,
    dealId: fillQuestionId(id, slot, terms.provider),
    window: 0,
    seed: seedOf(seedBlock(block)),
    count: TIERS[request.tier]!.challenges,
    leafCount: request.leafCount,
  });
  return piece.prove(leaves);
}
