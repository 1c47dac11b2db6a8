/** Sourcify's API, version 2: https://github.com/argotorg/sourcify/blob/staging/services/server/src/apiv2.yaml */
import { z } from "zod";
import { EXPLORER_FACTS } from "../../../src/chain/explorers.js";
import { type Answer, type ExplorerClient, ExplorerStop, type Submission } from "./explorer.js";
import { ExplorerHttp, type Pace, tooMuch } from "./http.js";

const refusal = z.object({ customCode: z.string(), message: z.string() });
const accepted = z.object({ verificationId: z.string().regex(/^[\w-]+$/) });
const job = z.object({
  isJobCompleted: z.boolean(),
  /** `exact_match`: byte for byte, with the hash of the sources. */
  contract: z.object({ match: z.string().nullish() }).optional(),
  error: refusal.optional(),
});

/** A job of an earlier run is still at this contract; the status is that of too many requests. */
const DUPLICATE = "duplicate_verification_request";

export class Sourcify implements ExplorerClient {
  readonly title = EXPLORER_FACTS.sourcify.title;
  readonly #http: ExplorerHttp;
  readonly #chainId: number;

  /** @param url - as of `https://sourcify.dev/server` */
  constructor(url: string, chainId: number, pace: Pace) {
    this.#http = new ExplorerHttp(url, pace);
    this.#chainId = chainId;
  }

  async submit({ address, input, compiler, identifier, creation }: Submission): Promise<Answer> {
    const { answer } = await this.#http.ask({
      method: "POST",
      path: `/v2/verify/${this.#chainId}/${address}`,
      isBusy: (status, found) => tooMuch(status) && refusal.safeParse(found).data?.customCode !== DUPLICATE,
      body: {
        type: "application/json",
        text: JSON.stringify({
          stdJsonInput: input,
          compilerVersion: compiler,
          contractIdentifier: identifier,
          ...(creation !== undefined && { creationTransactionHash: creation }),
        }),
      },
    });
    const taken = accepted.safeParse(answer);
    if (taken.success) return { state: "queued", ticket: taken.data.verificationId };
    return said(refusal.safeParse(answer).data);
  }

  async check(ticket: string): Promise<Answer> {
    const { answer } = await this.#http.ask({ method: "GET", path: `/v2/verify/${ticket}` });
    const found = job.safeParse(answer).data;
    if (found === undefined) return said(refusal.safeParse(answer).data);
    const { isJobCompleted, contract, error } = found;
    if (!isJobCompleted) return { state: "queued", ticket };
    if (error !== undefined) return said(error);
    const match = contract?.match ?? undefined;
    if (match === undefined) return { state: "refused", words: "it found no match" };
    return { state: "verified", words: match.replaceAll("_", " ") };
  }
}

function said(words: z.output<typeof refusal> | undefined): Answer {
  if (words === undefined) throw new ExplorerStop("unreachable", "it answered JSON, not as its API does");
  const { customCode, message } = words;
  if (customCode === DUPLICATE) return { state: "not yet", words: message };
  return { state: customCode === "already_verified" ? "already verified" : "refused", words: message };
}
