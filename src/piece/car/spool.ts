/**
 * Where a CAR is gathered while it is written. Its header names the root, which is known only at the end: so a header of the
 * same length is written first, and replaced by `finish`.
 */
export interface CarSpool {
  /** Takes the next bytes; they are not changed afterwards. */
  append(bytes: Uint8Array): Promise<void>;
  /** Overwrites the first bytes, and gives back the whole. Called once, last. */
  finish(header: Uint8Array): Promise<Blob>;
  /** Forgets everything; a Blob that `finish` gave can't be read any more. */
  discard(): Promise<void>;
}

/** Bytes that are handed to a Blob at once. */
const PART_SIZE = 8 << 20;

/** Gathers a CAR as a Blob, which browsers keep on disk when it is large, and Node in memory. */
export function blobSpool(): CarSpool {
  let blobs: Blob[] = [];
  let parts: Uint8Array[] = [];
  let size = 0;
  const flush = () => {
    blobs.push(new Blob(parts as Uint8Array<ArrayBuffer>[]));
    parts = [];
    size = 0;
  };
  return {
    async append(bytes) {
      parts.push(bytes);
      size += bytes.length;
      if (size >= PART_SIZE) flush();
    },
    async finish(header) {
      flush();
      const written = new Blob(blobs);
      return new Blob([header as Uint8Array<ArrayBuffer>, written.slice(header.length)]);
    },
    async discard() {
      [blobs, parts] = [[], []];
    },
  };
}
