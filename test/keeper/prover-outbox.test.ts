import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { Outbox } from "../../src/keeper/prover-outbox.js";

const ROOMY = { calldata: 1e6, gas: 1e9 };
const item = (name: number) => ({ name, proof: new Uint8Array(32) });

describe("Outbox", () => {
  function outbox(options: { limits?: typeof ROOMY; waitMs?: number; send?: () => Promise<void> } = {}) {
    const sent: number[][] = [];
    const box = new Outbox<ReturnType<typeof item>>({
      limits: options.limits ?? ROOMY,
      waitMs: options.waitMs ?? 60_000,
      async send(batch) {
        sent.push(batch.map(({ name }) => name));
        await options.send?.();
      },
    });
    return { box, sent };
  }

  it("sends what has waited, though its batch is not full", async () => {
    const { box, sent } = outbox({ waitMs: 30 });
    box.add(item(1));
    box.add(item(2));
    await sleep(80);
    expect(sent).to.deep.equal([[1, 2]]);
    box.add(item(3));
    await sleep(80);
    expect(sent).to.deep.equal([[1, 2], [3]]);
    await box.close();
    expect(sent.length).to.equal(2);
  });

  it("sends a full batch at once, and the rest at the end; takes nothing after that", async () => {
    const { box, sent } = outbox({ limits: { calldata: 1e6, gas: 190_000 } });
    for (const name of [1, 2, 3]) expect(box.add(item(name))).to.equal(true);
    expect(sent).to.deep.equal([[1, 2]]);
    await box.close();
    expect(sent).to.deep.equal([[1, 2], [3]]);
    expect(box.add(item(4))).to.equal(false);
  });

  it("has sixteen batches on their way at most", async () => {
    const ends: (() => void)[] = [];
    const send = () => new Promise<void>((resolve) => void ends.push(resolve));
    const { box, sent } = outbox({ limits: { calldata: 1e6, gas: 1 }, send });
    for (let name = 0; name < 20; name++) box.add(item(name));
    await sleep(5);
    expect(sent.length).to.equal(16);
    let isReady = false;
    const ready = box.ready().then(() => (isReady = true));
    await sleep(5);
    expect(isReady).to.equal(false);
    const closed = box.close();
    while (sent.length < 20 || ends.length > 0) {
      for (const end of ends.splice(0)) end();
      await sleep(1);
    }
    await ready;
    await closed;
    expect(sent.flat()).to.deep.equal(Array.from({ length: 20 }, (_, name) => name));
  });
});
