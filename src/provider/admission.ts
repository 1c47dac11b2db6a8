/**
 * What strangers may leave with a node before anybody pays: how many uploads, how many bytes, how much of the disk.
 *
 * @packageDocumentation
 */
import { HoldfastError } from "../errors.js";
import type { ConnectionLimits } from "./connections.js";
import type { Bytes, DiskRoom } from "./disk-room.js";

/** Bytes that a peer has here, or on their way, that no deal pays for. */
export interface Holding {
  readonly owner: string | undefined;
  readonly bytes: number;
}

/** What a peer, and all of them together, may have here unpaid. */
export interface PeerLimits extends ConnectionLimits {
  /** Uploads and pulls under way for one peer; 16 by default. */
  readonly maxPeerUploads?: number;
  /** Bytes of one peer that are under way or that no deal has; four of the largest pieces, at least 1 GiB, by default. */
  readonly maxPeerBytes?: number;
  /** The same of all peers together; 16 of the largest pieces, at least 16 GiB, by default. */
  readonly maxUnpaidBytes?: number;
  /** Requests for deals, amendments, migrations and pulls of one network in 50 seconds; 100 by default. */
  readonly maxPeerRequests?: number;
  /** Bytes of disk that are left alone; 1 GiB by default. */
  readonly minFreeBytes?: number;
  /** Addresses of proxies of one's own, whose `X-Forwarded-For` is believed; none by default. */
  readonly trustedProxies?: readonly string[];
}

export interface AdmissionOptions extends PeerLimits {
  /** Largest piece that is taken, in bytes. */
  readonly maxPieceBytes: number;
  /** What is under way. */
  readonly underWay: () => Iterable<Holding>;
  /** What is here whole, and no deal has. */
  readonly unpaid?: () => Iterable<Holding>;
  /** The disk that bytes arrive on. */
  readonly room: DiskRoom;
}

/** Bytes that somebody sends. */
export interface Sending {
  readonly owner: string;
  readonly body: Bytes;
  /** How many were announced; 0 where nobody knows. */
  readonly announced: number;
  /** Whether `underWay` counts what is announced, from when `take` begins with it. */
  readonly isCounted: boolean;
}

const GIB = 2 ** 30;
/** Bytes of an upload between two looks at the limits. */
const STRIDE = 16 << 20;

/**
 * Decides whether one more upload, or more bytes, may come. It keeps no books of its own: what is under way and what is
 * unpaid is asked for each time, so that nothing that was forgotten elsewhere stays booked here.
 */
export class Admission {
  readonly #o: AdmissionOptions;
  readonly #maxUploads: number;
  readonly #maxPeerBytes: number;
  readonly #maxBytes: number;
  /** Announced and not here yet, of what `underWay` does not count. */
  readonly #uncounted = new Set<{ readonly owner: string; bytes: number }>();

  constructor(options: AdmissionOptions) {
    const { maxPieceBytes } = options;
    this.#o = options;
    this.#maxUploads = options.maxPeerUploads ?? 16;
    this.#maxPeerBytes = options.maxPeerBytes ?? Math.max(GIB, 4 * maxPieceBytes);
    this.#maxBytes = options.maxUnpaidBytes ?? 16 * Math.max(GIB, maxPieceBytes);
  }

  /** Whether another upload of this peer may begin. @throws HoldfastError `QUOTA_EXCEEDED`, `DISK_FULL` */
  async checkUpload(peer: string, bytes = 0): Promise<void> {
    await this.#o.room.check(bytes);
    const count = [...this.#o.underWay()].filter(({ owner }) => owner === peer).length;
    if (count >= this.#maxUploads) throw exceeded(`${count} uploads from your network are under way`);
    this.checkBytes(peer, bytes);
  }

  /** Whether so many more bytes of this peer may come. @throws HoldfastError `QUOTA_EXCEEDED` */
  checkBytes(peer: string, bytes: number): void {
    const all = [...this.#o.underWay(), ...(this.#o.unpaid?.() ?? []), ...this.#uncounted];
    const own = sum(all.filter(({ owner }) => owner === peer));
    if (own + bytes > this.#maxPeerBytes) {
      throw exceeded(`${own} bytes from your network are here without a deal, and ${this.#maxPeerBytes} may be`);
    }
    const total = sum(all.filter(({ owner }) => owner !== undefined));
    if (total + bytes > this.#maxBytes) throw exceeded(`${total} bytes are here without a deal`);
  }

  /** Whether the disk could take so many bytes. @throws HoldfastError `DISK_FULL` */
  checkDisk(bytes: number): Promise<void> {
    return this.#o.room.check(bytes);
  }

  /** Whether so much of the disk is free as has to stay so. @throws HoldfastError `DISK_FULL` */
  checkFree(): Promise<void> {
    return this.#o.room.checkFree();
  }

  /**
   * Takes bytes, if they may come. They are looked at on the way as well: an upload without a length ends where it would go
   * beyond what its peer may have, and all end where the disk gets full.
   *
   * @param take - takes them from the body that it is given
   * @throws HoldfastError `QUOTA_EXCEEDED`, `DISK_FULL`; what `take` throws
   */
  taking<T>({ owner, body, announced, isCounted }: Sending, take: (body: Bytes) => Promise<T>): Promise<T> {
    return this.#o.room.during(announced, async (meter) => {
      this.checkBytes(owner, announced);
      if (isCounted) return take(this.#metered(owner, meter(body), announced));
      const coming = { owner, bytes: announced };
      this.#uncounted.add(coming);
      try {
        return await take(counting(meter(body), coming));
      } finally {
        this.#uncounted.delete(coming);
      }
    });
  }

  /** What was announced is counted; what comes beyond is looked at. */
  async *#metered(owner: string, body: Bytes, announced: number): AsyncGenerator<Uint8Array, void, undefined> {
    let since = -announced;
    for await (const chunk of body) {
      since += chunk.length;
      if (since >= STRIDE) {
        since = 0;
        this.checkBytes(owner, chunk.length);
      }
      yield chunk;
    }
  }
}

/** What has come counts with the upload. */
async function* counting(body: Bytes, coming: { bytes: number }): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of body) {
    coming.bytes = Math.max(0, coming.bytes - chunk.length);
    yield chunk;
  }
}

function sum(holdings: readonly Holding[]): number {
  return holdings.reduce((bytes, holding) => bytes + holding.bytes, 0);
}

function exceeded(what: string): HoldfastError {
  return new HoldfastError("QUOTA_EXCEEDED", what, "open deals for what is here, or come back later");
}
