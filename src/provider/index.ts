/**
 * A provider's node: HTTP, pieces, deals.
 *
 * @packageDocumentation
 */

export { type BlobStore, type BlobStoreOptions, openBlobStore } from "../store/index.js";
export { Admission, type AdmissionOptions, type Holding, type PeerLimits } from "./admission.js";
export { AmendmentDesk, type AmendmentDeskOptions } from "./amendments.js";
export type { Changes } from "./change-routes.js";
export { DealDesk, type DealDeskOptions } from "./deals.js";
export * from "./ended/index.js";
export { type EnrolledProfile, type Enrolment, type EnrolmentStep, enrol, type Stake, stakeOf } from "./enrolment.js";
export * from "./filling/index.js";
export { type GatewayOptions, peerIdOf } from "./gateway/index.js";
export { createNode, type NodeOptions } from "./http.js";
export { MigrationDesk, type MigrationDeskOptions } from "./migrations.js";
export { OfferBook, type OfferBookOptions, type Policy, type StandingOffer } from "./offers.js";
export { PieceFetches, type PieceFetchesOptions, type UploadLimits } from "./pdp/index.js";
export { type ProviderOptions, type RunningProvider, startProvider } from "./provider.js";
export { PullDesk, type PullDeskOptions } from "./pulls.js";
export { type ByteRange, parseRange } from "./range.js";
export { type ListenOptions, type RunningNode, type StartOptions, startNode } from "./server.js";
export { startSource } from "./source.js";
export {
  type DealStanding,
  type NextWindow,
  type ProviderStanding,
  providerStanding,
  standingOf,
  type TokenStanding,
} from "./standing.js";
export * from "./unpaid/index.js";
