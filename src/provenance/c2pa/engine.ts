import { Worker } from "node:worker_threads";

/** What c2pa-rs reads. */
export interface EngineRequest {
  readonly mimeType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Settings of c2pa-rs, in JSON. */
  readonly settings: string;
}

/** What it found, or in its words why it found nothing. */
export type EngineAnswer =
  | { readonly found: { readonly json: string; readonly label: string; readonly manifestHash: string } }
  | { readonly fault: string };

type Reply = EngineAnswer & { readonly broken?: boolean; readonly memory?: number };

/** Characters of JSON that c2pa-rs may describe manifests with. Thousands of ingredients take less. */
const MAX_JSON = 16 << 20;

/** The memory of WASM never shrinks: above this, an instance isn't kept. */
const KEPT_MEMORY = 128 << 20;

let thread: Worker | undefined;
let last: Promise<unknown> = Promise.resolve();

/**
 * Has c2pa-rs read an asset. One thread with one instance is made when it is first needed and kept for the next read; it
 * doesn't keep the process alive. Reads come one after another, so that memory holds one asset at a time.
 *
 * @param load - called when it is this read's turn; the bytes are handed over
 * @param timeLimit - milliseconds from then on, after which the thread is ended
 */
export function runEngine(load: () => Promise<EngineRequest>, timeLimit: number): Promise<EngineAnswer> {
  const turn = last.then(async () => ask(await load(), timeLimit));
  last = turn.catch(() => undefined);
  return turn;
}

async function ask(request: EngineRequest, timeLimit: number): Promise<EngineAnswer> {
  thread ??= start();
  const worker = thread;
  worker.ref();
  const reply = await replyOf(worker, request, timeLimit);
  if (reply.broken || (reply.memory ?? 0) > KEPT_MEMORY) {
    thread = undefined;
    await worker.terminate();
  } else {
    worker.unref();
  }
  return reply;
}

function replyOf(worker: Worker, request: EngineRequest, timeLimit: number): Promise<Reply> {
  return new Promise((resolve) => {
    const settle = (reply: Reply) => {
      clearTimeout(timer);
      worker.off("message", settle).off("error", onError).off("exit", onExit);
      resolve(reply);
    };
    const onError = (error: unknown) => settle({ fault: String(error), broken: true });
    const onExit = () => settle({ fault: "the reader ended", broken: true });
    const timer = setTimeout(() => settle({ fault: `it took more than ${timeLimit} ms`, broken: true }), timeLimit);
    worker.on("message", settle).on("error", onError).on("exit", onExit);
    worker.postMessage(request, [request.bytes.buffer]);
  });
}

/**
 * What c2pa-rs prints when it fails is in the error as well, so its standard error goes nowhere. Node's own options, which
 * might load what the thread has no use for or forbid files, are not for it.
 */
function start(): Worker {
  const worker = new Worker(new URL("./worker.mjs", import.meta.url), {
    workerData: { maxJson: MAX_JSON },
    stderr: true,
    execArgv: [],
  });
  worker
    .on("error", () => undefined)
    .on("exit", () => {
      if (thread === worker) thread = undefined;
    });
  return worker;
}
