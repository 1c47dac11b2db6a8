/** Filecoin's actors on a chain of a test: stand-ins at the addresses where the FVM has the real ones. */
import { encode } from "@ipld/dag-cbor";
import { type ContractRunner, getAddress, hexlify, toBeHex, zeroPadValue } from "ethers";
import { artifacts } from "hardhat";
import { encodePieceCidV1 } from "../../src/piece/index.js";
import {
  type MinerActor,
  MinerActor__factory,
  type PowerActor,
  PowerActor__factory,
} from "../../typechain-types/index.js";

export const CALL_ACTOR_ID = "0xfe00000000000000000000000000000000000005";
const POWER = 4n;

/** 0xff, eleven zero bytes, the id. */
export const aliasOf = (id: bigint): string => getAddress(`0xff${zeroPadValue(toBeHex(id), 19).slice(2)}`);

/** How code gets to an address of its own: `hardhat_setCode`, `anvil_setCode`. */
export type SetCode = (address: string, code: string) => Promise<unknown>;

async function place(contract: string, address: string, setCode: SetCode): Promise<void> {
  await setCode(address, (await artifacts.readArtifact(contract)).deployedBytecode);
}

/** The precompile that calls actors, and the power actor. */
export async function placeActors(setCode: SetCode, runner: ContractRunner): Promise<PowerActor> {
  await place("CallActorPrecompile", CALL_ACTOR_ID, setCode);
  await place("PowerActor", aliasOf(POWER), setCode);
  return PowerActor__factory.connect(aliasOf(POWER), runner);
}

/** A miner actor that the power actor knows. */
export async function placeMiner(id: bigint, setCode: SetCode, runner: ContractRunner): Promise<MinerActor> {
  await place("MinerActor", aliasOf(id), setCode);
  await (await PowerActor__factory.connect(aliasOf(POWER), runner).createMiner(id)).wait();
  return MinerActor__factory.connect(aliasOf(id), runner);
}

/** `[deadline, partition]` in CBOR, FIP-0112's `aux_data`. */
export const locationOf = (deadline: number, partition: number): string => hexlify(encode([deadline, partition]));

export interface NotedPiece {
  /** Any CID; that of `root` by default. */
  readonly cid?: unknown;
  readonly root?: Uint8Array;
  /** Bytes of the padded piece. */
  readonly size: number;
  readonly payload: string;
}

/** `SectorContentChangedParams`, by an encoder that is not ours. */
export function noticeOf(
  sectors: readonly { sector: bigint; until?: number; pieces: readonly NotedPiece[] }[],
): string {
  const bytes = (hex: string) => Uint8Array.from(Buffer.from(hex.slice(2), "hex"));
  const pieces = (list: readonly NotedPiece[]) =>
    list.map(({ cid, root, size, payload }) => [cid ?? encodePieceCidV1(root!), size, bytes(payload)]);
  return hexlify(encode(sectors.map(({ sector, until = 1_000_000, pieces: p }) => [sector, until, pieces(p)])));
}
