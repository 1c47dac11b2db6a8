// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Course, DealLedger, Due, Money, Revision, Stage, Standing, Status} from "./DealLedger.sol";
import {Schedule, Tier} from "./Schedule.sol";

/// @notice What the clock asks for where an amendment waits. Turn: it replaces the current commitment, whose last
/// window has closed. Drop: the deal defaulted by that window, and the amendment never comes.
enum Step {
    None,
    Turn,
    Drop
}

/// @title The arithmetic of an amended deal
/// @notice Pure functions as those of `DealLedger`. Let s = from − 1 be the last window of the current commitment, p
/// its price, p' that of the one that waits. Windows up to s are proven and paid under the current one. As soon as
/// window s has closed its books are closed whole: what was proven is paid at p, what was missed is given back at p.
/// All of it follows from the clock, so that totals are the same for any pattern of settlements.
/// @dev While an amendment waits, fundedPeriods is s − since: the windows beyond s are funded at p'.
library Revisions {
    using DealLedger for Standing;

    /// @notice k*: the first window whose challenge is not drawn before block `at`, which is that of the amendment and
    /// challengeFinality.
    function firstAt(Course memory c, Tier memory tier, uint256 at) internal pure returns (uint256) {
        return Schedule.startedAt(c.firstEpoch, tier.period, at) + 1;
    }

    /// @notice What the clock asks for of a deal that stands at `s`.
    function stepOf(Revision memory v, Course memory c, Standing memory s) internal pure returns (Step) {
        if (v.from == 0 || c.stage == Stage.Closed) return Step.None;
        uint256 last = v.from - 1;
        if (s.closed < last) return s.status == Status.Defaulted ? Step.Drop : Step.None;
        // A proof beyond `last` turns first: all that was proven lies within.
        uint256 missed = last - c.proven + c.demandMisses;
        return missed < s.allowance ? Step.Turn : Step.Drop;
    }

    /// @notice Takes the step that is due, in memory, so that the deal stands at `s`, of block `at`, with none due.
    /// @return step Which it was.
    /// @return root After a turn, that of the commitment that is current now.
    /// @return moved What it moves.
    function advance(
        Revision memory v,
        Course memory c,
        Money memory m,
        Tier memory tier,
        Standing memory s,
        uint256 feeBps,
        uint256 at
    ) internal pure returns (Step step, bytes32 root, Due memory moved) {
        step = stepOf(v, c, s);
        if (step == Step.Turn) {
            (root, moved) = turn(v, c, m, feeBps);
        } else if (step == Step.Drop) {
            moved.refund = drop(v, c);
            s.update(c, tier, at);
        }
    }

    /// @notice Closes the books of the current commitment, and puts the one that waits in its place.
    function turn(
        Revision memory v,
        Course memory c,
        Money memory m,
        uint256 feeBps
    ) internal pure returns (bytes32 root, Due memory d) {
        uint256 last = v.from - 1;
        uint256 fee = DealLedger.feeDown(m.price, feeBps);
        uint256 proven = c.proven - (v.since - v.lapsed);
        d.windows = c.proven - c.paid;
        d.fee = d.windows * fee;
        d.payment = d.windows * m.price - d.fee;
        d.refund = (m.fundedPeriods - proven) * m.price;
        v.paid += proven * (m.price - fee);
        v.fee += proven * fee;
        v.refunded += d.refund;
        v.since = last;
        v.lapsed = last - c.proven;
        c.paid = c.proven;
        c.leafCount = v.leafCount;
        m.price = v.price;
        m.fundedPeriods = c.periods - last;
        root = v.root;
        _forget(v);
    }

    /// @notice The amendment that waits never comes: its windows leave the deal.
    /// @return refund What they were funded with.
    function drop(Revision memory v, Course memory c) internal pure returns (uint256 refund) {
        uint256 last = v.from - 1;
        refund = (c.periods - last) * v.price;
        v.refunded += refund;
        c.periods = last;
        _forget(v);
    }

    function _forget(Revision memory v) private pure {
        v.from = 0;
        v.root = 0;
        v.leafCount = 0;
        v.price = 0;
    }

    /// @notice Accepts an amendment from window `from` on, where none waits: the windows from there move to its price.
    /// @return cost What that takes from the owner at once.
    /// @return refund What it gives back at once.
    function amend(
        Revision memory v,
        Course memory c,
        Money memory m,
        uint256 from,
        bytes32 root,
        uint256 leafCount,
        uint256 price
    ) internal pure returns (uint256 cost, uint256 refund) {
        uint256 moving = c.periods - (from - 1);
        m.fundedPeriods -= moving;
        if (price > m.price) cost = (price - m.price) * moving;
        else refund = (m.price - price) * moving;
        v.refunded += refund;
        ++v.nonce;
        v.from = from;
        v.root = root;
        v.leafCount = leafCount;
        v.price = price;
        c.amended = true;
    }

    /// @notice Adds windows at the end.
    /// @return cost At the price of the commitment that they will be under.
    function extend(
        Revision memory v,
        Course memory c,
        Money memory m,
        uint256 periods
    ) internal pure returns (uint256 cost) {
        c.periods += periods;
        if (v.from == 0) m.fundedPeriods += periods;
        return periods * lastPrice(v, m);
    }

    /// @notice Leaves the deal the first `periods` of its windows, at least as many as have started.
    /// @return refund Of the windows that go.
    /// @return dropped Of those that go with an amendment that lies beyond the new end.
    function cut(
        Revision memory v,
        Course memory c,
        Money memory m,
        uint256 periods
    ) internal pure returns (uint256 refund, uint256 dropped) {
        if (v.from > periods) dropped = drop(v, c);
        refund = (c.periods - periods) * lastPrice(v, m);
        if (v.from != 0) v.refunded += refund;
        c.periods = periods;
    }

    /// @notice What the last window costs: at the price that waits, where one does.
    function lastPrice(Revision memory v, Money memory m) internal pure returns (uint256) {
        return v.from == 0 ? m.price : v.price;
    }
}
