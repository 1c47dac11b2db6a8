// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {
    Course,
    DealLedger,
    Due,
    Money,
    Revision,
    Stage,
    Standing,
    Status,
    Totals
} from "../../contracts/libraries/DealLedger.sol";
import {Tier} from "../../contracts/libraries/Schedule.sol";

/// @title The ledger against loops over windows and misses, at amounts and counts beyond those of MarketModel
/// @notice `demandMisses`, which no call of the market raises yet, is drawn as well.
contract DealLedgerTest is Test {
    using DealLedger for Course;

    uint256 private constant FIRST = 1000;

    struct Draw {
        uint128 price;
        uint128 collateral;
        uint16 feeBps;
        uint32 maxMisses;
        uint32 restored;
        uint32 demandMisses;
        uint32 periods;
        uint32 proofs;
        uint256 at;
        uint256 later;
    }

    /// Bookings at two blocks, or at the second alone: the same totals, and no wei lost or made.
    function testFuzz_oneBookingOrTwoComeToTheSame(Draw memory d) public pure {
        (Course memory c, Money memory m, Tier memory tier) = _deal(d);
        uint256 at = FIRST + (d.at % (uint256(c.periods + 2) * tier.period));
        uint256 later = at + (d.later % (uint256(c.periods + 2) * tier.period));
        // The proofs are those of the first windows: at `at`, the ones that have started by then.
        uint256 all = c.proven;
        _proveUpTo(c, tier, all, at);
        _bookAt(c, m, tier, at, d.feeBps);
        if (c.stage != Stage.Closed) _proveUpTo(c, tier, all, later);
        Totals memory before = c.totals(m, _never(), tier, d.feeBps);
        _bookAt(c, m, tier, later, d.feeBps);
        Totals memory twice = c.totals(m, _never(), tier, d.feeBps);
        assertGe(twice.paid, before.paid);
        assertGe(twice.slashed, before.slashed);

        Course memory alone = _copy(c);
        (alone.paid, alone.slashed, alone.stage) = (0, 0, Stage.Open);
        _bookAt(alone, m, tier, later, d.feeBps);
        assertEq(keccak256(abi.encode(alone.totals(m, _never(), tier, d.feeBps))), keccak256(abi.encode(twice)));
        assertEq(twice.paid + twice.fee + twice.refunded + twice.escrow, twice.funded);
        assertEq(twice.bounty + twice.compensation + twice.returned + twice.stake, twice.bonded);
    }

    /// What misses cost, one after another.
    function testFuzz_slashesAreThoseOfEachMiss(Draw memory d, uint256 misses) public pure {
        (Course memory c, Money memory m, Tier memory tier) = _deal(d);
        uint256 allowance = uint256(tier.maxMisses) + c.restored;
        misses = bound(misses, 0, allowance);
        uint256 bonded = m.collateral;
        for (uint256 i; i < c.restored; ++i) bonded += m.collateral / tier.maxMisses;
        uint256 slashed;
        uint256 bounty;
        for (uint256 i = 1; i <= misses; ++i) {
            uint256 slash = i == allowance ? bonded - slashed : m.collateral / tier.maxMisses;
            slashed += slash;
            bounty += slash / 20;
        }
        (uint256 actual, uint256 actualBounty) = c.slashedFor(m, tier, misses);
        assertEq(actual, slashed);
        assertEq(actualBounty, bounty);
        assertEq(c.bonded(m, tier), bonded);
    }

    /// The status, from the list of windows.
    function testFuzz_standingIsThatOfTheWindows(Draw memory d) public pure {
        (Course memory c, , Tier memory tier) = _deal(d);
        uint256 at = FIRST + (d.at % (uint256(c.periods + 2) * tier.period));
        _proveUpTo(c, tier, c.proven, at);
        Standing memory s = c.standing(tier, at);
        uint256 closed;
        uint256 missed = c.demandMisses;
        for (uint256 k = 1; k <= c.periods; ++k) {
            if (FIRST + (k - 1) * tier.period + tier.window >= at) break;
            ++closed;
            if (k > c.proven) ++missed;
        }
        uint256 allowance = uint256(tier.maxMisses) + c.restored;
        if (missed > allowance) missed = allowance;
        assertEq(s.closed, closed);
        assertEq(s.missed, missed);
        Status expected = closed == c.periods ? Status.Completed : Status.Open;
        assertEq(uint256(s.status), uint256(missed == allowance ? Status.Defaulted : expected));
    }

    /// @dev A deal as the market could have written it, with `proven` windows to come from the first on.
    function _deal(Draw memory d) private pure returns (Course memory c, Money memory m, Tier memory tier) {
        tier = Tier(20, 7, 1, uint32(bound(d.maxMisses, 1, 9)));
        c.firstEpoch = FIRST;
        c.periods = bound(d.periods, tier.maxMisses, 40);
        c.proven = bound(d.proofs, 0, c.periods);
        c.restored = bound(d.restored, 0, 40);
        c.demandMisses = bound(d.demandMisses, 0, 3);
        c.stage = Stage.Open;
        d.feeBps = uint16(bound(d.feeBps, 0, 100));
        m.maxPeriods = 40;
        m.fundedPeriods = c.periods;
        m.price = bound(d.price, 0, type(uint128).max / 40);
        // The largest with which collateral + maxPeriods * share fits in 128 bits.
        m.collateral = bound(d.collateral, 0, type(uint128).max / 41);
    }

    function _proveUpTo(Course memory c, Tier memory tier, uint256 all, uint256 at) private pure {
        uint256 started = at <= FIRST ? 0 : (at - FIRST - 1) / tier.period + 1;
        c.proven = started < all ? started : all;
        c.lastProven = c.proven;
        c.provenBefore = c.proven > 1;
    }

    /// @dev That of a deal which was never amended.
    function _never() private pure returns (Revision memory) {}

    function _bookAt(Course memory c, Money memory m, Tier memory tier, uint256 at, uint256 feeBps) private pure {
        Due memory due = c.due(m, _never(), tier, c.standing(tier, at), feeBps);
        c.book(due);
    }

    function _copy(Course memory c) private pure returns (Course memory) {
        return abi.decode(abi.encode(c), (Course));
    }
}
