/**
 * What may be done with a work: licence conflicts along a lineage, and the permission to train AI. Hints, not legal advice.
 *
 * @packageDocumentation
 */
export { conflict, type Edge, type Kind } from "./conflict.js";
export type { Conflict, Severity } from "./findings.js";
export {
  isSpdx,
  type License,
  type LicenseExpression,
  licenseName,
  MAX_LICENSE_BYTES,
  parseLicense,
  readLicense,
} from "./license.js";
export {
  checkRights,
  type LicenseConflict,
  type RightsNode,
  type RightsReport,
  type RightsWarning,
} from "./lineage.js";
export { type OdrlPolicy, odrlPolicy } from "./odrl.js";
export type { LicenseTerm } from "./spdx.js";
export { type Copyleft, type Traits, traitsOf } from "./traits.js";
export { type AiTraining, type EffectiveUse, type Inherited, inheritUse, type Level, type UseWarning } from "./use.js";
