/** What an endpoint does wrong in tests in which processes are killed. */
import { setTimeout as sleep } from "node:timers/promises";
import { id } from "ethers";
import { HoldfastError } from "../../src/errors.js";
import { type Fault, failsAfter, nonceOff } from "./rpc-proxy.js";

/** What goes wrong with any question now and then, with counts, and with what is sent. */
const FAULTS: readonly Fault[] = [429, "cut", 500, "lost", "hang"];
const LIES: readonly Fault[] = [3, -3, 1, -1].map(nonceOff);
const LOSSES: readonly Fault[] = [failsAfter, "lost"];

/**
 * Fails at one of 22 questions, counts wrong at one of three, and loses or denies one of three that it has sent; by lot, so that nobody
 * who asks in turns is told the truth, or lied to, each time.
 *
 * @param seed - the same gives the same lots
 */
export function failing(seed: number): (methods: readonly string[]) => Fault | undefined {
  let drawn = 0;
  const lot = (of: number) => Number(BigInt(id(`${seed}/${drawn++}`)) % BigInt(of));
  const oneIn = (of: number, faults: readonly Fault[]) => (lot(of) === 0 ? faults[lot(faults.length)] : undefined);
  return (methods) => {
    const wrong = oneIn(22, FAULTS);
    if (wrong !== undefined) return wrong;
    if (methods.includes("eth_sendRawTransaction")) return oneIn(3, LOSSES);
    return methods.includes("eth_getTransactionCount") ? oneIn(3, LIES) : undefined;
  };
}

/** Does what such an endpoint lets through at some time. */
export async function insist<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      await sleep(20);
    }
  }
}
