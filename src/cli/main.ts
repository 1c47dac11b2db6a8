import { join } from "node:path";
import { inspect } from "node:util";
import { Command, CommanderError } from "commander";
import dotenv from "dotenv";
import manifest from "../../package.json" with { type: "json" };
import { HoldfastError } from "../errors.js";
import { keepSecretsOfEnvironment, withoutSecrets } from "../secrets.js";
import { ENTRIES, type Entry, GROUPS } from "./commands.js";
import { printableLines } from "./printable.js";
import { ROOT } from "./root.js";

function isNamed(entry: Entry, operands: readonly string[]): boolean {
  return entry.path.every((word, i) => word === operands[i]);
}

/** The whole program: the command that `args` names in full, of the others the name and the summary. */
async function buildProgram(args: readonly string[]): Promise<Command> {
  const program = new Command("holdfast")
    .description(manifest.description)
    .version(manifest.version)
    .configureOutput({ writeErr: (text) => process.stderr.write(withoutSecrets(text)) })
    .showHelpAfterError("hint: `holdfast --help` lists the commands, `holdfast COMMAND --help` explains one")
    .exitOverride();
  const operands = args.filter((arg) => !arg.startsWith("-"));
  if (operands[0] === "help") operands.shift();
  const groups = new Map<string, Command>();
  for (const entry of ENTRIES) {
    let parent = program;
    if (entry.path.length === 2) {
      const word = entry.path[0];
      parent = groups.get(word) ?? program.command(word).summary(GROUPS[word] ?? "");
      groups.set(word, parent);
    }
    const command = isNamed(entry, operands) ? await entry.load() : new Command(entry.path.at(-1));
    parent.addCommand(command.copyInheritedSettings(parent).summary(entry.summary));
  }
  return program;
}

/** Prints what went wrong on stderr, for a person: the message, what to do next, and the stack with HOLDFAST_DEBUG=1. */
function printError(error: unknown): void {
  const known = error instanceof HoldfastError;
  const message = error instanceof Error ? error.message : String(error);
  const hint = known ? error.hint : "this is a defect in Holdfast: please report it with what HOLDFAST_DEBUG=1 prints";
  // Errors quote files, nodes and chains: strangers.
  console.error(printableLines(withoutSecrets(`error: ${message}\nhint: ${hint}`)));
  if (process.env.HOLDFAST_DEBUG === "1") console.error(withoutSecrets(inspect(error, { depth: 6 })));
}

/** Runs the command line and returns its exit status. */
async function main(args: readonly string[]): Promise<number> {
  try {
    const program = await buildProgram(args);
    await program.parseAsync(args, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode; // commander has printed it already
    printError(error);
    return 1;
  }
}

// A reader that went away (`holdfast … | head`) is no error of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

// In production, settings come from the environment alone.
if (process.env.NODE_ENV !== "production") {
  dotenv.config({ path: join(ROOT, ".env"), quiet: true });
}

keepSecretsOfEnvironment(process.env);

process.exitCode = await main(process.argv.slice(2));
