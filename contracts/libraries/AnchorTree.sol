// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title The tree over the records of an anchored set
/// @notice A binary Merkle tree of the least depth that has `count` leaves; the leaves after them are zero. Leaves and
/// nodes are hashed with different first bytes (as RFC 6962, 2.1, has it, over keccak256), so neither stands for the
/// other.
library AnchorTree {
    /// @notice The leaf of a record.
    function leafOf(bytes32 recordId) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x00), recordId));
    }

    /// @notice The parent of two nodes.
    function nodeOf(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// @notice Levels between a leaf and the root of a tree of `count` leaves: ceil(log2(count)), 0 for none.
    function depthOf(uint64 count) internal pure returns (uint256 depth) {
        while (uint256(1) << depth < count) ++depth;
    }

    /// @notice Whether a record is at a place in a tree.
    /// @param count The leaves of the tree. They fix the proof's length.
    /// @param index The place, from 0.
    /// @param proof The siblings from the leaf up to the root.
    function includes(
        bytes32 root,
        uint64 count,
        bytes32 recordId,
        uint64 index,
        bytes32[] calldata proof
    ) internal pure returns (bool) {
        if (index >= count || proof.length != depthOf(count)) return false;
        bytes32 node = leafOf(recordId);
        for (uint256 i; i < proof.length; ++i) {
            node = (index >> i) & 1 == 0 ? nodeOf(node, proof[i]) : nodeOf(proof[i], node);
        }
        return node == root;
    }
}
