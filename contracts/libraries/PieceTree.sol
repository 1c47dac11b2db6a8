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

    /// @dev Stands for the root of a malformed proof. It is no root: its top bits are set.
    bytes32 private constant MALFORMED = bytes32(type(uint256).max);

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
    function verify(
        bytes32 root,
        uint256 height_,
        uint256[] memory indices,
        bytes calldata nodes
    ) internal view returns (bool) {
        if (indices.length == 0 || height_ > MAX_HEIGHT || !isRoot(root)) return false;
        if (nodes.length % 32 != 0) return false;
        return _fold(height_, indices, nodes) == root;
    }

    /// @dev The root that a multiproof leads to, or MALFORMED.
    ///
    /// A leaf climbs to the level at which it meets the next leaf: the highest bit in which their positions differ.
    /// There it is a left node, and waits on the stack for its sibling. The last leaf climbs to the root. On its way up
    /// a node takes its sibling from the stack where the topmost one waits at that level, and from the stream
    /// elsewhere. Levels fall strictly towards the top of the stack, and the last leaf passes all of them, so nothing
    /// stays there but the root.
    function _fold(
        uint256 height_,
        uint256[] memory indices,
        bytes calldata nodes
    ) private view returns (bytes32 node) {
        uint256 top;
        uint256 cursor;
        uint256 last = indices.length - 1;
        assembly ("memory-safe") {
            // The stack holds (level, node), and at its bottom a level that is never reached.
            top := mload(0x40)
            mstore(0x40, add(top, shl(6, add(last, 2))))
            mstore(top, 0xff)
            cursor := nodes.offset
        }
        uint256 streamEnd = cursor + nodes.length;
        uint256 position = indices[0];
        for (uint256 i = 0; i < last;) {
            uint256 next = indices[++i];
            if (next <= position) return MALFORMED;
            (top, cursor) = _climb(position, _highestBit(position ^ next), top, cursor, streamEnd);
            position = next;
        }
        if (position >> height_ != 0) return MALFORMED;
        (top, cursor) = _climb(position, height_, top, cursor, streamEnd);
        if (cursor != streamEnd) return MALFORMED;
        assembly ("memory-safe") {
            node := mload(add(top, 0x20))
        }
    }

    /// @dev Reads a leaf and takes it up to the level `goal`, then puts what it has become on the stack. Where the
    /// stream is too short or a hash fails, the cursor comes back beyond the end of every stream.
    ///
    /// `path`, at first the leaf's position, shifts right by one at each level: a hash call that succeeds returns 1,
    /// and this is the shift. Its bit 5 is the side that the node is on, which as 0x00 or 0x20 is the node's place in
    /// the hash's input at 0x00..0x3f. Bit 255 counts the levels, and so tells whether the goal was reached. There the
    /// node is a left one or the root, and so lies at 0x00. Up to the goal, or to where a sibling waits on the stack,
    /// all siblings come from the stream, so the inner loop has nothing to decide; tested at its foot, it saves a jump
    /// for each node.
    function _climb(
        uint256 path,
        uint256 goal,
        uint256 top,
        uint256 cursor,
        uint256 streamEnd
    ) private view returns (uint256 newTop, uint256 newCursor) {
        if (cursor >= streamEnd) return (top, type(uint256).max);
        assembly ("memory-safe") {
            path := or(shl(5, path), shl(255, 1))
            mstore(and(path, 0x20), calldataload(cursor))
            cursor := add(cursor, 0x20)
            let level := 0
            let end := 0
            for {} 1 {} {
                let halt := goal
                if lt(mload(top), goal) {
                    halt := mload(top)
                }
                end := add(cursor, shl(5, sub(halt, level)))
                if gt(end, streamEnd) {
                    break
                }
                if lt(cursor, end) {
                    for {} 1 {} {
                        mstore(and(not(path), 0x20), calldataload(cursor))
                        cursor := add(cursor, 0x20)
                        path := shr(staticcall(gas(), 0x02, 0x00, 0x40, 0x00, 0x20), path)
                        mstore(and(path, 0x20), and(mload(0x00), NODE_MASK))
                        if eq(cursor, end) {
                            break
                        }
                    }
                }
                if eq(halt, goal) {
                    break
                }
                mstore(0x00, mload(add(top, 0x20)))
                top := sub(top, 0x40)
                path := shr(staticcall(gas(), 0x02, 0x00, 0x40, 0x00, 0x20), path)
                mstore(and(path, 0x20), and(mload(0x00), NODE_MASK))
                level := add(halt, 1)
            }
            newTop := add(top, 0x40)
            mstore(newTop, goal)
            mstore(add(newTop, 0x20), mload(0x00))
            newCursor := or(cursor, shl(255, iszero(eq(shr(sub(255, goal), path), 1))))
        }
    }

    /// @dev Exact for 0 < x < 2^40, which covers all positions in a tree. A larger one is refused when the last, the
    /// largest of them, is; what comes out for it here is below 64.
    function _highestBit(uint256 x) private pure returns (uint256 bit) {
        assembly ("memory-safe") {
            bit := shl(5, gt(x, 0xffffffff))
            bit := or(bit, shl(4, gt(shr(bit, x), 0xffff)))
            bit := or(bit, shl(3, gt(shr(bit, x), 0xff)))
            bit := or(bit, shl(2, gt(shr(bit, x), 0xf)))
            bit := or(bit, byte(shr(bit, x), shl(128, 0x00000101020202020303030303030303)))
        }
    }
}
