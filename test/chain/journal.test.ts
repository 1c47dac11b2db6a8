import { MemoryJournal } from "../../src/chain/journal.js";
import { journalTests } from "./journal-tests.js";

describe("MemoryJournal", () => journalTests(async () => new MemoryJournal()));
