// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {PieceTree} from "./PieceTree.sol";

/// @title What lies under a deal's commitment
/// @notice Proofs that a piece, or a range of leaves, is part of the piece (root, leafCount) that a deal stores.
/// @dev The functions prove what lies under the pair they are given. Whoever relies on a deal compares
/// `PieceTree.pieceId(root, leafCount)` with the deal's: a true root with a false leafCount is other data.
/// Malformed input gives false, never a revert. docs/PieceInclusion.md says what each proof does not prove.
library PieceInclusion {
    /// @notice Checks that a piece is a subtree of a larger one, as FRC-0058 lays out an aggregate.
    /// @dev The path fixes the inner root, its height and its place. Of innerLeafCount it fixes the height only: the
    /// rest is what the parties to the inner piece agreed on.
    /// @param root The root of the outer piece.
    /// @param leafCount The leaves of the outer piece.
    /// @param innerRoot The root of the inner piece.
    /// @param innerLeafCount The leaves of the inner piece.
    /// @param leafOffset The outer position of the first inner leaf, a multiple of 2^height(innerLeafCount).
    /// @param path The siblings from the inner root up to the outer one.
    /// @return True if the inner piece lies at leafOffset, with all of its leaves below leafCount.
    function verifyPiece(
        bytes32 root,
        uint256 leafCount,
        bytes32 innerRoot,
        uint256 innerLeafCount,
        uint256 leafOffset,
        bytes32[] calldata path
    ) internal pure returns (bool) {
        // `root` comes out as a hash, or as innerRoot itself.
        if (!PieceTree.isRoot(innerRoot)) return false;
        if (!_holds(leafCount, leafOffset, innerLeafCount)) return false;
        // The inner piece has no more leaves than the outer one, so it is not higher.
        uint256 innerHeight = PieceTree.height(innerLeafCount);
        if (path.length != PieceTree.height(leafCount) - innerHeight) return false;
        uint256 position = leafOffset >> innerHeight;
        if (position << innerHeight != leafOffset) return false;

        bytes32 node = innerRoot;
        for (uint256 i = 0; i < path.length; ++i) {
            node = position & 1 == 0 ? PieceTree.hashNode(node, path[i]) : PieceTree.hashNode(path[i], node);
            position >>= 1;
        }
        return node == root;
    }

    /// @notice Checks the leaves of a range, as those of one file in an archive.
    /// @param root The root of the piece.
    /// @param leafCount The leaves of the piece.
    /// @param firstLeaf The position of the first leaf.
    /// @param count The number of leaves, at least 1.
    /// @param nodes The multiproof of these leaves, in the order of `PieceTree.verify`. The leaves are in it, and
    /// `leavesOf` picks them out.
    /// @return True if these are the leaves at these positions, all of them below leafCount.
    function verifyRange(
        bytes32 root,
        uint256 leafCount,
        uint256 firstLeaf,
        uint256 count,
        bytes calldata nodes
    ) internal view returns (bool) {
        // The stream holds each leaf, so its length bounds the memory that a false count can ask for.
        if (!_holds(leafCount, firstLeaf, count) || count > nodes.length / 32) return false;
        uint256[] memory indices = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            indices[i] = firstLeaf + i;
        }
        return PieceTree.verify(root, PieceTree.height(leafCount), indices, nodes);
    }

    /// @notice The leaves in the proof of a range, without the siblings between them.
    /// @dev Call it on arguments that `verifyRange` accepted; of others it says nothing, and reverts where the stream
    /// is too short. The leaves are Fr32-padded: 254 bits of data to each 256.
    /// @param firstLeaf The position of the first leaf.
    /// @param count The number of leaves.
    /// @param nodes The multiproof.
    /// @return leaves 32 · count bytes.
    function leavesOf(
        uint256 firstLeaf,
        uint256 count,
        bytes calldata nodes
    ) internal pure returns (bytes memory leaves) {
        leaves = new bytes(count * 32);
        uint256 cursor = 0;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 leaf = bytes32(nodes[cursor:cursor + 32]);
            assembly ("memory-safe") {
                mstore(add(add(leaves, 0x20), shl(5, i)), leaf)
            }
            cursor += 32 * (1 + _siblingsAfter(firstLeaf, firstLeaf + i));
        }
    }

    /// @dev Whether 1 or more leaves from `first` on lie in a piece of a valid size.
    function _holds(uint256 leafCount, uint256 first, uint256 count) private pure returns (bool) {
        if (leafCount > PieceTree.MAX_LEAVES || count == 0 || count > leafCount) return false;
        return first <= leafCount - count;
    }

    /// @dev The nodes of the stream between a leaf of a range and the next: the left siblings on the leaf's way up to
    /// where it meets the next one, as far as they lie before the range.
    function _siblingsAfter(uint256 firstLeaf, uint256 leaf) private pure returns (uint256 siblings) {
        for (uint256 level = 0; (leaf >> level) & 1 == 1; ++level) {
            if ((leaf >> level) << level <= firstLeaf) ++siblings;
        }
    }
}
