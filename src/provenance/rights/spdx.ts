/**
 * The SPDX licence list, and how an id says its family and version.
 *
 * @packageDocumentation
 */

import deprecated from "spdx-license-ids/deprecated.json" with { type: "json" };
import current from "spdx-license-ids/index.json" with { type: "json" };

/** Ids that the SPDX licence list recommends today. */
export const CURRENT_IDS: readonly string[] = current;
/** Ids that it still knows, and advises against. */
export const DEPRECATED_IDS: readonly string[] = deprecated;

const IDS = new Set([...current, ...deprecated]);
const DEPRECATED = new Set<string>(deprecated);

/** Whether the SPDX licence list has this id, deprecated ones included. Case counts. */
export function isLicenseId(id: string): boolean {
  return IDS.has(id);
}

export function isDeprecatedId(id: string): boolean {
  return DEPRECATED.has(id);
}

/** One licence of an expression, in today's notation. */
export interface LicenseTerm {
  /** As written, with `+` and exception. */
  readonly name: string;
  /** Id without "-only" and "-or-later": `GPL-2.0`; or a whole `LicenseRef-…`. */
  readonly base: string;
  /** Whoever receives the work may choose any later version. */
  readonly orLater: boolean;
  readonly exception?: string;
}

/** Deprecated ids that stand for a licence with an exception: https://spdx.org/licenses/, "Deprecated License Identifiers". */
const WITH_EXCEPTION: Readonly<Record<string, readonly [license: string, exception: string]>> = {
  "GPL-2.0-with-GCC-exception": ["GPL-2.0-only", "GCC-exception-2.0"],
  "GPL-2.0-with-autoconf-exception": ["GPL-2.0-only", "Autoconf-exception-2.0"],
  "GPL-2.0-with-bison-exception": ["GPL-2.0-only", "Bison-exception-2.2"],
  "GPL-2.0-with-classpath-exception": ["GPL-2.0-only", "Classpath-exception-2.0"],
  "GPL-2.0-with-font-exception": ["GPL-2.0-only", "Font-exception-2.0"],
  "GPL-3.0-with-GCC-exception": ["GPL-3.0-only", "GCC-exception-3.1"],
  "GPL-3.0-with-autoconf-exception": ["GPL-3.0-only", "Autoconf-exception-3.0"],
  "eCos-2.0": ["GPL-2.0-or-later", "eCos-exception-2.0"],
  wxWindows: ["LGPL-2.0-or-later", "WxWindows-exception-3.1"],
};

/** A licence as spdx-expression-parse has it, in today's notation. */
export function toTerm(id: string, plus: boolean, exception: string | undefined): LicenseTerm {
  const name = `${id}${plus ? "+" : ""}${exception === undefined ? "" : ` WITH ${exception}`}`;
  const [license, implied] = WITH_EXCEPTION[id] ?? [id, undefined];
  const granted = exception ?? implied;
  const term = { name, base: baseOf(license), orLater: plus || license.endsWith("-or-later") };
  return granted === undefined ? term : { ...term, exception: granted };
}

/** The id without what says which versions are offered, and without a font's reserved names, which change no rule here. */
export function baseOf(id: string): string {
  return id.replace(/-(only|or-later)$/, "").replace(/^(OFL-1\.[01])-(no-)?RFN$/, "$1");
}

/** What an id is made of: `CC-BY-SA-3.0-DE` is family `CC-BY-SA`, version 3.0, variant `-DE`. */
export interface IdParts {
  readonly family: string;
  readonly version: readonly number[];
  readonly variant: string;
}

/** The parts of a base, or undefined where it has no version. */
export function partsOf(base: string): IdParts | undefined {
  const [, family, version, variant = ""] = /^(.+?)-(\d+(?:\.\d+)*)(-.+)?$/.exec(base) ?? [];
  if (family === undefined || version === undefined) return undefined;
  return { family, version: version.split(".").map(Number), variant };
}

/** Negative where version a is the earlier one. */
export function compareVersions(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const BASES = new Set([...IDS].map(baseOf));
const VERSIONED = [...BASES].flatMap((base) => {
  const parts = partsOf(base);
  return parts === undefined || base in WITH_EXCEPTION ? [] : [[base, parts] as const];
});

/** Whether a base comes from the SPDX licence list. */
export function isLicenseBase(base: string): boolean {
  return BASES.has(base);
}

/** All published licences of a family whose version is at least this one, whatever their variant. */
export function familyFrom({ family, version }: IdParts): readonly (readonly [base: string, parts: IdParts])[] {
  return VERSIONED.filter(([, it]) => it.family === family && compareVersions(it.version, version) >= 0);
}

/** What stands for the versions of a family that nobody has published yet. */
export function unpublished(family: string): string {
  return `${family}-later`;
}

/** What the receiver of a work may choose from. */
export interface Versions {
  readonly published: readonly string[];
  /** See {@link unpublished}. */
  readonly later?: string;
}

/** Only of ids in the list, so it can't grow beyond that. */
const laterOf = new Map<string, Versions>();

/** The versions that a licence lets its receiver choose from. */
export function versionsOf({ base, orLater }: LicenseTerm): Versions {
  const parts = orLater ? partsOf(base) : undefined;
  if (parts === undefined) return { published: [base] };
  const versions = laterOf.get(base) ?? fromOn(base, parts);
  laterOf.set(base, versions);
  return versions;
}

function fromOn(base: string, parts: IdParts): Versions {
  const published = familyFrom(parts).flatMap(([it, { variant }]) => (variant === parts.variant ? [it] : []));
  return { published: published.length === 0 ? [base] : published, later: unpublished(parts.family) };
}
