/** What the process in `paying-child.ts` is told. */
import type { DatabaseOptions } from "../../src/store/database/open-node.js";

export interface PayingTask {
  readonly url: string;
  readonly chainId: number;
  readonly privateKey: string;
  readonly accounts: readonly string[];
  readonly database: DatabaseOptions;
  /** Where to die: before or after the n-th time of a step, or the next. */
  readonly dies?: { readonly step: Step; readonly when: "before" | "after"; readonly time: number };
}

export const STEPS = ["record", "broadcast", "add", "mined"] as const;
export type Step = (typeof STEPS)[number];
