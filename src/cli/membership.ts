/** The commands about a file of a folder that was anchored as a set. */
import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Command } from "commander";
import type { Chain } from "../chain/chain.js";
import { registerMember } from "../client/membership.js";
import { hashFile, hintsOf } from "../client/provenance-node.js";
import { HoldfastError } from "../errors.js";
import { formatMembership, type ProvenMembership } from "../provenance/sets/index.js";
import { type ChainFlags, chainCommand, printResult, withChain, withClient } from "./context.js";

interface MemberFlags extends ChainFlags {
  readonly set?: string;
  readonly proof?: string;
  readonly output?: string;
}

/** `holdfast provenance prove FILE [--set FILE] [-o FILE]`. */
export function proveCommand(): Command {
  return memberCommand("prove", "write the proof that a file is in a set: small, and enough to verify the file by")
    .option("-o, --output <file>", "where to write it; FILE.proof.json by default")
    .action((path: string, flags: MemberFlags) =>
      withChain(flags, async (chain) => {
        const { membership, head } = await memberOf(chain, path, flags);
        const output = resolve(flags.output ?? `${path}.proof.json`);
        await writeFile(output, `${formatMembership(membership, head)}\n`).catch((cause) => {
          throw new HoldfastError("FILE_UNWRITABLE", `${output} cannot be written`, "check the folder", { cause });
        });
        printResult(flags, { proof: output, set: head.id, id: membership.id }, ({ proof, set }) => [
          `proof     ${proof}`,
          `set       ${set}`,
        ]);
      }),
    );
}

/** `holdfast provenance publish FILE [--set FILE | --proof FILE]`. */
export function publishCommand(): Command {
  return memberCommand(
    "publish",
    "register a file of an anchored folder by itself, so that it can be a parent or attested",
  )
    .option("--proof <file>", "its proof, where there is no set file")
    .action((path: string, flags: MemberFlags) =>
      withClient(flags, async ({ access, chain }) => {
        const member = await memberOf(chain, path, flags);
        const id = await registerMember(access, member);
        printResult(flags, { id, set: member.head.id }, (done) => [`record    ${done.id}`, `set       ${done.set}`]);
      }),
    );
}

function memberCommand(name: string, description: string): Command {
  return chainCommand(name)
    .description(description)
    .argument("<file>", "the file")
    .option("--set <file>", "the set file; the one beside the folder that the file is in by default");
}

async function memberOf({ deployment }: Chain, path: string, { set, proof }: MemberFlags): Promise<ProvenMembership> {
  const { sha256 } = await hashFile(path);
  const { chainId, provenance: registry } = deployment;
  const named = { ...(set !== undefined && { set }), ...(proof !== undefined && { proof }) };
  const { member } = await hintsOf(path, sha256, { chainId, registry, ...named });
  if (member !== undefined) return member;
  const hint = "name its set file with --set; a file that was changed is in no set";
  throw new HoldfastError("NOT_IN_SET", `${path} is in no set that is known here`, hint);
}
