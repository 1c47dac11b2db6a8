/**
 * Does something with each of many, some of them at a time. Fails with the first that fails.
 *
 * @returns what came of each, in the order of `items`
 */
export async function mapLimited<T, R>(
  items: readonly T[],
  atOnce: number,
  act: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const rest = items.entries();
  const work = async () => {
    // One iterator for all workers: each item is taken once.
    for (const [i, item] of rest) results[i] = await act(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return results;
}
