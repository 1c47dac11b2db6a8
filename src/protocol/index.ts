/**
 * The contracts' arithmetic without a chain: terms, schedule, challenges, money. Pure; runs in Node and in browsers.
 * Amounts are bigint in base units, leaf indices bigint, epochs (block numbers), windows and periods number.
 *
 * @packageDocumentation
 */
export { isAccount, isIdAlias, ZERO_ADDRESS } from "./address.js";
export {
  AMENDMENT_TYPES,
  type AmendedDeal,
  type Amendment,
  amendmentDigest,
  checkAmendment,
  MIGRATION_DOMAIN,
  MIGRATION_TYPES,
  type Migration,
  migrationDigest,
  migrationQuestionId,
  POSSESSION_GRID,
  possessionEpoch,
  signAmendment,
  signMigration,
} from "./amendment.js";
export { packedSize, packProofs } from "./batch.js";
export { type ChallengeInput, challengeIndices } from "./challenge.js";
export {
  BOUNTY_BPS,
  BPS,
  bonded,
  book,
  bountyDown,
  type Course,
  type Due,
  due,
  endedPeriods,
  feeDown,
  lastClosedProven,
  type Money,
  type Revision,
  Stage,
  type Standing,
  Status,
  share,
  slashedFor,
  standing,
  type Totals,
  totals,
  UNREVISED,
} from "./ledger.js";
export {
  MAX_OFFERS,
  OFFER_TYPES,
  type Offer,
  type OfferPage,
  type OfferPageJson,
  offerDigest,
  offerMisfit,
  offersFromJson,
  offersToJson,
  type SignedOffer,
  type StorageNeed,
  signOffer,
} from "./offers.js";
export { collateralFor, pricePerPeriodUp } from "./pricing.js";
export { NO_REGION, regionBytes, regionText } from "./region.js";
export {
  fillQuestionId,
  firstFillBlock,
  isEligibleRegion,
  MAX_DATA_URI,
  MAX_REGIONS,
  MAX_REPLICAS,
  type PriceRamp,
  postingCost,
  priceAt,
  requestIdOf,
  STORAGE_REQUEST_TYPE,
  type StorageRequest,
  slotRamp,
} from "./requests.js";
export {
  amended,
  amendedFrom,
  type Change,
  type Commitment,
  type Current,
  commitmentOf,
  current,
  type DealRecord,
  extended,
  type Moved,
  settled,
  terminated,
  totalsOf,
} from "./revision.js";

export {
  closedAt,
  epochOf,
  firstEpoch,
  openAt,
  PHASES,
  phaseOf,
  startedAt,
  type Tier,
  type WindowBlocks,
  windowOf,
} from "./schedule.js";
export {
  type CheckOptions,
  checkPrice,
  checkTerms,
  DEAL_TERMS_TYPES,
  type DealTerms,
  dealDomain,
  dealIdOf,
  escrowOf,
  MAX_PERIODS,
  signTerms,
  TermsError,
  type TermsFault,
} from "./terms.js";
export {
  type DealAnswer,
  type DealRequest,
  dealAnswerFromJson,
  dealRequestFromJson,
  fields,
  type ProviderInfo,
  type TermsJson,
  type TierOffer,
  termsFromJson,
  termsToJson,
} from "./wire.js";
export {
  type AmendmentAnswer,
  type AmendmentJson,
  type AmendmentRequest,
  amendmentAnswerFromJson,
  amendmentFromJson,
  amendmentRequestFromJson,
  amendmentToJson,
  type MigrationAnswer,
  type MigrationRequest,
  migrationAnswerFromJson,
  migrationRequestFromJson,
  type PullAnswer,
  type PullRequest,
  pullAnswerFromJson,
  pullRequestFromJson,
} from "./wire-changes.js";
