/** A node with a gateway, for tests. */
import { CarReader } from "@ipld/car";
import { SigningKey } from "ethers";
import { sha256 } from "multiformats/hashes/sha2";
import { pino } from "pino";
import { commit, encodePieceCid } from "../../src/piece/index.js";
import { type GatewayOptions, peerIdOf, type RunningNode, startNode } from "../../src/provider/index.js";
import { BlobPieceStore, FileBlockIndex } from "../../src/store/index.js";
import { inChunks, tempFolder } from "./pieces.js";

export interface TestGateway {
  readonly dir: string;
  readonly store: BlobPieceStore;
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

/** Of the key that is 1. */
export const PEER_ID = peerIdOf(new SigningKey(`0x${"1".padStart(64, "0")}`).publicKey);

export async function startGateway(options: Partial<GatewayOptions> = {}): Promise<TestGateway> {
  const dir = await tempFolder();
  const logged: TestGateway["logged"] = [];
  const logger = pino({ level: "warn" }, { write: (line) => void logged.push(JSON.parse(line)) });
  const store = await BlobPieceStore.open(dir);
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

export async function storePiece(store: BlobPieceStore, payload: Blob | Uint8Array): Promise<string> {
  const bytes = payload instanceof Blob ? new Uint8Array(await payload.arrayBuffer()) : payload;
  const cid = encodePieceCid(await commit(bytes)).toString();
  const id = await store.beginUpload();
  await store.writeUpload(id, inChunks(bytes), bytes.length);
  await store.finishUpload(id, cid);
  return cid;
}

/** What a CAR holds: its roots and its blocks' CIDs, each block hashed by whoever looks. */
export async function carContent(response: Response): Promise<{ roots: string[]; cids: string[] }> {
  const reader = await CarReader.fromBytes(new Uint8Array(await response.arrayBuffer()));
  const cids: string[] = [];
  for await (const { cid, bytes } of reader.blocks()) {
    if (!Buffer.from((await sha256.digest(bytes)).digest).equals(cid.multihash.digest))
      throw new Error(`${cid} is wrong`);
    cids.push(String(cid));
  }
  return { roots: (await reader.getRoots()).map(String), cids };
}
