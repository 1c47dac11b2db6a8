/** Which epochs of the local Filecoin are null rounds. The network has some in a thousand; here everybody meets them soon. */

const CYCLE = 7;
/** Of each cycle: one by itself, and two in a row. */
const NULL: ReadonlySet<number> = new Set([2, 4, 5]);

/** Whether nobody makes a block at an epoch. Never at the first ones, from which chains are found to be alive. */
export function isNullRound(epoch: number): boolean {
  return epoch > CYCLE && NULL.has(epoch % CYCLE);
}

/** The last epoch up to this one that has a block. */
export function lastBlockUpTo(epoch: number): number {
  let at = epoch;
  while (isNullRound(at)) at--;
  return at;
}
