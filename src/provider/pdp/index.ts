/**
 * The routes that Filecoin's PDP clients speak; docs/pdp.md has them in a table.
 *
 * @packageDocumentation
 */
import type { App } from "../app.js";
import type { Served } from "../retrieval.js";
import { addFinding } from "./finding.js";
import { addNamed, NamedUploads } from "./named.js";
import type { PdpParts } from "./parts.js";
import { addPull } from "./pull.js";
import { addStreaming } from "./streaming.js";

export { type FetchStatus, PieceFetches, type PieceFetchesOptions, type Wanted } from "./fetches.js";
export type { PdpParts, UploadLimits } from "./parts.js";

/** Adds all of them. @param served - what was handed out, and when */
export function addPdp(app: App, parts: PdpParts, served: Served): void {
  const named = new NamedUploads();
  addNamed(app, parts, named);
  addStreaming(app, parts, (id) => named.has(id));
  addPull(app, parts);
  const { store, fetches } = parts;
  const isComing = (cid: string) => named.isComing(cid) || store.isComing(cid) || fetches?.isComing(cid) === true;
  addFinding(app, parts, served, isComing);
}
