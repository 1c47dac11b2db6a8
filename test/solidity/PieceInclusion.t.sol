// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {PieceTree} from "../../contracts/libraries/PieceTree.sol";
import {PieceInclusionHarness} from "./utils/PieceInclusionHarness.sol";
import {TreeBuilder} from "./utils/TreeBuilder.sol";

contract PieceInclusionTest is Test {
    using TreeBuilder for TreeBuilder.Tree;

    struct Piece {
        bytes32 root;
        uint256 leafCount;
        bytes32 innerRoot;
        uint256 innerLeafCount;
        uint256 leafOffset;
        bytes32[] path;
    }

    struct Range {
        bytes32 root;
        uint256 leafCount;
        uint256 firstLeaf;
        uint256 count;
        bytes nodes;
    }

    PieceInclusionHarness private harness = new PieceInclusionHarness();

    // verifyPiece

    function testFuzzAcceptsASubtree(uint256 seed, uint256 height, uint256 innerHeight) public view {
        assertTrue(_verify(_piece(seed, height, innerHeight)));
    }

    /// @dev The same in a tree that is built in full, with a path read off its nodes.
    function testEverySubtreeOfAFullTree() public view {
        TreeBuilder.Tree memory tree = TreeBuilder.full(5, 5, 29);
        bytes32 root = tree.nodeAt(5, 0);
        for (uint256 height = 2; height <= 5; height++) {
            bytes32[] memory path = new bytes32[](5 - height);
            for (uint256 position = 0; position < 2 ** (5 - height); position++) {
                for (uint256 i = 0; i < path.length; i++) {
                    path[i] = tree.nodeAt(height + i, (position >> i) ^ 1);
                }
                uint256 offset = position << height;
                // The last subtree holds 5 or 13 of 8 or 16 leaves, so it is a piece of its own; 1 of 4 is the least.
                uint256 leaves = offset + 2 ** height > 29 ? 29 - offset : 2 ** height;
                assertTrue(_verify(Piece(root, 29, tree.nodeAt(height, position), leaves, offset, path)));
            }
        }
    }

    function testAPieceLiesUnderItself() public view {
        bytes32 root = bytes32(uint256(7));
        assertTrue(_verify(Piece(root, 100, root, 100, 0, new bytes32[](0))));
        assertFalse(_verify(Piece(root, 100, bytes32(uint256(6)), 100, 0, new bytes32[](0))));
    }

    /// @dev What a path can't tell apart: inner counts of one height. See docs/PieceInclusion.md.
    function testTheInnerLeafCountIsFixedUpToItsHeight() public view {
        Piece memory piece = _piece(1, 10, 6);
        piece.innerLeafCount = 64;
        assertTrue(_verify(piece));
        piece.innerLeafCount = 33;
        assertTrue(_verify(piece));
        piece.innerLeafCount = 32;
        assertFalse(_verify(piece));
        piece.innerLeafCount = 65;
        assertFalse(_verify(piece));
    }

    function testFuzzRejectsAFlippedBitOfAPath(
        uint256 seed,
        uint256 height,
        uint256 innerHeight,
        uint256 bit
    ) public view {
        height = bound(height, 3, 40);
        Piece memory piece = _piece(seed, height, bound(innerHeight, 2, height - 1));
        bit = bound(bit, 0, piece.path.length * 256 - 1);
        piece.path[bit / 256] ^= bytes32(1 << (bit % 256));
        assertFalse(_verify(piece));
    }

    function testFuzzRejectsAnotherRoot(uint256 seed, uint256 height, uint256 innerHeight, uint256 bit) public view {
        Piece memory piece = _piece(seed, height, innerHeight);
        piece.root ^= bytes32(1 << bound(bit, 0, 255));
        assertFalse(_verify(piece));
        piece = _piece(seed, height, innerHeight);
        piece.innerRoot ^= bytes32(1 << bound(bit, 0, 255));
        assertFalse(_verify(piece));
    }

    /// @dev Two equal words that are no root: they hash to each other at path length 0, and are refused as such.
    function testRejectsWordsThatAreNoRoots() public view {
        bytes32 word = bytes32(uint256(0x40));
        assertFalse(_verify(Piece(word, 4, word, 4, 0, new bytes32[](0))));
        Piece memory piece = Piece(0, 8, word, 4, 0, new bytes32[](1));
        piece.root = TreeBuilder.parent(word, 0);
        assertFalse(_verify(piece));
        piece.innerRoot = bytes32(uint256(0x20));
        piece.root = TreeBuilder.parent(piece.innerRoot, 0);
        assertTrue(_verify(piece));
    }

    function testFuzzRejectsAnotherOffset(
        uint256 seed,
        uint256 height,
        uint256 innerHeight,
        uint256 offset
    ) public view {
        height = bound(height, 3, 40);
        Piece memory piece = _piece(seed, height, bound(innerHeight, 2, height - 1));
        vm.assume(offset != piece.leafOffset);
        piece.leafOffset = offset;
        assertFalse(_verify(piece));
    }

    /// @dev An offset inside of the subtree leads up the same path; only the alignment refuses it.
    function testFuzzRejectsAnUnalignedOffset(
        uint256 seed,
        uint256 height,
        uint256 innerHeight,
        uint256 by
    ) public view {
        height = bound(height, 3, 40);
        innerHeight = bound(innerHeight, 2, height - 1);
        Piece memory piece = _piece(seed, height, innerHeight);
        piece.leafCount = 2 ** height;
        piece.innerLeafCount = 2 ** (innerHeight - 1) + 1;
        if (innerHeight == 2) piece.innerLeafCount = 1;
        piece.leafOffset += bound(by, 1, 2 ** innerHeight - piece.innerLeafCount);
        assertFalse(_verify(piece));
    }

    /// @dev The path holds, but the inner piece would reach over the end of the outer.
    function testRejectsAPieceBeyondTheLastLeaf() public view {
        TreeBuilder.Tree memory tree = TreeBuilder.full(5, 3, 8);
        bytes32[] memory path = new bytes32[](1);
        path[0] = tree.nodeAt(2, 0);
        Piece memory piece = Piece(tree.nodeAt(3, 0), 6, tree.nodeAt(2, 1), 2, 4, path);
        assertTrue(_verify(piece));
        piece.innerLeafCount = 3;
        assertFalse(_verify(piece));
        piece.leafCount = 7;
        assertTrue(_verify(piece));
    }

    /// @dev The path holds and has the right length; only the limit refuses it.
    function testRejectsAPieceOverTheLimit() public view {
        bytes32 innerRoot = bytes32(uint256(7));
        bytes32[] memory path = new bytes32[](1);
        bytes32 root = TreeBuilder.parent(innerRoot, 0);
        assertTrue(_verify(Piece(root, 2 ** 40, innerRoot, 2 ** 39, 0, path)));
        assertFalse(_verify(Piece(root, 2 ** 41, innerRoot, 2 ** 40, 0, path)));
    }

    function testRejectsCountsOutOfRange() public view {
        Piece memory piece = _piece(1, 40, 6);
        piece.leafCount = PieceTree.MAX_LEAVES;
        assertTrue(_verify(piece));
        piece.leafCount = PieceTree.MAX_LEAVES + 1;
        assertFalse(_verify(piece));
        piece.leafCount = type(uint256).max;
        assertFalse(_verify(piece));
        piece.leafCount = 0;
        assertFalse(_verify(piece));
        bytes32 root = bytes32(uint256(7));
        assertFalse(_verify(Piece(root, 4, root, 0, 0, new bytes32[](0))));
        assertFalse(_verify(Piece(root, 0, root, 0, 0, new bytes32[](0))));
        assertFalse(_verify(Piece(root, 4, root, 5, 0, new bytes32[](0))));
        assertFalse(_verify(Piece(root, 4, root, type(uint256).max, 1, new bytes32[](0))));
    }

    function testFuzzRejectsAPathOfAnotherLength(
        uint256 seed,
        uint256 height,
        uint256 innerHeight,
        uint256 length
    ) public view {
        height = bound(height, 3, 40);
        Piece memory piece = _piece(seed, height, bound(innerHeight, 2, height - 1));
        length = bound(length, 0, 41);
        vm.assume(length != piece.path.length);
        bytes32[] memory path = new bytes32[](length);
        for (uint256 i = 0; i < length && i < piece.path.length; i++) {
            path[i] = piece.path[i];
        }
        piece.path = path;
        assertFalse(_verify(piece));
    }

    /// @dev An inner node two levels up passes for a root of the leaves below it only with a false leafCount.
    function testFuzzRejectsATrueRootWithAFalseLeafCount(uint256 seed, uint256 height, uint256 leafCount) public view {
        height = bound(height, 3, 40);
        Piece memory piece = _piece(seed, height, 2);
        piece.leafCount = leafCount;
        vm.assume(leafCount <= 2 ** (height - 1) || leafCount > 2 ** height);
        assertFalse(_verify(piece));
    }

    // verifyRange

    function testFuzzAcceptsARange(uint256 seed, uint256 leafCount, uint256 firstLeaf, uint256 count) public view {
        leafCount = bound(leafCount, 1, 256);
        firstLeaf = bound(firstLeaf, 0, leafCount - 1);
        count = bound(count, 1, leafCount - firstLeaf);
        TreeBuilder.Tree memory tree = TreeBuilder.full(seed, PieceTree.height(leafCount), leafCount);
        _acceptsAndReturnsTheLeaves(tree, leafCount, firstLeaf, count);
    }

    function testFuzzAcceptsARangeOfAHighTree(
        uint256 seed,
        uint256 leafCount,
        uint256 firstLeaf,
        uint256 count
    ) public view {
        leafCount = bound(leafCount, 2 ** 20, PieceTree.MAX_LEAVES);
        firstLeaf = bound(firstLeaf, 0, leafCount - 1);
        count = bound(count, 1, leafCount - firstLeaf < 40 ? leafCount - firstLeaf : 40);
        TreeBuilder.Tree memory tree = TreeBuilder.sparseTree(seed, PieceTree.height(leafCount));
        _acceptsAndReturnsTheLeaves(tree, leafCount, firstLeaf, count);
    }

    function testEveryRangeOfSixteenLeaves() public view {
        TreeBuilder.Tree memory tree = TreeBuilder.full(1, 4, 16);
        for (uint256 first = 0; first < 16; first++) {
            for (uint256 count = 1; first + count <= 16; count++) {
                _acceptsAndReturnsTheLeaves(tree, 16, first, count);
            }
        }
    }

    function testFuzzRejectsAFlippedBitOfARange(
        uint256 seed,
        uint256 firstLeaf,
        uint256 count,
        uint256 bit
    ) public view {
        Range memory range = _range(seed, 2 ** 30, bound(firstLeaf, 0, 2 ** 30 - 40), bound(count, 1, 40));
        bit = bound(bit, 0, range.nodes.length * 8 - 1);
        range.nodes[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        assertFalse(_verify(range));
    }

    /// @dev One other count holds, and truly: where a range ends at a left leaf, that leaf's sibling follows in the
    /// stream anyway, so the same bytes prove one leaf more.
    function testFuzzRejectsAnotherCount(uint256 seed, uint256 firstLeaf, uint256 count) public view {
        Range memory range = _range(seed, 2 ** 30, bound(firstLeaf, 0, 2 ** 30 - 40), bound(count, 2, 39));
        uint256 last = range.firstLeaf + range.count - 1;
        uint256 twin = last % 2 == 0 ? range.count + 1 : range.count - 1;
        uint256 right = range.count;
        for (range.count = 0; range.count < 42; range.count++) {
            assertEq(_verify(range), range.count == right || range.count == twin);
        }
    }

    function testFuzzRejectsAnotherFirstLeaf(
        uint256 seed,
        uint256 firstLeaf,
        uint256 count,
        uint256 wrong
    ) public view {
        Range memory range = _range(seed, 2 ** 30, bound(firstLeaf, 0, 2 ** 30 - 40), bound(count, 1, 40));
        // Half of the time one near by.
        if (wrong % 2 == 1) wrong = (range.firstLeaf + 2 ** 30 + 80 - (wrong % 160)) % 2 ** 30;
        vm.assume(wrong != range.firstLeaf);
        range.firstLeaf = wrong;
        assertFalse(_verify(range));
    }

    function testRejectsARangeBeyondTheLastLeaf() public view {
        TreeBuilder.Tree memory tree = TreeBuilder.full(1, 4, 16);
        Range memory range = _rangeOf(tree, 15, 12, 4);
        assertFalse(_verify(range));
        range.leafCount = 16;
        assertTrue(_verify(range));
    }

    function testRejectsARangeOfAnOversizedPiece() public view {
        TreeBuilder.Tree memory tree = TreeBuilder.sparseTree(1, 40);
        Range memory range = _rangeOf(tree, PieceTree.MAX_LEAVES, 3, 5);
        assertTrue(_verify(range));
        range.leafCount = PieceTree.MAX_LEAVES + 1;
        assertFalse(_verify(range));
        range.leafCount = type(uint256).max;
        assertFalse(_verify(range));
        range.leafCount = 0;
        assertFalse(_verify(range));
    }

    function testRejectsAnEmptyRange() public view {
        assertFalse(_verify(Range(0, 16, 3, 0, "")));
        assertFalse(_verify(Range(0, 16, 3, 1, "")));
    }

    /// @dev A count that would fill memory is refused before any is taken.
    function testAFalseCountCostsNothing() public view {
        Range memory range = _range(1, PieceTree.MAX_LEAVES, 0, 1);
        range.count = PieceTree.MAX_LEAVES;
        assertFalse(harness.verifyRange{gas: 20_000}(range.root, range.leafCount, 0, range.count, range.nodes));
    }

    function testLeavesOfAStreamThatIsTooShort() public {
        Range memory range = _range(1, 2 ** 20, 5, 9);
        bytes memory nodes = new bytes(8 * 32);
        vm.expectRevert();
        harness.leavesOf(range.firstLeaf, range.count, nodes);
    }

    // Gas

    function testGas() public view {
        (bool ok, uint256 gasUsed) = _measurePiece(_piece(1, 25, 10));
        assertTrue(ok);
        assertLe(gasUsed, 13_200, "a piece of 2^10 leaves in one of 2^25");
        Range memory range = _range(1, 2 ** 25, 12_345, 32);
        (ok, gasUsed) = harness.measureRange(range.root, range.leafCount, range.firstLeaf, range.count, range.nodes);
        assertTrue(ok);
        assertLe(gasUsed, 53_500, "32 leaves in a piece of 2^25");
    }

    // Helpers

    function _verify(Piece memory piece) private view returns (bool) {
        return
            harness.verifyPiece(
                piece.root,
                piece.leafCount,
                piece.innerRoot,
                piece.innerLeafCount,
                piece.leafOffset,
                piece.path
            );
    }

    function _verify(Range memory range) private view returns (bool) {
        return harness.verifyRange(range.root, range.leafCount, range.firstLeaf, range.count, range.nodes);
    }

    function _measurePiece(Piece memory piece) private view returns (bool, uint256) {
        return
            harness.measurePiece(
                piece.root,
                piece.leafCount,
                piece.innerRoot,
                piece.innerLeafCount,
                piece.leafOffset,
                piece.path
            );
    }

    /// @dev A random inner piece at a random place in a random outer one, with random siblings.
    function _piece(uint256 seed, uint256 height, uint256 innerHeight) private pure returns (Piece memory piece) {
        height = _bound(height, 2, 40);
        innerHeight = _bound(innerHeight, 2, height);
        uint256 position = uint256(keccak256(abi.encode(seed, "position"))) % 2 ** (height - innerHeight);
        piece.leafOffset = position << innerHeight;
        piece.innerLeafCount = 2 ** innerHeight - (seed % 2 ** (innerHeight - 1));
        piece.leafCount = piece.leafOffset + piece.innerLeafCount;
        if (piece.leafCount <= 2 ** (height - 1)) piece.leafCount = 2 ** height;
        piece.innerRoot = _random(seed, 0);
        piece.path = new bytes32[](height - innerHeight);
        piece.root = piece.innerRoot;
        for (uint256 i = 0; i < piece.path.length; i++) {
            piece.path[i] = _random(seed, i + 1);
            bool right = (position >> i) % 2 == 1;
            piece.root =
                right ? TreeBuilder.parent(piece.path[i], piece.root) : TreeBuilder.parent(piece.root, piece.path[i]);
        }
    }

    function _range(
        uint256 seed,
        uint256 leafCount,
        uint256 firstLeaf,
        uint256 count
    ) private pure returns (Range memory) {
        return _rangeOf(TreeBuilder.sparseTree(seed, PieceTree.height(leafCount)), leafCount, firstLeaf, count);
    }

    function _rangeOf(
        TreeBuilder.Tree memory tree,
        uint256 leafCount,
        uint256 firstLeaf,
        uint256 count
    ) private pure returns (Range memory) {
        uint256[] memory indices = new uint256[](count);
        for (uint256 i = 0; i < count; i++) {
            indices[i] = firstLeaf + i;
        }
        (bytes32 root, bytes memory nodes) = tree.prove(indices);
        return Range(root, leafCount, firstLeaf, count, nodes);
    }

    function _acceptsAndReturnsTheLeaves(
        TreeBuilder.Tree memory tree,
        uint256 leafCount,
        uint256 firstLeaf,
        uint256 count
    ) private view {
        Range memory range = _rangeOf(tree, leafCount, firstLeaf, count);
        assertTrue(_verify(range));
        bytes memory expected;
        for (uint256 i = 0; i < count; i++) {
            expected = bytes.concat(expected, tree.nodeAt(0, firstLeaf + i));
        }
        assertEq(harness.leavesOf(firstLeaf, count, range.nodes), expected);
    }

    function _random(uint256 seed, uint256 i) private pure returns (bytes32) {
        return keccak256(abi.encode(seed, i)) & bytes32(~uint256(0xc0));
    }
}
