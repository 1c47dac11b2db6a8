/**
 * What client and provider say to each other about changing a deal, in JSON.
 *
 * @packageDocumentation
 */
import { z } from "zod";
import type { Amendment } from "./amendment.js";
import { address, amount, bytes32, count, parse, safe, signature, terms } from "./wire-fields.js";

const amendment = z.strictObject({
  dealId: bytes32,
  root: bytes32,
  leafCount: amount,
  pricePerPeriod: amount,
  nonce: count,
  validUntil: safe,
});

/** More than any transaction carries. */
const MAX_PROOF_BYTES = 120 * 1024;
const proof = z
  .string()
  .max(2 + 2 * MAX_PROOF_BYTES)
  .regex(/^0x([0-9a-fA-F]{64})+$/, "nodes of 32 bytes in hex");

const amendmentRequest = z.strictObject({ amendment, owner: address });
const amendmentAnswer = z.object({ providerSignature: signature });
const pullRequest = z.strictObject({ dealId: bytes32 });
const pullAnswer = z.object({ pieceCid: z.string().max(200).optional() });
const migrationRequest = z.strictObject({ dealId: bytes32, terms });
const migrationAnswer = z.object({ providerSignature: signature, epoch: safe, proof });

/** An amendment as it travels: leafCount and price as decimal strings, validUntil as a number. */
export type AmendmentJson = z.infer<typeof amendment>;
/** What `POST /amendments` takes. */
export type AmendmentRequest = z.infer<typeof amendmentRequest>;
/** What `POST /amendments` answers. */
export type AmendmentAnswer = z.infer<typeof amendmentAnswer>;
/** What `POST /pulls` takes. */
export type PullRequest = z.infer<typeof pullRequest>;
/** What `POST /pulls` answers; without a CID as long as the piece is not there. */
export type PullAnswer = z.infer<typeof pullAnswer>;
/** What `POST /migrations` takes. */
export type MigrationRequest = z.infer<typeof migrationRequest>;
/** What `POST /migrations` answers: `proof` is for the challenge drawn from the seed of block `epoch`. */
export type MigrationAnswer = z.infer<typeof migrationAnswer>;

/** An amendment to JSON. `validUntil` has to be a safe integer. */
export function amendmentToJson(value: Amendment): AmendmentJson {
  return {
    ...value,
    dealId: `0x${value.dealId.toString(16).padStart(64, "0")}`,
    leafCount: value.leafCount.toString(),
    pricePerPeriod: value.pricePerPeriod.toString(),
    validUntil: Number(value.validUntil),
  };
}

/** An amendment from JSON that was checked. */
export function amendmentFromJson(value: AmendmentJson): Amendment {
  return {
    ...value,
    dealId: BigInt(value.dealId),
    leafCount: BigInt(value.leafCount),
    pricePerPeriod: BigInt(value.pricePerPeriod),
    validUntil: BigInt(value.validUntil),
  };
}

/** @throws HoldfastError `INVALID_REQUEST` naming the member that is wrong */
export function amendmentRequestFromJson(value: unknown): AmendmentRequest {
  return parse(amendmentRequest, value);
}

/** @throws HoldfastError `INVALID_REQUEST` */
export function amendmentAnswerFromJson(value: unknown): AmendmentAnswer {
  return parse(amendmentAnswer, value);
}

/** @throws HoldfastError `INVALID_REQUEST` */
export function pullRequestFromJson(value: unknown): PullRequest {
  return parse(pullRequest, value);
}

/** @throws HoldfastError `INVALID_REQUEST` */
export function pullAnswerFromJson(value: unknown): PullAnswer {
  return parse(pullAnswer, value);
}

/** @throws HoldfastError `INVALID_REQUEST` */
export function migrationRequestFromJson(value: unknown): MigrationRequest {
  return parse(migrationRequest, value);
}

/** @throws HoldfastError `INVALID_REQUEST` */
export function migrationAnswerFromJson(value: unknown): MigrationAnswer {
  return parse(migrationAnswer, value);
}
