import { execFile } from "node:child_process";
import { createDecipheriv, scryptSync } from "node:crypto";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { promisify } from "node:util";
import { expect } from "chai";
import { hexlify, keccak256, Wallet } from "ethers";
import {
  keySourceFrom,
  keystorePath,
  keystoreSource,
  listKeystores,
  passwordFile,
  passwordPrompt,
  passwordTwice,
  passwordValue,
  requireSeparate,
  writeKeystore,
} from "../../src/keys/index.js";
import { expectError } from "../piece/helpers.js";
import { removeFolders, tempFolder } from "../support/pieces.js";

const PASSWORD = "correct horse battery";
/** Cheap, for tests. */
const QUICK = { N: 1_024, r: 8, p: 1 };

/** Test vectors of the Web3 Secret Storage definition, version 3. That of scrypt has n and r that RFC 7914 rules out. */
const ADDRESS = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b";
const KEY = "0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
const VECTORS = {
  pbkdf2: {
    crypto: {
      cipher: "aes-128-ctr",
      cipherparams: { iv: "6087dab2f9fdbbfaddc31a909735c1e6" },
      ciphertext: "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
      kdf: "pbkdf2",
      kdfparams: {
        ...{ c: 262_144, dklen: 32, prf: "hmac-sha256" },
        salt: "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
      },
      mac: "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
    },
    id: "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    version: 3,
  },
  scrypt: {
    crypto: {
      cipher: "aes-128-ctr",
      cipherparams: { iv: "83dbcc02d8ccb40e466191a123791e0e" },
      ciphertext: "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
      kdf: "scrypt",
      kdfparams: {
        ...{ dklen: 32, n: 262_144, r: 1, p: 8 },
        salt: "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
      },
      mac: "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
    },
    id: "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    version: 3,
  },
};

describe("keys: keystores", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await tempFolder();
  });
  after(removeFolders);

  async function file(name: string, text: string, mode = 0o600): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, text, { mode });
    await chmod(path, mode);
    return path;
  }

  it("open the definition's test vector", async () => {
    const path = await file("pbkdf2.json", JSON.stringify(VECTORS.pbkdf2));
    const signer = await keystoreSource(path, passwordValue("testpassword")).open();
    expect(signer.address).to.equal(ADDRESS);
    expect((signer as Wallet).privateKey).to.equal(KEY);
    const old = await file("scrypt.json", JSON.stringify(VECTORS.scrypt));
    await expectError("KEYSTORE_INVALID", () => keystoreSource(old, passwordValue("testpassword")).open());
  });

  it("can be opened by anybody who reads the definition", async () => {
    const wallet = Wallet.createRandom();
    const { path } = await writeKeystore(folder, "one", wallet, PASSWORD, QUICK);
    const { kdfparams, ciphertext, cipherparams, mac } = JSON.parse(await readFile(path, "utf8")).Crypto;
    const { n: N, r, p, dklen, salt } = kdfparams;
    const derived = scryptSync(PASSWORD, Buffer.from(salt, "hex"), dklen, { N, r, p });
    const sealed = Buffer.from(ciphertext, "hex");
    expect(keccak256(Buffer.concat([derived.subarray(16, 32), sealed]))).to.equal(`0x${mac}`);
    const cipher = createDecipheriv("aes-128-ctr", derived.subarray(0, 16), Buffer.from(cipherparams.iv, "hex"));
    expect(hexlify(Buffer.concat([cipher.update(sealed), cipher.final()]))).to.equal(wallet.privateKey);
  });

  it("are written for their owner alone, and come back", async () => {
    const wallet = Wallet.createRandom();
    const into = join(folder, "keys");
    const { path, address } = await writeKeystore(into, "proving", wallet, PASSWORD, QUICK);
    expect(address).to.equal(wallet.address);
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    expect((await stat(into)).mode & 0o777).to.equal(0o700);
    expect(await readdir(into)).to.deep.equal(["proving.json"]);
    expect(await readFile(path, "utf8")).not.to.include(wallet.privateKey.slice(2));
    const password = passwordFile(await file("password", `${PASSWORD}\nsecond line\n`));
    expect((await keystoreSource(path, password).open()).address).to.equal(wallet.address);
  });

  it("cost what geth's cost, where nothing else is said", async () => {
    const { path } = await writeKeystore(folder, "dear", Wallet.createRandom(), PASSWORD);
    const { Crypto } = JSON.parse(await readFile(path, "utf8"));
    expect(Crypto.kdfparams).to.include({ n: 131_072, r: 8, p: 1 });
  });

  it("are never written over, by any name that leads elsewhere, or under a password that is guessed", async () => {
    const wallet = Wallet.createRandom();
    const { path } = await writeKeystore(folder, "one", wallet, PASSWORD, QUICK);
    const before = await readFile(path, "utf8");
    await expectError("KEY_EXISTS", () => writeKeystore(folder, "one", Wallet.createRandom(), PASSWORD, QUICK));
    expect(await readFile(path, "utf8")).to.equal(before);
    for (const name of ["../x", "a/b", "", ".", "a.json", "x".repeat(65), "a\0b"]) {
      await expectError("INVALID_KEY_NAME", async () => keystorePath(folder, name));
      await expectError("INVALID_KEY_NAME", () => writeKeystore(folder, name, wallet, PASSWORD, QUICK));
    }
    await expectError("WEAK_PASSWORD", () => writeKeystore(folder, "two", wallet, "123456789", QUICK));
    expect(await readdir(folder)).to.deep.equal(["one.json"]);
  });

  it("are refused where others can read them, the password as well", async () => {
    const { path } = await writeKeystore(folder, "open", Wallet.createRandom(), PASSWORD, QUICK);
    for (const mode of [0o644, 0o640, 0o604, 0o601]) {
      await chmod(path, mode);
      const error = await expectError("KEY_FILE_EXPOSED", () => keystoreSource(path, passwordValue(PASSWORD)).open());
      expect(error.message).to.include(`0${mode.toString(8)}`);
    }
    const password = await file("password", PASSWORD, 0o644);
    await expectError("KEY_FILE_EXPOSED", () => passwordFile(password)("x"));
  });

  it("are files: no folder, pipe, or something endless", async () => {
    await mkdir(join(folder, "dir.json"));
    await promisify(execFile)("mkfifo", [join(folder, "pipe.json")]);
    await symlink("/dev/zero", join(folder, "zero.json"));
    await file("long.json", " ".repeat(70_000));
    for (const name of ["dir", "pipe", "zero", "long", "nothing"]) {
      const source = keystoreSource(join(folder, `${name}.json`), passwordValue(PASSWORD));
      await expectError("KEY_FILE_UNREADABLE", () => source.open());
    }
  });

  it("do not open with another password, and the error repeats none", async () => {
    const { path } = await writeKeystore(folder, "one", Wallet.createRandom(), PASSWORD, QUICK);
    const error = await expectError("WRONG_PASSWORD", () =>
      keystoreSource(path, passwordValue("sesame open it")).open(),
    );
    expect(JSON.stringify(error) + error.stack).not.to.include("sesame");
    expect(error.cause).to.equal(undefined);
    await expectError("NO_PASSWORD", () => keystoreSource(path, passwordValue("")).open());
  });

  it("can't take all memory, or years", async () => {
    const { pbkdf2 } = VECTORS;
    const { crypto: old } = VECTORS.scrypt;
    const scrypt = { ...VECTORS.scrypt, crypto: { ...old, kdfparams: { ...old.kdfparams, n: 1_024, r: 8, p: 1 } } };
    const withParams = (vector: object, more: object) => {
      const { crypto } = vector as typeof scrypt;
      return { ...vector, crypto: { ...crypto, kdfparams: { ...crypto.kdfparams, ...more } } };
    };
    const bombs = [
      withParams(scrypt, { n: 2 ** 30 }),
      withParams(scrypt, { r: 2 ** 20 }),
      withParams(scrypt, { p: 10_000 }),
      withParams(scrypt, { n: "262144" }),
      withParams(pbkdf2, { c: 2 ** 40 }),
      // Which of the two would be read?
      { ...scrypt, Crypto: withParams(scrypt, { n: 2 ** 30 }).crypto },
      { ...scrypt, version: 4 },
      [],
      null,
    ];
    for (const bomb of bombs) {
      const path = await file("bomb.json", JSON.stringify(bomb));
      await expectError("KEYSTORE_INVALID", () => keystoreSource(path, passwordValue("testpassword")).open());
    }
  });

  it("are listed with what is wrong with them, none opened", async () => {
    expect(await listKeystores(join(folder, "nowhere"))).to.deep.equal([]);
    const wallet = Wallet.createRandom();
    await writeKeystore(folder, "b", wallet, PASSWORD, QUICK);
    await file("a.json", "{}");
    await file("c.json", JSON.stringify(VECTORS.pbkdf2));
    await file("d.json", JSON.stringify(VECTORS.pbkdf2), 0o644);
    await file("notes.txt", "");
    const listed = (await listKeystores(folder)).map(({ name, address, problem }) => [name, address, problem]);
    expect(listed).to.deep.equal([
      ["a", undefined, "KEYSTORE_INVALID"],
      ["b", wallet.address, undefined],
      ["c", undefined, undefined],
      ["d", undefined, "KEY_FILE_EXPOSED"],
    ]);
  });

  describe("passwords that are typed", () => {
    function terminal() {
      const input = Object.assign(new PassThrough(), {
        isTTY: true,
        raw: [] as boolean[],
        setRawMode: (_: boolean) => {},
      });
      input.setRawMode = (raw) => void input.raw.push(raw);
      const output = new PassThrough();
      return { input, output, ask: passwordPrompt(input, output), shown: () => String(output.read() ?? "") };
    }

    it("are not shown, and can be mended", async () => {
      const { input, ask, shown } = terminal();
      const asked = ask("password of x");
      input.write("secrex");
      input.write("\x7fts \b€\r");
      expect(await asked).to.equal("secrets€");
      expect(shown()).to.equal("password of x: \n");
      expect(input.raw).to.deep.equal([true, false]);
    });

    it("are asked for twice where they are new", async () => {
      const { input, ask, shown } = terminal();
      const type = async (...lines: string[]) => {
        const asked = passwordTwice(ask)("new");
        asked.catch(() => undefined); // It may fail before it is waited for.
        for (const line of lines) {
          input.write(`${line}\r`);
          await new Promise(setImmediate);
        }
        return asked;
      };
      expect(await type("correct horse", "correct horse")).to.equal("correct horse");
      expect(shown()).to.equal("new: \nnew, again: \n");
      await expectError("PASSWORDS_DIFFER", () => type("correct horse", "correct house"));
    });

    it("can be refused, and are not waited for where nobody is", async () => {
      const { input, ask } = terminal();
      const asked = ask("x");
      input.write("half\x03");
      await expectError("INTERRUPTED", () => asked);
      expect(input.raw).to.deep.equal([true, false]);
      const empty = ask("x");
      input.write("\r");
      await expectError("NO_PASSWORD", () => empty);
      const ended = ask("x");
      input.end();
      await expectError("NO_PASSWORD", () => ended);
      await expectError("NO_PASSWORD", () => passwordPrompt(new PassThrough(), new PassThrough())("x"));
    });
  });

  describe("settings", () => {
    it("name a key for each role, or one for all", async () => {
      const [all, proving] = [Wallet.createRandom(), Wallet.createRandom()];
      await writeKeystore(folder, "all", all, PASSWORD, QUICK);
      const { path } = await writeKeystore(folder, "proving", proving, "another password", QUICK);
      const environment = {
        HOLDFAST_KEYS: folder,
        HOLDFAST_KEYSTORE: "all",
        HOLDFAST_KEY_PASSWORD: PASSWORD,
        HOLDFAST_PROVING_KEYSTORE: path,
        HOLDFAST_PROVING_PASSWORD_FILE: await file("password", "another password"),
      };
      expect((await keySourceFrom(environment).open()).address).to.equal(all.address);
      expect((await keySourceFrom(environment, "terms").open()).address).to.equal(all.address);
      expect((await keySourceFrom(environment, "proving").open()).address).to.equal(proving.address);
      expect(keySourceFrom(environment).development).to.equal(false);
    });

    it("leave nothing to chance", async () => {
      const { privateKey } = Wallet.createRandom();
      await expectError("MISSING_SETTING", async () => keySourceFrom({}));
      const two = { HOLDFAST_PRIVATE_KEY: privateKey, HOLDFAST_KEYSTORE: "x" };
      expect((await expectError("AMBIGUOUS_KEY", async () => keySourceFrom(two))).message).not.to.include(privateKey);
      const signer = { HOLDFAST_REMOTE_SIGNER: "https://signer" };
      await expectError("MISSING_SETTING", async () => keySourceFrom(signer));
      await expectError("INVALID_SETTING", async () => keySourceFrom({ ...signer, HOLDFAST_ACCOUNT: "0x12" }));
      expect(keySourceFrom({ HOLDFAST_PRIVATE_KEY: privateKey }).development).to.equal(true);
    });
  });

  it("of different duties are different keys", async () => {
    const [a, b] = [Wallet.createRandom().address, Wallet.createRandom().address];
    requireSeparate({ proving: a, terms: b });
    const error = await expectError("SHARED_KEY", () =>
      requireSeparate({ proving: a, terms: b, payout: a.toLowerCase() }),
    );
    expect(error.message).to.match(/proving and for payout/);
  });
});
