import { spawn } from "node:child_process";
import { once } from "node:events";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { HoldfastError } from "../../src/errors.js";
import { openDatabase } from "../../src/store/database/index.js";
import { lockFolder } from "../../src/store/folder-lock.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const MODULE = fileURLToPath(new URL("../../src/store/folder-lock.ts", import.meta.url));

const inUse = () => new HoldfastError("FOLDER_IN_USE", "it is another's", "wait");

describe("a folder of one process", () => {
  after(removeFolders);

  /** Another process that has the folder. */
  async function holder(dir: string) {
    const script = `
      import { lockFolder } from ${JSON.stringify(MODULE)};
      await lockFolder(${JSON.stringify(dir)}, () => new Error("in use"));
      console.log("locked");
      setInterval(() => undefined, 1_000);`;
    const args = ["--import", "tsx", "--input-type=module", "-e", script];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    await once(child.stdout, "data");
    return async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
    };
  }

  it("is one process's, by whatever name, until that ends, however it ends", async () => {
    const dir = await tempFolder();
    const kill = await holder(dir);
    const alias = join(await tempFolder(), "alias");
    await symlink(dir, alias);
    for (const name of [dir, alias, `${dir}/.`]) await expectError("FOLDER_IN_USE", () => lockFolder(name, inUse));
    const { hint } = await expectError("DATABASE_IN_USE", () => openDatabase({ dir }));
    expect(hint).to.contain("DATABASE_URL");
    await kill();
    const release = await lockFolder(dir, inUse);
    await release();
  });

  it("is free again when its database is closed, or could not be opened", async () => {
    const dir = await tempFolder();
    const database = await openDatabase({ dir });
    await expectError("DATABASE_IN_USE", () => openDatabase({ dir }));
    await database.destroy();
    const again = await openDatabase({ dir });
    await again.destroy();
    await (await lockFolder(dir, inUse))();
  });
});
