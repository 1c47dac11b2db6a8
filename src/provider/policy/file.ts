/**
 * `policy.yaml`: what a provider offers, and how its keepers behave.
 *
 * @packageDocumentation
 */
import { z } from "zod";
import { MAX_PAYLOAD_SIZE } from "../../piece/index.js";
import { MAX_REGIONS } from "../../protocol/index.js";
import { address, amount, count, duration, percent, positive, region, size } from "./scalars.js";
import { parseYaml } from "./yaml-file.js";

/** Less holds no proof: bytes of calldata. */
const LEAST_CALLDATA = 4_096;

const tier = z.strictObject({
  /** Of a GiB for a period, and of a GiB that is read. */
  price: amount,
  egress: amount.default("0"),
  /** Stake behind a deal, in periods of its price. */
  collateral: count,
});

/** A provider that would take no piece, or for no time, has mixed something up. */
const pieces = z
  .strictObject({
    least: size.optional(),
    most: size
      .refine((bytes) => bytes > 0, "has to be 1 or more")
      .refine((bytes) => BigInt(bytes) <= MAX_PAYLOAD_SIZE, "is more than one piece can have"),
  })
  .refine(({ least = 1, most }) => least <= most, { path: ["least"], error: "is more than most: no piece fits" });

const periods = z
  .strictObject({ least: positive.optional(), most: positive })
  .refine(({ least = 1, most }) => least <= most, { path: ["least"], error: "is more than most: no deal fits" });

const space = z
  .strictObject({
    keepFree: size.optional(),
    unpaid: size.optional(),
    unpaidOfPeer: size.optional(),
    unpaidFor: duration.refine((ms) => ms > 0, "has to be longer: no piece would stay until its deal").optional(),
    endedFor: duration.optional(),
    uploadsOfPeer: positive.optional(),
  })
  .refine(({ unpaid, unpaidOfPeer }) => unpaid === undefined || unpaidOfPeer === undefined || unpaidOfPeer <= unpaid, {
    path: ["unpaidOfPeer"],
    error: "is more than unpaid, which is what all may leave together",
  });

/** Of HTTP, against strangers who keep a node busy. */
const connections = z
  .strictObject({ most: positive.optional(), ofPeer: positive.optional(), requestsOfPeer: positive.optional() })
  .refine(({ most, ofPeer }) => most === undefined || ofPeer === undefined || ofPeer <= most, {
    path: ["ofPeer"],
    error: "is more than most, which is what all may have together",
  });

const requests = z.strictObject({
  /** What a coin is worth in the token, for gas. */
  coinPrice: amount,
  prefetchBlocks: count.optional(),
  fetches: positive.optional(),
  speculative: size.optional(),
  tries: positive.optional(),
});

const settle = z.strictObject({
  /** `own`: the provider's deals alone. `paying`: others' too, where the bounty pays. `all`: whatever there is. */
  whose: z.enum(["own", "paying", "all"], { error: "has to be own, paying or all" }).default("own"),
  everyBlocks: positive.optional(),
  depth: z.union([z.literal("finalized"), count], { error: "has to be finalized, or a number of blocks" }).optional(),
  margin: percent.optional(),
  /** What a coin is worth, by token. */
  coinPrice: z.record(address, amount).default({}),
  bountyTo: address.optional(),
  batch: positive.optional(),
});

/** Limits of one transaction of proofs. */
const proving = z.strictObject({
  /** Bytes of calldata. */
  calldata: size.refine((bytes) => bytes >= LEAST_CALLDATA, `has to be ${LEAST_CALLDATA} B or more`).optional(),
  /** Of a block's gas, in per cent. */
  gasShare: percent.refine((part) => part >= 1 && part <= 100, "has to be from 1% to 100%").optional(),
});

const restore = z.strictObject({ missesPerDeal: positive, stake: z.record(address, amount) });

/** Blocks for which keepers stand back for somebody else with their key. */
const doppelganger = z.strictObject({ blocks: count });

const gas = z.strictObject({
  /** Of a unit of gas, in wei. */
  maxFee: amount.optional(),
  /** Of the gas of one transaction, in wei. */
  maxCost: amount.optional(),
  /** Of the account that sends proofs, in wei; below it, health is red. */
  leastBalance: amount.optional(),
});

const schema = z.strictObject({
  token: address.optional(),
  pieces: pieces.optional(),
  periods: periods.optional(),
  regions: z.array(region).max(MAX_REGIONS).optional(),
  clients: z.array(address).min(1, "has nobody in it: leave it out for anybody").optional(),
  tiers: z.record(z.string(), tier).optional(),
  space: space.default({}),
  connections: connections.default({}),
  proxies: z.array(z.union([z.ipv4(), z.ipv6()], { error: "has to be an IP address" })).optional(),
  requests: requests.optional(),
  settle: settle.optional(),
  proving: proving.optional(),
  restore: restore.optional(),
  doppelganger: doppelganger.optional(),
  gas: gas.default({}),
});

/** As it was written; amounts are still text. */
export type PolicyFile = z.output<typeof schema>;

/**
 * Reads a policy. Nothing is asked of any chain.
 *
 * @param name - of the file, for messages
 * @throws HoldfastError `POLICY_INVALID` naming every setting that is wrong, with its line
 * @example
 * const file = parsePolicy(await readFile("policy.yaml", "utf8"), "policy.yaml");
 */
export function parsePolicy(text: string, name = "policy.yaml"): PolicyFile {
  return parseYaml(text, schema, name);
}
