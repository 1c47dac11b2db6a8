import { createRequire } from "node:module";
import { type PairHasher, hashPairs as portable } from "./hasher-portable.js";

/** The native module picks the widest SIMD or the SHA extensions of the machine; it has no build for some platforms. */
function loadNative(): PairHasher | undefined {
  try {
    return (createRequire(import.meta.url)("@chainsafe/hashtree") as { hashInto: PairHasher }).hashInto;
  } catch {
    return undefined;
  }
}

/** The {@link PairHasher} of Node: native where the platform has a build, portable elsewhere. */
export const hashPairs: PairHasher = loadNative() ?? portable;
