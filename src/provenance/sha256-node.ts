import { createHash } from "node:crypto";
import type { Sha256 } from "./sha256-portable.js";

/** SHA-256 of chunks as they come, by OpenSSL: some seven times as fast. */
export const sha256Stream = (): Sha256 => createHash("sha256");
