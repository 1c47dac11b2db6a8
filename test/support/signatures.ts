import { ethers as core } from "ethers";

/** What an ERC-712 domain names besides the version, which is "1" everywhere here. */
export interface Domain {
  readonly name: string;
  readonly chainId: bigint;
  readonly verifyingContract: string;
}

const uint = (name: string) => ({ name, type: "uint256" });
const address = (name: string) => ({ name, type: "address" });

const PERMIT = { Permit: [address("owner"), address("spender"), uint("value"), uint("nonce"), uint("deadline")] };
const AUTHORIZATION = [
  address("from"),
  address("to"),
  uint("value"),
  uint("validAfter"),
  uint("validBefore"),
  { name: "nonce", type: "bytes32" },
];
const SET_OPERATOR = {
  SetOperator: [
    address("owner"),
    address("operator"),
    { name: "approved", type: "bool" },
    uint("nonce"),
    uint("deadline"),
  ],
};

export interface SetOperator {
  readonly owner: string;
  readonly operator: string;
  readonly approved: boolean;
  readonly nonce: bigint;
  readonly deadline: bigint;
}

const sign = (signer: core.Signer, domain: Domain, types: Record<string, core.TypedDataField[]>, message: object) =>
  signer.signTypedData({ ...domain, version: "1" }, types, message);

/** ERC-2612, split for `permit`. */
export async function signPermit(
  signer: core.Signer,
  domain: Domain,
  message: { owner: string; spender: string; value: bigint; nonce: bigint; deadline: bigint },
): Promise<core.Signature> {
  return core.Signature.from(await sign(signer, domain, PERMIT, message));
}

export interface Authorization {
  readonly from: string;
  readonly to: string;
  readonly value: bigint;
  readonly validAfter: bigint;
  readonly validBefore: bigint;
  readonly nonce: string;
}

/** EIP-3009: `receiveWithAuthorization` only its receiver may submit, `transferWithAuthorization` anybody. */
export async function signAuthorization(
  kind: "Receive" | "Transfer",
  signer: core.Signer,
  domain: Domain,
  message: Authorization,
): Promise<core.Signature> {
  return core.Signature.from(await sign(signer, domain, { [`${kind}WithAuthorization`]: AUTHORIZATION }, message));
}

/** The vault's `setOperatorWithSignature`. */
export function signSetOperator(signer: core.Signer, domain: Domain, message: SetOperator): Promise<string> {
  return sign(signer, domain, SET_OPERATOR, message);
}
