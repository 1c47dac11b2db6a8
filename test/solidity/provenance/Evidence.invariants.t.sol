// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {IProvenanceRegistry} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {EvidenceHandler} from "./EvidenceHandler.sol";

/// @dev The test runner knows the contracts of the test's own file only.
contract CampaignEvidence is EvidenceHandler(14) {}

contract HistoryEvidence is EvidenceHandler(70) {}

/// @title That what is told to be held is held, under campaigns of random actions on a market
/// @notice Lengths of the campaigns are in hardhat.config.ts.
contract EvidenceInvariants is Test {
    CampaignEvidence private handler;

    function setUp() public {
        handler = new CampaignEvidence();
        targetContract(address(handler));
        targetSelector(FuzzSelector(address(handler), handler.evidenceActions()));
    }

    function invariant_whatIsToldToBeHeldIsHeld() public view {
        handler.checkHoldings();
    }
}

/// @title One long history, in which everything that can happen does
contract EvidenceHistory is Test {
    uint256 private constant STEPS = 390;

    HistoryEvidence private handler;

    function setUp() public {
        handler = new HistoryEvidence();
    }

    function testALongHistoryInWhichEverythingHappens() public {
        bytes4[] memory actions = handler.evidenceActions();
        for (uint256 i; i < STEPS; ++i) {
            uint256 x = uint256(keccak256(abi.encode("a long history", i)));
            // Each round has every action once, each in another order: their number is a prime.
            uint256 which = (i * (1 + ((i / actions.length) % (actions.length - 1)))) % actions.length;
            (bool ok, bytes memory error) = address(handler).call(abi.encodeWithSelector(actions[which], x));
            assertTrue(ok, string.concat("action ", vm.toString(which), ": ", string(error)));
            if (i % 20 == 0) handler.checkHoldings();
        }
        handler.checkHoldings();
        _assertOften(10, ["link", "link refused", "held", "not held", "no longer held", "migrate"]);
        _assertOften(5, ["held by a successor", "both linked", "about another piece", "default", "settle one", "pass"]);
        bytes4[5] memory errors = [
            IProvenanceRegistry.UnknownRecord.selector,
            IProvenanceRegistry.NotRegistrant.selector,
            IProvenanceRegistry.NoPiece.selector,
            IProvenanceRegistry.PieceMismatch.selector,
            IProvenanceRegistry.AlreadyLinked.selector
        ];
        for (uint256 i; i < errors.length; ++i) {
            string memory name = vm.toString(abi.encodePacked(errors[i]));
            assertGe(handler.done(name), 1, name);
        }
    }

    function _assertOften(uint256 often, string[6] memory names) private view {
        for (uint256 i; i < 6; ++i) assertGe(handler.done(names[i]), often, names[i]);
    }
}
