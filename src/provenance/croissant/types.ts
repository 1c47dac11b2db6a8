/**
 * What a Croissant manifest says, as plain objects.
 *
 * @packageDocumentation
 */
import type { AiTraining } from "../rights/index.js";
import type { JsonObject } from "./parse.js";
import type { Usage } from "./usage.js";

/** What a manifest says of AI training, where it says something. */
export type StatedUse = Exclude<AiTraining, "unstated">;

/** Somebody who made the data set. */
export interface Creator {
  readonly type: "Person" | "Organization";
  readonly name: string;
  readonly url?: string;
}

/** A file, as it goes into a manifest: a `cr:FileObject`. */
export interface NewFile {
  /** What others in the manifest refer to it by, unique there; for a path see `fileIdOf`. */
  readonly id: string;
  /** With its extension, as it is downloaded; the id by default. */
  readonly name?: string;
  /** Where its bytes are: absolute, or relative to the manifest, or a path in the container. */
  readonly contentUrl?: string;
  /** Bytes. */
  readonly contentSize?: bigint;
  /** Media types, at least one. */
  readonly encodingFormats: readonly string[];
  /** 64 hex digits. */
  readonly sha256?: string;
  /** Ids of the files or file sets that it lies in. */
  readonly containedIn?: readonly string[];
  /** The same content in other formats: ids or URLs. */
  readonly sameAs?: readonly string[];
  /** IRIs of what it was made from. */
  readonly wasDerivedFrom?: readonly string[];
  readonly description?: string;
  /** Of this file alone; what holds for all is said of the data set. */
  readonly aiTraining?: StatedUse;
}

/** A file, as a manifest says it. */
export interface FileObject extends NewFile {
  readonly name: string;
  /** Lower case. */
  readonly sha256?: string;
  readonly containedIn: readonly string[];
  readonly sameAs: readonly string[];
  readonly wasDerivedFrom: readonly string[];
  /** Its place in the distribution. */
  readonly position: number;
}

/** Files of one kind, as they go into a manifest: a `cr:FileSet`. */
export interface NewFileSet {
  readonly id: string;
  /** The id by default. */
  readonly name?: string;
  readonly description?: string;
  /** Ids of the files or file sets that it is taken from. */
  readonly containedIn: readonly string[];
  /** Glob patterns within the container. */
  readonly includes: readonly string[];
  readonly excludes?: readonly string[];
  readonly encodingFormats: readonly string[];
  readonly wasDerivedFrom?: readonly string[];
}

/** Files of one kind, as a manifest says it. */
export interface FileSet extends NewFileSet {
  readonly name: string;
  readonly excludes: readonly string[];
  readonly wasDerivedFrom: readonly string[];
  readonly position: number;
}

/** All of a new manifest but its files. */
export interface NewDatasetHeader {
  readonly name: string;
  readonly description: string;
  /** SPDX ids or URLs, at least one. */
  readonly licenses: readonly string[];
  /** The page of the data set. */
  readonly url: string;
  /** At least one. */
  readonly creators: readonly Creator[];
  /** ISO 8601, a date or a date and time. */
  readonly datePublished: string;
  /** Of the data, MAJOR.MINOR.PATCH. */
  readonly version?: string;
  /** Of the manifest. */
  readonly sdVersion?: string;
  readonly citeAs?: string;
  readonly keywords?: readonly string[];
  /** IRIs of what it was made from. */
  readonly wasDerivedFrom?: readonly string[];
  readonly aiTraining?: StatedUse;
  readonly fileSets?: readonly NewFileSet[];
}

/** A new manifest with its files. */
export interface NewDataset extends NewDatasetHeader {
  readonly files: readonly NewFile[];
}

/** What a manifest says. Texts are as written there. */
export interface CroissantDataset {
  readonly name: string;
  readonly description?: string;
  /** SPDX ids or URLs, as written; see `spdxOfLicense`. */
  readonly licenses: readonly string[];
  readonly url?: string;
  readonly version?: string;
  readonly sdVersion?: string;
  readonly datePublished?: string;
  readonly creators: readonly Partial<Creator>[];
  readonly citeAs?: string;
  readonly keywords: readonly string[];
  readonly conformsTo: readonly string[];
  readonly wasDerivedFrom: readonly string[];
  readonly usage: readonly Usage[];
  /** What `usage` comes to for AI training; missing where it doesn't say. */
  readonly aiTraining?: StatedUse;
  readonly files: readonly FileObject[];
  readonly fileSets: readonly FileSet[];
  /** Fields that the specification requires and the manifest lacks: many that are published do. */
  readonly missing: readonly string[];
  /** The whole document as it was parsed, record sets and all. */
  readonly source: JsonObject;
}
