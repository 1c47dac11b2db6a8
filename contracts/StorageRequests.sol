// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {DealView, IMarketLens} from "./interfaces/IMarketLens.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {IStorageRequests, ReplicaState, RequestState, Slot, StorageRequest} from "./interfaces/IStorageRequests.sol";
import {Status, Totals} from "./libraries/DealLedger.sol";
import {DealTerms} from "./libraries/DealTerms.sol";
import {RequestsBase} from "./RequestsBase.sol";

/// @title Requests
/// @notice The entry points. Money waits for providers in this contract's escrow in the vault. What deals give back
/// arrives as claims, which anybody can add to: what is due is read from the deals' totals, never from a balance.
contract StorageRequests is RequestsBase, ReentrancyGuardTransient {
    /// @dev The market takes the price of a deal from this contract's claims, where only `fill` puts it. It takes
    /// nothing else: this contract signs nothing, and calls nothing but what is below.
    constructor(IStorageMarket market_, IMarketLens lens_) RequestsBase(market_, lens_) {
        vault.setOperator(address(market_), true);
    }

    // Posting and filling

    /// @inheritdoc IStorageRequests
    function post(StorageRequest calldata request) external nonReentrant returns (uint256 id) {
        _requireClient(request);
        id = _idOf(request);
        if (id != requestIdOf(request)) revert MalformedRequest();
        if (_states[id].postedEpoch != 0) revert RequestExists(id);
        // The market keeps a tier's challenges within 8 bits.
        uint8 challenges = uint8(_checkRequest(request).challenges);
        // solhint-disable-next-line not-rely-on-time
        _states[id] = RequestState(uint48(block.number), uint48(block.timestamp), request.replicas, 0, challenges);
        emit Posted(id, request.client, request);
        _hold(request.client, request.token, uint256(request.maxPrice) * request.periods * request.replicas);
    }

    /// @inheritdoc IStorageRequests
    function fill(
        StorageRequest calldata request,
        uint256 slot,
        DealTerms memory terms,
        bytes calldata providerSignature,
        bytes calldata proof
    ) external nonReentrant returns (uint256 dealId) {
        (uint256 id, RequestState memory state) = _find(request);
        Replica memory replica = _replicaOf(id, state, request, slot);
        _checkOffer(id, state, request, slot, replica, terms);
        _checkTerms(request, terms, replica.periods);
        _checkProvider(id, request.regions, terms.provider);
        _checkPossession(id, state, request, slot, terms.provider, proof);

        if (slot == 0) _states[id].unfilled = state.unfilled - 1;
        else delete _slots[id][slot];
        dealId = _open(request, replica, terms, providerSignature);
        // The guard keeps others out, and the market calls nobody who could write: the id can come last.
        _deals[id][terms.provider] = dealId;
        uint256 rest = (replica.maxPrice - terms.pricePerPeriod) * replica.periods;
        emit Filled(id, dealId, terms.provider, slot, terms.pricePerPeriod, rest);
        _pay(request.client, request.token, rest);
    }

    /// @dev Opens the deal with money from escrow, and locks the provider's stake where the request asks for it.
    function _open(
        StorageRequest calldata request,
        Replica memory replica,
        DealTerms memory terms,
        bytes calldata providerSignature
    ) private returns (uint256) {
        if (request.minStake > 0) registry.lock(terms.provider, request.token, request.minStake);
        _pay(address(this), request.token, terms.pricePerPeriod * replica.periods);
        return market.open(terms, "", providerSignature);
    }

    // Taking back what nobody filled

    /// @inheritdoc IStorageRequests
    function cancel(StorageRequest calldata request) external {
        _requireClient(request);
        (uint256 id, RequestState memory state) = _find(request);
        if (state.lastEpoch != 0) revert AlreadyCancelled(id);
        uint256 lastEpoch = block.number + _challengeFinality;
        _states[id].lastEpoch = uint48(lastEpoch);
        emit RequestCancelled(id, lastEpoch);
    }

    /// @inheritdoc IStorageRequests
    function refund(StorageRequest calldata request) external nonReentrant returns (uint256 amount) {
        (uint256 id, RequestState memory state) = _find(request);
        if (state.unfilled == 0) revert NothingToRefund(id, 0);
        _requireOver(id, state, 0, request.expires);
        amount = uint256(request.maxPrice) * request.periods * state.unfilled;
        _states[id].unfilled = 0;
        emit Refunded(id, 0, amount);
        _pay(request.client, request.token, amount);
    }

    /// @inheritdoc IStorageRequests
    function refundSlot(StorageRequest calldata request, uint256 slot) external nonReentrant returns (uint256 amount) {
        (uint256 id, RequestState memory state) = _find(request);
        Slot memory again = _slots[id][slot];
        if (again.postedEpoch == 0) revert NothingToRefund(id, slot);
        _requireOver(id, state, slot, again.expires);
        amount = uint256(again.maxPrice) * again.periods;
        delete _slots[id][slot];
        emit Refunded(id, slot, amount);
        _pay(request.client, request.token, amount);
    }

    /// @dev That nobody can fill it any more.
    function _requireOver(uint256 id, RequestState memory state, uint256 slot, uint256 expires) private view {
        // solhint-disable-next-line not-rely-on-time
        bool expired = block.timestamp > expires;
        bool cancelled = state.lastEpoch != 0 && block.number > state.lastEpoch;
        if (!expired && !cancelled) revert NotOverYet(id, slot);
    }

    // Deals that this contract owns

    /// @inheritdoc IStorageRequests
    function repair(StorageRequest calldata request, address provider) external nonReentrant returns (bool reposted) {
        (uint256 id, RequestState memory state, uint256 dealId) = _findOwned(request, provider);
        _settle(dealId);
        DealView memory deal = lens.dealOf(dealId);
        if (deal.standing.status != Status.Defaulted) revert WrongReplicaStatus(dealId, deal.standing.status);
        ReplicaState storage replica = _replicas[dealId];
        replica.closed = true;
        Totals memory totals = lens.totalsOf(dealId);
        uint256 due = _takeDue(replica, totals.refunded + totals.compensation);
        if (!replica.ended && state.lastEpoch == 0) {
            uint256 locked = _repost(id, state, request, dealId, deal, totals);
            due -= locked;
            reposted = locked > 0;
        }
        _passOn(id, dealId, request, due);
    }

    /// @dev Posts the replica of a defaulted deal again, if enough periods and money are left.
    /// @return locked Of what the deal gave back, what waits for the next provider.
    function _repost(
        uint256 id,
        RequestState memory state,
        StorageRequest calldata request,
        uint256 dealId,
        DealView memory deal,
        Totals memory totals
    ) private returns (uint256 locked) {
        uint256 periods = deal.periods - deal.standing.closed;
        if (periods < market.tierAt(request.tier).maxMisses) return 0;
        // Pay for periods that the failed provider missed is not in it: the next one may be the same by another name.
        uint256 most = (deal.price < request.maxPrice ? deal.price : request.maxPrice) * periods;
        uint256 budget = (totals.refunded < most ? totals.refunded : most) + _bonus(totals);
        uint256 maxPrice = budget / periods;
        if (maxPrice > type(uint128).max) maxPrice = type(uint128).max;
        if (maxPrice == 0) return 0;
        // As long as the request itself was there to be filled.
        // solhint-disable-next-line not-rely-on-time
        uint256 expires = block.timestamp + (request.expires - state.postedTime);
        // Periods are below 2^32; expires is below 2^48 while the clock, too, is below 2^40.
        _slots[id][dealId] = Slot(uint48(block.number), uint48(expires), uint32(periods), uint128(maxPrice));
        emit Reposted(id, dealId, periods, _startPrice(request, maxPrice), maxPrice, expires);
        locked = maxPrice * periods;
        _hold(address(this), request.token, locked);
    }

    /// @inheritdoc IStorageRequests
    function collect(StorageRequest calldata request, address provider) external nonReentrant returns (uint256 amount) {
        (uint256 id, RequestState memory state, uint256 dealId) = _findOwned(request, provider);
        _settle(dealId);
        ReplicaState storage replica = _replicas[dealId];
        Status status = market.statusOf(dealId);
        // What a default gave back is for `repair` to share out.
        if (status == Status.Defaulted) revert WrongReplicaStatus(dealId, status);
        bool repairable = status != Status.Completed && !replica.ended && state.lastEpoch == 0;
        Totals memory totals = lens.totalsOf(dealId);
        uint256 free = totals.refunded + totals.compensation - (repairable ? _bonus(totals) : 0);
        amount = _takeDue(replica, free);
        _passOn(id, dealId, request, amount);
    }

    /// @inheritdoc IStorageRequests
    function terminate(
        StorageRequest calldata request,
        address provider
    ) external nonReentrant returns (uint256 amount) {
        _requireClient(request);
        (uint256 id, , uint256 dealId) = _findOwned(request, provider);
        // First, so that the bounty goes to the client.
        _settle(dealId);
        market.terminate(dealId);
        _replicas[dealId].ended = true;
        emit ReplicaTerminated(id, dealId);
        amount = _takeAll(dealId);
        _passOn(id, dealId, request, amount);
    }

    /// @inheritdoc IStorageRequests
    function release(StorageRequest calldata request, address provider) external nonReentrant returns (uint256 amount) {
        _requireClient(request);
        (uint256 id, , uint256 dealId) = _findOwned(request, provider);
        _settle(dealId);
        _replicas[dealId].closed = true;
        emit Released(id, dealId);
        amount = _takeAll(dealId);
        _passOn(id, dealId, request, amount);
        market.transferFrom(address(this), request.client, dealId);
    }

    /// @inheritdoc IStorageRequests
    function unlock(StorageRequest calldata request, address provider) external nonReentrant {
        (uint256 id, , uint256 dealId) = _findReplica(request, provider);
        ReplicaState storage replica = _replicas[dealId];
        if (request.minStake == 0 || replica.unlocked) revert NothingLocked(id, provider);
        Status status = market.statusOf(dealId);
        if (status == Status.Open || status == Status.Ending) revert WrongReplicaStatus(dealId, status);
        replica.unlocked = true;
        emit Unlocked(id, dealId, provider, request.minStake);
        registry.release(provider, request.token, request.minStake);
    }

    function _findReplica(
        StorageRequest calldata request,
        address provider
    ) private view returns (uint256 id, RequestState memory state, uint256 dealId) {
        (id, state) = _find(request);
        dealId = _deals[id][provider];
        if (dealId == 0) revert UnknownReplica(id, provider);
    }

    /// @dev A replica whose deal is this contract's, and not yet done with.
    function _findOwned(
        StorageRequest calldata request,
        address provider
    ) private view returns (uint256 id, RequestState memory state, uint256 dealId) {
        (id, state, dealId) = _findReplica(request, provider);
        if (!request.repair) revert NotRepairable(id);
        if (_replicas[dealId].closed) revert ReplicaClosed(id, dealId);
    }

    // Money

    /// @dev Books the deal; what it gives back is among this contract's claims then. Bounties go to the sender.
    function _settle(uint256 dealId) private {
        uint256[] memory ids = new uint256[](1);
        ids[0] = dealId;
        market.settle(ids, msg.sender);
    }

    /// @dev The part of the compensation that a repair adds to what the next provider can earn.
    function _bonus(Totals memory totals) private pure returns (uint256) {
        return totals.compensation / 2;
    }

    function _takeAll(uint256 dealId) private returns (uint256) {
        Totals memory totals = lens.totalsOf(dealId);
        return _takeDue(_replicas[dealId], totals.refunded + totals.compensation);
    }

    /// @dev Notes that all of `free` is collected, and says what of it had not been. It never falls: refunds and
    /// compensation only grow, and the part that is kept back is half of the latter at most.
    function _takeDue(ReplicaState storage replica, uint256 free) private returns (uint256 due) {
        due = free - replica.collected;
        // Two amounts below 2^128 each.
        replica.collected = uint232(free);
    }

    /// @dev From claims to the client.
    function _passOn(uint256 id, uint256 dealId, StorageRequest calldata request, uint256 amount) private {
        if (amount == 0) return;
        emit Collected(id, dealId, amount);
        vault.transfer(request.client, uint160(request.token), amount);
    }

    /// @dev From claims into escrow.
    function _hold(address from, address token, uint256 amount) private {
        if (amount > 0) vault.hold(from, token, amount);
    }

    /// @dev From escrow.
    function _pay(address to, address token, uint256 amount) private {
        if (amount > 0) vault.pay(to, token, amount);
    }
}
