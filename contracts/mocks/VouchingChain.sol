// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IChainProofs} from "../interfaces/IChainProofs.sol";

/// @title A chain that vouches for what a test says
/// @notice The evidence is what it vouches for, `abi.encode(provider, root, leafCount)`: right where that is what the
/// market asks about.
contract VouchingChain is IChainProofs {
    /// @inheritdoc IChainProofs
    function isStored(
        address provider,
        bytes32 root,
        uint256 leafCount,
        bytes calldata evidence
    ) external pure returns (bool) {
        return keccak256(evidence) == keccak256(abi.encode(provider, root, leafCount));
    }
}
