import { writeFile } from "node:fs/promises";

const WIDTH = 1_200;
const HEIGHT = 900;
const HEADER = 54;
const MOST_STEPS = 96;

/** The thumbnail has one pixel of so many, in each direction. */
const SHRINK = 4;

/** The bytes of a 24-bit bitmap of the Mandelbrot set: 3.1 MiB that anybody can look at, and the same every time. */
export function samplePicture(): Uint8Array {
  const bytes = emptyBitmap(WIDTH, HEIGHT);
  for (let at = 0; at < WIDTH * HEIGHT; at++) {
    const steps = escapeSteps((at % WIDTH) / 400 - 2.1, Math.floor(at / WIDTH) / 400 - 1.12);
    const shade = steps === MOST_STEPS ? 0 : steps * 7;
    bytes.set([shade & 0xff, (shade * 3) & 0xff, (shade * 5) & 0xff], HEADER + 3 * at);
  }
  return bytes;
}

/** A smaller bitmap out of the sample's pixels. @param picture - the sample's bytes */
export function thumbnailOf(picture: Uint8Array): Uint8Array {
  const [width, height] = [WIDTH / SHRINK, HEIGHT / SHRINK];
  const bytes = emptyBitmap(width, height);
  for (let at = 0; at < width * height; at++) {
    const from = HEADER + 3 * SHRINK * ((at % width) + WIDTH * Math.floor(at / width));
    bytes.set(picture.subarray(from, from + 3), HEADER + 3 * at);
  }
  return bytes;
}

/** A black one, of 24 bits a pixel. @param width - in pixels; a multiple of 4, so that rows need no padding */
function emptyBitmap(width: number, height: number): Uint8Array {
  const bytes = new Uint8Array(HEADER + 3 * width * height);
  const header = new DataView(bytes.buffer);
  header.setUint16(0, 0x424d); // "BM"
  header.setUint32(2, bytes.length, true);
  header.setUint32(10, HEADER, true);
  header.setUint32(14, 40, true);
  header.setInt32(18, width, true);
  header.setInt32(22, height, true);
  header.setUint16(26, 1, true);
  header.setUint16(28, 24, true);
  return bytes;
}

/** How many steps z → z² + c takes to leave the circle of radius 2. */
function escapeSteps(re: number, im: number): number {
  let [x, y, steps] = [0, 0, 0];
  while (x * x + y * y < 4 && steps < MOST_STEPS) {
    [x, y] = [x * x - y * y + re, 2 * x * y + im];
    steps++;
  }
  return steps;
}

/** Writes the sample to `path`. */
export async function writeSample(path: string): Promise<void> {
  await writeFile(path, samplePicture());
}
