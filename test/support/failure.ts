/** The error that a promise rejects with; fails where it resolves. */
export async function failure<E extends Error = Error>(promise: Promise<unknown>): Promise<E> {
  const outcome = await promise.then(
    () => undefined,
    (error: E) => error,
  );
  if (outcome === undefined) throw new Error("expected a failure");
  return outcome;
}
