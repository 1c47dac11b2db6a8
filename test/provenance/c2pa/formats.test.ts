import { expect } from "chai";
import { mimeTypeOf, readC2pa } from "../../../src/provenance/c2pa/index.js";
import { blobOf, fixture } from "./helpers.js";

const latin1 = (text: string): Buffer<ArrayBuffer> => Buffer.from(text, "latin1");
const brand = (name: string) => latin1(`\0\0\0\x18ftyp${name}\0\0\0\0${name}mif1\0\0\0\x08mdat`);

/** The smallest of each that c2pa-rs takes for one. */
const EMPTY: [string, Buffer<ArrayBuffer>][] = [
  ["image/gif", latin1("GIF89a\x01\0\x01\0\0\0\0;")],
  ["image/gif", latin1("GIF87a\x01\0\x01\0\0\0\0;")],
  ["image/tiff", latin1(`II*\0\x08\0\0\0${"\0".repeat(6)}`)],
  ["image/tiff", latin1(`MM\0*\0\0\0\x08${"\0".repeat(6)}`)],
  ["image/tiff", latin1(`II+\0\x08\0\0\0\x10${"\0".repeat(27)}`)],
  ["image/tiff", latin1(`MM\0+\0\x08\0\0\0\0\0\0\0\0\0\x10${"\0".repeat(20)}`)],
  ["image/avif", brand("avif")],
  ["image/heic", brand("heic")],
  ["image/heif", brand("mif1")],
  ["video/mp4", brand("isom")],
  ["video/quicktime", brand("qt  ")],
  ["audio/mp4", brand("M4A ")],
  ["image/jxl", latin1("\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl ")],
  ["audio/mpeg", latin1(`ID3\x04${"\0".repeat(6)}\xff\xfb\x90${"\0".repeat(400)}`)],
  ["audio/mpeg", latin1(`\xff\xfb\x90${"\0".repeat(800)}`)],
  ["audio/flac", latin1(`fLaC\x80\0\0\x22${"\0".repeat(40)}`)],
  [
    "audio/wav",
    latin1("RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data\0\0\0\0"),
  ],
  ["video/avi", latin1("RIFF\x04\0\0\0AVI ")],
  ["image/webp", latin1("RIFF\x04\0\0\0WEBP")],
  ["image/svg+xml", latin1('<svg xmlns="http://www.w3.org/2000/svg"></svg>')],
  ["image/svg+xml", latin1('<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg"></svg>')],
  [
    "application/pdf",
    latin1(
      "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n" +
        "xref\n0 3\n0000000000 65535 f \n0000000009 00000 n \n0000000053 00000 n \n" +
        "trailer<</Size 3/Root 1 0 R>>\nstartxref\n101\n%%EOF\n",
    ),
  ],
];

describe("C2PA: types of assets", () => {
  for (const [mimeType, bytes] of EMPTY) {
    it(`knows ${mimeType} by ${JSON.stringify(bytes.toString("latin1", 0, 12))}, and c2pa-rs reads it`, async () => {
      expect(mimeTypeOf(bytes)).to.equal(mimeType);
      expect(await readC2pa(blobOf(bytes))).to.equal(undefined);
    });
  }

  it("knows the fixtures", async () => {
    expect(mimeTypeOf(await fixture("plain.jpg"))).to.equal("image/jpeg");
    expect(mimeTypeOf(await fixture("generated.png"))).to.equal("image/png");
    expect(mimeTypeOf(await fixture("collage.webp"))).to.equal("image/webp");
  });

  it("knows nothing else", () => {
    const others = [
      "",
      "hello",
      "{}",
      "<html><svg>",
      "RIFF\x04\0\0\0XXXX",
      "PK\x03\x04",
      "\x7fELF",
      "\xff\xd8",
      "\0".repeat(99),
    ];
    for (const bytes of others) expect(mimeTypeOf(latin1(bytes)), bytes).to.equal(undefined);
  });

  it("looks at a few bytes only, and soon gives up on text that could be SVG", () => {
    const began = performance.now();
    expect(mimeTypeOf(latin1("<!a> ".repeat(1 << 20)))).to.equal(undefined);
    expect(mimeTypeOf(latin1(`${" ".repeat(1 << 20)}<svg>`))).to.equal(undefined);
    expect(performance.now() - began).to.be.below(2_000);
  });
});
