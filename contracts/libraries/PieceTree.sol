// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Filecoin piece commitments (CommP): shape, identity and multiproofs
/// @notice A piece is a binary Merkle tree over 32-byte leaves. A node is SHA-256 of its two children with the two top
/// bits of the last byte cleared, so that it is a number below 2^254.
/// @dev docs/PieceTree.md explains the order of a proof's nodes. PieceTreeReference, the plain twin of `verify`, is
/// what the tests compare it with.
library PieceTree {
    /// @notice The largest leafCount of a piece: 32 TiB of leaves.
    uint256 internal constant MAX_LEAVES = 2 ** 40;

    /// @notice The height of a tree of MAX_LEAVES.
    uint256 internal constant MAX_HEIGHT = 40;

    /// @notice Keeps the 254 bits of a node: the two top bits of its last byte are clear. Written out, because inline
    /// assembly takes only literals.
    uint256 internal constant NODE_MASK = 0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff3f;

    /// @notice The height of the tree over a number of leaves: the least that holds them, but at least 2, because
    /// CommP's smallest tree has 4 leaves.
    /// @param leafCount From 1 to MAX_LEAVES.
    /// @return Levels above the leaves.
    function height(uint256 leafCount) internal pure returns (uint256) {
        return leafCount <= 4 ? 2 : Math.log2(leafCount - 1) + 1;
    }

    /// @notice Whether a word can be the root of a piece at all.
    function isRoot(bytes32 root) internal pure returns (bool) {
        return uint256(root) & ~NODE_MASK == 0;
    }

    /// @notice The identity of data: the same root over another number of leaves is other data.
    function pieceId(bytes32 root, uint256 leafCount) internal pure returns (bytes32) {
        return keccak256(abi.encode(root, leafCount));
    }

    /// @notice The parent of two nodes.
    function hashNode(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(bytes.concat(left, right)) & bytes32(NODE_MASK);
    }

    /// @notice Checks a multiproof: that leaves at given positions lie under a root.
    /// @dev Malformed input gives false, never a revert. Nothing outside of `nodes` is read. The work is bounded by
    /// indices.length * height hashes.
    /// @param root The root of the tree.
    /// @param height_ The height of the tree, at most MAX_HEIGHT.
    /// @param indices The positions of the proven leaves: at least one, strictly ascending, below 2^height_.
    /// @param nodes The leaves and the nodes that can't be derived, 32 bytes each, depth first from left to right.
    /// @return True if the nodes, all of them used, hash to the root.
    function verify(bytes32 root, uint256 height_, uint256[] memory indices, bytes calldata nodes)
        internal
        view
        returns (bool)
    {
        if (indices.length == 0 || height_ > MAX_HEIGHT || nodes.length % 32 != 0 || !isRoot(root)) return false;
        return _fold(height_, indices, nodes) == root;
    }

    /// @dev The root that a multiproof leads to, or all ones, which is no root, where the proof is malformed.
    ///
    /// A leaf climbs to the level at which it meets the next leaf: the highest bit in which their positions differ.
    /// There it is a left node, and waits on the stack for its sibling. The last leaf climbs to the root. On its way up
    /// a node takes its sibling from the stack where the topmost one waits at that level, and from the stream
    /// elsewhere. Between two such stops every sibling comes from the stream, so the inner loop has nothing to decide.
    /// Levels fall strictly towards the top of the stack, and the last leaf passes all of them, so nothing stays there.
    function _fold(uint256 height_, uint256[] memory indices, bytes calldata nodes)
        private
        view
        returns (bytes32 computed)
    {
        assembly ("memory-safe") {
            // Exact for 0 < x < 2^40, which covers positions that hold. A larger one is refused when the last, the
            // largest of them, is; what comes out for it here is below 64.
            function highestBit(x) -> bits {
                bits := shl(5, gt(x, 0xffffffff))
                bits := or(bits, shl(4, gt(shr(bits, x), 0xffff)))
                bits := or(bits, shl(3, gt(shr(bits, x), 0xff)))
                bits := or(bits, shl(2, gt(shr(bits, x), 0xf)))
                bits := or(bits, byte(shr(bits, x), shl(128, 0x00000101020202020303030303030303)))
            }

            // `index` and `last` point to the first and the last position; `cursor` is where the stream is read.
            function fold(levels, index, last, cursor, streamEnd) -> node {
                node := not(0)
                // Pending left nodes lie above the free memory pointer as (level, node), below them a level that is
                // never reached.
                let top := mload(0x40)
                mstore(top, 0xff)
                for {} 1 {} {
                    // `path` shifts right by one at each level. Bit 5 is the side the current node is on, which as 0x00
                    // or 0x20 is its place in the hash's input at 0x00..0x3f. Bit 255 counts the levels climbed.
                    let path := mload(index)
                    let goal := levels
                    switch eq(index, last)
                    case 0 {
                        let next := mload(add(index, 0x20))
                        if iszero(gt(next, path)) { leave }
                        goal := highestBit(xor(path, next))
                    }
                    default { if shr(levels, path) { leave } }
                    path := or(shl(5, path), shl(255, 1))

                    if eq(cursor, streamEnd) { leave }
                    mstore(and(path, 0x20), calldataload(cursor))
                    cursor := add(cursor, 0x20)

                    let level := 0
                    for {} 1 {} {
                        let halt := goal
                        if lt(mload(top), goal) { halt := mload(top) }
                        let end := add(cursor, shl(5, sub(halt, level)))
                        if gt(end, streamEnd) { leave }
                        if lt(cursor, end) {
                            // Tested at its foot, the loop saves a jump for each node.
                            for {} 1 {} {
                                mstore(and(not(path), 0x20), calldataload(cursor))
                                cursor := add(cursor, 0x20)
                                // A call that succeeds returns 1, which takes `path` up one level.
                                path := shr(staticcall(gas(), 0x02, 0x00, 0x40, 0x00, 0x20), path)
                                mstore(and(path, 0x20), and(mload(0x00), NODE_MASK))
                                if eq(cursor, end) { break }
                            }
                        }
                        if eq(halt, goal) { break }

                        mstore(0x00, mload(add(top, 0x20)))
                        top := sub(top, 0x40)
                        path := shr(staticcall(gas(), 0x02, 0x00, 0x40, 0x00, 0x20), path)
                        mstore(and(path, 0x20), and(mload(0x00), NODE_MASK))
                        level := add(halt, 1)
                    }
                    // Each hash of this climb succeeded if bit 255 has moved by `goal`.
                    if xor(shr(sub(255, goal), path), 1) { leave }
                    // The node is the root or a left one, and so lies at 0x00.
                    if eq(index, last) { break }
                    top := add(top, 0x40)
                    mstore(top, goal)
                    mstore(add(top, 0x20), mload(0x00))
                    index := add(index, 0x20)
                }
                if eq(cursor, streamEnd) { node := mload(0x00) }
            }

            let first := add(indices, 0x20)
            let last := add(indices, shl(5, mload(indices)))
            computed := fold(height_, first, last, nodes.offset, add(nodes.offset, nodes.length))
        }
    }
}
