/** A replica made from another one, without the file itself ever lying on a disk. */
import { fileSink } from "../client/blob-node.js";
import type { Sink } from "../client/retrieve.js";
import { type FileKey, ReplicaEncryptor } from "../replica/index.js";

/**
 * Takes a file's bytes and writes them to `path` as a replica, which appears when all of them are there and verified.
 *
 * @param id - of the new replica
 * @param size - of the file, bytes
 * @returns a sink that gives back `path`
 * @throws HoldfastError `FILE_UNWRITABLE`
 */
export async function replicaSink(path: string, key: FileKey, id: Uint8Array, size: number): Promise<Sink<string>> {
  const encryptor = await ReplicaEncryptor.create(key, { id, size });
  const file = await fileSink(path);
  let begun = false;
  return {
    async write(chunk) {
      if (!begun) await file.write(encryptor.header);
      begun = true;
      for (const sealed of await encryptor.update(chunk)) await file.write(sealed);
    },
    async done() {
      for (const sealed of await encryptor.finish()) await file.write(sealed);
      return file.done();
    },
    discard: () => file.discard(),
  };
}
