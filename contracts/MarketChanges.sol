// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IMarketChanges} from "./interfaces/IMarketChanges.sol";
import {MarketConfig} from "./interfaces/IMarketConfig.sol";
import {IProofVerifier} from "./interfaces/IProofVerifier.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {Course, DealLedger, Stage, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {PayoutList, Payouts} from "./libraries/Payouts.sol";
import {Schedule} from "./libraries/Schedule.sol";
import {MarketBase} from "./MarketBase.sol";
import {MarketCore} from "./MarketCore.sol";

/// @title The part of a market that changes deals
/// @notice Code of `StorageMarket`, which deploys it and runs it by `delegatecall`, on its own storage and in its own
/// name. Called itself it refuses everything that it is there for: it has no deals.
/// @dev A contract of its own because of the limit on code size. Both parts get their storage and their immutables
/// from `MarketBase`, and neither declares storage of its own, so they agree on both by construction.
contract MarketChanges is IMarketChanges, MarketCore {
    using DealLedger for Course;
    using DealStore for StoredDeal;
    using Payouts for PayoutList;

    address private immutable _self = address(this);

    modifier delegated() {
        if (address(this) == _self) revert NotAMarket();
        _;
    }

    constructor(
        MarketConfig memory config,
        address termsChecker_,
        IProofVerifier proofVerifier_
    ) MarketBase(config, termsChecker_, proofVerifier_) {}

    /// @inheritdoc IMarketChanges
    function extend(uint256 id, uint32 periods, uint256 maxCost) external delegated nonReentrant {
        (Reading memory r, PayoutList memory list) = _bookAlone(id);
        Course memory c = r.course;
        _requireStatus(id, r.standing.status, false);
        if (periods == 0) revert ZeroAmount();
        uint256 lastEpoch = Schedule.epochOf(c.firstEpoch, r.tier.period, c.periods);
        if (block.number >= lastEpoch) revert TooLate(id, lastEpoch);
        uint256 total = c.periods + periods;
        _requireWithin(id, total, r.money.maxPeriods);
        uint256 cost = periods * r.money.price;
        if (cost > maxCost) revert CostTooHigh(cost, maxCost);

        c.periods = total;
        r.money.fundedPeriods += periods;
        _deals[id].saveCounts(c);
        _deals[id].saveBond(r.money);
        emit Extended(id, msg.sender, periods, cost);
        _flush(list);
        _hold(msg.sender, r.money.token, cost);
    }

    /// @inheritdoc IMarketChanges
    function restore(uint256 id, uint32 n) external delegated nonReentrant {
        (Reading memory r, PayoutList memory list) = _bookAlone(id);
        Course memory c = r.course;
        if (msg.sender != c.provider) revert NotProvider(id, msg.sender);
        _requireStatus(id, r.standing.status, true);
        if (n == 0) revert ZeroAmount();
        uint256 bond = n * DealLedger.share(r.money, r.tier);
        if (bond == 0) revert NothingToRestore(id);
        uint256 restored = c.restored + n;
        _requireWithin(id, restored, r.money.maxPeriods);

        c.restored = restored;
        _deals[id].saveCounts(c);
        emit Restored(id, n, bond);
        _flush(list);
        _lock(c.provider, r.money.token, bond);
    }

    /// @inheritdoc IMarketChanges
    function terminate(uint256 id) external delegated nonReentrant {
        (Reading memory r, PayoutList memory list) = _bookAlone(id);
        Course memory c = r.course;
        address owner = _ownerOf(id);
        if (msg.sender != owner) revert NotOwner(id, msg.sender);
        _requireStatus(id, r.standing.status, false);
        uint256 periods = c.endedPeriods(r.tier, block.number);
        uint256 refund = (c.periods - periods) * r.money.price;

        c.periods = periods;
        c.stage = Stage.Ending;
        _deals[id].saveCounts(c);
        emit Terminated(id, periods, refund);
        list.add(address(0), owner, r.money.token, refund);
        _flush(list);
    }

    /// @dev Open, or, where that will do, Ending.
    function _requireStatus(uint256 id, Status status, bool orEnding) private pure {
        if (status != Status.Open && !(orEnding && status == Status.Ending))
            revert IStorageMarket.WrongStatus(id, status);
    }

    function _requireWithin(uint256 id, uint256 periods, uint256 maxPeriods) private pure {
        if (periods > maxPeriods) revert BeyondMaxPeriods(id, periods, maxPeriods);
    }
}
