import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { removeFolders } from "../../support/pieces.js";

const MIB = 1 << 20;

describe("gateway: memory", () => {
  after(removeFolders);

  for (const [count, size] of [
    [200, MIB],
    [20_000, 500],
  ] as const) {
    it(`indexes and sends a CAR of ${count} blocks of ${size} bytes within 128 MiB`, async function () {
      this.timeout(180_000);
      const script = fileURLToPath(new URL("./big-car.ts", import.meta.url));
      // The heap is bounded, so that memory is what is needed and not what is free; tsx alone takes a hundred MiB of it.
      const args = ["--expose-gc", "--max-old-space-size=256", "--import", "tsx", script, String(count), String(size)];
      const child = spawn(process.execPath, args, { stdio: ["pipe", "pipe", "inherit"] });
      const exited = once(child, "exit");
      try {
        const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
        const next = async <T>() => JSON.parse((await lines.next()).value as string) as T;
        const { url, root, bytes } = await next<{ url: string; root: string; bytes: number }>();
        const response = await fetch(`${url}/ipfs/${root}?format=car`);
        let sent = 0;
        for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) sent += chunk.length;
        // In the order in which it was packed, so it is the same CAR.
        expect(sent).to.equal(bytes);
        child.stdin.end();
        const { grownMiB } = await next<{ grownMiB: number }>();
        expect(grownMiB).to.be.lessThan(128);
      } finally {
        child.kill();
        await exited;
      }
    });
  }
});
