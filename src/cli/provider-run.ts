/** `holdfast provider run`. */
import { type Command, Option } from "commander";
import { startProvider } from "../provider/index.js";
import { nodePolicy, settlingOf } from "../provider/policy/index.js";
import { type FolderFlags, folderCommand, type NodeFolder, providerOf, readNodeFolder } from "./node-folder.js";
import {
  dutiesOf,
  type Operator,
  openOperator,
  provingLimitsOf,
  requireSigner,
  restoringOf,
  runUntilStopped,
  standBackOf,
} from "./operator.js";

interface RunFlags extends FolderFlags {
  readonly proving: boolean;
  readonly privateSources?: boolean;
}

const RUN_HELP = `
Keys: HOLDFAST_TERMS_KEYSTORE signs deals, HOLDFAST_PROVING_KEYSTORE sends proofs and pays for them; docs/keys.md has the other
places that keys can be in. With a section \`restore\` in the policy, HOLDFAST_STAKE_KEYSTORE is the provider's own account.
DATABASE_URL names a Postgres that nodes and keepers share; without it the index is in the folder, for one process.
SIGTERM stops it within ten seconds: what is under way by then is written down, and the next start goes on with it.`;

/** `holdfast provider run [--dir DIR] [--no-proving]`. */
export function providerRunCommand(): Command {
  return folderCommand("run")
    .description("serve pieces, sign deals and keep them, until stopped; logs are JSON lines on standard error")
    .option("--no-proving", "leave proving and settling to `holdfast keeper run` on the same database")
    .addOption(
      new Option("--private-sources", "fetch pieces from private addresses as well: for a network of one's own"),
    )
    .addHelpText("after", RUN_HELP)
    .action(async (flags: RunFlags) => {
      const folder = await readNodeFolder(flags.dir);
      const operator = await openOperator(flags, folder);
      try {
        await runUntilStopped(operator.logger, (signal) => serve(operator, folder, flags, signal));
      } finally {
        await operator.close();
      }
    });
}

async function serve(
  operator: Operator,
  folder: NodeFolder,
  { proving, privateSources }: RunFlags,
  signal: AbortSignal,
): Promise<void> {
  const { chain, database, blobs, leaveMs, proving: sender, logger, observer, ops } = operator;
  const { dataDir, policy } = folder;
  const { listen, publicUrl } = folder.settings;
  const provider = providerOf(folder);
  const { signer } = await operator.key("terms");
  await requireSigner(chain, provider, signer.address);
  const keeping = proving
    ? { settling: await settlingOf(policy, chain, provider), ...(await restoringOf(operator, policy, provider)) }
    : {};
  const running = await startProvider({
    ...{ chain, signer, sender, provider, dataDir, database, leaveMs, observer, logger },
    proving: proving && { duties: dutiesOf(operator, provider), ...provingLimitsOf(policy) },
    ...(blobs && { blobs }),
    ...(await nodePolicy(policy, chain)),
    ...keeping,
    ...standBackOf(policy),
    ...listen,
    ...(publicUrl !== undefined && { publicUrl }),
    ...(privateSources && { fetching: { allowAddress: () => true } }),
  });
  logger.info({ url: running.url, ops: ops.url }, "provider runs");
  await aborted(signal);
  await running.close();
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
