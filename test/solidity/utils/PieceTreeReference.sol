// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title The plain twin of `PieceTree.verify`
/// @notice Follows the definition in docs/PieceTree.md step by step, with every check written out. It shares no code
/// with the library, so that the fuzz tests compare two independent readings of the same text.
library PieceTreeReference {
    struct Pending {
        uint256 level;
        bytes32 node;
    }

    struct State {
        uint256 position;
        uint256 used;
        Pending[] stack;
        uint256 depth;
    }

    function verify(
        bytes32 root,
        uint256 height,
        uint256[] memory indices,
        bytes memory nodes
    ) internal pure returns (bool) {
        if (root & bytes32(uint256(0xc0)) != 0) return false;
        if (height > 40) return false;
        if (!wellFormed(height, indices)) return false;
        if (nodes.length % 32 != 0) return false;

        State memory state;
        state.stack = new Pending[](indices.length);
        bytes32 node;
        for (uint256 i = 0; i < indices.length; i++) {
            bool hasNext = i + 1 < indices.length;
            bool ok;
            (ok, node) = climb(state, height, indices[i], hasNext, hasNext ? indices[i + 1] : 0, nodes);
            if (!ok) return false;
        }
        return node == root && state.depth == 0 && state.used == nodes.length;
    }

    /// @dev Takes one leaf as far up as it goes: to the root, or to where it has to wait for its right sibling.
    function climb(
        State memory state,
        uint256 height,
        uint256 position,
        bool hasNext,
        uint256 next,
        bytes memory nodes
    ) internal pure returns (bool ok, bytes32 node) {
        (ok, node) = read(state, nodes);
        for (uint256 level = 0; ok && level < height; level++) {
            bytes32 sibling;
            if (position % 2 == 1) {
                if (state.depth > 0 && state.stack[state.depth - 1].level == level) {
                    state.depth--;
                    sibling = state.stack[state.depth].node;
                } else {
                    (ok, sibling) = read(state, nodes);
                }
                node = parent(sibling, node);
            } else {
                if (hasNext && next >> level == position + 1) {
                    state.stack[state.depth] = Pending(level, node);
                    state.depth++;
                    return (true, node);
                }
                (ok, sibling) = read(state, nodes);
                node = parent(node, sibling);
            }
            position /= 2;
        }
    }

    function read(State memory state, bytes memory nodes) internal pure returns (bool, bytes32 node) {
        if (state.used + 32 > nodes.length) return (false, 0);
        uint256 from = state.used;
        assembly ("memory-safe") {
            node := mload(add(add(nodes, 0x20), from))
        }
        state.used += 32;
        return (true, node);
    }

    function parent(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        uint256 digest = uint256(sha256(abi.encodePacked(left, right)));
        return bytes32(digest - (digest % 256) + (digest % 64));
    }

    function wellFormed(uint256 height, uint256[] memory indices) internal pure returns (bool) {
        if (indices.length == 0) return false;
        for (uint256 i = 0; i < indices.length; i++) {
            if (indices[i] >= 2 ** height) return false;
            if (i > 0 && indices[i] <= indices[i - 1]) return false;
        }
        return true;
    }
}
