// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {IProvenanceRegistry} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {ProvenanceHandler} from "./ProvenanceHandler.sol";

/// @dev The test runner knows the contracts of the test's own file only.
contract CampaignRecords is ProvenanceHandler(50) {}

contract HistoryRecords is ProvenanceHandler(160) {}

/// @title What always holds for a registry, under campaigns of random actions
/// @notice Lengths of the campaigns are in hardhat.config.ts.
contract ProvenanceInvariants is Test {
    CampaignRecords private handler;

    function setUp() public {
        handler = new CampaignRecords();
        targetContract(address(handler));
        targetSelector(FuzzSelector(address(handler), handler.actions()));
    }

    function invariant_nothingToldIsTakenBack() public view {
        handler.checkAppendOnly();
    }

    function invariant_statesAreWhatRegistrantsDid() public view {
        handler.checkStates();
    }

    function invariant_neitherLineageNorSuccessionHasACircle() public view {
        handler.checkOrder();
    }

    function invariant_verdictsAreWhatAttestersSaidThemselves() public view {
        handler.checkVerdicts();
    }

    function invariant_setsHoldTheirRegistrantsRecords() public view {
        handler.checkSets();
    }

    function invariant_signaturesAreGoodOnceAndForNothingElse() public {
        handler.checkSignatures();
    }
}

/// @title One long history, in which everything that can happen does
/// @notice The campaigns would pass on handlers that do nothing.
contract ProvenanceHistory is Test {
    uint256 private constant STEPS = 520;

    HistoryRecords private handler;

    function setUp() public {
        handler = new HistoryRecords();
    }

    function testALongHistoryInWhichEverythingHappens() public {
        bytes4[] memory actions = handler.actions();
        for (uint256 i; i < STEPS; ++i) {
            uint256 x = uint256(keccak256(abi.encode("a long history", i)));
            // Each round has every action once, each in another order: their number is a prime.
            uint256 which = (i * (1 + ((i / actions.length) % (actions.length - 1)))) % actions.length;
            (bool ok, bytes memory error) = address(handler).call(abi.encodeWithSelector(actions[which], x));
            assertTrue(ok, string.concat("action ", vm.toString(which), ": ", string(error)));
            if (i % 65 == 0) _checkAll();
        }
        _checkAll();
        _assertOften(10, ["register", "registerMany", "registerFor", "anchor", "registerAnchored", "withdraw"]);
        _assertOften(5, ["supersede", "attest", "revoke", "relay", "signed for later", "pass"]);
        _assertOften(5, ["register refused", "registerMany refused", "registerFor refused", "pass", "pass", "pass"]);
        _assertOften(5, ["anchor refused", "anchorFor refused", "registerAnchored refused", "pass", "pass", "pass"]);
        _assertOften(5, ["withdraw refused", "supersede refused", "attest refused", "revoke refused", "pass", "pass"]);
        _assertOften(2, ["anchorFor", "anchorFor refused", "relay", "pass", "pass", "pass"]);
        _assertMetEveryError();
    }

    function _checkAll() private {
        handler.checkAppendOnly();
        handler.checkStates();
        handler.checkOrder();
        handler.checkVerdicts();
        handler.checkSets();
        handler.checkSignatures();
    }

    function _assertOften(uint256 often, string[6] memory names) private view {
        for (uint256 i; i < 6; ++i) assertGe(handler.done(names[i]), often, names[i]);
    }

    /// @dev All but those of links, which are in a campaign of their own.
    function _assertMetEveryError() private view {
        bytes4[23] memory errors = [
            IProvenanceRegistry.RecordExists.selector,
            IProvenanceRegistry.UnknownParent.selector,
            IProvenanceRegistry.TooManyParents.selector,
            IProvenanceRegistry.ParentsNotAscending.selector,
            IProvenanceRegistry.InvalidContent.selector,
            IProvenanceRegistry.CidTooLong.selector,
            IProvenanceRegistry.LicenseTooLong.selector,
            IProvenanceRegistry.ReasonTooLong.selector,
            IProvenanceRegistry.InvalidAnchor.selector,
            IProvenanceRegistry.InvalidAccount.selector,
            IProvenanceRegistry.NotRegistrant.selector,
            IProvenanceRegistry.InvalidSignature.selector,
            IProvenanceRegistry.SignatureExpired.selector,
            IProvenanceRegistry.NothingToRegister.selector,
            IProvenanceRegistry.NotInSet.selector,
            IProvenanceRegistry.UnknownRecord.selector,
            IProvenanceRegistry.AlreadyWithdrawn.selector,
            IProvenanceRegistry.AlreadySuperseded.selector,
            IProvenanceRegistry.NotLater.selector,
            IProvenanceRegistry.OwnRecord.selector,
            IProvenanceRegistry.InvalidVerdict.selector,
            IProvenanceRegistry.InvalidExpiry.selector,
            IProvenanceRegistry.NothingToRevoke.selector
        ];
        for (uint256 i; i < errors.length; ++i) {
            string memory name = vm.toString(abi.encodePacked(errors[i]));
            assertGe(handler.done(name), 1, name);
        }
    }
}
