// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title Trees and multiproofs for tests, by recursion from the root
/// @notice The prover's side of the format, written top down where the verifier works bottom up: the proof of a subtree
/// is the proof of the challenged children from left to right, then the sibling that holds no challenge.
library TreeBuilder {
    struct Tree {
        uint256 seed;
        uint256 height;
        /// @dev Leaves from here on are zero. Ignored where `sparse`.
        uint256 leafCount;
        /// @dev Nodes over no challenge are random instead of hashed, so a tree of any height costs only its proof.
        bool sparse;
    }

    /// @dev A tree whose leaves all exist: random ones below leafCount, zeros above.
    function full(uint256 seed, uint256 height, uint256 leafCount) internal pure returns (Tree memory) {
        return Tree(seed, height, leafCount, false);
    }

    /// @dev A tree of which only the paths to the challenges exist, with random siblings.
    function sparseTree(uint256 seed, uint256 height) internal pure returns (Tree memory) {
        return Tree(seed, height, 0, true);
    }

    /// @dev The root, and the multiproof of sorted distinct indices.
    function prove(
        Tree memory tree,
        uint256[] memory indices
    ) internal pure returns (bytes32 root, bytes memory nodes) {
        bytes32[] memory stream = new bytes32[](indices.length * (tree.height + 1));
        uint256 used;
        (root, used) = _prove(tree, tree.height, 0, indices, stream, 0);
        nodes = new bytes(used * 32);
        assembly ("memory-safe") {
            mcopy(add(nodes, 0x20), add(stream, 0x20), mul(used, 0x20))
        }
    }

    function nodeAt(Tree memory tree, uint256 level, uint256 position) internal pure returns (bytes32) {
        if (level == 0 && !tree.sparse && position >= tree.leafCount) return 0;
        if (level == 0 || tree.sparse) {
            return keccak256(abi.encode(tree.seed, level, position)) & bytes32(~uint256(0xc0));
        }
        return parent(nodeAt(tree, level - 1, 2 * position), nodeAt(tree, level - 1, 2 * position + 1));
    }

    function parent(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(left, right)) & bytes32(~uint256(0xc0));
    }

    function _prove(
        Tree memory tree,
        uint256 level,
        uint256 position,
        uint256[] memory indices,
        bytes32[] memory stream,
        uint256 used
    ) private pure returns (bytes32, uint256) {
        if (level == 0) {
            stream[used] = nodeAt(tree, 0, position);
            return (stream[used], used + 1);
        }
        uint256 left = 2 * position;
        bytes32[2] memory child;
        bool[2] memory holds = [_holds(indices, level - 1, left), _holds(indices, level - 1, left + 1)];
        for (uint256 side = 0; side < 2; side++) {
            if (holds[side]) (child[side], used) = _prove(tree, level - 1, left + side, indices, stream, used);
        }
        for (uint256 side = 0; side < 2; side++) {
            if (holds[side]) continue;
            child[side] = nodeAt(tree, level - 1, left + side);
            stream[used++] = child[side];
        }
        return (parent(child[0], child[1]), used);
    }

    function _holds(uint256[] memory indices, uint256 level, uint256 position) private pure returns (bool) {
        for (uint256 i = 0; i < indices.length; i++) {
            if (indices[i] >> level == position) return true;
        }
        return false;
    }
}
