/** Loaded into a command that `runCommand` measures: says at its exit how much memory it held at most, in KiB. */
import { writeFileSync } from "node:fs";
import { PEAK_FD } from "./command.js";
import { peakMiB } from "./peak-memory.js";

process.once("exit", () => writeFileSync(PEAK_FD, String(Math.round(peakMiB() * 1024))));
