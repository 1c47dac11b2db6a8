import { inspect } from "node:util";
import { expect } from "chai";
import { Wallet } from "ethers";
import { secretFreeLogger } from "../src/cli/logging.js";
import { HoldfastError } from "../src/errors.js";
import { keepSecret, keepSecretsOfEnvironment, keepSecretsOfUrl, withoutSecrets } from "../src/secrets.js";
import { holdfast } from "./support/cli.js";

/** One of each kind of secret that a process may hold, under the settings that bring them. */
const { privateKey } = Wallet.createRandom();
const PASSWORD = 'quo"ted\\ pass wörd';
const ENVIRONMENT = {
  HOLDFAST_PRIVATE_KEY: privateKey,
  HOLDFAST_PROVING_PRIVATE_KEY: Wallet.createRandom().privateKey,
  HOLDFAST_KEY_PASSWORD: PASSWORD,
  HOLDFAST_RPC:
    "https://node.example/v3/0123456789abcdef0123456789abcdef?apikey=query-key-1, https://u:rpc-password@b.example",
  HOLDFAST_PROVING_REMOTE_SIGNER: "https://ops:signer-password@signer.example",
  DATABASE_URL: "postgres://holdfast:db-password@db.example/holdfast",
  AWS_SECRET_ACCESS_KEY: "aws/secret+access",
  HOLDFAST_ADMIN_TOKEN: "bearer-token-1",
  ETHERSCAN_API_KEY: "explorer-key-1",
  BLOCKSCOUT_API_URL: "https://ops:explorer-password@blockscout.example/api",
};
const SECRETS = [
  ...[
    privateKey,
    privateKey.slice(2),
    ENVIRONMENT.HOLDFAST_PROVING_PRIVATE_KEY,
    PASSWORD,
    encodeURIComponent(PASSWORD),
  ],
  ...["0123456789abcdef0123456789abcdef", "query-key-1", "rpc-password", "signer-password", "db-password"],
  ...["aws/secret+access", "bearer-token-1", "explorer-key-1", "explorer-password"],
];

/** Where a secret may turn up in what is logged. */
function places(secret: string): unknown[] {
  const deep = { a: { b: { c: [{ d: secret }] } } };
  const error = new Error(`failed with ${secret}`, { cause: new Error(`because of ${secret}`) });
  return [
    { text: secret },
    deep,
    { err: error },
    {
      err: Object.assign(new Error("x"), {
        request: { headers: { authorization: secret }, url: `https://x/${secret}` },
      }),
    },
    { err: new HoldfastError("CODE", secret, secret, { cause: secret }) },
    { [secret]: 1 },
    new Map([[secret, secret]]),
    `plain text with ${secret} in it`,
  ];
}

describe("secrets", () => {
  before(() => keepSecretsOfEnvironment(ENVIRONMENT));

  it("are in no line that the logger writes, wherever they turn up", () => {
    const written: string[] = [];
    const logger = secretFreeLogger("trace", { write: (line: string) => void written.push(line) });
    for (const secret of SECRETS) {
      for (const place of places(secret)) {
        if (typeof place === "string") logger.error(place);
        else logger.child({ bound: secret }).error(place, `and a message with ${secret}`);
      }
    }
    expect(written.length).to.equal(SECRETS.length * 8);
    for (const line of written) {
      for (const secret of SECRETS) {
        expect(line).not.to.include(secret);
        expect(line).not.to.include(JSON.stringify(secret).slice(1, -1));
      }
      expect(() => JSON.parse(line), line).not.to.throw();
    }
    expect(written.join("")).to.include("[secret]");
  });

  it("are left out by the names of members as well, where nobody knew of them", () => {
    const written: string[] = [];
    const logger = secretFreeLogger("info", { write: (line: string) => void written.push(line) });
    const unknown = "nobody-was-told-of-this";
    logger.info({ password: unknown, options: { privateKey: unknown, headers: { authorization: unknown } } }, "x");
    logger.info({ wallet: { mnemonic: unknown }, a: { b: { c: { secret: unknown } } } }, "x");
    expect(written.join("")).not.to.include(unknown);
  });

  it("leave the rest as it was", () => {
    keepSecret("short");
    keepSecretsOfUrl("https://node.example/v2/short?k=abc");
    keepSecretsOfUrl("no url");
    const hash = `0x${"ab".repeat(32)}`;
    const line = `short words, ${hash}, https://node.example/v2/short?k=abc`;
    expect(withoutSecrets(line)).to.equal(line);
    expect(withoutSecrets("holdfast of db.example")).to.equal("holdfast of db.example");
    keepSecretsOfUrl("https://user-is-the-key@node.example");
    expect(withoutSecrets("with user-is-the-key")).to.equal("with [secret]");
    expect(withoutSecrets(`a ${privateKey} b`)).to.equal("a [secret] b");
    expect(withoutSecrets(inspect(new Error(PASSWORD)))).not.to.include(PASSWORD);
  });

  it("are in nothing that a command prints, even where it fails and says why", async () => {
    const before = { ...process.env };
    Object.assign(process.env, ENVIRONMENT, { HOLDFAST_RPC: "http://127.0.0.1:1/0123456789abcdef0123456789abcdef" });
    try {
      for (const debug of ["0", "1"]) {
        process.env.HOLDFAST_DEBUG = debug;
        for (const args of [["deals"], ["keys", "import", "../x", "--from-env"], ["deal", "terminate", privateKey]]) {
          const { status, stdout, stderr } = await holdfast([...args]);
          expect(status, stderr).not.to.equal(0);
          for (const secret of SECRETS) expect(stdout + stderr).not.to.include(secret);
        }
      }
    } finally {
      for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
      Object.assign(process.env, before);
    }
  }).timeout(60_000);
});
