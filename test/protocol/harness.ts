import type { Result } from "ethers";
import { network } from "hardhat";

/** One in-process chain for all tests of the mirror. */
export const { ethers } = await network.create();

const deploy = () => ethers.deployContract("LedgerHarness");
let deployed: ReturnType<typeof deploy> | undefined;

/** The libraries' functions from outside; deployed once, since it holds no state. */
export function ledgerHarness(): ReturnType<typeof deploy> {
  deployed ??= deploy();
  return deployed;
}

const deployRevisions = () => ethers.deployContract("RevisionHarness");
let revisions: ReturnType<typeof deployRevisions> | undefined;

/** The same for the ledger of amended deals. */
export function revisionHarness(): ReturnType<typeof deployRevisions> {
  revisions ??= deployRevisions();
  return revisions;
}

/** A struct that a contract returned, as a plain object. */
export const struct = (answer: unknown): unknown => (answer as Result).toObject(true);

/** The same of the mirror: every number a bigint, so that the two can be compared whole. */
export function wide(value: unknown): unknown {
  if (typeof value === "number") return BigInt(value);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, wide(member)]));
}
