// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {Course, DealLedger, Due, Stage, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {DealTerms} from "./libraries/DealTerms.sol";
import {FilecoinAddress} from "./libraries/FilecoinAddress.sol";
import {PayoutList, Payouts} from "./libraries/Payouts.sol";
import {Schedule, Tier} from "./libraries/Schedule.sol";
import {MarketBase} from "./MarketBase.sol";

/// @title What every entry point is made of
/// @notice Opening and booking a deal, and moving its money. Shared by the market's two parts, so it has no entry point
/// and no storage of its own.
abstract contract MarketCore is MarketBase, ReentrancyGuardTransient {
    using DealLedger for Course;
    using DealStore for StoredDeal;
    using Payouts for PayoutList;

    // Opening

    /// @dev Fills `tier` with that of terms that can be opened now, as far as time, table and their history go.
    function _requireOpenable(DealTerms memory terms, uint256 id, Tier memory tier) internal view {
        _requireFresh(id);
        // solhint-disable-next-line not-rely-on-time
        if (block.timestamp > terms.validUntil) revert IStorageMarket.TermsExpired(terms.validUntil);
        if (terms.tier >= tierCount) revert IStorageMarket.UnknownTier(terms.tier);
        _loadTier(tier, terms.tier);
    }

    function _requireFresh(uint256 id) internal view {
        Stage stage = _deals[id].stageOf();
        if (stage == Stage.Cancelled) revert IStorageMarket.TermsCancelled(id);
        if (stage != Stage.None) revert IStorageMarket.DealExists(id);
    }

    /// @dev Writes the deal and gives it to its client. Its money is the caller's to hold, its stake to lock.
    function _openDeal(DealTerms memory terms, uint256 id, Tier memory tier, address payer, bool gift) internal {
        uint256 phase = Schedule.phase(terms.provider, terms.tier, tier.period);
        uint256 first = Schedule.firstEpoch(block.number + challengeFinality, phase, tier.period);
        _deals[id].open(terms, first, gift);
        emit IStorageMarket.Opened(id, terms.client, terms.provider, terms, payer, gift, first);
        _mint(terms.client, id);
    }

    // Booking

    /// @dev Books one deal up to this block: brings `r` up to date and adds what moves to `list`. Of the money, the
    /// bond is read only where something but pay moves.
    function _book(uint256 id, Reading memory r, address bountyTo, PayoutList memory list) internal {
        Course memory c = r.course;
        Status status = r.standing.status;
        if (status == Status.None || c.stage == Stage.Closed) return;
        StoredDeal storage deal = _deals[id];
        deal.loadPay(r.money);
        bool pays = (status == Status.Open || status == Status.Ending) && r.standing.missed == c.slashed;
        if (!pays) deal.loadBond(r.money);
        Due memory d = c.due(r.money, r.tier, r.standing, feeBps);
        if (pays && d.windows == 0) return;

        c.book(d);
        deal.saveCounts(c);
        // Where nothing goes to the owner, its slot need not be read.
        address owner = pays ? address(0) : _ownerOf(id);
        if (d.misses == 0) bountyTo = address(0);
        else if (!FilecoinAddress.isAccount(bountyTo)) bountyTo = owner;
        emit IStorageMarket.Settled(id, c.paid, c.slashed, d, bountyTo, status);
        if (d.payment > 0) list.addPay(registry, treasury, c.provider, r.money.token, d.payment, d.fee);
        if (!pays) _gatherRest(list, r, owner, bountyTo, d);
    }

    function _gatherRest(
        PayoutList memory list,
        Reading memory r,
        address owner,
        address bountyTo,
        Due memory d
    ) private pure {
        address token = r.money.token;
        address provider = r.course.provider;
        list.add(address(0), owner, token, d.refund);
        list.add(provider, bountyTo, token, d.bounty);
        list.add(provider, owner, token, d.compensation);
        list.add(provider, address(0), token, d.returned);
    }

    /// @dev Books one deal, which must exist, and reads all of its money; bounties go to its owner. What moves is in
    /// the list, for the caller to flush when it has written everything.
    function _bookAlone(uint256 id) internal returns (Reading memory r, PayoutList memory list) {
        list = Payouts.create(1);
        r = _read(id);
        _book(id, r, address(0), list);
        _deals[id].loadBond(r.money);
    }

    function _flush(PayoutList memory list) internal {
        list.flush(vault, registry);
    }

    function _hold(address payer, address token, uint256 amount) internal {
        if (amount > 0) vault.hold(payer, token, amount);
    }

    function _lock(address provider, address token, uint256 amount) internal {
        if (amount > 0) registry.lock(provider, token, amount);
    }
}
