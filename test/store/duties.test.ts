import { MemoryDuties } from "../../src/store/duties.js";
import { dutiesTests } from "./duties-tests.js";

describe("MemoryDuties", () => {
  dutiesTests(async () => new MemoryDuties());
});
