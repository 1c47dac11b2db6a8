// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {Challenge} from "../../contracts/libraries/Challenge.sol";
import {PieceTreeHarness} from "./utils/PieceTreeHarness.sol";

contract ChallengeTest is Test {
    PieceTreeHarness private harness = new PieceTreeHarness();
    PieceTreeHarness private otherHarness = new PieceTreeHarness();

    /// @dev The definition, plainly: the set of the challenges, each looked up in the other.
    function testFuzzIsTheSortedSetOfTheChallenges(
        uint256 dealId,
        uint256 k,
        uint256 seed,
        uint256 count,
        uint256 leafCount
    ) public view {
        count = bound(count, 1, 32);
        leafCount = bound(leafCount, 1, 2 ** 40);
        _check(dealId, k, seed, count, leafCount);
    }

    /// @dev Few leaves and many challenges: most of them repeat.
    function testFuzzRepeatedChallengesComeOnce(
        uint256 dealId,
        uint256 seed,
        uint256 count,
        uint256 leafCount
    ) public view {
        count = bound(count, 16, 64);
        leafCount = bound(leafCount, 1, 16);
        uint256[] memory leaves = _check(dealId, 1, seed, count, leafCount);
        assertLe(leaves.length, leafCount);
    }

    function testTheLargestCount() public view {
        assertEq(_check(1, 2, 3, 255, 2 ** 40).length, 255);
        uint256[] memory leaves = _check(1, 2, 3, 255, 20);
        assertEq(leaves.length, 20);
        for (uint256 i = 0; i < 20; i++) {
            assertEq(leaves[i], i);
        }
    }

    function testNoChallenges() public view {
        assertEq(_of(harness, 1, 2, 3, 0, 8).length, 0);
    }

    function testAPieceOfOneLeaf() public view {
        uint256[] memory leaves = _check(1, 2, 3, 5, 1);
        assertEq(leaves.length, 1);
        assertEq(leaves[0], 0);
    }

    /// @dev A change of any one input gives other challenges.
    function testDependsOnEveryInput() public {
        bytes32 base = _digest(_of(harness, 1, 2, 3, 5, 2 ** 40));
        assertNotEq(_digest(_of(harness, 9, 2, 3, 5, 2 ** 40)), base, "deal");
        assertNotEq(_digest(_of(harness, 1, 9, 3, 5, 2 ** 40)), base, "window");
        assertNotEq(_digest(_of(harness, 1, 2, 9, 5, 2 ** 40)), base, "seed");
        assertNotEq(_digest(_of(harness, 1, 2, 3, 4, 2 ** 40)), base, "count");
        assertNotEq(_digest(_of(harness, 1, 2, 3, 5, 2 ** 40 - 1)), base, "leafCount");
        assertNotEq(_digest(_of(otherHarness, 1, 2, 3, 5, 2 ** 40)), base, "market");
        vm.chainId(77);
        assertNotEq(_digest(_of(harness, 1, 2, 3, 5, 2 ** 40)), base, "chain");
    }

    /// @dev Memory that was used before is not clean: neither the search nor the length may trust it.
    function testFuzzDirtyMemory(uint256 dealId, uint256 seed, uint256 count) public view {
        count = bound(count, 1, 32);
        uint256[] memory expected = Challenge.indices(address(this), dealId, 1, seed, count, 2 ** 40);
        assembly ("memory-safe") {
            let free := mload(0x40)
            for {
                let i := 0
            } lt(i, 0x1000) {
                i := add(i, 0x20)
            } {
                mstore(add(free, i), not(0))
            }
        }
        uint256[] memory leaves = Challenge.indices(address(this), dealId, 1, seed, count, 2 ** 40);
        assertEq(leaves, expected);
    }

    function testGasOfFiveChallenges() public view {
        uint256 mean;
        for (uint256 seed = 0; seed < 16; seed++) {
            (, uint256 gasUsed) = harness.challenges(1, 2, seed, 5, 2 ** 40);
            mean += gasUsed / 16;
        }
        assertLe(mean, 2_000);
    }

    // Helpers

    function _check(
        uint256 dealId,
        uint256 k,
        uint256 seed,
        uint256 count,
        uint256 leafCount
    ) private view returns (uint256[] memory leaves) {
        leaves = _of(harness, dealId, k, seed, count, leafCount);
        bool[] memory drawn = new bool[](leaves.length);
        for (uint256 i = 0; i < count; i++) {
            bytes memory preimage = abi.encode(block.chainid, address(harness), dealId, k, seed, i);
            uint256 place = _find(leaves, uint256(keccak256(preimage)) % leafCount);
            assertLt(place, leaves.length, "a challenge is missing");
            drawn[place] = true;
        }
        for (uint256 i = 0; i < leaves.length; i++) {
            assertTrue(drawn[i], "a leaf that no challenge fell on");
            if (i > 0) assertGt(leaves[i], leaves[i - 1], "not ascending");
        }
    }

    function _of(
        PieceTreeHarness at,
        uint256 dealId,
        uint256 k,
        uint256 seed,
        uint256 count,
        uint256 leafCount
    ) private view returns (uint256[] memory leaves) {
        (leaves, ) = at.challenges(dealId, k, seed, count, leafCount);
    }

    function _find(uint256[] memory values, uint256 value) private pure returns (uint256 i) {
        while (i < values.length && values[i] != value) i++;
    }

    function _digest(uint256[] memory values) private pure returns (bytes32) {
        return keccak256(abi.encode(values));
    }
}
