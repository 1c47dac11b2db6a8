/**
 * What a dapp imports: storing, fetching, deals. Works in a browser; `file-node.ts` is for Node.
 *
 * @packageDocumentation
 */
export { type Contracts, connect, verifyDeployment } from "../chain/contracts.js";
export { type Deployment, formatDeployment, parseDeployment } from "../chain/deployment.js";
export { ChainError } from "../chain/errors.js";
export { NETWORKS, type Network, networkNamed, networkOf } from "../chain/networks.js";
export { connectChain } from "../chain/provider.js";
export { HoldfastError } from "../errors.js";
export type { Payload } from "../piece/index.js";
// From their own modules: manifests and drawings come with `holdfast/provenance` alone.
export { ProvenanceBook } from "../provenance/book.js";
export { type Content, contentOf } from "../provenance/content.js";
export { type VerifyOptions, type VerifyReport, verifyContent } from "../provenance/verify.js";
export { FileKey } from "../replica/index.js";
export { type Amended, type AmendOptions, type AmendStep, amendDeal } from "./amend.js";
export type { Offered, QuoteWishes } from "./candidates.js";
export {
  type CarriedDeal,
  type CarryOptions,
  type CarryStep,
  carryDeal,
  checkMarkets,
} from "./carry.js";
export { type ClientOptions, HoldfastClient } from "./client.js";
export {
  type DealFilter,
  type DealInfo,
  type DealReader,
  type DealState,
  dealIdFrom,
  dealIdText,
  extendDeal,
  findByPrefix,
  findDeals,
  type PendingAmendment,
  readDeal,
  readDeals,
  readState,
  statusName,
  terminateDeal,
  transferDeal,
} from "./deals.js";
export { type FetchedContent, fetchContent } from "./fetch-content.js";
export {
  type AmendedFolder,
  type FetchedFolder,
  folderSink,
  type StoredFolder,
  type StoreFolderOptions,
  type StoreIntoOptions,
  withPacked,
} from "./folders.js";
export { type ChainAccess, fund } from "./funds.js";
export { DealHistory, holders, type Opening, type PastDeal } from "./history.js";
export { type MigratedDeal, type MigrateOptions, type MigrateStep, migrateDeal } from "./migrate.js";
export {
  anchorSet,
  attest,
  type Claims,
  linkDeals,
  type RegisteredRecord,
  recordOf,
  registerRecord,
  registerRecords,
  revoke,
  type Statement,
  supersede,
  withdraw,
} from "./provenance.js";
export { askSignature, upload } from "./providers.js";
export { type Candidate, type LeftOut, paysToSettle, type Quote, type QuoteOptions, quote } from "./quote.js";
export { compareRanked, NO_RECORD, type ProviderRecord, type Ranked, recordFactor } from "./records.js";
export * from "./replicas/index.js";
export {
  type Fill,
  findRequests,
  type KnownRequest,
  type ReplicaStatus,
  type RequestStatus,
  readRequest,
  requestIdFrom,
  requestStatus,
} from "./request-status.js";
export {
  actOnReplica,
  cancelRequest,
  type PostedRequest,
  postRequest,
  type ReplicaAction,
  type RequestWishes,
  refundRequest,
} from "./requests.js";
export { type Failure, memorySink, type Retrieval, type RetrieveOptions, retrieve, type Sink } from "./retrieve.js";
export { type ChainSender, walletSender } from "./sender.js";
export { isSignedBy } from "./signatures.js";
export {
  type Deal,
  type SignedDeal,
  type StoredPiece,
  type StoreOptions,
  type StoreStep,
  TooFewProvidersError,
} from "./stored.js";
export type { DealWishes } from "./wishes.js";
