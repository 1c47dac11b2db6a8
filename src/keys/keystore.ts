/** What a keystore may ask of whoever opens it. */
import { z } from "zod";
import { HoldfastError } from "../errors.js";

/** 512 MiB for scrypt, and ten million rounds for PBKDF2: several times what any wallet asks, and seconds of work. */
const MAX_SCRYPT_BYTES = 512 * 2 ** 20;
const MAX_PARALLEL = 16;
const MAX_ROUNDS = 10_000_000;

const count = z.number().int().positive();
const scrypt = z
  .object({ n: count, r: count, p: count.max(MAX_PARALLEL) })
  .refine(({ n, r }) => 128 * n * r <= MAX_SCRYPT_BYTES, "it takes too much memory")
  // RFC 7914, section 2; libraries refuse it, the old test vector of the format with r = 1 included.
  .refine(({ n, r }) => Math.log2(n) < 16 * r, "its cost is too high for its block size");
const schema = z.object({
  version: z.union([z.literal(3), z.literal("3")]),
  crypto: z.discriminatedUnion("kdf", [
    z.object({ kdf: z.literal("scrypt"), kdfparams: scrypt }),
    z.object({ kdf: z.literal("pbkdf2"), kdfparams: z.object({ c: count.max(MAX_ROUNDS) }) }),
  ]),
});

/**
 * Looks at a keystore before any password is tried on it: a file from elsewhere can ask for all the memory there is, or for
 * years.
 *
 * @throws {HoldfastError} `KEYSTORE_INVALID`.
 */
export function requireModestKdf(path: string, json: string): void {
  try {
    schema.parse(lowerCased(JSON.parse(json)));
  } catch (cause) {
    const message = `${path} is no keystore of version 3 that can be opened here`;
    const hint = "Take a file that geth, ethers or `holdfast keys` has written.";
    throw new HoldfastError("KEYSTORE_INVALID", message, hint, { cause });
  }
}

/** Wallets write `crypto` and `Crypto`, `n` and `N`; ethers reads all of them. The first of several is what it reads. */
function lowerCased(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const members = new Map<string, unknown>();
  for (const [key, member] of Object.entries(value)) {
    const name = key.toLowerCase();
    if (members.has(name)) throw new Error(`two members are called ${name}`);
    members.set(name, lowerCased(member));
  }
  return Object.fromEntries(members);
}
