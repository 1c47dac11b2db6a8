/**
 * The routes for amendments, and deals that move here from other providers.
 *
 * @packageDocumentation
 */
import type { Context } from "hono";
import {
  amendmentFromJson,
  amendmentRequestFromJson,
  migrationRequestFromJson,
  type PullAnswer,
  pullRequestFromJson,
  termsFromJson,
} from "../protocol/index.js";
import type { AmendmentDesk } from "./amendments.js";
import { type App, jsonOf, smallBody } from "./app.js";
import type { MigrationDesk } from "./migrations.js";
import type { PullDesk } from "./pulls.js";

/** What answers them. */
export interface Changes {
  readonly amendments: Pick<AmendmentDesk, "accept">;
  readonly migrations: Pick<MigrationDesk, "accept">;
  readonly pulls: Pick<PullDesk, "pull" | "isComing">;
}

export interface ChangeParts extends Changes {
  /** Answers a request when it is its turn. */
  readonly through: <T>(c: Context, task: () => Promise<T>) => Promise<T>;
}

/** Adds the routes. @param jsonMs - a body that takes longer is cut off, in milliseconds */
export function addChanges(app: App, { amendments, migrations, pulls, through }: ChangeParts, jsonMs?: number): void {
  app.post("/amendments", smallBody(jsonMs), async (c) => {
    const { amendment, owner } = amendmentRequestFromJson(await jsonOf(c));
    const read = amendmentFromJson(amendment);
    return c.json(await through(c, () => amendments.accept(read, owner)));
  });
  app.post("/pulls", smallBody(jsonMs), async (c) => {
    const { dealId } = pullRequestFromJson(await jsonOf(c));
    const id = BigInt(dealId);
    // Whoever asks how far it is costs nothing.
    const answer: PullAnswer = pulls.isComing(id) ? {} : await through(c, () => pulls.pull(id));
    return c.json(answer, answer.pieceCid === undefined ? 202 : 200);
  });
  app.post("/migrations", smallBody(jsonMs), async (c) => {
    const { dealId, terms } = migrationRequestFromJson(await jsonOf(c));
    const read = termsFromJson(terms);
    return c.json(await through(c, () => migrations.accept(BigInt(dealId), read)));
  });
}
