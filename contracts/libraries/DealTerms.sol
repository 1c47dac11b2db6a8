// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @notice What client and provider agree on. The EIP-712 digest of it is the deal's id, so terms never change.
/// @param client Owner of the deal from its opening.
/// @param provider Who stores the data and stakes for it.
/// @param root Piece commitment (sha2-256-trunc254-padded).
/// @param leafCount Leaves of 32 bytes that the payload touches, 1 to 2^40.
/// @param tier Row of the market's table.
/// @param periods Periods paid at the opening, N.
/// @param maxPeriods Up to where anybody may extend.
/// @param token What is paid with and staked; zero: the native coin.
/// @param pricePerPeriod Base units for each proven period, the protocol fee included.
/// @param collateral Base units of the provider's stake behind this deal.
/// @param egressPricePerGiB Base units a GiB read from the provider costs; binds by signature, not by the contract.
/// @param validUntil Unix seconds until when the terms can be opened.
/// @param salt Tells deals of otherwise equal terms apart.
struct DealTerms {
    address client;
    address provider;
    bytes32 root;
    uint64 leafCount;
    uint8 tier;
    uint32 periods;
    uint32 maxPeriods;
    address token;
    uint128 pricePerPeriod;
    uint128 collateral;
    uint128 egressPricePerGiB;
    uint64 validUntil;
    bytes32 salt;
}

/// @title EIP-712 hash of terms
library DealTermsLib {
    bytes32 internal constant TYPEHASH = keccak256(
        "DealTerms(address client,address provider,bytes32 root,uint64 leafCount,uint8 tier,uint32 periods,"
        "uint32 maxPeriods,address token,uint128 pricePerPeriod,uint128 collateral,uint128 egressPricePerGiB,"
        "uint64 validUntil,bytes32 salt)"
    );

    /// @notice hashStruct(terms) of EIP-712. All members are static, so the ABI encoding is the struct encoding.
    function hash(DealTerms memory terms) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, terms));
    }
}
