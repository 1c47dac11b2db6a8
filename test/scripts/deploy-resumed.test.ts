import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "chai";
import { type JsonRpcProvider, type TransactionRequest, toQuantity, Wallet } from "ethers";
import { type DeployRequest, deployTo } from "../../scripts/deploy.js";
import { type Anvil, startAnvil } from "../../src/chain/anvil.js";
import { devTiers } from "../../src/chain/deploy.js";
import { PARTS } from "../../src/chain/deployment.js";
import { readDeployment } from "../../src/chain/deployment-node.js";
import { networkNamed } from "../../src/chain/networks.js";
import { openBarePool } from "../../src/chain/pool-provider.js";
import { connectChain } from "../../src/chain/provider.js";
import type { HoldfastError } from "../../src/errors.js";
import type { KeySigner } from "../../src/keys/index.js";
import { expectError } from "../piece/helpers.js";
import { testLogger } from "../support/dev-chain.js";
import { failure } from "../support/failure.js";
import { removeFolders, tempFolder } from "../support/pieces.js";
import { startRpcProxy } from "../support/rpc-proxy.js";

/** anvil's first account. */
const KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const CHAIN_ID = 31_337;

describe("a deployment that ended half way", function () {
  this.timeout(300_000);
  const wallet = new Wallet(KEY);
  let anvil: Anvil;
  let provider: JsonRpcProvider;
  let file: string;
  let undisturbed: Record<string, string>;

  const fresh = async () => {
    anvil = await startAnvil({ chainId: CHAIN_ID });
    provider = await connectChain(anvil.url, CHAIN_ID);
    file = join(await tempFolder(), "deployment.json");
  };
  const end = async () => {
    provider.destroy();
    await anvil.stop();
  };
  /** An account that signs, but for what `sign` does. */
  const signing = (sign: (transaction: TransactionRequest) => Promise<string>): KeySigner =>
    ({ address: wallet.address, signTransaction: sign }) as unknown as KeySigner;
  const deploy = (more: Partial<DeployRequest> = {}) =>
    deployTo({
      ...{ network: networkNamed("local"), provider, signer: wallet, file, salt: "salt", pollMs: 20 },
      ...{ options: { randomnessKind: "blockhash" as const, tiers: devTiers() }, agree: async () => true },
      ...more,
    });
  const addresses = async (more: Partial<DeployRequest> = {}) => {
    const { deployment } = await deploy(more);
    return Object.fromEntries(PARTS.map((part) => [part, deployment![part]]));
  };
  const nonce = () => provider.getTransactionCount(wallet.address);
  const journal = () => join(file, "..", ".ignition", "deployment", "journal.jsonl");
  /** Signs until this many are signed, and then `last` does. */
  const signingUntil = (count: number, last: (transaction: TransactionRequest) => Promise<string>) => {
    let left = count;
    return signing((transaction) => (left-- > 0 ? wallet.signTransaction(transaction) : last(transaction)));
  };
  const refuses = () => Promise.reject(new Error("the signer is away"));

  /** The transaction of this number is signed and written ahead, and the node never sees it. */
  const cutAt = async (number: number) => {
    let sent = 0;
    const proxy = await startRpcProxy(anvil.url, (methods) =>
      methods.includes("eth_sendRawTransaction") && ++sent >= number ? "cut" : undefined,
    );
    const through = await connectChain(proxy.url, CHAIN_ID);
    await failure(deploy({ provider: through }));
    through.destroy();
    await proxy.stop();
  };
  /** A transaction of the account's that is none of the deployment's. */
  const foreign = async () => {
    const fees = { maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 10n ** 11n };
    return wallet.connect(provider).sendTransaction({ to: wallet.address, ...fees });
  };

  const isBrief = ({ code, message, hint }: HoldfastError, said: RegExp, todo: RegExp) => {
    expect([code, message]).to.include("DEPLOYMENT_FAILED");
    expect(message).to.match(said);
    expect(message.length, message).to.be.below(400);
    expect(hint).to.match(todo);
  };

  before(async () => {
    await fresh();
    undisturbed = await addresses();
    await end();
  });
  beforeEach(fresh);
  afterEach(end);
  after(removeFolders);

  it("goes on where a nonce was chosen and nothing signed: the same addresses", async () => {
    for (const count of [0, 2, 1]) {
      await failure(deploy({ signer: signingUntil(count, refuses) }));
      expect((await readFile(journal(), "utf8")).split("\n").at(-1)).to.include("TRANSACTION_PREPARE_SEND");
    }
    expect(await nonce()).to.equal(3);
    expect(await addresses()).to.deep.equal(undisturbed);
    expect(await nonce()).to.equal(PARTS.length);
  });

  it("takes the next nonce where the one that was chosen has become another's", async () => {
    await failure(deploy({ signer: signingUntil(2, refuses) }));
    await foreign();
    await addresses();
    expect(await nonce()).to.equal(PARTS.length + 1);
  });

  it("takes the next nonce where what it signed never arrived, and the nonce has become another's", async () => {
    await cutAt(3);
    await foreign();
    const { vault } = await addresses();
    expect(vault).to.equal(undisturbed.vault);
    expect(await nonce()).to.equal(PARTS.length + 1);
  });

  it("waits where another transaction of its nonce waits", async () => {
    await cutAt(3);
    await provider.send("evm_setAutomine", [false]);
    await foreign();
    const deployed = addresses();
    await sleep(1_500);
    expect(await nonce()).to.equal(2);
    await provider.send("evm_mine", []);
    await provider.send("evm_setAutomine", [true]);
    await deployed;
    expect(await nonce()).to.equal(PARTS.length + 1);
  });

  it("sends again what it signed and never arrived: the same addresses", async () => {
    await cutAt(3);
    expect(await nonce()).to.equal(2);
    expect(await addresses()).to.deep.equal(undisturbed);
    expect(await nonce()).to.equal(PARTS.length);
  });

  it("deploys what failed on the chain, and nothing twice", async () => {
    let signed = 0;
    // The third is the registry; it runs out of gas.
    const short = signing((transaction) => {
      const gasLimit = BigInt(transaction.gasLimit!);
      return wallet.signTransaction({ ...transaction, gasLimit: ++signed === 3 ? (gasLimit * 7n) / 10n : gasLimit });
    });
    const { message, hint } = await expectError("DEPLOYMENT_FAILED", () => deploy({ signer: short }));
    expect(message).to.match(/Holdfast#ProviderRegistry: Transaction 0x\w{64} reverted/);
    expect(hint).to.include("run the same again");
    expect(await nonce()).to.equal(3);
    const { vault, randomness, registry } = await addresses();
    expect([vault, randomness]).to.have.members([undisturbed.vault, undisturbed.randomness]);
    expect(registry).not.to.equal(undisturbed.registry);
    expect(await nonce()).to.equal(PARTS.length + 1);
  });

  it("goes on with what no block had taken in time, and is in one now", async () => {
    await failure(deploy({ signer: signingUntil(1, refuses) }));
    const lines = (await readFile(journal(), "utf8")).split("\n");
    const sent = lines.findLastIndex((line) => line.includes("TRANSACTION_SEND"));
    const { futureId, networkInteractionId } = JSON.parse(lines[sent]!);
    const late = JSON.stringify({ futureId, networkInteractionId, type: "ONCHAIN_INTERACTION_TIMEOUT" });
    await writeFile(journal(), [...lines.slice(0, sent + 1), late].join("\n"));
    expect(await addresses()).to.deep.equal(undisturbed);
    expect(await nonce()).to.equal(PARTS.length);
  });

  it("says that the account is empty by now, or has too little, and goes on when it has coin", async () => {
    await failure(deploy({ signer: signingUntil(2, refuses) }));
    const has = (amount: bigint) => provider.send("anvil_setBalance", [wallet.address, toQuantity(amount)]);
    await has(0n);
    expect((await expectError("EMPTY_BALANCE", deploy)).message).to.include("has 0 base units");
    await has(1_000n);
    isBrief(
      await expectError("DEPLOYMENT_FAILED", deploy),
      /Gas estimation failed/,
      /send the account coin and run the same again/,
    );
    await has(10n ** 18n);
    expect(await addresses()).to.deep.equal(undisturbed);
  });

  it("says in a line that the node went away, whenever that is, and goes on when it is back", async () => {
    let [left, failures] = [0, 0];
    const proxy = await startRpcProxy(anvil.url, () => (--left < 0 ? "cut" : undefined));
    for (let allowed = 25; ; allowed += 15) {
      left = allowed;
      const through = await openBarePool([proxy.url], CHAIN_ID, { logger: testLogger(), forgetHeadMs: 0 });
      const outcome = await deploy({ provider: through }).catch((error) => error);
      through.destroy();
      if (!(outcome instanceof Error)) break;
      isBrief(outcome as HoldfastError, /deployment/, /run the same again/);
      failures++;
    }
    await proxy.stop();
    expect(failures).to.be.at.least(3);
    expect(await nonce()).to.equal(PARTS.length);
    expect((await readDeployment(file)).market).to.equal(undisturbed.market);
  });

  it("goes on with no other chain's deployment, and no other account's", async () => {
    await failure(deploy({ signer: signingUntil(2, refuses) }));
    const other = Wallet.createRandom();
    await provider.send("anvil_setBalance", [other.address, toQuantity(10n ** 18n)]);
    isBrief(await expectError("DEPLOYMENT_FAILED", () => deploy({ signer: other })), /From account/, /--out/);
    const lines = await readFile(journal(), "utf8");
    await writeFile(journal(), lines.replace(`"chainId":${CHAIN_ID}`, '"chainId":11155111'));
    const elsewhere = await expectError("DEPLOYMENT_FAILED", deploy);
    isBrief(elsewhere, /of chain 11155111/, /--out/);
  });

  it("goes on where a contract was begun, and nothing more of it was written", async () => {
    await failure(deploy({ signer: signingUntil(1, refuses) }));
    const lines = (await readFile(journal(), "utf8")).split("\n");
    const begun = lines.findLastIndex((line) => line.includes("DEPLOYMENT_EXECUTION_STATE_INITIALIZE"));
    await writeFile(journal(), lines.slice(0, begun + 1).join("\n"));
    expect(await addresses()).to.deep.equal(undisturbed);
  });
});
