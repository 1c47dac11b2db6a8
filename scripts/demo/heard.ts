import type { Due } from "../../src/protocol/index.js";
import type { ChildMessage } from "./child.js";
import { dollars } from "./report.js";

/** How the story calls whom and what the messages are about. */
export interface Names {
  /** Who serves at a URL. */
  nameAt(url: string): string;
  /** The other side of a deal, and its file where that isn't the request's: `Bogotá over thumbnail.bmp`. */
  nameOfDeal(id: bigint): string;
  /** What a proof of a deal is of, with a space before it; nothing where it is of the request's file. */
  ofFile(id: bigint): string;
}

/** What a child process tells, as a sentence of the story; undefined for what is not told. */
export function sentence(name: string, message: ChildMessage, names: Names): string | undefined {
  switch (message.kind) {
    case "fetched":
      return `${name} fetches the bytes from ${names.nameAt(message.source as string)} and checks them`;
    case "lost":
      return `${name} is late: somebody else has the replica`;
    case "filled": {
      const price = dollars(message.price as bigint);
      return `${name} proves that it holds the bytes and takes the replica, at ${price} a period`;
    }
    case "proven":
      return `${name} proves window ${message.window}${names.ofFile(message.id as bigint)}`;
    case "trouble":
      return `${name} can't prove window ${message.window}${names.ofFile(message.id as bigint)}: ${message.code}`;
    case "settled":
      return `watcher settles the deal with ${names.nameOfDeal(message.id as bigint)}: ${moved(message.moved as Due)}`;
    case "repaired":
      return `watcher ${message.reposted ? "posts the lost replica again" : "finds that the lost replica can't be repaired"}`;
    default:
      return undefined;
  }
}

function moved({ payment, compensation, bounty, refund }: Due): string {
  return Object.entries({ paid: payment, compensated: compensation, bounty, "given back": refund })
    .filter(([, amount]) => amount > 0n)
    .map(([what, amount]) => `${what} ${dollars(amount)}`)
    .join(", ");
}
