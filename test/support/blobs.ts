/** The same tests on a folder and on a bucket. */
import { type BlobStore, type BlobStoreOptions, openBlobStore } from "../../src/store/blobs/index.js";
import { removeFolders, tempFolder } from "./pieces.js";
import { startS3, type TestS3 } from "./s3.js";

export interface TestBlobs {
  /** Where a new, empty one is. */
  create(): Promise<BlobStoreOptions>;
  /** Opens one; it is closed when the test is over. */
  open(options: BlobStoreOptions): Promise<BlobStore>;
  /** A new, empty one. */
  empty(): Promise<BlobStore>;
  /** The server, where these are buckets. */
  readonly s3: TestS3 | undefined;
}

export function describeBlobs(title: string, tests: (blobs: TestBlobs) => void): void {
  for (const kind of ["folder", "S3"] as const) {
    describe(`${title}: ${kind}`, () => {
      let s3: TestS3 | undefined;
      const opened: BlobStore[] = [];

      before(async () => {
        if (kind === "S3") s3 = await startS3();
      });
      afterEach(() => {
        if (s3) s3.fault = undefined;
        for (const blobs of opened.splice(0)) blobs.close();
      });
      after(async () => {
        await s3?.stop();
        await removeFolders();
      });

      const create = async (): Promise<BlobStoreOptions> => s3?.options() ?? { dir: await tempFolder() };
      const open = async (options: BlobStoreOptions) => {
        const blobs = await openBlobStore(options);
        opened.push(blobs);
        return blobs;
      };
      tests({
        get s3() {
          return s3;
        },
        create,
        open,
        empty: async () => open(await create()),
      });
    });
  }
}
