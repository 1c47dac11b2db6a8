import { expect } from "chai";
import { addressesOf, isPublicAddress, systemResolver } from "../../../src/provider/fetching/addresses.js";
import { expectError } from "../../piece/helpers.js";

const FORBIDDEN = {
  private: ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd00:ec2::254"],
  loopback: ["127.0.0.1", "127.255.255.254", "::1"],
  unspecified: ["0.0.0.0", "0.1.2.3", "::"],
  "link-local": ["169.254.0.1", "fe80::1", "fe80::1%eth0"],
  shared: ["100.64.0.1", "100.127.255.255"],
  multicast: ["224.0.0.1", "239.255.255.255", "ff02::1"],
  reserved: ["192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.5", "240.0.0.1", "255.255.255.255"],
  "reserved in IPv6": ["100::1", "2001:db8::1", "3fff::1", "5f00::1", "fec0::1", "4000::1"],
  metadata: ["169.254.169.254", "100.100.100.200", "168.63.129.16"],
  "IPv4 within IPv6": [
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:a00:1::",
    "2001::1",
  ],
  "no address": ["", "localhost", "1.2.3", "0x7f000001"],
};

describe("provider: addresses that may be fetched from", () => {
  for (const [kind, addresses] of Object.entries(FORBIDDEN)) {
    it(`refuses ${kind}`, () => {
      for (const address of addresses) expect(isPublicAddress(address), address).to.equal(false);
    });
  }

  it("takes the public internet", () => {
    for (const address of ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700::1111", "2a00:1450::200e"]) {
      expect(isPublicAddress(address), address).to.equal(true);
    }
  });

  it("sees through every way to write an address into a URL", async () => {
    const hosts = ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:7f00:1]", "[::1]", "①②⑦.0.0.1", "0"];
    for (const host of hosts) await expectError("SOURCE_FORBIDDEN", () => addressesOf(new URL(`http://${host}/`)));
  });

  it("gives the address of a literal without asking anybody", async () => {
    const resolve = () => Promise.reject(new Error("asked"));
    expect(await addressesOf(new URL("http://1.1.1.1/"), { resolve })).to.deep.equal([
      { address: "1.1.1.1", family: 4 },
    ]);
    expect(await addressesOf(new URL("http://[2606:4700::1111]:8080/"), { resolve })).to.deep.equal([
      { address: "2606:4700::1111", family: 6 },
    ]);
  });

  it("refuses a name where any of its addresses is forbidden, unless told to allow them", async () => {
    const found = [
      { address: "1.1.1.1", family: 4 },
      { address: "10.0.0.1", family: 4 },
    ] as const;
    const url = new URL("http://half.example/");
    const resolve = async (host: string) => (host === "half.example" ? found : []);
    await expectError("SOURCE_FORBIDDEN", () => addressesOf(url, { resolve }));
    expect(await addressesOf(url, { resolve, allowAddress: () => true })).to.deep.equal(found);
    await expectError("SOURCE_UNREACHABLE", () => addressesOf(new URL("http://none.example/"), { resolve }));
  });

  it("asks the machine's resolver by default", async () => {
    await expectError("SOURCE_FORBIDDEN", () => addressesOf(new URL("http://localhost/")));
    expect((await systemResolver("localhost")).map(({ address }) => address)).to.include.oneOf(["127.0.0.1", "::1"]);
    await expectError("SOURCE_UNREACHABLE", () => addressesOf(new URL("http://no-such-name.invalid/")));
  });
});
