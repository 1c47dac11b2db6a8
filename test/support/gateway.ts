/** A node with a gateway, for tests. */
import { pino } from "pino";
import { commit, encodePieceCid } from "../../src/piece/index.js";
import { type GatewayOptions, type RunningNode, startNode } from "../../src/provider/index.js";
import { FileBlockIndex, FilePieceStore } from "../../src/store/index.js";
import { inChunks, tempFolder } from "./pieces.js";

export interface TestGateway {
  readonly dir: string;
  readonly store: FilePieceStore;
  readonly index: FileBlockIndex;
  readonly url: string;
  /** Warnings and errors. */
  readonly logged: { level: number; msg: string }[];
  /** Stores bytes, waits for the index, and gives their PieceCID. */
  put(payload: Blob | Uint8Array): Promise<string>;
  get(path: string, init?: RequestInit): Promise<Response>;
  close(): Promise<void>;
}

const refuse = () => {
  throw new Error("no deals here");
};

export const PEER_ID = "16Uiu2HAmLEeV2MZiFxhBzxE5hiQvtFs5sBc4eUUc5X1ZJHGbHcYr";

export async function startGateway(options: Partial<GatewayOptions> = {}): Promise<TestGateway> {
  const dir = await tempFolder();
  const logged: TestGateway["logged"] = [];
  const logger = pino({ level: "warn" }, { write: (line) => void logged.push(JSON.parse(line)) });
  const store = await FilePieceStore.open(dir);
  const index = await FileBlockIndex.open(`${dir}/blocks`, { store, logger });
  const node: RunningNode = await startNode({
    store,
    desk: { info: refuse, offers: refuse, accept: refuse },
    logger,
    maxPieceBytes: 1 << 30,
    gateway: { index, peerId: PEER_ID, ...options },
  });
  return {
    dir,
    store,
    index,
    url: node.url,
    logged,
    async put(payload) {
      const cid = await storePiece(store, payload);
      await index.settled();
      return cid;
    },
    get: (path, init) => fetch(node.url + path, init),
    async close() {
      await node.close();
      await index.close();
    },
  };
}

export async function storePiece(store: FilePieceStore, payload: Blob | Uint8Array): Promise<string> {
  const bytes = payload instanceof Blob ? new Uint8Array(await payload.arrayBuffer()) : payload;
  const cid = encodePieceCid(await commit(bytes)).toString();
  const id = await store.beginUpload();
  await store.writeUpload(id, inChunks(bytes), bytes.length);
  await store.finishUpload(id, cid);
  return cid;
}
