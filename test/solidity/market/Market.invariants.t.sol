// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {MarketHandler} from "./MarketHandler.sol";

/// @dev The test runner knows the contracts of the test's own file only.
contract CampaignHandler is MarketHandler(14) {}

/// @title The invariants of the protocol under campaigns of random actions
/// @notice Numbered as in section 12. Each campaign's runs end with everybody leaving, which is invariant 11. Lengths
/// of the campaigns are in hardhat.config.ts; `--test-profile long` makes them long.
contract MarketInvariants is Test {
    CampaignHandler private handler;

    function setUp() public {
        handler = new CampaignHandler();
        targetContract(address(handler));
        targetSelector(FuzzSelector(address(handler), handler.actions()));
    }

    /// @dev 11. Closes every run of every campaign: all can leave with what is theirs. That runs are not empty is the
    /// business of MarketHistory, since here a failure would be shortened to the empty run.
    function afterInvariant() public {
        handler.leave();
        handler.check08();
    }

    function invariant_01_theVaultHasWhatItOwesAndEscrowsAreLiabilities() public view {
        handler.check01();
    }

    function invariant_02_03_fundsAndBondsAddUp() public view {
        handler.check02And03();
    }

    function invariant_04_lockedStakeIsThatOfTheDeals() public view {
        handler.check04();
    }

    function invariant_05_windowsCountOnce() public view {
        handler.check05();
    }

    function invariant_06_07_totalsAreThoseOfTheWindowsAlone() public view {
        handler.check06And07();
    }

    function invariant_08_16_nobodyHasMoreOrLessThanIsTheirs() public view {
        handler.check08();
    }

    function invariant_09_terminalStatesAndLiveCollateralStay() public view {
        handler.check09();
    }

    function invariant_10_settleNeverReverts() public {
        handler.check10();
    }

    function invariant_12_aSeedNeverChanges() public view {
        handler.check12();
    }

    function invariant_13_theHonestAreNeverSlashed() public view {
        handler.check13();
    }

    function invariant_14_challengesAreFixed() public view {
        handler.check14();
    }

    function invariant_15_whoHoldsNothingLosesAll() public view {
        handler.check15();
    }

    function invariant_17_provenPeriodsArePaidAndNoOthers() public view {
        handler.check17();
    }
}
