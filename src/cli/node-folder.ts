/**
 * A provider's folder: `node.yaml` (how it runs), `policy.yaml` (what it offers), `deployment.json` (its market), `data/`.
 *
 * @packageDocumentation
 */
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { z } from "zod";
import type { Deployment } from "../chain/deployment.js";
import { readDeployment, writeDeployment } from "../chain/deployment-node.js";
import { HoldfastError } from "../errors.js";
import { type PolicyFile, parsePolicy, parseYaml, scalars } from "../provider/policy/index.js";
import { networkOption, rpcOption } from "./context.js";

const SETTINGS = "node.yaml";
const POLICY = "policy.yaml";
const DEPLOYMENT = "deployment.json";

const settings = z.strictObject({
  /** The account that owns the stake; its key need not be on the machine. Whoever only settles has none. */
  provider: scalars.address.optional(),
  /** Where clients are answered. */
  listen: scalars.listen.default({ host: "127.0.0.1", port: 8_080 }),
  /** Where metrics and health are told. */
  ops: scalars.listen.default({ host: "127.0.0.1", port: 9_464 }),
  /** Origin under which clients know it. */
  publicUrl: z.url().optional(),
  /** Where pieces lie, where that is not the folder; credentials are the environment's. */
  blobs: z
    .strictObject({
      /** s3://bucket/prefix */
      url: z.string(),
      endpoint: z.url().optional(),
      region: z.string().optional(),
    })
    .transform(({ url, endpoint, region }) => ({ url, ...(endpoint && { endpoint }), ...(region && { region }) }))
    .optional(),
});

/** How a node runs. */
export type NodeSettings = z.output<typeof settings>;

export interface NodeFolder {
  readonly dir: string;
  readonly settings: NodeSettings;
  readonly policy: PolicyFile;
  readonly deployment: Deployment;
  /** Where pieces, index and uploads lie. */
  readonly dataDir: string;
}

/** The options that {@link folderCommand} gives a command. */
export interface FolderFlags {
  readonly rpc?: string;
  readonly network?: string;
  readonly dir: string;
}

/** A command on a folder, which knows its market itself: with `--dir`, `--rpc` and `--network`. */
export function folderCommand(name: string): Command {
  return new Command(name).addOption(dirOption()).addOption(rpcOption()).addOption(networkOption());
}

/** `--dir`, of every command that works on a folder. */
export function dirOption(folder = "holdfast-node"): Option {
  return new Option("--dir <folder>", "the folder of the provider or keeper, as `init` makes it")
    .env("HOLDFAST_DIR")
    .default(folder);
}

/** Whether a folder was made before. */
export function isNodeFolder(folder: string): boolean {
  return existsSync(join(folder, SETTINGS));
}

/** The folder's file of its market, whether it is there or not. */
export function deploymentFile(folder: string): string {
  return join(resolve(folder), DEPLOYMENT);
}

/**
 * Reads a folder.
 *
 * @throws HoldfastError `NO_NODE` where there is none, `POLICY_UNREADABLE`, `POLICY_INVALID`, `DEPLOYMENT_UNREADABLE`,
 *   `DEPLOYMENT_INVALID`
 */
export async function readNodeFolder(folder: string): Promise<NodeFolder> {
  const dir = resolve(folder);
  if (!isNodeFolder(dir)) {
    const hint = "make one with `holdfast provider init`, or `holdfast keeper init`";
    throw new HoldfastError("NO_NODE", `${dir} is no provider's folder, and no keeper's`, hint);
  }
  return {
    dir,
    settings: parseSettings(await read(dir, SETTINGS)),
    policy: parsePolicy(await read(dir, POLICY), POLICY),
    deployment: await readDeployment(join(dir, DEPLOYMENT)),
    dataDir: join(dir, "data"),
  };
}

/** What there is of a folder: one whose making broke off, or that lost a file, has not all of it. */
export type NodeParts = Pick<NodeFolder, "dir"> & Partial<Pick<NodeFolder, "settings" | "policy" | "deployment">>;

/**
 * Reads those files of a folder that are there.
 *
 * @throws HoldfastError what {@link readNodeFolder} throws of a file that is there
 */
export async function readNodeParts(folder: string): Promise<NodeParts> {
  const dir = resolve(folder);
  const has = (name: string) => existsSync(join(dir, name));
  return {
    dir,
    ...(has(SETTINGS) && { settings: parseSettings(await read(dir, SETTINGS)) }),
    ...(has(POLICY) && { policy: parsePolicy(await read(dir, POLICY), POLICY) }),
    ...(has(DEPLOYMENT) && { deployment: await readDeployment(join(dir, DEPLOYMENT)) }),
  };
}

/** Reads `node.yaml`. @throws HoldfastError `POLICY_INVALID` naming every setting that is wrong, with its line */
export function parseSettings(text: string): NodeSettings {
  return parseYaml(text, settings, SETTINGS);
}

/** The provider that a folder is of. @throws HoldfastError `NO_PROVIDER` */
export function providerOf({ dir, settings }: Pick<NodeFolder, "dir" | "settings">): string {
  if (settings.provider !== undefined) return settings.provider;
  throw new HoldfastError("NO_PROVIDER", `${dir} is of no provider`, "make another with `holdfast provider init`");
}

/** The files of a folder, as text; without those that are there. */
export interface NodeFiles {
  readonly settings?: string;
  readonly policy?: string;
  readonly deployment: Deployment;
}

/**
 * Makes a folder. Files that are there stay: they are the operator's.
 *
 * @returns names of those that were written
 */
export async function writeNodeFolder(folder: string, { settings, policy, deployment }: NodeFiles): Promise<string[]> {
  // What was written must be readable, today and not when it is needed.
  if (policy !== undefined) parsePolicy(policy);
  await mkdir(join(folder, "data"), { recursive: true });
  const written: string[] = [];
  if (!existsSync(join(folder, DEPLOYMENT))) {
    await writeDeployment(join(folder, DEPLOYMENT), deployment);
    written.push(DEPLOYMENT);
  }
  // The last one is what makes it a folder of a node: what breaks off before can be begun again.
  for (const [name, text] of [
    [POLICY, policy],
    [SETTINGS, settings],
  ] as const) {
    const path = join(folder, name);
    if (text === undefined || existsSync(path)) continue;
    await writeFile(path, text, { flag: "wx" });
    written.push(name);
  }
  return written;
}

async function read(dir: string, name: string): Promise<string> {
  try {
    return await readFile(join(dir, name), "utf8");
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    const message = `${join(dir, name)} ${isMissing ? "is missing" : "can't be read"}`;
    const hint = isMissing
      ? "`holdfast provider init` writes what is missing, in a keeper's folder `holdfast keeper init`"
      : "let this account read it";
    throw new HoldfastError("POLICY_UNREADABLE", message, hint, { cause });
  }
}
