// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IRandomness} from "../randomness/IRandomness.sol";

/// @title Randomness for tests: every past epoch has a seed that follows from its number alone
/// @notice So a history can be replayed block by block, and a test can say beforehand what will be asked.
contract SteadyRandomness is IRandomness {
    /// @notice Seeds that can't be read, as if nobody had checkpointed them. Tests write it straight into storage, so
    /// that it takes no block.
    mapping(uint256 epoch => bool) public withheld;

    /// @inheritdoc IRandomness
    function seed(uint256 epoch) external view returns (uint256) {
        if (epoch >= block.number || withheld[epoch]) revert SeedUnavailable(epoch);
        return uint256(keccak256(abi.encode(epoch)));
    }
}
