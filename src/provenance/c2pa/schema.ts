/**
 * What c2pa-rs's JSON is read as. The library vouches for its shape, but what makers put into it can be anything: what
 * is of a wrong type is taken for missing.
 *
 * @packageDocumentation
 */
import { z } from "zod";
import { plainText } from "./text.js";

const text = z.string().transform(plainText).optional().catch(undefined);
const list = <T extends z.ZodType>(item: T) =>
  z
    .array(z.unknown())
    .catch([])
    .transform((items) => {
      const read = items.map((it) => item.safeParse(it));
      return read.flatMap((it) => (it.success ? [it.data] : []));
    });

const status = z.object({ code: z.string().transform(plainText), explanation: text, url: text });
export type Status = z.infer<typeof status>;

const statuses = z.object({ failure: list(status), success: list(status) });
const NONE = { failure: [], success: [] };

const results = z
  .object({
    activeManifest: statuses.catch(NONE),
    ingredientDeltas: list(z.object({ ingredientAssertionURI: z.string(), validationDeltas: statuses })),
  })
  .catch({ activeManifest: NONE, ingredientDeltas: [] });
export type Results = z.infer<typeof results>;

/** A name and a version, or a text that has both. */
const agent = z
  .union([z.string(), z.object({ name: z.string(), version: z.string().optional().catch(undefined) })])
  .transform((it) => plainText(typeof it === "string" ? it : it.version ? `${it.name} ${it.version}` : it.name));

const ingredient = z.object({
  title: text,
  format: text,
  relationship: z.enum(["parentOf", "componentOf", "inputTo"]).optional().catch(undefined),
  instance_id: text,
  document_id: text,
  hash: text,
  label: z.string().optional().catch(undefined),
  active_manifest: text,
  validation_results: results,
});
export type RawIngredient = z.infer<typeof ingredient>;

const manifest = z.object({
  title: text,
  format: text,
  instance_id: text,
  claim_generator: text,
  claim_generator_info: list(agent),
  signature_info: z.object({ common_name: text, issuer: text, alg: text, time: text }).catch({}),
  assertions: list(z.object({ label: z.string(), data: z.unknown() })),
  ingredients: list(ingredient),
});
export type RawManifest = z.infer<typeof manifest>;

/** A manifest store, as `Reader::json` of c2pa-rs gives it. */
export const manifestStore = z.object({
  manifests: z.record(z.string(), z.unknown()),
  validation_state: z.enum(["Valid", "Trusted", "Invalid"]),
  validation_results: results,
});

/** One manifest of it. */
export const manifestOf = (raw: unknown): RawManifest => manifest.parse(raw);

/** The data of an assertion `c2pa.actions`, in either version. */
export const actionsData = z.object({
  softwareAgents: list(agent),
  actions: list(
    z.object({
      action: z.string().transform(plainText),
      digitalSourceType: text,
      softwareAgent: agent.optional().catch(undefined),
      softwareAgentIndex: z.number().optional().catch(undefined),
      description: text,
      when: text,
    }),
  ),
});

/** The data of an assertion on training and mining, in C2PA's form or CAWG's. */
export const trainingData = z.object({
  entries: z.record(z.string(), z.object({ use: z.string().catch("") }).catch({ use: "" })),
});
