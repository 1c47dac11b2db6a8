import { expect } from "chai";
import { getBytes, hexlify, parseEther, recoverAddress, TypedDataEncoder, verifyMessage, Wallet } from "ethers";
import { TransactionSender } from "../../src/chain/sender.js";
import { keySourceFrom, PayloadSigner, remoteSignerSource } from "../../src/keys/index.js";
import { dealDomain } from "../../src/protocol/index.js";
import { expectError } from "../piece/helpers.js";
import { type DevChain, startDevChain, testLogger } from "../support/dev-chain.js";
import { mixedUp, type RemoteSignerServer, type SignerFault, startRemoteSigner } from "../support/remote-signer.js";

const SINK = "0x52908400098527886E0F7030069857D2E4169EE7";

describe("keys: remote signer", () => {
  const wallet = Wallet.createRandom();
  const other = Wallet.createRandom();
  let server: RemoteSignerServer;
  let faults: (SignerFault | undefined)[];

  beforeEach(async () => {
    faults = [];
    server = await startRemoteSigner([other, wallet], (line) => (line.startsWith("POST") ? faults.shift() : undefined));
  });
  afterEach(() => server.stop());

  const source = (more: object = {}) =>
    remoteSignerSource({ url: server.url, address: wallet.address, timeoutMs: 300, pauseMs: 10, ...more });
  const posts = () => server.asked.filter(({ line }) => line.startsWith("POST")).length;

  it("signs transactions, messages and typed data as the key itself would", async () => {
    const signer = await source().open();
    expect(signer.address).to.equal(wallet.address);
    const transaction = {
      ...{ type: 2, chainId: 31_337, nonce: 3, gasLimit: 21_000n, to: SINK, value: 5n, data: "0x1234" },
      ...{ maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n, from: wallet.address },
    };
    expect(await signer.signTransaction(transaction)).to.equal(await wallet.signTransaction(transaction));
    for (const message of ["hello", "€ 5", getBytes("0x00ff")]) {
      const signature = await signer.signMessage(message);
      expect(signature).to.equal(await wallet.signMessage(message));
      expect(verifyMessage(message, signature)).to.equal(wallet.address);
    }
    const domain = dealDomain(31_337, SINK);
    const types = {
      Terms: [
        { name: "client", type: "address" },
        { name: "amount", type: "uint256" },
      ],
    };
    const value = { client: SINK, amount: 7n };
    const signature = await signer.signTypedData(domain, types, value);
    expect(recoverAddress(TypedDataEncoder.hash(domain, types, value), signature)).to.equal(wallet.address);
  });

  it("is asked as its API says", async () => {
    await (await source()).open().then((signer) => signer.signMessage("x"));
    const identifier = `0x${wallet.signingKey.publicKey.slice(4)}`;
    expect(server.asked.map(({ line }) => line)).to.deep.equal([
      "GET /api/v1/eth1/publicKeys",
      `POST /api/v1/eth1/sign/${identifier}`,
    ]);
    const payload = hexlify(new TextEncoder().encode("\x19Ethereum Signed Message:\n1x"));
    expect(JSON.parse(server.asked[1]!.body)).to.deep.equal({ data: payload });
  });

  it("is asked again where it fails, and not where it refuses", async () => {
    const signer = await source().open();
    for (const fault of [500, 503, 429, "cut", "hang"] as const) {
      faults = [fault, fault];
      expect(verifyMessage("x", await signer.signMessage("x"))).to.equal(wallet.address);
    }
    const before = posts();
    faults = [403, 403];
    await expectError("SIGNER_REFUSED", () => signer.signMessage("x"));
    expect(posts() - before).to.equal(1);
    faults = ["cut", "cut", "cut"];
    await expectError("SIGNER_UNREACHABLE", () => signer.signMessage("x"));
    faults = [500, 500, 500];
    await expectError("SIGNER_REFUSED", () => signer.signMessage("x"));
  });

  it("is not believed: what it signs has to recover to the account", async () => {
    const signer = await source().open();
    const lies: SignerFault[] = [
      mixedUp(wallet.privateKey),
      mixedUp(other.privateKey),
      ...["", "0x", "nonsense", `0x${"00".repeat(65)}`, `0x${"ff".repeat(65)}`, '{"signature":"0x"}'].map(
        (answers) => ({
          answers,
        }),
      ),
    ];
    for (const lie of lies) {
      faults = [lie];
      const transaction = {
        type: 2,
        chainId: 1,
        nonce: 0,
        gasLimit: 21_000n,
        to: SINK,
        maxFeePerGas: 1n,
        maxPriorityFeePerGas: 1n,
      };
      await expectError("WRONG_SIGNATURE", () => signer.signTransaction(transaction));
    }
    faults = [{ answers: "0".repeat(2_000_000) }];
    await expectError("SIGNER_REFUSED", () => signer.signMessage("x"));
  });

  it("has to have the key, and signs for no other account", async () => {
    const stranger = Wallet.createRandom().address;
    await expectError("KEY_NOT_FOUND", () => source({ address: stranger }).open());
    const signer = await source().open();
    await expectError("WRONG_ACCOUNT", () => signer.signTransaction({ from: stranger, to: SINK, nonce: 0 }));
    expect(posts()).to.equal(0);
  });

  it("is reached over https, or on this machine, and shows its password to nobody else", async () => {
    const { address } = wallet;
    for (const url of [
      "http://signer.example",
      "http://10.0.0.1",
      "http://127.0.0.1.example",
      "ftp://x",
      "x",
      "https://x?k=1",
    ]) {
      await expectError("INVALID_SIGNER", async () => remoteSignerSource({ url, address }));
    }
    for (const url of ["https://signer.example/base", "http://127.0.0.1:9000", "http://localhost", "http://[::1]:1"]) {
      remoteSignerSource({ url, address });
    }
    const url = server.url.replace("//", "//ops:s3cr3t-pass@");
    const named = source({ url });
    expect(named.label).not.to.include("s3cr3t");
    await named.open();
    expect(server.asked[0]!.authorization).to.equal(`Basic ${btoa("ops:s3cr3t-pass")}`);
    await server.stop();
    const error = await expectError("SIGNER_UNREACHABLE", () => named.open());
    expect(error.message + error.stack).not.to.include("s3cr3t");
  });

  it("stops when it is told to", async () => {
    await server.stop();
    server = await startRemoteSigner([wallet], () => "hang");
    const stop = AbortSignal.abort(new Error("enough"));
    const error = await source()
      .open(stop)
      .catch((reason: unknown) => reason);
    expect(error).to.equal(stop.reason);
  });

  describe("on a chain", () => {
    let chain: DevChain;
    before(async () => {
      chain = await startDevChain();
      await chain.provider.send("anvil_setBalance", [wallet.address, `0x${parseEther("1").toString(16)}`]);
    });
    after(() => chain.stop());

    it("pays for transactions like any key", async () => {
      const environment = { HOLDFAST_REMOTE_SIGNER: server.url, HOLDFAST_ACCOUNT: wallet.address };
      const signer = (await keySourceFrom(environment, "proving").open()).connect(chain.provider);
      const sender = new TransactionSender({ provider: chain.provider, signer, logger: testLogger(), pollMs: 10 });
      expect((await sender.send({ to: SINK, data: "0x", value: 9n }, "pay")).status).to.equal("mined");
      expect(await chain.provider.getBalance(SINK)).to.equal(9n);
    });

    it("is one of any number of services: what signs bytes is a key", async () => {
      // As a key management service is connected: docs/keys.md.
      const vault = new Map([["key-1", other.signingKey]]);
      const { keccak256 } = await import("ethers");
      const signer = new PayloadSigner(
        other.address,
        async (payload) => vault.get("key-1")!.sign(keccak256(payload)).serialized,
      );
      await chain.provider.send("anvil_setBalance", [other.address, `0x${parseEther("1").toString(16)}`]);
      const connected = signer.connect(chain.provider);
      const sent = await connected.sendTransaction({ to: SINK, value: 1n });
      expect((await sent.wait())?.from).to.equal(other.address);
    });
  });
});
