// Completes package-lock.json for platforms whose packages the registry at hand did not serve.
//
// A package with native parts names one optional package per platform. npm leaves those that it could not look up
// (a partial mirror, a flaky network) out of the lockfile, and `npm ci` then refuses the whole lockfile as out of
// step, on every platform. Their versions are pinned by the parent and their platforms told by their names, so the
// entries can be written without the registry; they carry no integrity until a full registry is at hand.
//
// Run after any `npm install` that changes the lockfile: `npm run lockfile`. A test fails while it is incomplete.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** An entry of a lockfile's `packages`, as far as it matters here. */
export interface LockEntry {
  version?: string;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  dev?: boolean;
  optional?: boolean;
  optionalDependencies?: Record<string, string>;
}

/** A lockfile's `packages`: entries by the path they are installed at. */
export type LockPackages = Record<string, LockEntry>;

const SYSTEMS = ["aix", "android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "sunos", "win32"];
const PROCESSORS: Readonly<Record<string, string>> = {
  amd64: "x64",
  arm: "arm",
  arm64: "arm64",
  ia32: "ia32",
  ppc64: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
  x64: "x64",
};
const LIBRARIES: Readonly<Record<string, string>> = { gnu: "glibc", musl: "musl" };

/** Whether `name`, asked for by the package at `from`, is found by Node's rules: beside it or in a folder above. */
function isLocked(packages: LockPackages, from: string, name: string): boolean {
  for (let base = from; ; base = base.slice(0, Math.max(base.lastIndexOf("/node_modules/"), 0))) {
    if (packages[`${base === "" ? "" : `${base}/`}node_modules/${name}`] !== undefined) return true;
    if (base === "") return false;
  }
}

/** The entry of a platform package, as its name and its parent tell it. */
function entryOf(name: string, version: string, parent: LockEntry): LockEntry {
  const words = name.split(/[/-]/);
  const os = words.filter((word) => SYSTEMS.includes(word));
  const cpu = words.flatMap((word) => PROCESSORS[word] ?? []);
  const libc = words.flatMap((word) => LIBRARIES[word] ?? []);
  if (os.length !== 1 || cpu.length !== 1 || !/^\d+\.\d+\.\d+$/.test(version)) {
    throw new Error(`cannot tell the platform or the version of ${name}@${version}: lock it by hand`);
  }
  return { version, cpu, ...(parent.dev ? { dev: true } : {}), ...(libc.length ? { libc } : {}), optional: true, os };
}

/**
 * The entries that a lockfile lacks, by the path they belong at.
 *
 * @throws Error if a missing package's name does not tell its platform, or its version is a range.
 */
export function missingEntries(packages: LockPackages): LockPackages {
  const missing: LockPackages = {};
  for (const [path, parent] of Object.entries(packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      if (!isLocked(packages, path, name)) missing[`node_modules/${name}`] = entryOf(name, version, parent);
    }
  }
  return missing;
}

const FILE = fileURLToPath(new URL("../package-lock.json", import.meta.url));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lock = JSON.parse(readFileSync(FILE, "utf8")) as { packages: LockPackages };
  const missing = missingEntries(lock.packages);
  const all = Object.entries({ ...lock.packages, ...missing });
  lock.packages = Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`added ${Object.keys(missing).length} entries to package-lock.json`);
}
