/**
 * Under which other licences a work may go on whose licence asks for the same or a compatible one.
 *
 * Each row is what a licence or its steward says, not what seems reasonable. Rows don't chain: that BY-SA 4.0 may become GPL 3.0
 * and GPL 3.0 code may be combined into AGPL 3.0 doesn't make the first compatible with the last.
 *
 * @packageDocumentation
 */
import { familyFrom, partsOf, unpublished } from "./spdx.js";

const GPL_2 = ["GPL-2.0", "GPL-3.0", "GPL-later"];
const LGPL_2 = ["LGPL-2.1", "LGPL-3.0", "LGPL-later"];
const AGPL_3 = ["AGPL-3.0", "AGPL-later"];
const CECILL_2 = ["CECILL-2.0", "CECILL-2.1"];

const ONWARD: Readonly<Record<string, readonly string[]>> = {
  // https://creativecommons.org/share-your-work/licensing-considerations/compatible-licenses: both ways with the Free Art
  // License 1.3 (2014), one way to GPLv3 (2015), and to no later GPL.
  "CC-BY-SA-4.0": ["LAL-1.3", "GPL-3.0"],
  "LAL-1.3": ["CC-BY-SA-4.0"],
  // LGPL 2.1 section 3: the GPL, version 2 or any newer one. LGPL 3.0 is GPL 3.0 with permissions that may be dropped.
  "LGPL-2.0": [...GPL_2, "AGPL-3.0"],
  "LGPL-2.1": [...GPL_2, "AGPL-3.0"],
  "LGPL-3.0": ["GPL-3.0", "AGPL-3.0"],
  "LGPL-later": ["GPL-later", "AGPL-later"],
  // GPL 3.0 section 13 lets it be combined into AGPL 3.0. The way back is closed: the network clause stays.
  "GPL-3.0": ["AGPL-3.0"],
  "GPL-later": ["AGPL-later"],
  // MPL 2.0 section 1.12, "Secondary License", and 10.2, later versions; MPL 1.1 section 6.2.
  "MPL-2.0": [...GPL_2, ...LGPL_2, ...AGPL_3, "MPL-later"],
  "MPL-1.1": ["MPL-2.0", "MPL-later"],
  "MPL-1.0": ["MPL-1.1", "MPL-2.0", "MPL-later"],
  // EUPL article 5 and its appendix, of 2017 for version 1.2 (OJ L 128, 19.5.2017).
  "EUPL-1.2": [
    ...["GPL-2.0", "GPL-3.0", "AGPL-3.0", "OSL-2.1", "OSL-3.0", "EPL-1.0", ...CECILL_2, "MPL-2.0"],
    ...["LGPL-2.1", "LGPL-3.0", "CC-BY-SA-3.0", "EUPL-1.1", "LiLiQ-R-1.1", "LiLiQ-Rplus-1.1", "EUPL-later"],
  ],
  "EUPL-1.1": ["GPL-2.0", "OSL-2.1", "OSL-3.0", "CPL-1.0", "EPL-1.0", "CECILL-2.0", "EUPL-1.2", "EUPL-later"],
  // EPL section 7, new versions. Into the GPL only where a notice names it, which is then written as OR.
  "EPL-1.0": ["EPL-2.0", "EPL-later"],
  "EPL-2.0": ["EPL-later"],
  "CPL-1.0": ["EPL-1.0", "EPL-2.0"],
  // CDDL section 4, new versions.
  "CDDL-1.0": ["CDDL-1.1", "CDDL-later"],
  // CeCILL article 5.3.4, compatibility with other licences, and 12, new versions.
  "CECILL-2.0": [...GPL_2, "CECILL-2.1"],
  "CECILL-2.1": [...GPL_2, ...AGPL_3, "EUPL-1.1", "EUPL-1.2", "EUPL-later"],
  // CeCILL-C article 5.3, compatibility: into CeCILL.
  "CECILL-C": CECILL_2,
  // ODbL section 4.4 a: a later version with similar terms. None is published, and no licence was declared compatible.
  "ODbL-1.0": ["ODbL-later"],
};

const memo = new Map<string, ReadonlySet<string>>();

/**
 * The licences, without "-only" and "-or-later", that a work derived from one under `base` may carry; itself first.
 * `GPL-later` stands for what the FSF has not published yet.
 *
 * @example
 * onward("CC-BY-SA-4.0").has("GPL-3.0"); // true, and not the other way
 */
export function onward(base: string): ReadonlySet<string> {
  const known = memo.get(base) ?? new Set([base, ...laterShareAlike(base), ...(ONWARD[base] ?? [])]);
  memo.set(base, known);
  return known;
}

/**
 * CC ShareAlike licences after 1.0 let an adaptation carry a later version, or one of another jurisdiction, with the same
 * elements: https://wiki.creativecommons.org/wiki/License_Versions, "Adapter's license".
 */
function laterShareAlike(base: string): string[] {
  const parts = partsOf(base);
  if (parts === undefined || !/^CC-BY(-NC)?-SA$/.test(parts.family) || parts.version[0]! < 2) return [];
  return [...familyFrom(parts).map(([it]) => it), unpublished(parts.family)];
}
