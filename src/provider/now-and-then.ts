/**
 * Something that is asked at most once in so many milliseconds, however many want to know. An answer that did not come is not
 * kept.
 *
 * @example
 * const now = nowAndThen(() => chainTime(provider), 250);
 */
export function nowAndThen<T>(ask: () => Promise<T>, everyMs: number): () => Promise<T> {
  let last: { readonly answer: Promise<T>; readonly at: number } | undefined;
  return () => {
    const at = performance.now();
    if (last !== undefined && at - last.at < everyMs) return last.answer;
    const asked = { answer: ask(), at };
    last = asked;
    asked.answer.catch(() => {
      if (last === asked) last = undefined;
    });
    return asked.answer;
  };
}
