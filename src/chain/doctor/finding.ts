/** What a look at something found. */
import { HoldfastError } from "../../errors.js";
import { chainError } from "../errors.js";

/** `note`: nothing is wrong, and something can't be known or used. */
export type FindingState = "ok" | "note" | "warning" | "failed";

export interface Finding {
  /** The endpoint that it is about, by its origin; empty where it is about none. */
  readonly at: string;
  /** What was looked at: `chain id`. */
  readonly what: string;
  readonly state: FindingState;
  readonly seen: string;
  /** Empty where there is nothing to do. */
  readonly todo: string;
}

/** Makes the findings of one subject. */
export interface Notes {
  ok(what: string, seen: string): Finding;
  note(what: string, seen: string, todo?: string): Finding;
  warning(what: string, seen: string, todo: string): Finding;
  failed(what: string, seen: string, todo: string): Finding;
}

export function notesAt(at: string): Notes {
  const finding =
    (state: FindingState) =>
    (what: string, seen: string, todo = "") => ({ at, what, state, seen, todo });
  return { ok: finding("ok"), note: finding("note"), warning: finding("warning"), failed: finding("failed") };
}

/** Looks, and makes a finding of what stands in the way: one that fails keeps nobody from looking at the rest. */
export async function look(
  notes: Notes,
  what: string,
  looking: () => Promise<Finding | readonly Finding[]>,
): Promise<Finding[]> {
  try {
    return [await looking()].flat();
  } catch (error) {
    return [failure(notes, what, error)];
  }
}

/** That something could not be looked at. */
export function failure(notes: Notes, what: string, error: unknown): Finding {
  const { message, hint } = error instanceof HoldfastError ? error : chainError(error, `look at the ${what}`);
  return notes.failed(what, message, hint);
}
