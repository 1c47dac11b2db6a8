// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {DealView, IMarketLens} from "./interfaces/IMarketLens.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {Challenge} from "./libraries/Challenge.sol";
import {Course, DealLedger, Due, Money, Revision, Stage, Standing, Status, Totals} from "./libraries/DealLedger.sol";
import {Revisions, Step} from "./libraries/Revisions.sol";
import {Schedule, Tier} from "./libraries/Schedule.sol";

/// @title Reading a market
contract MarketLens is IMarketLens {
    using DealLedger for Course;
    using Revisions for Revision;

    /// @dev A deal with everything that its arithmetic needs.
    struct Reading {
        bytes32 root;
        Course course;
        Money money;
        Revision revision;
        Tier tier;
        Standing standing;
    }

    /// @inheritdoc IMarketLens
    IStorageMarket public immutable override market;
    uint256 private immutable _feeBps;

    constructor(IStorageMarket market_) {
        market = market_;
        _feeBps = market_.feeBps();
    }

    /// @inheritdoc IMarketLens
    function dealOf(uint256 id) external view returns (DealView memory) {
        (Reading memory r, ) = _current(id);
        return _view(id, r);
    }

    /// @inheritdoc IMarketLens
    function dealsOf(uint256[] calldata ids) external view returns (DealView[] memory views) {
        views = new DealView[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            (Reading memory r, bool found) = _tryRead(ids[i]);
            if (!found) continue;
            _advance(r);
            views[i] = _view(ids[i], r);
        }
    }

    /// @inheritdoc IMarketLens
    function standingOf(uint256 id) external view returns (Standing memory) {
        (Reading memory r, ) = _current(id);
        return r.standing;
    }

    /// @inheritdoc IMarketLens
    function dueOf(uint256 id) external view returns (Due memory due) {
        (Reading memory r, Due memory moved) = _current(id);
        due = r.course.due(r.money, r.revision, r.tier, r.standing, _feeBps);
        due.windows += moved.windows;
        due.payment += moved.payment;
        due.fee += moved.fee;
        due.refund += moved.refund;
    }

    /// @inheritdoc IMarketLens
    function totalsOf(uint256 id) external view returns (Totals memory) {
        Reading memory r = _read(id);
        return r.course.totals(r.money, r.revision, r.tier, _feeBps);
    }

    /// @inheritdoc IMarketLens
    function totalsNow(uint256 id) external view returns (Totals memory) {
        (Reading memory r, ) = _current(id);
        r.course.book(r.course.due(r.money, r.revision, r.tier, r.standing, _feeBps));
        return r.course.totals(r.money, r.revision, r.tier, _feeBps);
    }

    /// @inheritdoc IMarketLens
    function windowOf(uint256 id, uint256 k) external view returns (uint256 epoch, uint256 lastBlock) {
        (Reading memory r, ) = _current(id);
        if (k == 0 || k > r.course.periods) revert NoSuchWindow(id, k);
        epoch = Schedule.epochOf(r.course.firstEpoch, r.tier.period, k);
        lastBlock = epoch + r.tier.window;
    }

    /// @inheritdoc IMarketLens
    function challengeOf(uint256 id) external view returns (uint256 window, uint256 epoch, uint256[] memory leaves) {
        (Reading memory r, ) = _current(id);
        window = r.standing.open;
        if (window == 0 || r.standing.status == Status.Defaulted) revert NoOpenWindow(id);
        epoch = Schedule.epochOf(r.course.firstEpoch, r.tier.period, window);
        uint256 seed = market.randomness().seed(epoch);
        leaves = Challenge.indices(address(market), id, window, seed, r.tier.challenges, r.course.leafCount);
    }

    /// @inheritdoc IMarketLens
    function terminationOf(uint256 id) external view returns (uint256 periods, uint256 refund) {
        (Reading memory r, ) = _current(id);
        if (r.standing.status != Status.Open) return (r.course.periods, 0);
        periods = r.course.endedPeriods(r.tier, block.number);
        uint256 dropped;
        (refund, dropped) = r.revision.cut(r.course, r.money, periods);
        refund += dropped;
    }

    /// @inheritdoc IMarketLens
    function extensionOf(uint256 id) external view returns (uint256 lastBlock, uint256 room, uint256 price) {
        (Reading memory r, ) = _current(id);
        uint256 lastEpoch = Schedule.epochOf(r.course.firstEpoch, r.tier.period, r.course.periods);
        if (r.standing.status != Status.Open || block.number >= lastEpoch) return (0, 0, 0);
        return (lastEpoch - 1, r.money.maxPeriods - r.course.periods, r.revision.lastPrice(r.money));
    }

    /// @inheritdoc IMarketLens
    function restorationOf(uint256 id) external view returns (uint256 share, uint256 room) {
        (Reading memory r, ) = _current(id);
        bool live = r.standing.status == Status.Open || r.standing.status == Status.Ending;
        share = DealLedger.share(r.money, r.tier);
        if (share == 0 || !live) return (0, 0);
        room = r.money.maxPeriods - r.course.restored;
    }

    function _read(uint256 id) private view returns (Reading memory r) {
        bool found;
        (r, found) = _tryRead(id);
        if (!found) revert UnknownDeal(id);
    }

    /// @dev The deal with the step taken that the clock asks for, as if it were settled, and what that moves.
    function _current(uint256 id) private view returns (Reading memory r, Due memory moved) {
        r = _read(id);
        moved = _advance(r);
    }

    function _advance(Reading memory r) private view returns (Due memory moved) {
        Step step;
        bytes32 root;
        (step, root, moved) = r.revision.advance(r.course, r.money, r.tier, r.standing, _feeBps, block.number);
        if (step == Step.Turn) r.root = root;
    }

    function _tryRead(uint256 id) private view returns (Reading memory r, bool found) {
        (r.root, r.course, r.money) = market.recordOf(id);
        if (r.course.stage < Stage.Open) return (r, false);
        if (r.course.amended) r.revision = market.revisionOf(id);
        r.tier = market.tierAt(uint8(r.course.tier));
        r.standing = r.course.standing(r.tier, block.number);
        found = true;
    }

    function _view(uint256 id, Reading memory r) private view returns (DealView memory v) {
        Course memory c = r.course;
        Money memory m = r.money;
        v.owner = market.ownerOf(id);
        v.provider = c.provider;
        v.root = r.root;
        // Casts: leafCount is at most 2^40, and a tier is below 8.
        v.leafCount = uint64(c.leafCount);
        v.tier = uint8(c.tier);
        v.token = m.token;
        v.price = m.price;
        v.collateral = m.collateral;
        v.firstEpoch = c.firstEpoch;
        v.periods = c.periods;
        v.maxPeriods = m.maxPeriods;
        v.fundedPeriods = m.fundedPeriods;
        v.proven = c.proven;
        v.lastProven = c.lastProven;
        v.restored = c.restored;
        v.demandMisses = c.demandMisses;
        v.paidWindows = c.paid;
        v.slashedMisses = c.slashed;
        v.gift = c.gift;
        v.stage = c.stage;
        v.standing = r.standing;
        v.revision = r.revision;
        if (c.migrated) v.successor = market.successorOf(id);
    }
}
