/** Run by the bench in a process of its own: makes the requests of each line of JSON, and prints how long they took. */
import { createInterface } from "node:readline";
import { run } from "./load.js";

for await (const line of createInterface(process.stdin)) console.log(String(await run(JSON.parse(line))));
