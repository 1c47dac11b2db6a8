import { expect } from "chai";
import { networkPeer, peerOf } from "../../src/provider/peers.js";

const at = (address: string | undefined, forwarded?: string) => ({ address, forwarded });

describe("provider: whom a request counts for", () => {
  it("is an IPv4 address, however it is written, or the /64 of an IPv6 address", () => {
    for (const [address, peer] of [
      ["198.51.100.7", "198.51.100.7"],
      ["::ffff:198.51.100.7", "198.51.100.7"],
      ["::ffff:c633:6407", "198.51.100.7"],
      ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
      ["2001:db8:1:2:ffff::", "2001:db8:1:2::/64"],
      ["2001:0db8:0001:0002::1", "2001:db8:1:2::/64"],
      ["2001:db8:1:3::1", "2001:db8:1:3::/64"],
      ["::1", "0:0:0:0::/64"],
      ["fe80::1%eth0", "fe80:0:0:0::/64"],
      ["", "unknown"],
      ["nonsense", "unknown"],
    ] as const) {
      expect(peerOf(at(address)), address).to.equal(peer);
    }
    expect(peerOf(at(undefined))).to.equal("unknown");
  });

  it("is not what a stranger writes into a header", () => {
    expect(peerOf(at("198.51.100.7", "203.0.113.9"))).to.equal("198.51.100.7");
    expect(peerOf(at("198.51.100.7", "203.0.113.9"), ["127.0.0.1"])).to.equal("198.51.100.7");
  });

  it("is what one's own proxy says, and not what the client told the proxy", () => {
    const proxies = ["127.0.0.1", "2001:db8::1"];
    expect(peerOf(at("::ffff:127.0.0.1", "203.0.113.9"), proxies)).to.equal("203.0.113.9");
    expect(peerOf(at("127.0.0.1", "192.0.2.1, 203.0.113.9"), proxies)).to.equal("203.0.113.9");
    expect(peerOf(at("127.0.0.1", "192.0.2.1, 203.0.113.9, 2001:db8:0::1"), proxies)).to.equal("203.0.113.9");
    expect(peerOf(at("127.0.0.1", "203.0.113.9, 127.0.0.1"), proxies)).to.equal("203.0.113.9");
    for (const forwarded of [undefined, "", "x", "127.0.0.1", ", ,"]) {
      expect(peerOf(at("127.0.0.1", forwarded), proxies), forwarded).to.equal("127.0.0.1");
    }
  });

  it("is nobody's, of a connection that a proxy of one's own has made", () => {
    expect(networkPeer("198.51.100.7", ["127.0.0.1"])).to.equal("198.51.100.7");
    expect(networkPeer("::ffff:127.0.0.1", ["127.0.0.1"])).to.equal(undefined);
    expect(networkPeer("127.0.0.1", ["::ffff:127.0.0.1"])).to.equal(undefined);
    expect(networkPeer(undefined, ["127.0.0.1", "nonsense"])).to.equal("unknown");
  });
});
