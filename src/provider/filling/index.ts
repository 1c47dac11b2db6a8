/**
 * Filling requests: which ones a provider wants, the bytes, the fill.
 *
 * @packageDocumentation
 */
export type { DeclinedEvent, FetchedEvent, FilledEvent, FillingEvents, FillTrouble, VacancyRef } from "./events.js";
export { FillingKeeper, type FillingKeeperOptions, type FillingPolicy } from "./keeper.js";
