import { expect } from "chai";
import { SigningKey } from "ethers";
import { base58btc } from "multiformats/bases/base58";
import { CID } from "multiformats/cid";
import { decode } from "multiformats/hashes/digest";
import { multiaddrOf } from "../../../src/provider/gateway/multiaddr.js";
import { peerIdOf } from "../../../src/provider/index.js";
import { carOf, rawBlock, text } from "../../piece/car/helpers.js";
import { expectError } from "../../piece/helpers.js";
import { PEER_ID, startGateway, type TestGateway } from "../../support/gateway.js";
import { removeFolders } from "../../support/pieces.js";

describe("gateway: routing", () => {
  let gateway: TestGateway;
  const providers = async (at: TestGateway, cid: CID | string) => {
    const response = await at.get(`/routing/v1/providers/${cid}`, {
      headers: { Accept: "application/x-ndjson, application/json;q=0.8" },
    });
    expect(response.status).to.equal(200);
    expect(response.headers.get("content-type")).to.match(/^application\/json/);
    expect(response.headers.get("access-control-allow-origin")).to.equal("*");
    return { body: await response.json(), cache: response.headers.get("cache-control") };
  };

  before(async () => {
    gateway = await startGateway();
  });
  after(async () => {
    await gateway.close();
    await removeFolders();
  });

  it("names itself for what it holds, at the address that was asked", async () => {
    const [held, missing] = [await rawBlock(text("held")), await rawBlock(text("missing"))];
    await gateway.put(carOf(held, held));
    const port = new URL(gateway.url).port;
    const self = {
      Schema: "peer",
      ID: PEER_ID,
      Addrs: [`/ip4/127.0.0.1/tcp/${port}/http`],
      Protocols: ["transport-ipfs-gateway-http"],
    };
    for (const cid of [held.cid, CID.createV1(0x70, held.cid.multihash), CID.createV0(held.cid.multihash as never)]) {
      expect(await providers(gateway, cid)).to.deep.equal({
        body: { Providers: [self] },
        cache: "public, max-age=300",
      });
    }
    expect(await providers(gateway, missing.cid)).to.deep.equal({
      body: { Providers: [] },
      cache: "public, max-age=15",
    });
    expect((await providers(gateway, "bafkqaaa")).body).to.deep.equal({ Providers: [self] });
  });

  it("names the address that it was told", async () => {
    const behind = await startGateway({ publicUrl: "https://node.example" });
    const block = await rawBlock(text("behind a proxy"));
    await behind.put(carOf(block, block));
    const { body } = await providers(behind, block.cid);
    expect(body).to.have.nested.property("Providers[0].Addrs[0]", "/dns/node.example/tcp/443/https");
    await behind.close();
  });

  it("400: asks for a CID", async () => {
    const response = await gateway.get("/routing/v1/providers/nonsense");
    expect(response.status).to.equal(400);
    expect(await response.text()).to.match(/"nonsense" is no CID/);
  });

  it("writes origins as multiaddrs", async () => {
    for (const [url, address] of [
      ["http://203.0.113.7:8080", "/ip4/203.0.113.7/tcp/8080/http"],
      ["http://[2001:db8::1]/", "/ip6/2001:db8::1/tcp/80/http"],
      ["https://node.example:8443/", "/dns/node.example/tcp/8443/https"],
    ] as const) {
      expect(multiaddrOf(url)).to.equal(address);
    }
    for (const url of ["node.example", "ftp://node.example", "https://node.example/holdfast", ""]) {
      await expectError("INVALID_PUBLIC_URL", () => multiaddrOf(url));
    }
    await expectError("INVALID_PUBLIC_URL", () => startGateway({ publicUrl: "node.example" }));
  });

  it("has the Peer ID of its key, from which anybody can read the key", () => {
    // The generator of the curve: the public key of 1.
    const generator = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    const { code, digest } = decode(base58btc.baseDecode(PEER_ID));
    expect(code).to.equal(0);
    // The form of the public key in libp2p's specification of peer ids: type 2, 33 bytes.
    expect(Buffer.from(digest).toString("hex")).to.equal(`08021221${generator}`);
    expect(PEER_ID).to.match(/^16Uiu2HA/);
    expect(peerIdOf(SigningKey.computePublicKey(`0x${generator}`, false))).to.equal(PEER_ID);
  });
});
