/** One at a time, in the order of asking. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `task` once every task before it has ended, well or not. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const running = this.#last.then(task, task);
    this.#last = running.catch(() => undefined);
    return running;
  }
}
