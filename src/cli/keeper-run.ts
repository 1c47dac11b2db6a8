/** `holdfast keeper run`. */
import { join } from "node:path";
import type { Command } from "commander";
import { Crew, type CrewOptions } from "../keeper/index.js";
import { settlingOf } from "../provider/policy/index.js";
import { DatabasePieceIndex } from "../store/database/index.js";
import { BlobPieceStore, FileBlobs } from "../store/index.js";
import { type FolderFlags, folderCommand, type NodeFolder, readNodeFolder } from "./node-folder.js";
import {
  dutiesOf,
  type Operator,
  openOperator,
  provingLimitsOf,
  restoringOf,
  runUntilStopped,
  standBackOf,
} from "./operator.js";

const RUN_HELP = `
In a provider's folder it proves that provider's deals, beside \`provider run --no-proving\` or instead of it: the pieces are where
node.yaml says, and the index is in the Postgres that DATABASE_URL names. Any number of keepers on one Postgres share the work.
In the folder of \`keeper init\` it settles anybody's deals, as its policy says. HOLDFAST_PROVING_KEYSTORE pays.`;

/** `holdfast keeper run [--dir DIR]`. */
export function keeperRunCommand(): Command {
  return folderCommand("run")
    .description("prove, settle and restore as the folder's policy says, until stopped; logs are JSON lines")
    .addHelpText("after", RUN_HELP)
    .action(async (flags: FolderFlags) => {
      const folder = await readNodeFolder(flags.dir);
      const operator = await openOperator(flags, folder);
      try {
        await runUntilStopped(operator.logger, (signal) => keep(operator, folder, signal));
      } finally {
        await operator.close();
      }
    });
}

async function keep(operator: Operator, folder: NodeFolder, signal: AbortSignal): Promise<void> {
  const { chain, proving: sender, leaveMs, logger, observer, ops } = operator;
  const { provider } = folder.settings;
  const settling = await settlingOf(folder.policy, chain, provider);
  const shared = {
    ...{ chain, sender, leaveMs, logger, observer, settling },
    ...standBackOf(folder.policy),
  };
  if (provider === undefined) {
    logger.info({ ops: ops.url }, "keeper runs");
    return new Crew(shared).run(signal);
  }
  const store = await openPieces(operator, folder);
  try {
    const limits = provingLimitsOf(folder.policy);
    const proving = { provider, pieces: store, duties: dutiesOf(operator, provider), ...limits };
    const own: Partial<CrewOptions> = { proving };
    const { restoring } = await restoringOf(operator, folder.policy, provider);
    const crew = new Crew({
      ...shared,
      ...own,
      ...(restoring && { restoring: { ...restoring, provider, pieces: store } }),
    });
    logger.info({ ops: ops.url, provider, pieces: operator.blobs?.where ?? folder.dataDir }, "keeper runs");
    await crew.run(signal);
  } finally {
    await store.close();
  }
}

/** The node's own uploads are none of a keeper's business: it has a folder of its own beside them. */
function openPieces({ database, blobs, logger }: Operator, { dataDir }: NodeFolder): Promise<BlobPieceStore> {
  const index = new DatabasePieceIndex(database);
  return BlobPieceStore.open(join(dataDir, "keeper"), { index, logger, blobs: blobs ?? new FileBlobs(dataDir) });
}
