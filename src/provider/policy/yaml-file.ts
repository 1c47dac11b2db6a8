/**
 * Settings in YAML, read strictly: every scalar as text, nothing unknown, nothing twice, and what is wrong is told by its place.
 *
 * @packageDocumentation
 */
import { type Document, isCollection, LineCounter, parseDocument } from "yaml";
import type { z } from "zod";
import { HoldfastError } from "../../errors.js";

/** Settings are written by hand. */
const MAX_CHARACTERS = 256 * 1024;

/**
 * Reads settings.
 *
 * @param name - of the file, for messages
 * @throws HoldfastError `POLICY_INVALID` naming every setting that is wrong, with its line
 */
export function parseYaml<T extends z.ZodType>(text: string, schema: T, name: string): z.output<T> {
  if (text.length > MAX_CHARACTERS) throw invalid(name, [`it has more than ${MAX_CHARACTERS} characters`]);
  const lines = new LineCounter();
  // Of the failsafe schema all scalars are strings; aliases, which can make much of little, are not needed.
  const document = parseDocument(text, { schema: "failsafe", lineCounter: lines, prettyErrors: false });
  const place = (offset: number | undefined) => (offset === undefined ? "" : `line ${lines.linePos(offset).line}: `);
  if (document.errors.length > 0) {
    throw invalid(
      name,
      document.errors.map(({ message, pos }) => `${place(pos[0])}${message}`),
    );
  }
  const parsed = schema.safeParse(plain(document, name));
  if (parsed.success) return parsed.data;
  throw invalid(
    name,
    parsed.error.issues.flatMap((issue) => {
      const unknown = issue.code === "unrecognized_keys" ? issue.keys : [undefined];
      return unknown.map((key) => {
        const path = [...issue.path, ...(key === undefined ? [] : [key])].map(String);
        const what = key === undefined ? issue.message : "is no setting";
        return `${place(offsetOf(document, path))}${path.join(".") || "it"} ${lowerFirst(what)}`;
      });
    }),
  );
}

function plain(document: Document, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 }) ?? {};
  } catch {
    throw invalid(name, ["it has aliases (*name), which are not read here"]);
  }
}

/** Where a setting is, or where it should be. */
function offsetOf(document: Document, path: readonly string[]): number | undefined {
  for (let length = path.length; length >= 0; length--) {
    const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined;
    // A block of settings begins at its first one, which is below its name.
    if (node?.range) return isCollection(node) && length === 0 ? 0 : node.range[0];
  }
  return undefined;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function invalid(name: string, problems: readonly string[]): HoldfastError {
  const message = `${name} can't be used: ${problems.join("; ")}`;
  return new HoldfastError("POLICY_INVALID", message, "mend it; docs/policy.md has every setting");
}
