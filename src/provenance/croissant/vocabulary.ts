/**
 * The names that Croissant 1.1 uses, and the context that its specification recommends.
 *
 * @packageDocumentation
 */

/** What a manifest of either version says that it conforms to. */
export const CROISSANT_1_0 = "http://mlcommons.org/croissant/1.0";
export const CROISSANT_1_1 = "http://mlcommons.org/croissant/1.1";

const CROISSANT = "http://mlcommons.org/croissant/";
const DUBLIN_CORE = "http://purl.org/dc/terms/";
const PROV = "http://www.w3.org/ns/prov#";
/** https://www.w3.org/TR/odrl-vocab/ */
export const ODRL = "http://www.w3.org/ns/odrl/2/";

/** A property or class: all the IRIs by which published manifests mean it, the one to write first. */
export type Term = readonly [string, ...string[]];

/** The specification writes http, data sets that are published write https. */
const sc = (name: string): Term => [`https://schema.org/${name}`, `http://schema.org/${name}`];
/** Contexts of version 1.0 leave some of Croissant's own names in schema.org, which is their default. */
const cr = (name: string): Term => [`${CROISSANT}${name}`, ...sc(name)];
const odrl = (name: string): Term => [`${ODRL}${name}`];

export const TERMS = {
  // Classes.
  Dataset: sc("Dataset"),
  FileObject: cr("FileObject"),
  FileSet: cr("FileSet"),
  Organization: sc("Organization"),
  Person: sc("Person"),
  DefinedTerm: sc("DefinedTerm"),
  // Of data sets and files.
  citeAs: cr("citeAs"),
  conformsTo: [`${DUBLIN_CORE}conformsTo`, ...sc("conformsTo")],
  containedIn: cr("containedIn"),
  contentSize: sc("contentSize"),
  contentUrl: sc("contentUrl"),
  creator: sc("creator"),
  datePublished: sc("datePublished"),
  description: sc("description"),
  distribution: sc("distribution"),
  encodingFormat: sc("encodingFormat"),
  excludes: cr("excludes"),
  fileObject: cr("fileObject"),
  fileSet: cr("fileSet"),
  includes: cr("includes"),
  keywords: sc("keywords"),
  license: sc("license"),
  name: sc("name"),
  sameAs: sc("sameAs"),
  sdVersion: cr("sdVersion"),
  sha256: sc("sha256"),
  termCode: sc("termCode"),
  url: sc("url"),
  usageInfo: sc("usageInfo"),
  version: sc("version"),
  wasDerivedFrom: [`${PROV}wasDerivedFrom`],
  // Of policies.
  action: odrl("action"),
  constraint: odrl("constraint"),
  duty: odrl("duty"),
  leftOperand: odrl("leftOperand"),
  obligation: odrl("obligation"),
  operator: odrl("operator"),
  permission: odrl("permission"),
  prohibition: odrl("prohibition"),
  refinement: odrl("refinement"),
  rightOperand: odrl("rightOperand"),
  value: ["http://www.w3.org/1999/02/22-rdf-syntax-ns#value"],
} as const satisfies Record<string, Term>;

/** Prefixes beyond those of the recommended context. */
export const PREFIXES: Readonly<Record<string, string>> = { prov: PROV, odrl: ODRL };

/**
 * Appendix 1 of the specification, term by term, with two differences: `prov` and `odrl`, which it says to declare before
 * they are used, and schema.org by https, as in every manifest that MLCommons publishes: its reader refuses the other.
 */
export const CROISSANT_CONTEXT = {
  "@language": "en",
  "@vocab": "https://schema.org/",
  sc: "https://schema.org/",
  cr: CROISSANT,
  rai: "http://mlcommons.org/croissant/RAI/",
  dct: DUBLIN_CORE,
  ...PREFIXES,
  annotation: "cr:annotation",
  arrayShape: "cr:arrayShape",
  citeAs: "cr:citeAs",
  column: "cr:column",
  conformsTo: "dct:conformsTo",
  containedIn: "cr:containedIn",
  data: { "@id": "cr:data", "@type": "@json" },
  dataType: { "@id": "cr:dataType", "@type": "@vocab" },
  equivalentProperty: "cr:equivalentProperty",
  examples: { "@id": "cr:examples", "@type": "@json" },
  excludes: "cr:excludes",
  extract: "cr:extract",
  field: "cr:field",
  fileProperty: "cr:fileProperty",
  fileObject: "cr:fileObject",
  fileSet: "cr:fileSet",
  format: "cr:format",
  includes: "cr:includes",
  isArray: "cr:isArray",
  isLiveDataset: "cr:isLiveDataset",
  jsonPath: "cr:jsonPath",
  key: "cr:key",
  md5: "cr:md5",
  parentField: "cr:parentField",
  recordSet: "cr:recordSet",
  references: "cr:references",
  regex: "cr:regex",
  readLines: "cr:readLines",
  sdVersion: "cr:sdVersion",
  separator: "cr:separator",
  source: "cr:source",
  subField: "cr:subField",
  transform: "cr:transform",
  unArchive: "cr:unArchive",
  value: "cr:value",
} as const;
