import { expect } from "chai";
import { nowAndThen } from "../../src/provider/now-and-then.js";
import { Turnstile } from "../../src/provider/turnstile.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders } from "../support/pieces.js";
import { expectText, type LoneNode, startLoneNode } from "./pdp/node.js";

const ACCOUNT = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const DEAL_ID = `0x${"33".repeat(32)}`;
const TERMS = {
  ...{ client: ACCOUNT, provider: ACCOUNT, token: ACCOUNT, root: `0x${"11".repeat(32)}`, salt: `0x${"22".repeat(32)}` },
  ...{ leafCount: "4", tier: 0, periods: 6, maxPeriods: 6, validUntil: 4_000_000_000 },
  ...{ pricePerPeriod: "1", collateral: "0", egressPricePerGiB: "0" },
};

describe("provider: requests that ask the chain", () => {
  it("are so many for a network in a time, and come back with it", async () => {
    let now = 0;
    const turnstile = new Turnstile({ maxPeerRequests: 10, now: () => now });
    const ask = (peer: string) => turnstile.run(peer, async () => "answer");
    for (let i = 0; i < 10; i++) expect(await ask("a")).to.equal("answer");
    await expectError("ASKED_TOO_OFTEN", () => ask("a"));
    expect(await ask("b")).to.equal("answer");
    now = 5_000;
    expect(await ask("a")).to.equal("answer");
    await expectError("ASKED_TOO_OFTEN", () => ask("a"));
    now = 1_000_000;
    for (let i = 0; i < 10; i++) await ask("a");
    await expectError("ASKED_TOO_OFTEN", () => ask("a"));
  });

  it("are answered a few at a time, and no more wait than there is patience for", async () => {
    const turnstile = new Turnstile();
    let [running, most] = [0, 0];
    const gone: (() => void)[] = [];
    const asked = Array.from({ length: 80 }, (_, i) =>
      turnstile
        .run(`peer ${i}`, async () => {
          most = Math.max(most, ++running);
          await new Promise<void>((go) => gone.push(go));
          running--;
          if (i % 2 === 1) throw new Error("failed");
          return "answer";
        })
        .catch(({ code, message }) => code ?? message),
    );
    const refused = asked.slice(72);
    expect(await Promise.all(refused)).to.deep.equal(Array.from({ length: 8 }, () => "NODE_BUSY"));
    for (let i = 0; i < 72; i++) {
      await new Promise((go) => setImmediate(go));
      gone.shift()?.();
    }
    const answers = await Promise.all(asked.slice(0, 72));
    expect(answers.filter((answer) => answer === "answer")).to.have.length(36);
    expect(answers.filter((answer) => answer === "failed")).to.have.length(36);
    expect(most).to.equal(8);
    expect(await turnstile.run("last", async () => "answer")).to.equal("answer");
  });

  it("are told by the chain's clock, which is looked at now and then", async () => {
    let asked = 0;
    const look = nowAndThen(async () => {
      asked++;
      if (asked === 1) throw new Error("no answer");
      return asked;
    }, 60);
    await look().then(
      () => expect.fail("it had an answer"),
      ({ message }) => expect(message).to.equal("no answer"),
    );
    expect(await Promise.all([look(), look(), look()])).to.deep.equal([2, 2, 2]);
    await new Promise((go) => setTimeout(go, 80));
    expect(await look()).to.equal(3);
  });

  describe("of a node", () => {
    let node: LoneNode;
    let answered: number;
    let coming: boolean;

    beforeEach(async () => {
      answered = 0;
      coming = false;
      const accept = async () => {
        answered++;
        return { dealId: "0x01", providerSignature: "0x02", epoch: 0, proof: "0x" };
      };
      const pull = async () => {
        answered++;
        return {};
      };
      const changes = { amendments: { accept }, migrations: { accept }, pulls: { pull, isComing: () => coming } };
      const desk = { info: () => ({}) as never, offers: async () => ({}) as never, accept };
      node = await startLoneNode({ desk, changes, maxPeerRequests: 3, trustedProxies: ["127.0.0.1"] });
    });
    afterEach(() => node.close());
    after(removeFolders);

    const post = (path: string, body: unknown, peer: string) =>
      node.ask("POST", path, { body: JSON.stringify(body), headers: { "x-forwarded-for": peer } });

    const amendment = {
      dealId: DEAL_ID,
      nonce: 0,
      root: TERMS.root,
      leafCount: "4",
      pricePerPeriod: "1",
    };
    const bodies: Record<string, unknown> = {
      "/deals": { terms: TERMS },
      "/migrations": { dealId: DEAL_ID, terms: TERMS },
      "/pulls": { dealId: DEAL_ID },
      "/amendments": { amendment: { ...amendment, validUntil: 4_000_000_000 }, owner: ACCOUNT },
    };
    for (const [path, body] of Object.entries(bodies)) {
      it(`are bounded for a network: ${path}`, async () => {
        for (let i = 0; i < 3; i++) {
          expect((await post(path, {}, "203.0.113.9")).status, "nothing is asked for what can't be read").to.equal(400);
          const answer = await post(path, body, "203.0.113.9");
          expect(answer.status, answer.text).to.be.oneOf([200, 202]);
        }
        const refused = await post(path, body, "203.0.113.9");
        expectText(refused, 429, /your network has asked/);
        expect(refused.headers["retry-after"]).to.match(/^[1-9]\d*$/);
        expect(answered).to.equal(3);
        expect((await post(path, body, "203.0.113.10")).status).to.be.oneOf([200, 202]);
      });
    }

    it("are not bounded where they ask how far a pull is, which costs nothing", async () => {
      coming = true;
      for (let i = 0; i < 10; i++) {
        expect((await post("/pulls", { dealId: DEAL_ID }, "203.0.113.9")).status).to.equal(202);
      }
      expect(answered).to.equal(0);
    });
  });
});
