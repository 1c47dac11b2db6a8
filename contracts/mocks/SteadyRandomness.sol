// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IRandomness} from "../randomness/IRandomness.sol";

/// @title Randomness for tests: every past epoch has a seed that follows from its number alone
/// @notice So a history can be replayed block by block, and a test can say beforehand what will be asked. Anybody can
/// withhold a seed, as if nobody had checkpointed it.
contract SteadyRandomness is IRandomness {
    mapping(uint256 epoch => bool) public withheld;

    function withhold(uint256 epoch, bool hidden) external {
        withheld[epoch] = hidden;
    }

    /// @inheritdoc IRandomness
    function seed(uint256 epoch) external view returns (uint256) {
        if (epoch >= block.number || withheld[epoch]) revert SeedUnavailable(epoch);
        return uint256(keccak256(abi.encode(epoch)));
    }
}
