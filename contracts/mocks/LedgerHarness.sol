// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Challenge} from "../libraries/Challenge.sol";
import {Course, DealLedger, Due, Money, Revision, Standing, Totals} from "../libraries/DealLedger.sol";
import {DealTerms, DealTermsLib} from "../libraries/DealTerms.sol";
import {Schedule, Tier} from "../libraries/Schedule.sol";

struct ScheduleCase {
    address provider;
    uint8 tierIndex;
    uint256 earliest;
    Tier tier;
    uint256 periods;
    uint256 at;
    uint256 k;
}

struct ScheduleAnswer {
    uint256 phase;
    uint256 first;
    uint256 epoch;
    uint256 started;
    uint256 closed;
    uint256 open;
}

struct LedgerCase {
    Course course;
    Money money;
    Revision revision;
    Tier tier;
    uint256 at;
    uint256 feeBps;
    uint256 misses;
}

struct LedgerAnswer {
    Standing standing;
    bool lastClosedProven;
    uint256 endedPeriods;
    uint256 share;
    uint256 fee;
    uint256 bonded;
    uint256 slashed;
    uint256 bounty;
    Due due;
    Course booked;
    Totals totals;
    Totals totalsBooked;
}

struct ChallengeCase {
    address market;
    uint256 dealId;
    uint256 window;
    uint256 seed;
    uint256 count;
    uint256 leafCount;
}

/// @title The libraries' functions from outside, many cases a call
/// @notice What the TypeScript mirror is compared with.
contract LedgerHarness {
    using DealLedger for Course;

    function schedules(ScheduleCase[] calldata cases) external pure returns (ScheduleAnswer[] memory answers) {
        answers = new ScheduleAnswer[](cases.length);
        for (uint256 i; i < cases.length; ++i) {
            ScheduleCase memory c = cases[i];
            ScheduleAnswer memory a = answers[i];
            a.phase = Schedule.phase(c.provider, c.tierIndex, c.tier.period);
            a.first = Schedule.firstEpoch(c.earliest, a.phase, c.tier.period);
            a.epoch = Schedule.epochOf(a.first, c.tier.period, c.k);
            a.started = Schedule.startedAt(a.first, c.tier.period, c.at);
            (a.closed, a.open) = Schedule.windowsAt(a.first, c.tier, c.periods, c.at);
        }
    }

    function ledgers(LedgerCase[] calldata cases) external pure returns (LedgerAnswer[] memory answers) {
        answers = new LedgerAnswer[](cases.length);
        for (uint256 i; i < cases.length; ++i) answers[i] = _ledger(cases[i]);
    }

    function challenges(ChallengeCase[] calldata cases) external view returns (uint256[][] memory answers) {
        answers = new uint256[][](cases.length);
        for (uint256 i; i < cases.length; ++i) {
            ChallengeCase memory c = cases[i];
            answers[i] = Challenge.indices(c.market, c.dealId, c.window, c.seed, c.count, c.leafCount);
        }
    }

    function hashes(DealTerms[] calldata terms) external pure returns (bytes32[] memory answers) {
        answers = new bytes32[](terms.length);
        for (uint256 i; i < terms.length; ++i) answers[i] = DealTermsLib.hash(terms[i]);
    }

    function _ledger(LedgerCase memory c) private pure returns (LedgerAnswer memory a) {
        Course memory course = c.course;
        a.standing = course.standing(c.tier, c.at);
        a.lastClosedProven = course.lastClosedProven(c.revision, a.standing);
        a.endedPeriods = course.endedPeriods(c.tier, c.at);
        a.share = DealLedger.share(c.money, c.tier);
        a.fee = DealLedger.feeDown(c.money.price, c.feeBps);
        a.bonded = course.bonded(c.money, c.tier);
        (a.slashed, a.bounty) = course.slashedFor(c.money, c.tier, c.misses);
        a.due = course.due(c.money, c.revision, c.tier, a.standing, c.feeBps);
        a.totals = course.totals(c.money, c.revision, c.tier, c.feeBps);
        course.book(a.due);
        a.booked = course;
        a.totalsBooked = course.totals(c.money, c.revision, c.tier, c.feeBps);
    }
}
