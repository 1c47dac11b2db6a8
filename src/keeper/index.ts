/**
 * Keepers: what proves a provider's deals, and what settles anybody's.
 *
 * @packageDocumentation
 */
export { type Chain, type OpenChainOptions, openChain } from "../chain/chain.js";
export { type SenderOptions, type Sent, TransactionSender } from "../chain/sender.js";
export type { DutyRef } from "../store/duties.js";
export { Crew, type CrewOptions, keepRunning, type Service } from "./crew.js";
export { type Deal, DealBook, hasEnded, idText } from "./deals.js";
export { Doppelganger, type DoppelgangerEvents, type DoppelgangerOptions } from "./doppelganger.js";
export { type DutyBlocks, nextDuty } from "./duty.js";
export type {
  BatchEvent,
  DutyEvent,
  ExtendedEvent,
  FileRef,
  FundingEvents,
  ProvenEvent,
  ProvingEvents,
  ReadEvent,
  RepairEvents,
  ReplicaEnd,
  ReplicaEvents,
  RequestEvent,
  RestoringEvents,
  SettledEvent,
  Trouble,
  WatchingEvents,
} from "./events.js";
export { FundingKeeper, type FundingKeeperOptions } from "./funding.js";
export type { Check, CheckName, HealthReport } from "./ops/health.js";
export { KeeperObserver, type ObserverOptions } from "./ops/observer.js";
export { type OpsServer, type OpsServerOptions, startOpsServer } from "./ops/server.js";
export {
  bountyAtLeast,
  type Candidate,
  type SettleEconomics,
  type SettlePolicy,
  settleAlways,
  type TokenPrice,
  worthOf,
} from "./policy.js";
export { ProvingKeeper, type ProvingKeeperOptions } from "./proving.js";
export { RepairKeeper, type RepairKeeperOptions } from "./repairing.js";
export { type KeptFile, ReplicasKeeper, type ReplicasKeeperOptions } from "./replicas.js";
export { type RestoreLimits, RestoringKeeper, type RestoringKeeperOptions } from "./restoring.js";
export { keepSending, type SendingOptions } from "./sending.js";
export { WatchingKeeper, type WatchingKeeperOptions } from "./watching.js";
