// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {PieceTree} from "../libraries/PieceTree.sol";

/// @title PieceTree behind an external call, as the market calls it
/// @dev Lets the TypeScript tests hand it proofs that the TypeScript side has built.
contract PieceTreeCaller {
    function verify(
        bytes32 root,
        uint256 leafCount,
        uint256[] memory indices,
        bytes calldata nodes
    ) external view returns (bool) {
        return PieceTree.verify(root, PieceTree.height(leafCount), indices, nodes);
    }

    function height(uint256 leafCount) external pure returns (uint256) {
        return PieceTree.height(leafCount);
    }
}
