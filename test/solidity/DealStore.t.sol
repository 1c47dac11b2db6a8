// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {Course, Money, Stage} from "../../contracts/libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "../../contracts/libraries/DealStore.sol";
import {DealTerms} from "../../contracts/libraries/DealTerms.sol";

/// @title Deals in storage: what is written is what is read, up to every bound
contract DealStoreTest is Test {
    using DealStore for StoredDeal;

    uint256 private constant MOST = 2 ** 28 - 1;

    mapping(uint256 id => StoredDeal) private _deals;

    function testFuzz_anOpenedDealReadsAsItsTerms(DealTerms memory t, uint48 firstEpoch, bool gift) public {
        t.leafCount = uint64(bound(t.leafCount, 1, 2 ** 40));
        t.tier = uint8(bound(t.tier, 0, 7));
        t.periods = uint32(bound(t.periods, 1, MOST));
        _deals[1].open(t, firstEpoch, gift);

        Course memory expected;
        expected.provider = t.provider;
        expected.leafCount = t.leafCount;
        expected.firstEpoch = firstEpoch;
        expected.periods = t.periods;
        expected.tier = t.tier;
        expected.stage = Stage.Open;
        expected.gift = gift;
        assertEq(_deals[1].root, t.root);
        assertEq(abi.encode(_course(1)), abi.encode(expected));
        Money memory money = Money(t.token, t.maxPeriods, t.periods, t.pricePerPeriod, t.collateral);
        assertEq(abi.encode(_money(1)), abi.encode(money));
        assertEq(uint256(_deals[1].stageOf()), uint256(Stage.Open));
    }

    function testFuzz_countsReadAsWrittenAndNothingElseMoves(
        DealTerms memory t,
        uint256[9] memory draw,
        uint256 stage,
        bool[4] memory flags
    ) public {
        _deals[1].open(t, 1, false);
        bytes32 money = keccak256(abi.encode(_money(1)));
        Course memory c = Course({
            provider: t.provider,
            leafCount: bound(draw[0], 1, 2 ** 40),
            firstEpoch: 1,
            periods: bound(draw[1], 0, MOST),
            proven: bound(draw[2], 0, MOST),
            lastProven: bound(draw[3], 0, MOST),
            restored: bound(draw[4], 0, MOST),
            demandMisses: bound(draw[5], 0, MOST),
            paid: bound(draw[6], 0, MOST),
            slashed: bound(draw[7], 0, MOST),
            tier: bound(draw[8], 0, 7),
            stage: Stage(bound(stage, 0, uint256(type(Stage).max))),
            gift: flags[0],
            provenBefore: flags[1],
            amended: flags[2],
            migrated: flags[3]
        });
        _deals[1].saveCounts(c);
        assertEq(abi.encode(_course(1)), abi.encode(c));
        assertEq(uint256(_deals[1].stageOf()), uint256(c.stage));
        assertEq(keccak256(abi.encode(_money(1))), money);
        assertEq(_deals[1].root, t.root);
    }

    function testFuzz_theBondReadsAsWrittenAndThePriceStays(DealTerms memory t, uint32 most, uint32 funded) public {
        _deals[1].open(t, 1, false);
        Money memory m = _money(1);
        (m.maxPeriods, m.fundedPeriods) = (most, funded);
        _deals[1].saveBond(m);
        assertEq(abi.encode(_money(1)), abi.encode(m));
    }

    function test_cancelledTermsAreNothingElse() public {
        _deals[1].cancel();
        Course memory expected;
        expected.stage = Stage.Cancelled;
        assertEq(abi.encode(_course(1)), abi.encode(expected));
        assertEq(uint256(_deals[1].stageOf()), uint256(Stage.Cancelled));
    }

    function _course(uint256 id) private view returns (Course memory c) {
        _deals[id].load(c);
    }

    function _money(uint256 id) private view returns (Money memory m) {
        _deals[id].loadPay(m);
        _deals[id].loadBond(m);
    }
}
