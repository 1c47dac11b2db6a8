/** A lens that says something else of deals than the market does. */
import type { ContractRunner, Provider, Result, TransactionRequest } from "ethers";
import type { DealViewStruct, MarketLens } from "../../typechain-types/MarketLens.js";

/** @param change - what it says of a deal, given what the market says of it */
export function lensSaying(
  lens: MarketLens,
  change: (view: DealViewStruct, id: bigint) => Partial<DealViewStruct>,
): MarketLens {
  const provider = lens.runner!.provider as Provider;
  const { selector } = lens.interface.getFunction("dealsOf");
  const call = async (request: TransactionRequest) => {
    const answer = await provider.call(request);
    if (!request.data?.startsWith(selector)) return answer;
    const [ids] = lens.interface.decodeFunctionData("dealsOf", request.data);
    const [views] = lens.interface.decodeFunctionResult("dealsOf", answer);
    const changed = (views as Result[]).map((result, i) => {
      const view = result.toObject(true) as unknown as DealViewStruct;
      return { ...view, ...change(view, ids[i]) };
    });
    return lens.interface.encodeFunctionResult("dealsOf", [changed as never]);
  };
  return lens.connect({ provider, call } as ContractRunner);
}
