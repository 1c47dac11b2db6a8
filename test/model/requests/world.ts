/** The market's world with StorageRequests on it, three providers more, and each provider somewhere. */
import { hexlify, type Result, toUtf8Bytes } from "ethers";
import { addClaim, stakeOf } from "../model.js";
import type { DealShot } from "../world.js";
import { deployWorld, ethers, type Name, networkHelpers, type TokenShot, type World } from "../world.js";
import type { Books, RequestsConfig } from "./model.js";

/** Where providers are, in their own words. Only the fraud never proves. */
const PLACES = { honest: "US-CA", shaky: "US", fraud: "DE", cat: "DE-BE", signer: "", payee: "US-NY" } as const;
export const PROVIDERS = Object.keys(PLACES) as (keyof typeof PLACES)[];
const STAKE = 40_000n;

export const regionOf = (text: string): string => hexlify(toUtf8Bytes(text)).padEnd(14, "0");

export type RequestsWorld = Awaited<ReturnType<typeof deployRequestsWorld>>;

export async function deployRequestsWorld() {
  const world = await deployWorld();
  const lens = await ethers.deployContract("MarketLens", [world.market]);
  const requests = await ethers.deployContract("StorageRequests", [world.market, lens]);
  const address = await requests.getAddress();
  const books: Books = { state: world.state, postings: new Map(), stakes: new Map() };
  for (const name of PROVIDERS) await settleIn(world, name, address, books);
  const approved = new Set<string>();
  for (const [name, account] of Object.entries(world.accounts)) {
    if (name === "stranger") continue;
    await world.vault.connect(account).setOperator(address, true);
    approved.add(account.address);
  }
  books.state.operators.add(address);
  const regions = new Map(PROVIDERS.map((name) => [world.accounts[name].address, PLACES[name]]));
  return {
    ...world,
    requests,
    requestsAddress: address,
    interfaces: [...world.interfaces, requests.interface],
    config: { ...world.config, requests: address, regions, approved } satisfies RequestsConfig,
    books,
    snapshot: await networkHelpers.takeSnapshot(),
  };
}

/** A provider with a region, stake at the market, and stake at the requests. */
async function settleIn(world: World, name: Name & keyof typeof PLACES, requests: string, books: Books): Promise<void> {
  const { registry, vault, market, tokens } = world;
  const account = world.accounts[name];
  const profile = { name: "", url: "", peerId: "", region: regionOf(PLACES[name]), tiers: 7, offerUri: "" };
  const known = await registry.isRegistered(account);
  await (known ? registry.connect(account).updateProfile(profile) : registry.connect(account).register(profile));
  if (!known) await vault.connect(account).setOperator(registry, true);
  for (const token of tokens) {
    await registry.connect(account).provision(market, token, STAKE);
    await registry.connect(account).provision(requests, token, STAKE / 10n);
    addClaim(books.state, token, account.address, -STAKE - STAKE / 10n);
    stakeOf(books.state, token, account.address).free += STAKE;
    books.stakes.set(`${token}|${account.address}`, { free: STAKE / 10n, locked: 0n });
  }
}

/** Everybody whose money is compared: the accounts, and the contract last. */
export const holders = (world: RequestsWorld): string[] => [
  ...Object.values(world.accounts).map(({ address }) => address),
  world.requestsAddress,
];

/** All money at the latest block, and these deals as the market has them. */
export async function look(world: RequestsWorld, ids: readonly bigint[]) {
  const [[number, deals, money], escrows, stakes] = await Promise.all([
    world.probe.look([...ids], holders(world), [...world.tokens]),
    Promise.all(world.tokens.map((token) => world.vault.escrowOf(world.requestsAddress, token))),
    Promise.all(stakeKeys(world).map(([token, at]) => world.registry.provisionOf(at, world.requestsAddress, token))),
  ]);
  const structs = <T>(list: readonly unknown[]): T[] => list.map((item) => (item as Result).toObject(true) as T);
  return {
    number: Number(number),
    deals: structs<DealShot>(deals),
    money: structs<TokenShot>(money),
    escrows,
    stakes: stakes.map(({ free, locked }) => ({ free, locked })),
  };
}

export const stakeKeys = ({ tokens, accounts }: RequestsWorld): [token: string, provider: string][] =>
  tokens.flatMap((token) => PROVIDERS.map((name): [string, string] => [token, accounts[name].address]));
