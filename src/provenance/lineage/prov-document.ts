/**
 * A document of W3C PROV-JSON as it is put together.
 *
 * @packageDocumentation
 */

/** A value with its type, as PROV-JSON writes it (section 2.2 of the submission). */
export interface TypedValue {
  readonly $: string;
  readonly type: string;
}
export type ProvValue = string | TypedValue;
export type ProvAttributes = Readonly<Record<string, ProvValue | readonly ProvValue[]>>;

/** Prefixes, and records by the kind of record, then by id. */
export type ProvJson = Readonly<Record<string, Readonly<Record<string, string | ProvAttributes>>>>;

/** What can be said of one. */
export type ProvElement = "entity" | "activity" | "agent";
/** What can be said of two. */
export type ProvRelation =
  | "alternateOf"
  | "hadMember"
  | "used"
  | "wasAssociatedWith"
  | "wasAttributedTo"
  | "wasDerivedFrom"
  | "wasGeneratedBy"
  | "wasInvalidatedBy";

/** A qualified name as the value of an attribute. */
export const named = (name: string): TypedValue => ({ $: name, type: "xsd:QName" });
export const whole = (value: bigint | number): TypedValue => ({ $: `${value}`, type: "xsd:unsignedLong" });
export const truth = (value: boolean): TypedValue => ({ $: `${value}`, type: "xsd:boolean" });

/** Collects what a document says. What is said twice of one id is merged. */
export class ProvDocument {
  readonly #prefix: Readonly<Record<string, string>>;
  readonly #records = new Map<string, Map<string, ProvAttributes>>();

  constructor(prefix: Readonly<Record<string, string>>) {
    this.#prefix = prefix;
  }

  element(type: ProvElement, id: string, attributes: ProvAttributes = {}): void {
    const records = this.#of(type);
    records.set(id, { ...records.get(id), ...attributes });
  }

  /** Relations get blank ids: nobody refers to them. */
  relation(type: ProvRelation, attributes: ProvAttributes): void {
    const records = this.#of(type);
    records.set(`_:${type}${records.size + 1}`, attributes);
  }

  toJSON(): ProvJson {
    const records = [...this.#records].map(([type, of]) => [type, Object.fromEntries(of)]);
    return { prefix: this.#prefix, ...Object.fromEntries(records) };
  }

  #of(type: string): Map<string, ProvAttributes> {
    const records = this.#records.get(type) ?? new Map<string, ProvAttributes>();
    this.#records.set(type, records);
    return records;
  }
}
