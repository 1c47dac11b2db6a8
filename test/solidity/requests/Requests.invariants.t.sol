// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {RequestsHandler} from "./RequestsHandler.sol";

/// @dev The test runner knows the contracts of the test's own file only.
contract CampaignRequests is RequestsHandler(8) {}

/// @title What always holds for requests, under campaigns of random actions
/// @notice Each run ends with everybody leaving. Lengths of the campaigns are in hardhat.config.ts.
contract RequestsInvariants is Test {
    CampaignRequests private handler;

    function setUp() public {
        handler = new CampaignRequests();
        targetContract(address(handler));
        targetSelector(FuzzSelector(address(handler), handler.actions()));
    }

    function afterInvariant() public {
        handler.leave();
        handler.checkClients();
        handler.checkStake();
    }

    function invariant_escrowIsWhatUnfilledReplicasAreLockedWith() public view {
        handler.checkEscrow();
    }

    function invariant_claimsAreWhatDealsGaveBackAndIsNotPassedOn() public view {
        handler.checkClaims();
    }

    function invariant_clientsHaveTheirsAndLoseNoMoreThanTheyLocked() public view {
        handler.checkClients();
    }

    function invariant_lockedStakeIsThatOfTheReplicas() public view {
        handler.checkStake();
    }

    function invariant_dealsAreOwnedByWhomTheyMustBe() public view {
        handler.checkOwners();
    }
}

/// @title One long history, in which everything that can happen does
/// @notice The campaigns would pass on handlers that do nothing.
contract RequestsHistory is Test {
    uint256 private constant STEPS = 510;

    CampaignRequests private handler;

    function setUp() public {
        handler = new CampaignRequests();
    }

    function testALongHistoryInWhichEverythingHappens() public {
        bytes4[] memory actions = handler.actions();
        for (uint256 i; i < STEPS; ++i) {
            uint256 x = uint256(keccak256(abi.encode("a long history", i)));
            // Each round has every action once, each in another order: their number is a prime.
            uint256 which = (i * (1 + ((i / actions.length) % (actions.length - 1)))) % actions.length;
            (bool ok, bytes memory error) = address(handler).call(abi.encodeWithSelector(actions[which], x));
            assertTrue(ok, string.concat("action ", vm.toString(which), ": ", string(error)));
            if (i % 15 == 0) _checkAll();
        }
        _assertOften(3, ["post", "fill", "prove", "fill refused", "refund refused", "unlock refused"]);
        _assertOften(2, ["cancel", "refund", "collect", "terminate", "release", "unlock"]);
        _assertOften(2, ["repair", "repost", "fill a slot", "extend", "restore", "donate"]);
        _assertOften(1, ["cancel refused", "refundSlot refused", "repair refused", "collect refused", "post", "fill"]);
        handler.leave();
        _assertOften(1, ["refundSlot", "terminate refused", "release refused", "post", "fill", "fill"]);
        _checkAll();
    }

    function _checkAll() private view {
        handler.checkEscrow();
        handler.checkClaims();
        handler.checkClients();
        handler.checkStake();
        handler.checkOwners();
    }

    function _assertOften(uint256 often, string[6] memory names) private view {
        for (uint256 i; i < 6; ++i) assertGe(handler.done(names[i]), often, names[i]);
    }
}
