import { PassThrough } from "node:stream";

/** A terminal at which somebody answers each question with the next of these lines. */
export function terminal(answers: readonly string[], isTTY = true) {
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = new PassThrough();
  const left = [...answers];
  let said = "";
  output.on("data", (chunk) => {
    said += chunk;
    const next = /: $/.test(String(chunk)) ? left.shift() : undefined;
    if (next !== undefined) setImmediate(() => input.write(`${next}\n`));
  });
  return { streams: { input, output }, said: () => said };
}
