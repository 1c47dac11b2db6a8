// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {IVault} from "../interfaces/IVault.sol";

/// @notice What a batch moves, gathered in memory: one row for each source, receiver and token.
struct PayoutList {
    uint256 length;
    Payout[] rows;
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
        list.rows = new Payout[](deals * MOST_A_DEAL);
    }

    /// @notice Adds to the row of the same source, receiver and token, the latest rows first: deals of one batch tend
    /// to be of a kind.
    function add(
        PayoutList memory list,
        address stakeOf,
        address to,
        address token,
        uint256 amount
    ) internal pure {
        if (amount == 0) return;
        for (uint256 i = list.length; i > 0; --i) {
            Payout memory row = list.rows[i - 1];
            if (row.to == to && row.stakeOf == stakeOf && row.token == token) {
                row.amount += amount;
                return;
            }
        }
        list.rows[list.length++] = Payout(stakeOf, to, token, amount);
    }

    /// @notice Moves everything. Nothing in it can fail: escrow and locked stake cover it, and receivers are accounts.
    function flush(PayoutList memory list, IVault vault, IProviderRegistry registry) internal {
        for (uint256 i; i < list.length; ++i) {
            Payout memory row = list.rows[i];
            if (row.stakeOf == address(0)) vault.pay(row.to, row.token, row.amount);
            else if (row.to == address(0)) registry.release(row.stakeOf, row.token, row.amount);
            else registry.slash(row.stakeOf, row.token, row.to, row.amount);
        }
    }
}
