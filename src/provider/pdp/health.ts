/**
 * Whether the node can do its work: it has room, and its index and its bytes can be reached.
 *
 * @packageDocumentation
 */
import { setTimeout as delay } from "node:timers/promises";
import { HoldfastError } from "../../errors.js";
import { encodePieceCid } from "../../piece/index.js";
import { nowAndThen } from "../now-and-then.js";
import type { PdpParts } from "./parts.js";

/** Some piece. Whether it is here does not matter: to know, index and bytes are both asked. */
const ANY_PIECE = encodePieceCid({ root: new Uint8Array(32), payloadSize: 127n }).toString();
/** Milliseconds for which an answer counts, however many ask. */
const EVERY_MS = 1_000;
/** Milliseconds that index and bytes have to answer. */
const PATIENCE_MS = 5_000;

export interface HealthParts extends Pick<PdpParts, "admission"> {
  readonly store: Pick<PdpParts["store"], "find">;
  /** Milliseconds that index and bytes have to answer; 5,000 by default. */
  readonly healthMs?: number;
}

/** What keeps the node from its work, in words for anybody; undefined where nothing does. */
export type Trouble = () => Promise<string | undefined>;

export function healthOf({ admission, store, healthMs = PATIENCE_MS }: HealthParts): Trouble {
  return nowAndThen(async () => {
    const full = await admission.checkFree().catch((error: unknown) => error);
    if (full instanceof HoldfastError) return full.message;
    if (full !== undefined) return "its disk can't be read";
    const found = store.find(ANY_PIECE).then(
      () => undefined,
      () => "its index or its pieces can't be reached",
    );
    const stop = new AbortController();
    const late = delay(healthMs, "its index or its pieces do not answer", { signal: stop.signal });
    late.catch(() => undefined);
    return Promise.race([found, late]).finally(() => stop.abort());
  }, EVERY_MS);
}
