// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {AnchorTree} from "../../../contracts/libraries/AnchorTree.sol";
import {AnchorTreeHarness, AnchorTreeTwin} from "./AnchorTreeTwin.sol";

/// @title Membership in anchored sets, against the whole tree
contract AnchorTreeTest is Test {
    using AnchorTreeTwin for bytes32[][];

    uint256 private constant SEED = 1789;

    AnchorTreeHarness private tree;

    function setUp() public {
        tree = new AnchorTreeHarness();
    }

    // Members

    function testEveryRecordOfEverySmallSetIsInIt() public view {
        for (uint256 count = 1; count <= 70; ++count) {
            bytes32[] memory ids = AnchorTreeTwin.randomIds(SEED + count, count);
            bytes32[][] memory levels = AnchorTreeTwin.build(ids);
            for (uint256 i; i < count; ++i) {
                bool included = tree.includes(levels.root(), uint64(count), ids[i], uint64(i), levels.prove(i));
                assertTrue(included, "a member");
            }
        }
    }

    function testEveryRecordOfLargerSetsIsInIt() public view {
        uint256[4] memory counts = [uint256(127), 128, 129, 300];
        for (uint256 n; n < counts.length; ++n) {
            bytes32[] memory ids = AnchorTreeTwin.randomIds(SEED, counts[n]);
            bytes32[][] memory levels = AnchorTreeTwin.build(ids);
            for (uint256 i; i < ids.length; ++i) {
                assertTrue(tree.includes(levels.root(), uint64(ids.length), ids[i], uint64(i), levels.prove(i)));
            }
        }
    }

    /// Only the path has to exist: siblings of any value hash to some root, as they would in a set of 2^64 − 1 records.
    function testFuzz_setsOfAnySize(uint64 count, uint64 index, bytes32 id, bytes32 seed) public view {
        count = uint64(bound(count, 1, type(uint64).max));
        index = uint64(bound(index, 0, count - 1));
        (bytes32 root, bytes32[] memory proof) = _path(_depth(count), index, id, seed);
        assertTrue(tree.includes(root, count, id, index, proof));
        if (proof.length == 0) return;
        proof[uint256(seed) % proof.length] ^= bytes32(uint256(1));
        assertFalse(tree.includes(root, count, id, index, proof));
    }

    function testFuzz_theDepthIsTheLeastThatHoldsAllLeaves(uint64 count) public view {
        assertEq(tree.depthOf(count), _depth(count));
        for (uint256 k = 1; k < 64; ++k) {
            assertEq(tree.depthOf(uint64(2 ** k)), k);
            assertEq(tree.depthOf(uint64(2 ** k) + 1), k + 1);
            if (k > 1) assertEq(tree.depthOf(uint64(2 ** k) - 1), k);
        }
        assertEq(tree.depthOf(0), 0);
        assertEq(tree.depthOf(1), 0);
        assertEq(tree.depthOf(type(uint64).max), 64);
    }

    // What is not a member

    /// Each node of the path counts, in each of its bits.
    function testFuzz_noOtherSibling(uint256 seed, uint256 count, uint256 index, uint256 at, uint256 bit) public view {
        (bytes32[] memory ids, bytes32[][] memory levels) = _draw(seed, count, 2);
        index = bound(index, 0, ids.length - 1);
        bytes32[] memory proof = levels.prove(index);
        proof[bound(at, 0, proof.length - 1)] ^= bytes32(1 << bound(bit, 0, 255));
        assertFalse(_in(levels, ids, ids[index], index, proof));
    }

    function testFuzz_noOtherPlace(uint256 seed, uint256 count, uint256 index, uint256 other) public view {
        (bytes32[] memory ids, bytes32[][] memory levels) = _draw(seed, count, 2);
        index = bound(index, 0, ids.length - 1);
        other = bound(other, 0, ids.length - 1);
        if (other == index) other = (other + 1) % ids.length;
        assertFalse(_in(levels, ids, ids[index], other, levels.prove(index)), "its proof, another place");
        assertFalse(_in(levels, ids, ids[index], other, levels.prove(other)), "another's proof and place");
        assertFalse(_in(levels, ids, ids[index], index, levels.prove(other)), "another's proof");
    }

    function testFuzz_noOtherRecord(uint256 seed, uint256 count, uint256 index, bytes32 stranger) public view {
        (bytes32[] memory ids, bytes32[][] memory levels) = _draw(seed, count, 1);
        index = bound(index, 0, ids.length - 1);
        if (stranger != ids[index]) assertFalse(_in(levels, ids, stranger, index, levels.prove(index)));
    }

    /// A place from `count` on is none, not even with what lies there.
    function testFuzz_noPlaceBeyondTheCount(uint256 seed, uint256 count, uint256 beyond) public view {
        (bytes32[] memory ids, bytes32[][] memory levels) = _draw(seed, count, 1);
        uint256 width = levels[0].length;
        if (ids.length < width) {
            uint256 at = bound(beyond, ids.length, width - 1);
            assertFalse(_in(levels, ids, 0, at, levels.prove(at)), "padding in its place");
        }
        // Places are compared as a whole, not by the bits that the path uses.
        uint256 index = beyond % ids.length;
        uint256 alias_ = index + width * bound(beyond, 1, 2 ** 40);
        assertFalse(_in(levels, ids, ids[index], alias_, levels.prove(index)), "the same bits");
        assertFalse(_in(levels, ids, ids[index], type(uint64).max, levels.prove(index)));
        assertFalse(tree.includes(levels.root(), 0, ids[index], 0, new bytes32[](0)), "no records");
    }

    /// The leaves after the last record are zero, and no record has a leaf that is zero: padding is no record, whatever
    /// count is claimed.
    function testFuzz_paddingIsNoRecord(uint256 seed, uint256 count, uint256 at, bytes32 id) public view {
        (bytes32[] memory ids, bytes32[][] memory levels) = _draw(seed, count, 3);
        uint256 width = levels[0].length;
        if (ids.length == width) return;
        at = bound(at, ids.length, width - 1);
        bytes32[] memory proof = levels.prove(at);
        assertEq(levels[0][at], 0);
        assertNotEq(AnchorTree.leafOf(id), 0);
        assertFalse(tree.includes(levels.root(), uint64(width), 0, uint64(at), proof));
        assertFalse(tree.includes(levels.root(), uint64(width), id, uint64(at), proof));
    }

    /// Second preimages: a node is not a leaf, nor are the two nodes that it is hashed from an id.
    function testFuzz_noNodeIsALeaf(uint256 seed, uint256 count, uint256 level, uint256 at) public view {
        (bytes32[] memory ids, bytes32[][] memory levels) = _draw(seed, count, 3);
        level = bound(level, 0, levels.length - 1);
        at = bound(at, 0, levels[level].length - 1);
        bytes32[] memory whole = levels.prove(at << level);
        bytes32[] memory rest = new bytes32[](whole.length - level);
        for (uint256 i; i < rest.length; ++i) rest[i] = whole[level + i];
        bytes32 node = levels[level][at];
        // As a record of the set, and of one of every smaller depth with the same root.
        for (uint256 claimed = 1; claimed <= ids.length; ++claimed) {
            if (at >= claimed) continue;
            assertFalse(tree.includes(levels.root(), uint64(claimed), node, uint64(at), rest));
        }
        assertFalse(_in(levels, ids, node, at << level, whole));
    }

    /// Nor does a subtree hang below a leaf: a proof that goes on below it is too long, or starts from another hash.
    function testFuzz_nothingBelowALeaf(uint256 seed, uint256 count, uint256 index, bytes32 left) public view {
        (bytes32[] memory ids, bytes32[][] memory levels) = _draw(seed, count, 1);
        index = bound(index, 0, ids.length - 1);
        bytes32[] memory proof = levels.prove(index);
        bytes32[] memory longer = new bytes32[](proof.length + 1);
        longer[0] = left;
        for (uint256 i; i < proof.length; ++i) longer[i + 1] = proof[i];
        assertFalse(_in(levels, ids, ids[index], index, longer));
        uint64 deeper = uint64(2 * levels[0].length);
        assertFalse(tree.includes(levels.root(), deeper, ids[index], uint64(2 * index), longer));
        assertFalse(tree.includes(levels.root(), deeper, ids[index], uint64(2 * index + 1), longer));
    }

    function testFuzz_noProofOfAnotherLength(uint256 seed, uint256 count, uint256 index, uint256 length) public view {
        (bytes32[] memory ids, bytes32[][] memory levels) = _draw(seed, count, 1);
        index = bound(index, 0, ids.length - 1);
        bytes32[] memory right = levels.prove(index);
        bytes32[] memory proof = new bytes32[](bound(length, 0, 70));
        if (proof.length == right.length) return;
        for (uint256 i; i < proof.length && i < right.length; ++i) proof[i] = right[i];
        assertFalse(_in(levels, ids, ids[index], index, proof));
    }

    // Counts

    /// Another count of another depth is another tree: no proof of one is one of the other.
    function testFuzz_noCountOfAnotherDepth(uint256 seed, uint256 count, uint256 index, uint64 claimed) public view {
        (bytes32[] memory ids, bytes32[][] memory levels) = _draw(seed, count, 1);
        index = bound(index, 0, ids.length - 1);
        if (_depth(claimed) == levels.length - 1) return;
        assertFalse(tree.includes(levels.root(), claimed, ids[index], uint64(index), levels.prove(index)));
    }

    /// Counts of one depth share a root's proofs for the places below both: the root does not hold the count. That is
    /// why it is in the set's id, and signed: whoever claims another count of a root claims another set.
    function testFuzz_countsOfOneDepthShareProofs(
        uint256 seed,
        uint256 count,
        uint256 index,
        uint256 other
    ) public view {
        (bytes32[] memory ids, bytes32[][] memory levels) = _draw(seed, count, 3);
        index = bound(index, 0, ids.length - 1);
        uint256 width = levels[0].length;
        other = bound(other, width / 2 + 1, width);
        bool included = tree.includes(levels.root(), uint64(other), ids[index], uint64(index), levels.prove(index));
        assertEq(included, index < other);
    }

    function _draw(
        uint256 seed,
        uint256 count,
        uint256 least
    ) private pure returns (bytes32[] memory ids, bytes32[][] memory levels) {
        ids = AnchorTreeTwin.randomIds(seed, bound(count, least, 70));
        levels = AnchorTreeTwin.build(ids);
    }

    function _in(
        bytes32[][] memory levels,
        bytes32[] memory ids,
        bytes32 id,
        uint256 index,
        bytes32[] memory proof
    ) private view returns (bool) {
        return tree.includes(levels.root(), uint64(ids.length), id, uint64(index), proof);
    }

    function _path(
        uint256 depth,
        uint256 index,
        bytes32 id,
        bytes32 seed
    ) private pure returns (bytes32 node, bytes32[] memory proof) {
        proof = new bytes32[](depth);
        node = keccak256(abi.encodePacked(uint8(0), id));
        for (uint256 i; i < depth; ++i) {
            proof[i] = keccak256(abi.encode(seed, i));
            bool right = (index / 2 ** i) % 2 == 1;
            (bytes32 a, bytes32 b) = right ? (proof[i], node) : (node, proof[i]);
            node = keccak256(abi.encodePacked(uint8(1), a, b));
        }
    }

    /// @dev ceil(log2(count)) by division.
    function _depth(uint256 count) private pure returns (uint256 depth) {
        if (count < 2) return 0;
        for (uint256 rest = count - 1; rest > 0; rest /= 2) ++depth;
    }
}
