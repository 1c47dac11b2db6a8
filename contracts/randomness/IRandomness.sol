// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title A source of seeds for proof challenges
/// @notice One seed for each epoch (block number), fixed for ever and readable by anyone.
interface IRandomness {
    /// @notice The seed of `epoch` can't be read: it lies in the future, the chain no longer serves it, or nobody
    /// has checkpointed it yet.
    error SeedUnavailable(uint256 epoch);

    /// @notice The seed of an epoch.
    /// @dev Returns the same value for ever once it has returned one, and never zero.
    /// @param epoch A block number below the current one.
    /// @return The seed.
    function seed(uint256 epoch) external view returns (uint256);
}
