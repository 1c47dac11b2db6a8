import { readFile } from "node:fs/promises";
import { Wallet } from "ethers";
import { connectChain, HoldfastClient, parseDeployment } from "holdfast";
import { fileBlob, fileSink } from "holdfast/node";

const { RPC_URL = "", DEPLOYMENT = "", PRIVATE_KEY = "", TOKEN = "" } = process.env;
const [source = "", copy = ""] = process.argv.slice(2);

const deployment = parseDeployment(await readFile(DEPLOYMENT, "utf8"));
const chain = await connectChain(RPC_URL, deployment.chainId);
const client = await HoldfastClient.connect(new Wallet(PRIVATE_KEY, chain), deployment);

const { pieceCid, deals } = await client.store(await fileBlob(source), {
  tier: 0,
  periods: 12,
  copies: 2,
  token: TOKEN,
  maxPricePerPeriod: 1_000_000n,
  onProgress: ({ step }) => console.error(step),
});

const urls = deals.map(({ url }) => url);
const { url } = await client.fetch(pieceCid, urls, () => fileSink(copy));
console.log(JSON.stringify({ pieceCid, deals: deals.map(({ id }) => id.toString()), from: url }));
chain.destroy();
