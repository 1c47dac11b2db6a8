// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Course, DealLedger, Due, Money, Revision, Standing, Totals} from "../libraries/DealLedger.sol";
import {Revisions, Step} from "../libraries/Revisions.sol";
import {Tier} from "../libraries/Schedule.sol";

/// @notice All that is stored of a deal.
struct DealRecord {
    bytes32 root;
    Course course;
    Money money;
    Revision revision;
}

struct RevisionCase {
    DealRecord stored;
    Tier tier;
    uint256 at;
    uint256 feeBps;
}

/// @notice A settlement at `at`, and totals before and after.
struct RevisionAnswer {
    DealRecord settled;
    Standing standing;
    Due due;
    Totals before;
    Totals totals;
    uint256 firstAt;
}

/// @title The ledger of amended deals from outside, many cases a call
/// @notice What the TypeScript mirror is compared with.
contract RevisionHarness {
    using DealLedger for Course;
    using Revisions for Course;
    using Revisions for Revision;

    function settlements(RevisionCase[] calldata cases) external pure returns (RevisionAnswer[] memory answers) {
        answers = new RevisionAnswer[](cases.length);
        for (uint256 i; i < cases.length; ++i) answers[i] = _settle(cases[i]);
    }

    function _settle(RevisionCase memory c) private pure returns (RevisionAnswer memory a) {
        DealRecord memory r = c.stored;
        a.before = r.course.totals(r.money, r.revision, c.tier, c.feeBps);
        a.standing = r.course.standing(c.tier, c.at);
        Due memory moved = _advance(c, a.standing);
        a.firstAt = r.course.firstAt(c.tier, c.at);
        a.due = r.course.due(r.money, r.revision, c.tier, a.standing, c.feeBps);
        r.course.book(a.due);
        a.due.windows += moved.windows;
        a.due.payment += moved.payment;
        a.due.fee += moved.fee;
        a.due.refund += moved.refund;
        a.settled = r;
        a.totals = r.course.totals(r.money, r.revision, c.tier, c.feeBps);
    }

    function _advance(RevisionCase memory c, Standing memory s) private pure returns (Due memory moved) {
        DealRecord memory r = c.stored;
        Step step;
        bytes32 root;
        (step, root, moved) = r.revision.advance(r.course, r.money, c.tier, s, c.feeBps, c.at);
        if (step == Step.Turn) r.root = root;
    }
}
