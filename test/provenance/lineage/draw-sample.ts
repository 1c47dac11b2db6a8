// Writes docs/lineage.svg anew: node --import tsx test/provenance/lineage/draw-sample.ts
import { writeFileSync } from "node:fs";
import { drawSample, SAMPLE_DRAWING } from "./sample.js";

writeFileSync(SAMPLE_DRAWING, drawSample());
