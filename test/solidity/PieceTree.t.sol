// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {PieceTree} from "../../contracts/libraries/PieceTree.sol";
import {PieceTreeHarness} from "./utils/PieceTreeHarness.sol";
import {PieceTreeReference} from "./utils/PieceTreeReference.sol";
import {TreeBuilder} from "./utils/TreeBuilder.sol";

/// @notice Every proof that a test tries goes to the library and to its plain twin, which must agree.
contract PieceTreeTest is Test {
    using TreeBuilder for TreeBuilder.Tree;

    struct Proof {
        bytes32 root;
        uint256 height;
        uint256[] indices;
        bytes nodes;
    }

    PieceTreeHarness private harness = new PieceTreeHarness();

    // Shape and identity

    function testHeightIsTheLeastThatHoldsTheLeaves() public pure {
        assertEq(PieceTree.height(1), 2);
        assertEq(PieceTree.height(4), 2);
        assertEq(PieceTree.height(5), 3);
        assertEq(PieceTree.height(8), 3);
        assertEq(PieceTree.height(9), 4);
        assertEq(PieceTree.height(PieceTree.MAX_LEAVES), PieceTree.MAX_HEIGHT);
        assertEq(PieceTree.height(PieceTree.MAX_LEAVES / 2 + 1), PieceTree.MAX_HEIGHT);
        assertEq(PieceTree.height(PieceTree.MAX_LEAVES / 2), PieceTree.MAX_HEIGHT - 1);
    }

    function testFuzzHeight(uint256 leafCount) public pure {
        leafCount = bound(leafCount, 5, PieceTree.MAX_LEAVES);
        uint256 height = PieceTree.height(leafCount);
        assertLe(leafCount, 2 ** height);
        assertGt(leafCount, 2 ** (height - 1));
    }

    function testIsRootWantsTheTopBitsOfTheLastByteClear() public pure {
        assertTrue(PieceTree.isRoot(bytes32(0)));
        assertTrue(PieceTree.isRoot(bytes32(~uint256(0xc0))));
        assertFalse(PieceTree.isRoot(bytes32(uint256(0x40))));
        assertFalse(PieceTree.isRoot(bytes32(uint256(0x80))));
    }

    function testPieceIdBindsRootAndLeafCount() public pure {
        bytes32 root = bytes32(uint256(7));
        assertEq(PieceTree.pieceId(root, 9), keccak256(bytes.concat(root, bytes32(uint256(9)))));
        assertNotEq(PieceTree.pieceId(root, 9), PieceTree.pieceId(root, 10));
    }

    /// @dev The published commitments of zeros: Filecoin's pieces of 128, 256 and 512 bytes.
    function testHashNodeGivesThePublishedZeroCommitments() public pure {
        bytes32 node;
        node = PieceTree.hashNode(node, node);
        assertEq(node, hex"f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb0b");
        node = PieceTree.hashNode(node, node);
        assertEq(node, hex"3731bb99ac689f66eef5973e4a94da188f4ddcae580724fc6f3fd60dfd488333");
        node = PieceTree.hashNode(node, node);
        assertEq(node, hex"642a607ef886b004bf2c1978463ae1d4693ac0f410eb2d1b7a47fe205e5e750f");
    }

    function testFuzzHashNodeAgreesWithTheTwin(bytes32 left, bytes32 right) public pure {
        assertEq(PieceTree.hashNode(left, right), PieceTreeReference.parent(left, right));
    }

    // Valid proofs

    function testFuzzAcceptsProofsOfFullTrees(
        uint256 seed,
        uint256 height,
        uint256 leafCount,
        uint256 count
    ) public view {
        height = bound(height, 2, 10);
        leafCount = bound(leafCount, 1, 2 ** height);
        Proof memory proof = _full(seed, height, leafCount, bound(count, 1, 16));
        assertEq(proof.root, TreeBuilder.full(seed, height, leafCount).nodeAt(height, 0), "builder");
        assertTrue(_verify(proof));
    }

    function testFuzzAcceptsProofsOfSparseTrees(uint256 seed, uint256 height, uint256 count) public view {
        assertTrue(_verify(_sparse(seed, bound(height, 0, 40), bound(count, 1, 32))));
    }

    /// @dev Clusters of close positions: long runs of merges that random positions of high trees never reach.
    function testFuzzAcceptsClusteredPositions(uint256 seed, uint256 height, uint256 count) public view {
        height = bound(height, 6, 40);
        uint256 base = seed % (2 ** height - 63);
        uint256[] memory offsets = _positions(seed, 64, bound(count, 1, 48));
        for (uint256 i = 0; i < offsets.length; i++) {
            offsets[i] += base;
        }
        assertTrue(_verify(_prove(TreeBuilder.sparseTree(seed, height), offsets)));
    }

    function testEverySubsetOfASmallTree() public view {
        for (uint256 mask = 1; mask < 256; mask++) {
            assertTrue(_verify(_prove(TreeBuilder.full(mask, 3, 8), _subset(mask))));
        }
    }

    /// @dev The example of docs/PieceTree.md, node by node.
    function testTheOrderOfNodes() public view {
        TreeBuilder.Tree memory tree = TreeBuilder.full(1, 3, 8);
        uint256[] memory indices = new uint256[](3);
        (indices[0], indices[1], indices[2]) = (1, 2, 6);
        bytes memory nodes = bytes.concat(
            tree.nodeAt(0, 1),
            tree.nodeAt(0, 0),
            tree.nodeAt(0, 2),
            tree.nodeAt(0, 3),
            tree.nodeAt(0, 6)
        );
        nodes = bytes.concat(nodes, tree.nodeAt(0, 7), tree.nodeAt(1, 2));
        assertTrue(_verify(Proof(tree.nodeAt(3, 0), 3, indices, nodes)));
    }

    function testATreeOfHeightZeroIsItsLeaf() public view {
        bytes32 leaf = bytes32(uint256(5));
        assertTrue(_verify(Proof(leaf, 0, new uint256[](1), bytes.concat(leaf))));
        assertFalse(_verify(Proof(bytes32(uint256(6)), 0, new uint256[](1), bytes.concat(leaf))));
    }

    function testLeavesTheMemoryOfTheCallerAlone() public view {
        Proof memory proof = _sparse(3, 20, 8);
        assertTrue(harness.verifyAndKeepMemory(proof.root, proof.height, proof.indices, proof.nodes));
    }

    // Rejections: each starts from a proof that holds

    function testFuzzRejectsAnyFlippedBit(uint256 seed, uint256 height, uint256 count, uint256 bit) public view {
        Proof memory proof = _sparse(seed, bound(height, 2, 40), bound(count, 1, 8));
        bit = bound(bit, 0, proof.nodes.length * 8 - 1);
        proof.nodes[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        assertFalse(_verify(proof));
    }

    function testFuzzRejectsAnotherRoot(uint256 seed, uint256 height, uint256 count, uint256 bit) public view {
        Proof memory proof = _sparse(seed, bound(height, 2, 40), bound(count, 1, 8));
        proof.root ^= bytes32(1 << bound(bit, 0, 255));
        assertFalse(_verify(proof));
    }

    function testFuzzRejectsATruncatedProof(uint256 seed, uint256 height, uint256 count, uint256 length) public view {
        Proof memory proof = _sparse(seed, bound(height, 2, 40), bound(count, 1, 8));
        proof.nodes = _resized(proof.nodes, bound(length, 0, proof.nodes.length - 1));
        assertFalse(_verify(proof));
    }

    function testFuzzRejectsAnExtendedProof(
        uint256 seed,
        uint256 height,
        uint256 count,
        bytes calldata more
    ) public view {
        vm.assume(more.length > 0);
        Proof memory proof = _sparse(seed, bound(height, 2, 40), bound(count, 1, 8));
        proof.nodes = bytes.concat(proof.nodes, more);
        assertFalse(_verify(proof));
    }

    function testRejectsAProofWithOneNodeMore() public view {
        Proof memory proof = _sparse(1, 15, 5);
        proof.nodes = bytes.concat(proof.nodes, bytes32(0));
        assertFalse(_verify(proof));
    }

    function testFuzzRejectsSwappedNodes(
        uint256 seed,
        uint256 height,
        uint256 count,
        uint256 a,
        uint256 b
    ) public view {
        Proof memory proof = _sparse(seed, bound(height, 2, 40), bound(count, 1, 8));
        uint256 total = proof.nodes.length / 32;
        a = bound(a, 0, total - 1);
        b = (a + bound(b, 1, total - 1)) % total;
        bytes memory nodes = proof.nodes;
        assembly ("memory-safe") {
            let left := add(add(nodes, 0x20), mul(a, 0x20))
            let right := add(add(nodes, 0x20), mul(b, 0x20))
            let node := mload(left)
            mstore(left, mload(right))
            mstore(right, node)
        }
        assertFalse(_verify(proof));
    }

    function testFuzzRejectsAnotherPosition(
        uint256 seed,
        uint256 height,
        uint256 count,
        uint256 which,
        uint256 wrong
    ) public view {
        height = bound(height, 2, 40);
        Proof memory proof = _sparse(seed, height, bound(count, 1, 8));
        which = bound(which, 0, proof.indices.length - 1);
        wrong = bound(wrong, 0, 2 ** height - 1);
        vm.assume(proof.indices[which] != wrong);
        proof.indices[which] = wrong;
        assertFalse(_verify(proof));
    }

    function testFuzzRejectsAPositionOutsideTheTree(
        uint256 seed,
        uint256 height,
        uint256 count,
        uint256 wrong
    ) public view {
        height = bound(height, 2, 40);
        Proof memory proof = _sparse(seed, height, bound(count, 1, 8));
        proof.indices[proof.indices.length - 1] = bound(wrong, 2 ** height, type(uint256).max);
        assertFalse(_verify(proof));
    }

    /// @dev The same low bits, so that only the bound tells them from a position that holds.
    function testFuzzRejectsAPositionThatWrapsAround(
        uint256 seed,
        uint256 height,
        uint256 count,
        uint256 high
    ) public view {
        height = bound(height, 2, 40);
        Proof memory proof = _sparse(seed, height, bound(count, 1, 8));
        proof.indices[proof.indices.length - 1] += bound(high, 1, type(uint256).max >> height) << height;
        assertFalse(_verify(proof));
    }

    function testFuzzRejectsADuplicate(uint256 seed, uint256 height, uint256 count, uint256 which) public view {
        height = bound(height, 5, 40);
        Proof memory proof = _sparse(seed, height, bound(count, 1, 8));
        which = bound(which, 0, proof.indices.length - 1);
        uint256[] memory indices = new uint256[](proof.indices.length + 1);
        for (uint256 i = 0; i < indices.length; i++) {
            indices[i] = proof.indices[i > which ? i - 1 : i];
        }
        proof.indices = indices;
        assertFalse(_verify(proof));
        // Nor with a leaf brought along for it.
        proof.nodes = bytes.concat(proof.nodes, TreeBuilder.sparseTree(seed, height).nodeAt(0, indices[which]));
        assertFalse(_verify(proof));
    }

    /// @dev Leaves 6 and 7 of a true proof, both claimed to be leaf 7. A right node that waited for a sibling would be
    /// taken for a left one, and zero, as here, is what the memory of a left one holds at first.
    function testRejectsASiblingUnderItsTwinsPosition() public view {
        uint256[] memory indices = new uint256[](2);
        (indices[0], indices[1]) = (6, 7);
        Proof memory proof = _prove(TreeBuilder.full(1, 3, 6), indices);
        assertTrue(_verify(proof));
        indices[0] = 7;
        assertFalse(_verify(proof));
    }

    function testFuzzRejectsUnsortedPositions(
        uint256 seed,
        uint256 height,
        uint256 count,
        uint256 a,
        uint256 b
    ) public view {
        Proof memory proof = _sparse(seed, bound(height, 5, 40), bound(count, 2, 8));
        uint256 total = proof.indices.length;
        a = bound(a, 0, total - 1);
        b = (a + bound(b, 1, total - 1)) % total;
        (proof.indices[a], proof.indices[b]) = (proof.indices[b], proof.indices[a]);
        assertFalse(_verify(proof));
    }

    function testRejectsNoPositions() public view {
        Proof memory proof = _sparse(1, 4, 1);
        proof.indices = new uint256[](0);
        assertFalse(_verify(proof));
        proof.nodes = "";
        proof.root = 0;
        assertFalse(_verify(proof));
    }

    function testRejectsAnEmptyStream() public view {
        Proof memory proof = _sparse(1, 4, 3);
        proof.nodes = "";
        assertFalse(_verify(proof));
    }

    function testFuzzRejectsAnotherHeight(uint256 seed, uint256 height, uint256 count, uint256 wrong) public view {
        height = bound(height, 2, 40);
        Proof memory proof = _sparse(seed, height, bound(count, 1, 8));
        vm.assume(wrong != height);
        proof.height =
            wrong < 64
                ? wrong
                : wrong % 2 == 0
                    ? wrong % 64
                    : wrong;
        vm.assume(proof.height != height);
        assertFalse(_verify(proof));
    }

    /// @dev A proof that hashes to its root and is refused for its height alone.
    function testRejectsAHeightAboveTheLargest() public view {
        assertTrue(_verify(_sparse(1, 40, 5)));
        assertFalse(_verify(_sparse(1, 41, 5)));
    }

    /// @dev No stream may pass for a root of all ones, which stands for "malformed" inside of the library.
    function testRejectsARootWithItsTopBitsSet() public view {
        Proof memory proof = _sparse(1, 4, 2);
        proof.root = bytes32(type(uint256).max);
        proof.nodes = "";
        assertFalse(_verify(proof));
        bytes32 leaf = bytes32(uint256(0x80));
        assertFalse(_verify(Proof(leaf, 0, new uint256[](1), bytes.concat(leaf))));
    }

    function testFuzzAgreesOnGarbage(
        bytes32 root,
        uint8 height,
        uint256[] calldata indices,
        bytes calldata nodes
    ) public view {
        assertFalse(_verify(Proof(root & bytes32(~uint256(0xc0)), height % 48, indices, nodes)));
    }

    /// @dev Garbage in the right shape: positions in order and a stream of the right length.
    function testFuzzAgreesOnWellFormedGarbage(uint256 seed, uint256 height, uint256 count, bytes32 root) public view {
        Proof memory proof = _sparse(seed, bound(height, 2, 40), bound(count, 1, 16));
        proof.root = root & bytes32(~uint256(0xc0));
        for (uint256 i = 0; i < proof.nodes.length; i++) {
            proof.nodes[i] = bytes1(keccak256(abi.encode(seed, i)));
        }
        assertFalse(_verify(proof));
    }

    // Bytes behind the proof, and gas

    /// @dev The bytes that follow in calldata would complete the proof; they are not part of it.
    function testFuzzReadsNothingBehindTheProof(
        uint256 seed,
        uint256 height,
        uint256 count,
        uint256 length
    ) public view {
        Proof memory proof = _sparse(seed, bound(height, 2, 40), bound(count, 1, 8));
        length = bound(length, 0, proof.nodes.length);
        bool ok = harness.verifyPrefix(proof.root, proof.height, proof.indices, proof.nodes, length);
        assertEq(ok, length == proof.nodes.length);
    }

    /// @dev However little gas there is, a proof that does not hold never passes, and one that holds either passes or
    /// runs out: a hash that failed for want of gas is no hash.
    function testFuzzLittleGas(uint256 seed, uint256 count, uint256 gasLimit) public view {
        Proof memory proof = _sparse(seed, 15, bound(count, 1, 5));
        gasLimit = bound(gasLimit, 3_000, 60_000);
        bytes memory data = abi.encodeCall(harness.verify, (proof.root, proof.height, proof.indices, proof.nodes));
        (bool success, bytes memory result) = address(harness).staticcall{gas: gasLimit}(data);
        if (success) assertTrue(abi.decode(result, (bool)), "a true proof was refused");
        proof.nodes[0] ^= 0x01;
        data = abi.encodeCall(harness.verify, (proof.root, proof.height, proof.indices, proof.nodes));
        (success, result) = address(harness).staticcall{gas: gasLimit}(data);
        if (success) assertFalse(abi.decode(result, (bool)), "a false proof passed");
    }

    /// @dev A hash that fails leaves the node before it in place, here the leaf; it must not count as the root.
    function testRejectsWhereAHashFails() public {
        bytes32 leaf = bytes32(uint256(5));
        bytes memory nodes = bytes.concat(leaf, bytes32(0), bytes32(0));
        vm.mockCallRevert(address(2), bytes(""), bytes(""));
        assertFalse(harness.verify(leaf, 2, new uint256[](1), nodes));
    }

    /// @dev A stream that ends early is refused before anything is read or hashed past its end.
    function testAShortStreamIsRefusedForLittleGas() public view {
        (bool ok, uint256 gasUsed) = harness.measure(0, 40, new uint256[](1), bytes.concat(bytes32(0)));
        assertFalse(ok);
        assertLe(gasUsed, 1_200);
    }

    function testGasOfFiveChallenges() public view {
        assertLe(_meanGas(15), 24_000);
        assertLe(_meanGas(20), 31_500);
        assertLe(_meanGas(25), 39_000);
    }

    // Helpers

    function _verify(Proof memory proof) private view returns (bool ok) {
        ok = harness.verify(proof.root, proof.height, proof.indices, proof.nodes);
        bool twin = PieceTreeReference.verify(proof.root, proof.height, proof.indices, proof.nodes);
        assertEq(ok, twin, "the twin differs");
    }

    function _full(uint256 seed, uint256 height, uint256 leafCount, uint256 count) private pure returns (Proof memory) {
        return _prove(TreeBuilder.full(seed, height, leafCount), _positions(seed, leafCount, count));
    }

    function _sparse(uint256 seed, uint256 height, uint256 count) private pure returns (Proof memory) {
        return _prove(TreeBuilder.sparseTree(seed, height), _positions(seed, 2 ** height, count));
    }

    function _prove(TreeBuilder.Tree memory tree, uint256[] memory indices) private pure returns (Proof memory) {
        (bytes32 root, bytes memory nodes) = tree.prove(indices);
        return Proof(root, tree.height, indices, nodes);
    }

    /// @dev `count` distinct positions below `limit`, or as many as there are, in order.
    function _positions(uint256 seed, uint256 limit, uint256 count) private pure returns (uint256[] memory chosen) {
        chosen = new uint256[](count < limit ? count : limit);
        for (uint256 i = 0; i < chosen.length; i++) {
            uint256 candidate = uint256(keccak256(abi.encode(seed, "position", i))) % limit;
            while (_contains(chosen, i, candidate)) candidate = (candidate + 1) % limit;
            uint256 place = i;
            for (; place > 0 && chosen[place - 1] > candidate; place--) {
                chosen[place] = chosen[place - 1];
            }
            chosen[place] = candidate;
        }
    }

    function _contains(uint256[] memory values, uint256 length, uint256 value) private pure returns (bool) {
        for (uint256 i = 0; i < length; i++) {
            if (values[i] == value) return true;
        }
        return false;
    }

    function _subset(uint256 mask) private pure returns (uint256[] memory indices) {
        indices = new uint256[](8);
        uint256 used;
        for (uint256 i = 0; i < 8; i++) {
            if ((mask >> i) & 1 == 1) indices[used++] = i;
        }
        assembly ("memory-safe") {
            mstore(indices, used)
        }
    }

    function _resized(bytes memory data, uint256 length) private pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i = 0; i < length; i++) {
            part[i] = data[i];
        }
    }

    function _meanGas(uint256 height) private view returns (uint256 mean) {
        for (uint256 seed = 0; seed < 16; seed++) {
            Proof memory proof = _sparse(seed, height, 5);
            (bool ok, uint256 gasUsed) = harness.measure(proof.root, height, proof.indices, proof.nodes);
            assertTrue(ok);
            mean += gasUsed / 16;
        }
    }
}
