/**
 * What a C2PA manifest says of an asset, in plain terms.
 *
 * @packageDocumentation
 */

/**
 * What came of the checks. `trusted`: intact, and the signer's certificate leads to one of the trust anchors. `valid`:
 * intact, by a signer whom nothing vouches for: anybody can make such a manifest, in any name. `invalid`: the asset or
 * its manifest was changed since it was signed, or was never in order.
 */
export type C2paState = "valid" | "trusted" | "invalid";

/** Something that a check found wrong. */
export interface C2paProblem {
  /** Status code of the C2PA specification, such as `assertion.dataHash.mismatch`. */
  readonly code: string;
  readonly explanation?: string;
  /** The part of the manifest store that it is about, as a JUMBF URI. */
  readonly url?: string;
}

/** Who signed, as the certificate has it. */
export interface C2paSigner {
  readonly commonName?: string;
  /** The organisation that the signer's certificate names. */
  readonly organisation?: string;
  /** Such as `Es256`. */
  readonly algorithm?: string;
  /** When, by the time stamp in the signature; missing where there is none. */
  readonly signedAt?: string;
}

/** What was done to the asset. */
export interface C2paAction {
  /** Such as `c2pa.created`, `c2pa.opened`, `c2pa.edited`, or a maker's own. */
  readonly action: string;
  /** Where the content is from, as a URI of IPTC's vocabulary or of C2PA's. */
  readonly digitalSourceType?: string;
  /** Name and version of what did it. */
  readonly softwareAgent?: string;
  readonly description?: string;
  /** When, as the manifest has it. */
  readonly when?: string;
}

export type C2paRelationship = "parentOf" | "componentOf" | "inputTo";

/** Something that the asset was made from. */
export interface C2paIngredient {
  readonly title?: string;
  readonly format?: string;
  /** Missing where it is none that C2PA knows. */
  readonly relationship?: C2paRelationship;
  readonly instanceId?: string;
  readonly documentId?: string;
  /** Hash of its bytes, as the maker has it; few makers say. */
  readonly hash?: string;
  /**
   * State of the manifest that came with it; missing where none did. Whether its bytes fitted that manifest could only be
   * checked by whoever had them, the maker: that part of it is the maker's word.
   */
  readonly state?: C2paState;
  readonly problems: readonly C2paProblem[];
}

/** Whether the manifest's author lets models be trained on the asset. */
export type C2paTraining = "allowed" | "constrained" | "refused";

/** What {@link readC2pa} finds. All text is the maker's: shortened, and without control characters. */
export interface C2paReport {
  readonly state: C2paState;
  /** What is wrong, of the active manifest and of those below; `signingCredential.untrusted` among them. */
  readonly problems: readonly C2paProblem[];
  /** SHA-256 of the manifest store, in hex: the JUMBF of the active manifest and of all that it refers to. */
  readonly manifestHash: string;
  /** Label of the active manifest, such as `urn:c2pa:…`. */
  readonly label: string;
  readonly title?: string;
  /** MIME type: the manifest's word, or else by the asset's first bytes. */
  readonly format: string;
  readonly instanceId?: string;
  /** Names and versions of what made the manifest. */
  readonly claimGenerators: readonly string[];
  readonly signer: C2paSigner;
  readonly actions: readonly C2paAction[];
  readonly ingredients: readonly C2paIngredient[];
  /** Missing where the active manifest says nothing of it. */
  readonly aiTraining?: C2paTraining;
}
