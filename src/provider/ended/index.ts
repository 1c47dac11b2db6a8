/**
 * Pieces whose deals are over: how long they stay.
 *
 * @packageDocumentation
 */
export { type EndedEvents, EndedKeeper, type EndedKeeperOptions } from "./keeper.js";
