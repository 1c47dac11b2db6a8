/** Decoding many values of one type fast: ethers makes its decoders anew for each, which takes a millisecond for a deal. */
import { getAddress, type ParamType } from "ethers";

/** Hexadecimal digits of a word. */
const WORD = 64;
/** Addresses whose checksum is known: of many deals, there are few. */
const MAX_ADDRESSES = 4_096;

const checksummed = new Map<string, string>();

/** Words that a value of a type takes. @throws TypeError for a type whose length varies, or that is not read here */
export function staticWords(type: ParamType): number {
  if (type.baseType === "tuple") return type.components!.reduce((words, each) => words + staticWords(each), 0);
  if (/^(?:uint\d+|bool|address|bytes32)$/.test(type.type)) return 1;
  throw new TypeError(`${type.type} is not decoded here`);
}

/**
 * A value of a type whose length never varies (Solidity's ABI: static types), as ethers would have it: tuples as objects by name,
 * numbers as bigint, addresses with their checksum.
 *
 * @param hex - without 0x
 * @param at - the word that it begins at
 * @example
 * decodeStatic(ParamType.from("tuple(uint8 a, bool b)"), hex, 2); // { a: 1n, b: true }
 */
export function decodeStatic(type: ParamType, hex: string, at: number): unknown {
  if (type.baseType === "tuple") return decodeTuple(type.components!, hex, at);
  const word = hex.slice(at * WORD, (at + 1) * WORD);
  if (type.baseType === "bool") return word.endsWith("1");
  if (type.baseType === "address") return addressOf(word.slice(24));
  return type.baseType === "bytes32" ? `0x${word}` : BigInt(`0x${word}`);
}

function decodeTuple(components: readonly ParamType[], hex: string, at: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  let next = at;
  for (const each of components) {
    object[each.name] = decodeStatic(each, hex, next);
    next += staticWords(each);
  }
  return object;
}

function addressOf(digits: string): string {
  const known = checksummed.get(digits);
  if (known !== undefined) return known;
  const address = getAddress(`0x${digits}`);
  if (checksummed.size >= MAX_ADDRESSES) checksummed.clear();
  checksummed.set(digits, address);
  return address;
}
