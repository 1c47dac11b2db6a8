// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {IVault} from "../interfaces/IVault.sol";

/// @notice What a batch moves, gathered in memory: one row for each source, receiver and token.
/// @param length How many rows are in use.
/// @param provider Provider and token of the deal paid last: a batch is often of one kind.
/// @param pay Index of the row of that provider's payee.
/// @param fee Index of the row of the treasury in that token.
struct PayoutList {
    uint256 length;
    Payout[] rows;
    address provider;
    address token;
    uint256 pay;
    uint256 fee;
}

/// @param stakeOf The provider whose locked stake it comes from; zero: the market's escrow.
/// @param to The receiver; zero: the stake is released to its provider.
struct Payout {
    address stakeOf;
    address to;
    address token;
    uint256 amount;
}

/// @title Gathering payments
/// @notice A batch writes all its deals first and moves the money afterwards, one transfer for each receiver and token.
library Payouts {
    /// @dev Payment, fee, refund, bounty, compensation, return.
    uint256 private constant MOST_A_DEAL = 6;

    function create(uint256 deals) internal pure returns (PayoutList memory list) {
        uint256 most = deals * MOST_A_DEAL;
        Payout[] memory rows;
        // Room for the pointers alone: `new` would set up every row, most of which are never used.
        assembly ("memory-safe") {
            rows := mload(0x40)
            mstore(rows, most)
            mstore(0x40, add(rows, shl(5, add(most, 1))))
        }
        list.rows = rows;
    }

    /// @notice Adds a deal's payment out of escrow to its provider's payee, and the fee to the treasury.
    function addPay(
        PayoutList memory list,
        IProviderRegistry registry,
        address treasury,
        address provider,
        address token,
        uint256 payment,
        uint256 fee
    ) internal view {
        if (list.provider != provider || list.token != token) {
            (list.provider, list.token) = (provider, token);
            list.pay = _rowOf(list, address(0), registry.payeeOf(provider), token);
            list.fee = _rowOf(list, address(0), treasury, token);
        }
        unchecked {
            // All amounts together are what the vault holds at most, and it takes 2^128 at a time.
            list.rows[list.pay].amount += payment;
            list.rows[list.fee].amount += fee;
        }
    }

    /// @notice Adds an amount out of the market's escrow, or out of stake.
    function add(PayoutList memory list, address stakeOf, address to, address token, uint256 amount) internal pure {
        if (amount > 0) list.rows[_rowOf(list, stakeOf, to, token)].amount += amount;
    }

    /// @notice Moves everything. Nothing in it can fail: escrow and locked stake cover it, and receivers are accounts.
    function flush(PayoutList memory list, IVault vault, IProviderRegistry registry) internal {
        for (uint256 i; i < list.length; ++i) {
            Payout memory row = list.rows[i];
            if (row.amount == 0) continue;
            if (row.stakeOf == address(0)) vault.pay(row.to, row.token, row.amount);
            else if (row.to == address(0)) registry.release(row.stakeOf, row.token, row.amount);
            else registry.slash(row.stakeOf, row.token, row.to, row.amount);
        }
    }

    /// @dev The row of this source, receiver and token, the latest looked at first; a new one where there is none.
    function _rowOf(
        PayoutList memory list,
        address stakeOf,
        address to,
        address token
    ) private pure returns (uint256 index) {
        for (index = list.length; index > 0;) {
            Payout memory row = list.rows[--index];
            if (row.to == to && row.stakeOf == stakeOf && row.token == token) return index;
        }
        index = list.length++;
        list.rows[index] = Payout(stakeOf, to, token, 0);
    }
}
