// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Schedule, Tier} from "./Schedule.sol";

/// @notice What a deal is at a block. The last three are for ever.
/// @dev None: no such deal, or cancelled terms. Migrated: Completed, and moved to another provider by its owner.
enum Status {
    None,
    Open,
    Ending,
    Completed,
    Defaulted,
    Migrated
}

/// @notice What has been written of a deal's life; the rest is computed. Closed: booked to its end.
enum Stage {
    None,
    Cancelled,
    Open,
    Ending,
    Closed
}

/// @notice The part of a deal that proofs and time move: counters of windows and misses, never amounts. Members are
/// whole words, which need no masks; `DealStore` packs them and states their bounds.
/// @param firstEpoch e_1.
/// @param periods N, the windows this deal has.
/// @param proven Windows proven, the open one included.
/// @param lastProven The latest proven window, 0 before the first.
/// @param restored Shares bonded after the opening.
/// @param demandMisses Misses for unanswered demands.
/// @param paid Proven windows already paid for.
/// @param slashed Misses already slashed.
/// @param gift The client did not sign.
/// @param provenBefore The window before `lastProven` was proven too.
/// @param amended It has a `Revision`.
/// @param migrated Its owner moved it to another provider.
struct Course {
    address provider;
    uint256 leafCount;
    uint256 firstEpoch;
    uint256 periods;
    uint256 proven;
    uint256 lastProven;
    uint256 restored;
    uint256 demandMisses;
    uint256 paid;
    uint256 slashed;
    uint256 tier;
    Stage stage;
    bool gift;
    bool provenBefore;
    bool amended;
    bool migrated;
}

/// @notice The part of a deal that prices it. Amounts are below 2^128.
/// @param fundedPeriods All periods ever paid in: at the opening and by extensions. Of an amended deal: those of the
/// current commitment, at its price.
struct Money {
    address token;
    uint256 maxPeriods;
    uint256 fundedPeriods;
    uint256 price;
    uint256 collateral;
}

/// @notice What only a deal has that was amended: the commitment that waits, and the books of those that were replaced.
/// All zero in others. Amounts are below 2^192.
/// @param nonce Amendments accepted so far.
/// @param from k*, the first window of the commitment that waits; 0: none does, and the next three are zero as well.
/// @param root The commitment that waits.
/// @param leafCount Its leaves.
/// @param price What a window of it costs.
/// @param since The last window of the commitment before the current one, 0 if there was none.
/// @param lapsed Windows up to `since` that were missed.
/// @param paid Paid to the provider for windows up to `since`.
/// @param fee Fees of these.
/// @param refunded Given back for these, and for windows that moved to a lower price or were dropped.
struct Revision {
    uint256 nonce;
    uint256 from;
    bytes32 root;
    uint256 leafCount;
    uint256 price;
    uint256 since;
    uint256 lapsed;
    uint256 paid;
    uint256 fee;
    uint256 refunded;
}

/// @notice Where a deal stands at a block, all of it derived.
/// @param open The window open now, 0 where none is.
/// @param provenClosed Proven windows among the closed ones.
/// @param missed Misses up to now, at most `allowance`.
struct Standing {
    uint256 closed;
    uint256 open;
    uint256 provenClosed;
    uint256 missed;
    uint256 allowance;
    Status status;
}

/// @notice What bringing a deal up to date moves, in base units.
/// @param windows Windows newly paid for.
/// @param misses Misses newly slashed.
struct Due {
    uint256 windows;
    uint256 misses;
    uint256 payment;
    uint256 fee;
    uint256 refund;
    uint256 bounty;
    uint256 compensation;
    uint256 returned;
    bool closes;
}

/// @notice Cumulative totals of a deal as booked, in base units.
/// paid + fee + refunded + escrow == funded; bounty + compensation + returned + stake == bonded.
struct Totals {
    uint256 funded;
    uint256 paid;
    uint256 fee;
    uint256 refunded;
    uint256 escrow;
    uint256 bonded;
    uint256 slashed;
    uint256 bounty;
    uint256 compensation;
    uint256 returned;
    uint256 stake;
}

/// @title The arithmetic of a deal
/// @notice Pure functions of a deal's record, its tier and a block number: no calls, no storage (PROTOCOL sections 5
/// and 6). Amounts follow from counters, so any pattern of settlements ends in the same totals.
library DealLedger {
    uint256 internal constant BPS = 10_000;
    /// @dev The part of each slashed share that goes to whoever settles.
    uint256 internal constant BOUNTY_BPS = 500;

    /// @notice Where the deal stands at block `at`.
    function standing(Course memory c, Tier memory tier, uint256 at) internal pure returns (Standing memory s) {
        update(s, c, tier, at);
    }

    /// @notice As `standing`, into memory that is there already.
    function update(Standing memory s, Course memory c, Tier memory tier, uint256 at) internal pure {
        (s.closed, s.open) = Schedule.windowsAt(c.firstEpoch, tier, c.periods, at);
        unchecked {
            // Only windows that are closed or open are proven, each once: provenClosed ≤ closed. Counters are below
            // 2^26, and so are their sums.
            s.provenClosed = c.proven;
            if (s.open != 0 && c.lastProven == s.open) --s.provenClosed;
            s.allowance = uint256(tier.maxMisses) + c.restored;
            s.missed = s.closed - s.provenClosed + c.demandMisses;
        }
        if (s.missed > s.allowance) s.missed = s.allowance;
        s.status = _status(c, s);
    }

    function _status(Course memory c, Standing memory s) private pure returns (Status) {
        if (c.stage < Stage.Open) return Status.None;
        if (s.missed == s.allowance) return Status.Defaulted;
        if (s.closed == c.periods) return c.migrated ? Status.Migrated : Status.Completed;
        return c.stage == Stage.Ending ? Status.Ending : Status.Open;
    }

    /// @notice Whether the last closed window was proven, and under the current commitment.
    function lastClosedProven(Course memory c, Revision memory v, Standing memory s) internal pure returns (bool) {
        if (s.closed <= v.since) return false;
        return c.lastProven == s.closed || (c.lastProven == s.closed + 1 && c.provenBefore);
    }

    /// @notice N after the owner ends the deal at block `at`: the period in progress is still owed.
    function endedPeriods(Course memory c, Tier memory tier, uint256 at) internal pure returns (uint256 periods) {
        periods = 1 + Schedule.startedAt(c.firstEpoch, tier.period, at);
        if (periods > c.periods) periods = c.periods;
    }

    /// @notice What one restored miss bonds, and one miss costs: ⌊collateral / maxMisses⌋.
    function share(Money memory m, Tier memory tier) internal pure returns (uint256) {
        return m.collateral / tier.maxMisses;
    }

    /// @notice The fee within the price of one period, rounded down.
    function feeDown(uint256 price, uint256 feeBps) internal pure returns (uint256) {
        return (price * feeBps) / BPS;
    }

    /// @notice All stake ever bonded to the deal.
    function bonded(Course memory c, Money memory m, Tier memory tier) internal pure returns (uint256) {
        return m.collateral + c.restored * share(m, tier);
    }

    /// @notice What `misses` misses cost in all, and the bounty within. The last one of the allowance takes the rest.
    function slashedFor(
        Course memory c,
        Money memory m,
        Tier memory tier,
        uint256 misses
    ) internal pure returns (uint256 slashed, uint256 bounty) {
        uint256 each = share(m, tier);
        uint256 eachBounty = _bountyDown(each);
        uint256 allowance = uint256(tier.maxMisses) + c.restored;
        if (misses < allowance) return (misses * each, misses * eachBounty);
        slashed = bonded(c, m, tier);
        bounty = (allowance - 1) * eachBounty + _bountyDown(slashed - (allowance - 1) * each);
    }

    function _bountyDown(uint256 amount) private pure returns (uint256) {
        return (amount * BOUNTY_BPS) / BPS;
    }

    /// @notice What is still to be moved for a deal that stands at `s`, with no revision due (see `Revisions`); all
    /// zero once it is closed.
    /// @dev A default pays every proven window, also one still open. The refund at the end is all that is left of the
    /// escrow: payment for missed windows and, after a default, for those that will never come.
    function due(
        Course memory c,
        Money memory m,
        Revision memory v,
        Tier memory tier,
        Standing memory s,
        uint256 feeBps
    ) internal pure returns (Due memory d) {
        if (c.stage < Stage.Open || c.stage == Stage.Closed) return d;
        bool defaulted = s.status == Status.Defaulted;
        d.closes = s.status >= Status.Completed;
        uint256 payable_ = defaulted ? c.proven : s.provenClosed;
        unchecked {
            // paid ≤ provenClosed ≤ proven ≤ periods − lapsed and slashed ≤ missed: none of them ever falls. The market
            // keeps price × maxPeriods, and all stake that a deal can have, below 2^128.
            d.windows = payable_ - c.paid;
            d.misses = s.missed - c.slashed;
            d.fee = d.windows * feeDown(m.price, feeBps);
            d.payment = d.windows * m.price - d.fee;
            if (d.closes) d.refund = (c.periods - payable_ - v.lapsed) * m.price;
            if (d.misses == 0 && !d.closes) return d;
            (uint256 before, uint256 bountyBefore) = slashedFor(c, m, tier, c.slashed);
            (uint256 slashed, uint256 bounty) = slashedFor(c, m, tier, s.missed);
            d.bounty = bounty - bountyBefore;
            d.compensation = slashed - before - d.bounty;
            if (d.closes) d.returned = bonded(c, m, tier) - slashed;
        }
    }

    /// @notice Notes in the record that `d` has moved.
    function book(Course memory c, Due memory d) internal pure {
        unchecked {
            // They become what `standing` says, which is below 2^26.
            c.paid += d.windows;
            c.slashed += d.misses;
        }
        if (d.closes) c.stage = Stage.Closed;
    }

    /// @notice The totals as booked.
    function totals(
        Course memory c,
        Money memory m,
        Revision memory v,
        Tier memory tier,
        uint256 feeBps
    ) internal pure returns (Totals memory t) {
        bool closed = c.stage == Stage.Closed;
        _totalPay(t, c, m, v, feeBps);
        t.bonded = bonded(c, m, tier);
        (t.slashed, t.bounty) = slashedFor(c, m, tier, c.slashed);
        t.compensation = t.slashed - t.bounty;
        if (closed) t.returned = t.bonded - t.slashed;
        t.stake = t.bonded - t.slashed - t.returned;
    }

    /// @dev The current commitment has the windows from since + 1 to `last`; the books of those before are closed.
    function _totalPay(
        Totals memory t,
        Course memory c,
        Money memory m,
        Revision memory v,
        uint256 feeBps
    ) private pure {
        uint256 last = v.from == 0 ? c.periods : v.from - 1;
        uint256 paid = c.paid - (v.since - v.lapsed);
        uint256 kept = c.stage == Stage.Closed ? paid : last - v.since;
        t.funded = v.paid + v.fee + v.refunded + m.fundedPeriods * m.price + (c.periods - last) * v.price;
        uint256 fee = paid * feeDown(m.price, feeBps);
        t.fee = v.fee + fee;
        t.paid = v.paid + paid * m.price - fee;
        t.refunded = v.refunded + (m.fundedPeriods - kept) * m.price;
        t.escrow = t.funded - t.paid - t.fee - t.refunded;
    }
}
