// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Course, Money, Stage} from "./DealLedger.sol";
import {DealTerms} from "./DealTerms.sol";

/// @notice A deal in storage: five words. Their bits, lowest first:
/// @param root The commitment.
/// @param place firstEpoch 48, the upper 32 bits of price in 48, provider 160.
/// @param counts periods 28, proven 28, lastProven 28, restored 28, demandMisses 28, paid 28, slashed 28, leafCount 48,
/// tier 4, stage 4, gift 1, amended 1, provenBefore 1, migrated 1. It is all that proofs, time and the parties move
/// while a deal lives.
/// @param pay The lower 96 bits of price, token 160.
/// @param bond collateral 128, maxPeriods 32, fundedPeriods 32.
struct StoredDeal {
    bytes32 root;
    uint256 place;
    uint256 counts;
    uint256 pay;
    uint256 bond;
}

/// @title How a deal lies in storage
/// @notice A proof reads root, place and counts and writes counts; a settlement that only pays reads place, counts and
/// pay and writes counts. That is why price is in two pieces and `bond` is a word of its own: each word is 2,100 gas.
/// Words are packed by hand, because the compiler would read and write a packed struct member by member.
/// @dev Counters of windows and misses stay below 2^26 (the market's MAX_PERIODS is 2^24), leafCount is at most 2^40, a
/// tier is below 8, block numbers stay below 2^48. A struct in memory has a word for each member, in the order of its
/// declaration.
library DealStore {
    uint256 private constant STAGE_AT = 248;

    function stageOf(StoredDeal storage deal) internal view returns (Stage) {
        return Stage((deal.counts >> STAGE_AT) & 0xf);
    }

    /// @notice Voids terms that are not open.
    function cancel(StoredDeal storage deal) internal {
        deal.counts = uint256(Stage.Cancelled) << STAGE_AT;
    }

    /// @notice Fills `c`.
    function load(StoredDeal storage deal, Course memory c) internal view {
        uint256 place = deal.place;
        uint256 counts = deal.counts;
        assembly ("memory-safe") {
            mstore(c, shr(96, place)) // provider
            mstore(add(c, 0x20), and(shr(196, counts), 0xffffffffffff)) // leafCount
            mstore(add(c, 0x40), and(place, 0xffffffffffff)) // firstEpoch
            mstore(add(c, 0x60), and(counts, 0xfffffff)) // periods
            mstore(add(c, 0x80), and(shr(28, counts), 0xfffffff)) // proven
            mstore(add(c, 0xa0), and(shr(56, counts), 0xfffffff)) // lastProven
            mstore(add(c, 0xc0), and(shr(84, counts), 0xfffffff)) // restored
            mstore(add(c, 0xe0), and(shr(112, counts), 0xfffffff)) // demandMisses
            mstore(add(c, 0x100), and(shr(140, counts), 0xfffffff)) // paid
            mstore(add(c, 0x120), and(shr(168, counts), 0xfffffff)) // slashed
            mstore(add(c, 0x140), and(shr(244, counts), 0xf)) // tier
            mstore(add(c, 0x160), and(shr(248, counts), 0xf)) // stage
            mstore(add(c, 0x180), and(shr(252, counts), 1)) // gift
            mstore(add(c, 0x1a0), and(shr(254, counts), 1)) // provenBefore
            mstore(add(c, 0x1c0), and(shr(253, counts), 1)) // amended
            mstore(add(c, 0x1e0), shr(255, counts)) // migrated
        }
    }

    /// @notice Fills token and price of `m`: what a settlement needs that only pays.
    function loadPay(StoredDeal storage deal, Money memory m) internal view {
        uint256 pay = deal.pay;
        m.token = address(uint160(pay >> 96));
        m.price = (((deal.place >> 48) & 0xffffffff) << 96) | uint96(pay);
    }

    /// @notice Fills the rest of `m`.
    function loadBond(StoredDeal storage deal, Money memory m) internal view {
        uint256 bond = deal.bond;
        m.collateral = uint128(bond);
        m.maxPeriods = uint32(bond >> 128);
        m.fundedPeriods = uint32(bond >> 160);
    }

    /// @notice Writes all of a deal that opens now.
    function open(StoredDeal storage deal, DealTerms memory terms, uint256 firstEpoch, bool gift) internal {
        uint256 price = terms.pricePerPeriod;
        uint256 periods = terms.periods;
        deal.root = terms.root;
        deal.place = firstEpoch | ((price >> 96) << 48) | (uint256(uint160(terms.provider)) << 96);
        uint256 flags = (uint256(terms.tier) << 244) | (uint256(Stage.Open) << STAGE_AT) | (gift ? 1 << 252 : 0);
        deal.counts = periods | (uint256(terms.leafCount) << 196) | flags;
        deal.pay = uint96(price) | (uint256(uint160(terms.token)) << 96);
        deal.bond = terms.collateral | (uint256(terms.maxPeriods) << 128) | (periods << 160);
    }

    /// @notice Writes what moves.
    function saveCounts(StoredDeal storage deal, Course memory c) internal {
        uint256 counts;
        assembly ("memory-safe") {
            counts := or(mload(add(c, 0x60)), shl(28, mload(add(c, 0x80)))) // periods, proven
            counts := or(counts, shl(56, mload(add(c, 0xa0)))) // lastProven
            counts := or(counts, shl(84, mload(add(c, 0xc0)))) // restored
            counts := or(counts, shl(112, mload(add(c, 0xe0)))) // demandMisses
            counts := or(counts, shl(140, mload(add(c, 0x100)))) // paid
            counts := or(counts, shl(168, mload(add(c, 0x120)))) // slashed
            counts := or(counts, shl(196, mload(add(c, 0x20)))) // leafCount
            counts := or(counts, shl(244, mload(add(c, 0x140)))) // tier
            counts := or(counts, shl(248, mload(add(c, 0x160)))) // stage
            counts := or(counts, shl(252, mload(add(c, 0x180)))) // gift
            counts := or(counts, shl(254, mload(add(c, 0x1a0)))) // provenBefore
            counts := or(counts, shl(253, mload(add(c, 0x1c0)))) // amended
            counts := or(counts, shl(255, mload(add(c, 0x1e0)))) // migrated
        }
        deal.counts = counts;
    }

    /// @notice Writes another commitment's root and price; its leaves are among the counts.
    function saveCommitment(StoredDeal storage deal, bytes32 root, uint256 price) internal {
        deal.root = root;
        deal.place = (deal.place & ~(uint256(0xffffffff) << 48)) | ((price >> 96) << 48);
        deal.pay = (deal.pay & ~uint256(type(uint96).max)) | uint96(price);
    }

    /// @notice Writes what was paid for and what is staked.
    function saveBond(StoredDeal storage deal, Money memory m) internal {
        deal.bond = m.collateral | (m.maxPeriods << 128) | (m.fundedPeriods << 160);
    }
}
