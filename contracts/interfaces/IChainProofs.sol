// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Proofs of possession that a chain itself makes
/// @notice What a market asks where a window is proven by what the chain knows and not by leaves: on Filecoin, that the
/// piece lies in a sector whose storage proofs are up to date.
interface IChainProofs {
    /// @notice Whether the chain vouches, in this block, that `provider` stores the data (root, leafCount).
    /// @param evidence Where to look, as the implementation defines it. Anybody may send it, so it must prove nothing
    /// by itself.
    function isStored(
        address provider,
        bytes32 root,
        uint256 leafCount,
        bytes calldata evidence
    ) external view returns (bool);
}
