/** A chain on which somebody's block has given way to nothing. */
import type { JsonRpcProvider } from "ethers";
import { makeError } from "ethers";

/** A provider whose node says of an epoch, as Lotus does, that nobody made a block for it. */
export function nullRoundAt<P extends Pick<JsonRpcProvider, "getBlock">>(provider: P, epoch: number): P {
  const message = `requested epoch was a null round (${epoch})`;
  const refused = () =>
    Object.assign(makeError("could not coalesce error", "UNKNOWN_ERROR"), {
      error: { code: 12, message, data: epoch },
    });
  return new Proxy(provider, {
    get(target, name) {
      if (name === "getBlock") {
        return (tag: string | number) => (tag === epoch ? Promise.reject(refused()) : target.getBlock(tag));
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
