// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Changing a deal
/// @notice The entry points that change what client and provider agreed on. Each settles the deal first, the bounty to
/// its owner, and acts on what it is then.
interface IMarketChanges {
    event Extended(uint256 indexed id, address indexed payer, uint256 periods, uint256 cost);
    event Restored(uint256 indexed id, uint256 shares, uint256 bonded);
    /// @notice The owner ended the deal: it has `periods` windows now, and `refund` went back at once.
    event Terminated(uint256 indexed id, uint256 periods, uint256 refund);

    /// @notice This is code that a market runs, and no market.
    error NotAMarket();
    error NotOwner(uint256 id, address sender);
    error NotProvider(uint256 id, address sender);
    /// @notice The last challenge has been drawn: too late to extend.
    error TooLate(uint256 id, uint256 lastEpoch);
    error BeyondMaxPeriods(uint256 id, uint256 periods, uint256 maxPeriods);
    error CostTooHigh(uint256 cost, uint256 maxCost);
    /// @notice The deal has no collateral, so there is nothing to restore.
    error NothingToRestore(uint256 id);
    error ZeroAmount();

    /// @notice Adds periods, paid by the sender. While block < e_N, and neither ending nor defaulted.
    /// @param maxCost The most the sender is willing to pay in all, in base units.
    function extend(uint256 id, uint32 periods, uint256 maxCost) external;

    /// @notice The provider bonds `n` more shares, and as many misses more lead to a default.
    function restore(uint256 id, uint32 n) external;

    /// @notice The owner ends the deal: the period in progress is still owed, the rest is refunded at once.
    function terminate(uint256 id) external;
}
