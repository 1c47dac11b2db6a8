import { HoldfastError } from "../../errors.js";

/** The longest name that common file systems hold, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 255;

/** How many folders may lie within each other. Common file systems end at 4096 bytes of path, far fewer in practice. */
export const MAX_FOLDER_DEPTH = 128;

const encoder = new TextEncoder();

/**
 * What is wrong with a name of a file or folder, or undefined. A name is one step of a path: it must not lead anywhere
 * else, and its UTF-8 must give it back.
 */
export function faultOfName(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name === "." || name === "..") return "it leads to another folder";
  if (name.includes("/")) return "it holds a slash";
  if (name.includes("\0")) return "it holds a NUL";
  // Half of a pair: UTF-8 can't write it.
  if (/\p{Surrogate}/u.test(name)) return "it is not Unicode";
  // dag-pb decoders in JavaScript leave it out, so the name would come back as another.
  if (name.startsWith("\ufeff")) return "it begins with a byte order mark";
  const size = encoder.encode(name).length;
  if (size > MAX_NAME_BYTES) return `it has ${size} bytes, over ${MAX_NAME_BYTES}`;
  return undefined;
}

/**
 * The names in a path such as `photos/2025/a.jpg`. Strict, so that each thing has one path: no slash at either end, no
 * empty names, no `.` and `..`. The empty path is the folder itself.
 *
 * @throws HoldfastError `INVALID_PATH`
 */
export function splitPath(path: string): string[] {
  if (path === "") return [];
  const names = path.split("/");
  for (const name of names) {
    const fault = faultOfName(name);
    if (fault) throw invalidPath(path, `in the name ${JSON.stringify(name)}: ${fault}`);
  }
  if (names.length > MAX_FOLDER_DEPTH) throw invalidPath(path, `it is deeper than ${MAX_FOLDER_DEPTH} folders`);
  return names;
}

/** Order of names in a folder: by the bytes of their UTF-8, as dag-pb wants its links. */
export function compareNames(a: string, b: string): number {
  const [left, right] = [encoder.encode(a), encoder.encode(b)];
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) {
    const difference = (left[i] as number) - (right[i] as number);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

function invalidPath(path: string, reason: string): HoldfastError {
  return new HoldfastError(
    "INVALID_PATH",
    `${JSON.stringify(path.slice(0, 200))} is no path in a folder: ${reason}`,
    "give names separated by single slashes, such as photos/2025/a.jpg",
  );
}
