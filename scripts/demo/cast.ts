import type { Child } from "./child.js";
import type { Names } from "./heard.js";
import type { ProviderActor } from "./world.js";

/** A node of the demo. */
export interface Node {
  readonly actor: ProviderActor;
  readonly child: Child;
  readonly url: string;
  readonly dataDir: string;
}

/** A deal of the demo, and who answers for it. */
export interface Watched {
  readonly id: bigint;
  readonly node: Node;
  /** The defaulted deal that it took over from; 0n for an original replica, and for a deal of the client's own. */
  readonly slot: bigint;
  /** Of a deal of the client's own, the name of its file; undefined for a replica of the request. */
  readonly beside: string | undefined;
  /** The first block at which its deal had defaulted. */
  defaulted: number | undefined;
}

/** Which providers there are, and the deals that they answer for. */
export class Cast implements Names {
  readonly nodes: Node[] = [];
  readonly deals = new Map<bigint, Watched>();

  /** Has a deal answered for by its provider, where that is one of the demo's. */
  enter(deal: Omit<Watched, "node" | "defaulted">, provider: string): void {
    const node = this.nodes.find(({ actor }) => actor.owner.address === provider);
    if (node && !this.deals.has(deal.id)) this.deals.set(deal.id, { ...deal, node, defaulted: undefined });
  }

  /** The deals of the request, whoever held them. */
  get replicas(): readonly Watched[] {
    return [...this.deals.values()].filter(({ beside }) => beside === undefined);
  }

  /** Whether a provider has, or had, a replica. */
  holds(name: string): boolean {
    return this.replicas.some(({ node }) => node.child.name === name);
  }

  /** Whether anybody is there who has no replica yet: nobody gets two. */
  canFill(): boolean {
    return this.nodes.some(({ child }) => child.alive && !this.holds(child.name));
  }

  nameAt(url: string): string {
    return this.nodes.find((each) => url.startsWith(each.url))?.child.name ?? "the client";
  }

  nameOfDeal(id: bigint): string {
    const { node, beside } = this.deals.get(id) ?? {};
    return `${node?.child.name ?? "somebody"}${beside === undefined ? "" : ` over ${beside}`}`;
  }

  ofFile(id: bigint): string {
    const { beside } = this.deals.get(id) ?? {};
    return beside === undefined ? "" : ` of ${beside}`;
  }
}
