/**
 * Licences as Croissant has them: URLs, where SPDX has ids.
 *
 * @packageDocumentation
 */
import { isSpdx } from "../rights/index.js";
import { CURRENT_IDS, DEPRECATED_IDS } from "../rights/spdx.js";

const SPDX = "https://spdx.org/licenses/";

/** Ids in lower case to ids as they are spelled: SPDX 2.3 annex D compares without case. Current ones win. */
const SPELLING = new Map([...DEPRECATED_IDS, ...CURRENT_IDS].map((id) => [id.toLowerCase(), id]));
/** The same with dots as hyphens, as opensource.org has them in its URLs. */
const SLUGS = new Map([...SPELLING].map(([key, id]) => [key.replaceAll(".", "-"), id]));

/** URLs whose licence is one, or follows from what they capture. */
const PAGES: readonly (readonly [page: RegExp, id: (...parts: string[]) => string | undefined])[] = [
  [/^spdx\.org\/licenses\/([\w.+-]+?)(?:\.html|\.json|\.txt)?$/, (id) => spelled(id)],
  [
    /^creativecommons\.org\/licenses\/([a-z-]+)\/(\d\.\d)(?:\/([a-z]{2,3}))?(?:\/(?:deed|legalcode)[\w.-]*)?$/,
    (kind, version, place = "") => spelled(`cc-${kind}-${version}${place && `-${place}`}`),
  ],
  [/^creativecommons\.org\/publicdomain\/zero\/1\.0(?:\/(?:deed|legalcode)[\w.-]*)?$/, () => "CC0-1.0"],
  [/^creativecommons\.org\/publicdomain\/mark\/1\.0(?:\/deed[\w.-]*)?$/, () => spelled("cc-pdm-1.0")],
  [/^opensource\.org\/licen[cs]es?\/([\w.-]+?)(?:-(?:php|html|txt|license))*$/, (slug) => ofSlug(slug)],
  [/^apache\.org\/licenses\/license-(\d\.\d)(?:\.txt|\.html)?$/, (version) => spelled(`apache-${version}`)],
  [
    /^gnu\.org\/licenses\/(?:old-licenses\/)?([al]?gpl|fdl)-(\d\.\d)(?:\.[\w.-]+)?$/,
    (kind, version) => ofGnu(kind, version),
  ],
  [/^mozilla\.org\/(?:[a-z-]+\/)?mpl\/(\d\.\d)$/, (version) => spelled(`mpl-${version}`)],
  [/^opendatacommons\.org\/licenses\/(odbl|by|pddl)(?:\/[\w.-]*)*$/, (kind) => OPEN_DATA[kind!]],
  [/^cdla\.(?:dev|io)\/(permissive|sharing)-(\d)-(\d)$/, (kind, a, b) => spelled(`cdla-${kind}-${a}.${b}`)],
];

const OPEN_DATA: Readonly<Record<string, string>> = { odbl: "ODbL-1.0", by: "ODC-By-1.0", pddl: "PDDL-1.0" };

/**
 * What to write as a manifest's `license`. The specification recommends the URL of a known licence, naming spdx.org's list,
 * so an SPDX id becomes its page there. Everything else, URLs and expressions of several ids, stays as it is.
 *
 * @example
 * licenseUrl("CC-BY-4.0"); // "https://spdx.org/licenses/CC-BY-4.0"
 */
export function licenseUrl(license: string): string {
  const id = spelled(license.trim());
  return id === undefined ? license : `${SPDX}${id}`;
}

/**
 * The SPDX licence expression that a manifest's `license` stands for: an id in any spelling, an expression, or the URL of a
 * licence at spdx.org, creativecommons.org, opensource.org, apache.org, gnu.org, mozilla.org, opendatacommons.org or cdla.dev.
 *
 * @returns undefined where it is none of these; then a person has to read it. GNU's URLs don't say whether later versions
 *   may be chosen, so they become the deprecated ids that don't either (`GPL-3.0`)
 * @example
 * spdxOfLicense("https://creativecommons.org/licenses/by/4.0/"); // "CC-BY-4.0"
 */
export function spdxOfLicense(license: string): string | undefined {
  const text = license.trim();
  if (text.length > 512) return undefined;
  const id = spelled(text);
  if (id !== undefined) return id;
  const [, page] = /^https?:\/\/(?:www\.)?([^?#]+?)\/*(?:[?#].*)?$/i.exec(text) ?? [];
  if (page === undefined) return isSpdx(text) && !/^(NONE|NOASSERTION)?$/.test(text) ? text : undefined;
  for (const [form, find] of PAGES) {
    const [whole, ...parts] = form.exec(page.toLowerCase()) ?? [];
    if (whole !== undefined) return find(...parts);
  }
  return undefined;
}

function spelled(id: string | undefined): string | undefined {
  return id === undefined ? undefined : SPELLING.get(id.toLowerCase());
}

function ofSlug(slug: string | undefined): string | undefined {
  return (
    SLUGS.get((slug ?? "").replaceAll(".", "-").replace(/-v(?=\d)/, "-")) ??
    SLUGS.get(`${slug?.replace(/-v(?=\d)/, "-")}-0`)
  );
}

function ofGnu(kind: string | undefined, version: string | undefined): string | undefined {
  return spelled(`${kind === "fdl" ? "gfdl" : kind}-${version}`);
}
