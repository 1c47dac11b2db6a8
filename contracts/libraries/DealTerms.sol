// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {FilecoinAddress} from "./FilecoinAddress.sol";

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

/// @title EIP-712 hash of terms, and what bounds them
library DealTermsLib {
    /// @dev Bounds every counter of windows and misses well within 28 bits: 7,600 years of four-hour periods.
    uint256 internal constant MAX_PERIODS = 2 ** 24;

    bytes32 internal constant TYPEHASH = keccak256(
        "DealTerms(address client,address provider,bytes32 root,uint64 leafCount,uint8 tier,uint32 periods,"
        "uint32 maxPeriods,address token,uint128 pricePerPeriod,uint128 collateral,uint128 egressPricePerGiB,"
        "uint64 validUntil,bytes32 salt)"
    );

    /// @notice hashStruct(terms) of EIP-712.
    /// @dev All thirteen members are static, so the struct in memory, a word for each, is its own encoding.
    function hash(DealTerms memory terms) internal pure returns (bytes32 digest) {
        bytes32 typeHash = TYPEHASH;
        assembly ("memory-safe") {
            let encoding := mload(0x40)
            mstore(encoding, typeHash)
            mcopy(add(encoding, 0x20), terms, 0x1a0)
            digest := keccak256(encoding, 0x1c0)
        }
    }

    /// @notice Whether `account` can own a deal of `market`: zero and id aliases can't own anything, and the protocol's
    /// own contracts could never use a deal.
    function isReceiver(address account, address vault, address registry, address market) internal pure returns (bool) {
        bool own = account == vault || account == registry || account == market;
        return !own && FilecoinAddress.isAccount(account);
    }
}
