/**
 * One licence of a parent against all that apply to a child: the rules themselves.
 *
 * @packageDocumentation
 */
import { onward } from "./onward.js";
import { type LicenseTerm, versionsOf } from "./spdx.js";
import { allowsLinking, clashes, type Traits, traitsOfBase } from "./traits.js";

/** `conflict`: the rules say no. `unknown`: they don't say yes, and a person has to look. */
export type Severity = "conflict" | "unknown";

/** What stands against a child's licence. */
export interface Conflict {
  readonly severity: Severity;
  /** One sentence that names both licences. */
  readonly reason: string;
}

/** How much of the parent is in the child. `contained`: whole, beside other things. */
export type Making = "adapted" | "contained" | "collected";

/** A child's side: one choice that it offers. */
export interface Offered {
  /** How it is called in a sentence. */
  readonly name: string;
  /** All of these apply. Undefined: nobody knows. Empty: all rights are reserved. */
  readonly terms: readonly LicenseTerm[] | undefined;
}

/** The worst that one licence of a parent has against one choice that a child offers. */
export function judge(parent: LicenseTerm, child: Offered, making: Making): Conflict | undefined {
  const traits = traitsOfBase(parent.base);
  if (traits.unknown) {
    if (child.terms?.some(({ name }) => name === parent.name)) return undefined;
    return unknown(`what ${parent.name} asks for is not known, so ${child.name} can't be checked against it`);
  }
  const findings = [
    noDerivatives(parent, traits, child, making),
    nonCommercial(parent, traits, child),
    shareAlike(parent, traits, child, making),
    incompatible(parent, child, making),
    attribution(parent, traits, child, making),
  ];
  return findings.find((it) => it?.severity === "conflict") ?? findings.find((it) => it !== undefined);
}

export const unknown = (reason: string): Conflict => ({ severity: "unknown", reason });
export const against = (reason: string): Conflict => ({ severity: "conflict", reason });

/** CC BY-ND 4.0 section 2(a)(1)(B): adapted material may be made, not shared. A collection is no adaptation. */
function noDerivatives(parent: LicenseTerm, { noDerivatives }: Traits, { name }: Offered, making: Making) {
  if (!noDerivatives || making !== "adapted") return undefined;
  return against(`${parent.name} allows no changed versions, and this is one, under ${name}`);
}

/** CC's charts for adapters and for collections agree: NC stays, in whatever the work goes into. */
function nonCommercial(parent: LicenseTerm, { nonCommercial }: Traits, { name, terms }: Offered) {
  if (!nonCommercial || terms?.length === 0) return undefined;
  const child = terms?.map(({ base }) => traitsOfBase(base));
  if (child?.some((it) => it.nonCommercial)) return undefined;
  if (child === undefined || child.some((it) => it.unknown)) {
    return unknown(`${parent.name} forbids commercial use, and whether ${name} does is not known`);
  }
  return against(`${parent.name} forbids commercial use, ${name} permits it`);
}

function shareAlike(parent: LicenseTerm, traits: Traits, { name, terms }: Offered, making: Making) {
  if (!reaches(parent, traits, terms, making)) return undefined;
  const asks = `${parent.name} asks that what ${making === "adapted" ? "derives from" : "contains"} it keep that licence`;
  if (terms === undefined) return unknown(`${asks} or a compatible one, and ${name} can't be checked`);
  const allowed = ahead(parent);
  const found = terms.map((term) => compatibility(parent, traits, allowed, term));
  if (found.includes("all")) return undefined;
  if (found.includes("published")) {
    return unknown(`${asks} or a compatible one: ${name} is, but also offers versions not published yet`);
  }
  if (terms.some(({ base }) => traitsOfBase(base).unknown)) {
    return unknown(`${asks} or a compatible one, and whether ${name} is compatible is not known`);
  }
  return against(`${asks} or a compatible one, and ${name} is not${WAY_OUT[parent.base] ?? ""}`);
}

/** What a record can't tell: whether something that isn't data was made from the data. */
const WAY_OUT: Readonly<Record<string, string>> = {
  "ODbL-1.0": " (unless it is no database but a Produced Work, section 4.5 b)",
  "CDLA-Sharing-1.0": " (unless it is a Result of computing with the data)",
};

/**
 * Whether a copyleft has a say. A CC or data licence doesn't reach a whole that merely contains the work (BY-SA 4.0 section
 * 1(a), ODbL 4.5 a), nor does any reach a mere aggregate (GPL 3.0 section 5). A weak one is asked within a GPL program, as that
 * has to be under the GPL as a whole.
 */
function reaches(parent: LicenseTerm, { copyleft }: Traits, terms: Offered["terms"], making: Making): boolean {
  if (copyleft === "none" || making === "collected") return false;
  if (making === "adapted") return true;
  if (copyleft === "share-alike") return false;
  if (copyleft !== "weak" && !allowsLinking(parent.exception)) return true;
  return terms?.some(({ base }) => /^A?GPL-/.test(base)) ?? false;
}

/** All that some version of a licence leads to. */
function ahead(parent: LicenseTerm): readonly ReadonlySet<string>[] {
  const { published, later } = versionsOf(parent);
  return [...published, ...(later === undefined ? [] : [later])].map(onward);
}

/** Whether every version that the child offers is one that the parent leads to; "published": all but those to come. */
function compatibility(
  parent: LicenseTerm,
  { copyleft }: Traits,
  allowed: readonly ReadonlySet<string>[],
  child: LicenseTerm,
): "none" | "published" | "all" {
  const firm = copyleft === "strong" || copyleft === "network";
  // Only who holds the rights can add a permission; anybody may leave it away (GPL 3.0 section 7).
  if (firm && child.exception !== undefined && child.exception !== parent.exception) return "none";
  const { published, later } = versionsOf(child);
  const leads = (version: string) => allowed.some((it) => it.has(version));
  if (!published.every(leads)) return "none";
  return later === undefined || leads(later) ? "all" : "published";
}

/** Permissive licences that still don't go into a GPL program. Naming both, as AND, tells whoever receives it. */
function incompatible(parent: LicenseTerm, { name, terms = [] }: Offered, making: Making) {
  if (making === "collected" || terms.some(({ base }) => base === parent.base)) return undefined;
  const clash = terms.some((term) =>
    versionsOf(term).published.some((it) => clashes(parent.base, it, parent.exception)),
  );
  return clash ? against(`${parent.name} asks for more than ${name} lets anybody ask for`) : undefined;
}

/** CC's adapter's chart: BY can't become public domain. The same goes for a notice that has to stay. */
function attribution(parent: LicenseTerm, { attribution, copyleft }: Traits, { name, terms }: Offered, making: Making) {
  if (!attribution || copyleft !== "none" || making !== "adapted") return undefined;
  if (terms === undefined || terms.length === 0) return undefined;
  const dropped = terms.every(({ base }) => !traitsOfBase(base).attribution && !traitsOfBase(base).unknown);
  return dropped
    ? against(`${parent.name} asks that its author or notice be named, ${name} asks for nothing`)
    : undefined;
}
