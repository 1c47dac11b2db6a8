/**
 * What licences ask for, as far as it decides whether another work may carry another licence.
 *
 * Families are told by their ids. A licence that no rule here knows is said to be unknown, never guessed at.
 *
 * @packageDocumentation
 */
import { onward } from "./onward.js";
import { baseOf, isLicenseBase } from "./spdx.js";

/**
 * How far a licence reaches into works made from what it covers. `share-alike`: adaptations, but no collections (CC, ODbL,
 * GFDL, fonts). `weak`: the covered files. `strong`: programs that contain them. `network`: those offered over a network too.
 */
export type Copyleft = "none" | "share-alike" | "weak" | "strong" | "network";

/** What a licence asks for. */
export interface Traits {
  /** Without "-only" and "-or-later". */
  readonly id: string;
  /** Nothing below is known where this is true. */
  readonly unknown: boolean;
  /** All rights given up, as far as the law lets them be. */
  readonly publicDomain: boolean;
  /** An author's name or a notice has to stay. */
  readonly attribution: boolean;
  readonly nonCommercial: boolean;
  readonly noDerivatives: boolean;
  readonly copyleft: Copyleft;
  /** What derived works may carry; only where there is a copyleft. See {@link onward}. */
  readonly onward: ReadonlySet<string>;
}

type Rule = readonly [ids: RegExp, traits: Partial<Omit<Traits, "id" | "onward">>];

const PERMISSIVE = { attribution: true };
const copyleft = (reach: Copyleft) => ({ attribution: true, copyleft: reach });

/** The first that matches counts. */
const RULES: readonly Rule[] = [
  // Fields of use that are closed: neither free nor "NonCommercial" as CC means it.
  [/No-(Nuclear|Military)|^BSD-(Protection|Source-alt-GPL)|OpenWebUI|^MITNFA/, { unknown: true }],
  [
    /^(CC0-1\.0|CC-PDM-1\.0|CC-PDDC|PDDL-1\.0|Unlicense|NIST-PD|SAX-PD|NCBI-PD|NTIA-PD|blessing)$/,
    { publicDomain: true },
  ],
  // Licences that ask for nothing at all.
  [/^(0BSD|MIT-0|WTFPL|DL-DE-ZERO-2\.0)$/, {}],
  [/^(PolyForm-Noncommercial-1\.0\.0|NCGL-UK-2\.0)$/, { attribution: true, nonCommercial: true }],
  // https://www.gnu.org/licenses/license-list.html
  [/^AGPL-/, copyleft("network")],
  [/^GPL-/, copyleft("strong")],
  [/^LGPL-[23]/, copyleft("weak")],
  [/^GFDL-/, copyleft("share-alike")],
  // OSL section 5 and SSPL section 13 reach services over a network.
  [/^(OSL-|SSPL-1)/, copyleft("network")],
  [/^(CECILL-[12]|LiLiQ-Rplus-|CERN-OHL-S-)/, copyleft("strong")],
  // EUPL among them: its steward holds that linking makes no derivative (Matrix of EUPL compatible licences, Joinup).
  [/^(MPL-|EPL-|CPL-1|CDDL-|EUPL-|CECILL-C$|MS-RL$|LiLiQ-R-|CERN-OHL-W-)/, copyleft("weak")],
  [/^(ODbL-1|CDLA-Sharing-|LAL-1|OFL-1)/, copyleft("share-alike")],
  [/^(ODC-By-|CDLA-Permissive-|OGL-(UK|Canada)-|NLOD-|etalab-|DL-DE-BY-|OpenMDW-)/, PERMISSIVE],
  [/^(MIT|BSD|HPND|ISC|X11|NTP|Zlib|NCSA|ICU|FTL|IJG|curl|PostgreSQL)(-|$)/, PERMISSIVE],
  [
    /^(Apache|AFL|Artistic-2|BSL-1|BlueOak|UPL|MulanPSL|Unicode-(3|DFS)|W3C|ZPL-2|ECL-2|EFL-2|PSF-2|Python-2)(\.|-|$)/,
    PERMISSIVE,
  ],
  [/^(Libpng|libpng-2\.0|OpenSSL|PHP-3\.0|PHP-3\.01|MS-PL|CECILL-B|CERN-OHL-P-2\.0|LiLiQ-P-1\.1)$/, PERMISSIVE],
];

/**
 * What a licence asks for.
 *
 * @param licenseId - an SPDX id; for any other text, `LicenseRef-…` included, the traits are unknown
 * @example
 * traitsOf("CC-BY-NC-SA-4.0").nonCommercial; // true
 */
export function traitsOf(licenseId: string): Traits {
  return traitsOfBase(baseOf(licenseId));
}

/** The same for an id without "-only" and "-or-later", as a `LicenseTerm` has it. */
export function traitsOfBase(id: string): Traits {
  if (!isLicenseBase(id)) return { ...NOTHING, id, unknown: true, onward: new Set() };
  const traits = known.get(id) ?? derive(id);
  known.set(id, traits);
  return traits;
}

const known = new Map<string, Traits>();

function derive(id: string): Traits {
  const found = creativeCommons(id) ?? RULES.find(([ids]) => ids.test(id))?.[1] ?? { unknown: true };
  const reach = found.copyleft ?? "none";
  return { ...NOTHING, ...found, id, onward: reach === "none" ? new Set() : onward(id) };
}

const NOTHING = {
  unknown: false,
  publicDomain: false,
  attribution: false,
  nonCommercial: false,
  noDerivatives: false,
  copyleft: "none",
} as const;

/** The elements of a CC licence are its name: https://creativecommons.org/share-your-work/cclicenses/ */
function creativeCommons(id: string): Rule[1] | undefined {
  const [, elements] = /^CC-((?:BY|NC|ND|SA)(?:-(?:NC|ND|SA))*)-\d/.exec(id) ?? [];
  if (elements === undefined) return undefined;
  const has = new Set(elements.split("-"));
  return {
    attribution: has.has("BY"),
    nonCommercial: has.has("NC"),
    noDerivatives: has.has("ND"),
    copyleft: has.has("SA") ? "share-alike" : "none",
  };
}

/** Licences that ask for more than any GPL lets others ask for: FSF's list, "GPL-Incompatible Free Software Licenses". */
const NO_GPL = /^(BSD-4-Clause|BSD-4-Clause-Shortened|Apache-1\.[01]|AFL-[123]\.\d|OpenSSL|PHP-3\.0|PHP-3\.01|MS-PL)$/;

/**
 * Whether a work under the permissive licence `from` can't become part of one under `to`, both without "-only" and
 * "-or-later". FSF's list again: of Apache 2.0 only the patent clauses stand against it, and only against GPL 1 and 2.
 *
 * @param exception - what `from` goes with; LLVM's takes those clauses back
 */
export function clashes(from: string, to: string, exception?: string): boolean {
  if (NO_GPL.test(from)) return /^A?GPL-/.test(to);
  return from === "Apache-2.0" && exception !== "LLVM-exception" && /^GPL-[12]\.0$/.test(to);
}

/**
 * Exceptions that let a program under any licence contain or link what they go with; others, such as those for OpenSSL,
 * let in one library and change nothing here.
 */
const LINKING =
  /^(Autoconf|Bison|Bootloader|Classpath|eCos|Font|freertos|GCC|GNAT|Libtool|OCaml-LGPL-linking|u-boot|WxWindows)-exception|^(Linux-syscall-note|GPL-3\.0-linking(-source)?-exception|LGPL-3\.0-linking-exception)/;

/** Whether an exception ends a copyleft at the edge of the work that it covers. */
export function allowsLinking(exception: string | undefined): boolean {
  return exception !== undefined && LINKING.test(exception);
}
