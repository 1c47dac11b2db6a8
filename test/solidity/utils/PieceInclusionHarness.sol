// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {PieceInclusion} from "../../../contracts/libraries/PieceInclusion.sol";

/// @title The library behind external functions, so that proofs arrive as calldata
contract PieceInclusionHarness {
    function verifyPiece(
        bytes32 root,
        uint256 leafCount,
        bytes32 innerRoot,
        uint256 innerLeafCount,
        uint256 leafOffset,
        bytes32[] calldata path
    ) external pure returns (bool) {
        return PieceInclusion.verifyPiece(root, leafCount, innerRoot, innerLeafCount, leafOffset, path);
    }

    function verifyRange(
        bytes32 root,
        uint256 leafCount,
        uint256 firstLeaf,
        uint256 count,
        bytes calldata nodes
    ) external view returns (bool) {
        return PieceInclusion.verifyRange(root, leafCount, firstLeaf, count, nodes);
    }

    function leavesOf(uint256 firstLeaf, uint256 count, bytes calldata nodes) external pure returns (bytes memory) {
        return PieceInclusion.leavesOf(firstLeaf, count, nodes);
    }

    /// @dev Execution gas of `verifyPiece` alone.
    function measurePiece(
        bytes32 root,
        uint256 leafCount,
        bytes32 innerRoot,
        uint256 innerLeafCount,
        uint256 leafOffset,
        bytes32[] calldata path
    ) external view returns (bool ok, uint256 gasUsed) {
        uint256 before = gasleft();
        ok = PieceInclusion.verifyPiece(root, leafCount, innerRoot, innerLeafCount, leafOffset, path);
        gasUsed = before - gasleft();
    }

    /// @dev Execution gas of `verifyRange` alone.
    function measureRange(
        bytes32 root,
        uint256 leafCount,
        uint256 firstLeaf,
        uint256 count,
        bytes calldata nodes
    ) external view returns (bool ok, uint256 gasUsed) {
        uint256 before = gasleft();
        ok = PieceInclusion.verifyRange(root, leafCount, firstLeaf, count, nodes);
        gasUsed = before - gasleft();
    }
}
