/**
 * Runs a service until it ends by itself, or the process is told to stop, which a second signal does at once.
 *
 * @param run - ends when its signal is aborted; `stop` does so from within
 */
export async function untilStopped(run: (signal: AbortSignal, stop: () => void) => Promise<void>): Promise<void> {
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    await run(stopping.signal, stop);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
}
