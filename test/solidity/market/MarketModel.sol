// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Status, Totals} from "../../../contracts/libraries/DealLedger.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {Tier} from "../../../contracts/libraries/Schedule.sol";
import {MarketWorld} from "./MarketWorld.sol";

/// @title The market from its definitions
/// @notice Keeps, for each deal, the list of windows that were proven, and for each account, what it must have. All
/// amounts come from loops over windows and misses, with none of the market's arithmetic in between.
abstract contract MarketModel is MarketWorld {
    struct Ghost {
        DealTerms terms;
        address owner;
        uint256 opened;
        uint256 first;
        uint256 periods;
        uint256 fundedPeriods;
        uint256 restored;
        uint256 refundedPeriods;
        /// @dev The block up to which the deal was last booked.
        uint256 booked;
        bool ended;
        /// @dev The block at which the owner ended it, and its periods before.
        uint256 endedAt;
        uint256 endedPeriods;
        /// @dev What it was when it was first seen in a terminal state: status and totals.
        bytes32 epitaph;
    }

    /// @dev What a deal is at a block, by the definitions.
    struct Fate {
        Status status;
        uint256 closed;
        uint256 provenClosed;
        uint256 missed;
        uint256 payable_;
        uint256 open;
    }

    uint256[] internal ids;
    mapping(uint256 id => Ghost) internal ghosts;
    mapping(uint256 id => mapping(uint256 window => bool)) internal proven;
    /// @dev The challenge of a window as it was first read.
    mapping(uint256 id => mapping(uint256 window => bytes32)) internal challenges;
    /// @dev The seeds that challenges were read with.
    uint256[] internal epochs;
    mapping(uint256 epoch => uint256) internal seeds;
    mapping(address account => mapping(address token => uint256)) internal claims;
    mapping(address provider => mapping(address token => uint256)) internal free;
    mapping(address provider => address) internal payees;
    address[] internal accounts;
    address[] internal providers;

    /// @dev Notes what an account has before the first action.
    function _track(address account) internal {
        accounts.push(account);
        address[3] memory tokens = _tokens();
        for (uint256 i; i < 3; ++i) claims[account][tokens[i]] = vault.balanceOf(account, uint160(tokens[i]));
    }

    function _now() internal view returns (uint256) {
        return vm.getBlockNumber();
    }

    function _tierOf(uint256 id) internal view returns (Tier memory) {
        return tiers[ghosts[id].terms.tier];
    }

    function _epoch(uint256 id, uint256 k) internal view returns (uint256) {
        return ghosts[id].first + (k - 1) * _tierOf(id).period;
    }

    /// @dev Goes through the windows one by one; a default ends the walk.
    function _fate(uint256 id, uint256 at) internal view returns (Fate memory f) {
        Ghost storage g = ghosts[id];
        Tier memory tier = _tierOf(id);
        uint256 allowance = tier.maxMisses + g.restored;
        uint256 provenAll;
        for (uint256 k = 1; k <= g.periods; ++k) {
            uint256 epoch = _epoch(id, k);
            if (proven[id][k]) ++provenAll;
            if (epoch < at && at <= epoch + tier.window) f.open = k;
            if (epoch + tier.window >= at) continue;
            ++f.closed;
            if (proven[id][k]) ++f.provenClosed;
            else if (f.missed < allowance) ++f.missed;
        }
        f.payable_ = f.missed == allowance ? provenAll : f.provenClosed;
        if (f.missed == allowance) f.status = Status.Defaulted;
        else if (f.closed == g.periods) f.status = Status.Completed;
        else f.status = g.ended ? Status.Ending : Status.Open;
    }

    /// @dev The totals of a deal that was booked at block `at`.
    function _totals(uint256 id, uint256 at) internal view returns (Totals memory t) {
        Ghost storage g = ghosts[id];
        Tier memory tier = _tierOf(id);
        Fate memory f = _fate(id, at);
        bool closes = f.status == Status.Completed || f.status == Status.Defaulted;
        uint256 price = g.terms.pricePerPeriod;
        uint256 share = g.terms.collateral / tier.maxMisses;
        t.funded = g.fundedPeriods * price;
        t.bonded = g.terms.collateral;
        for (uint256 i; i < g.restored; ++i) t.bonded += share;
        for (uint256 i; i < f.payable_; ++i) {
            t.fee += (price * FEE_BPS) / 10_000;
            t.paid += price - (price * FEE_BPS) / 10_000;
        }
        for (uint256 i = 1; i <= f.missed; ++i) {
            uint256 slash = i == tier.maxMisses + g.restored ? t.bonded - t.slashed : share;
            t.slashed += slash;
            t.bounty += slash / 20;
            t.compensation += slash - slash / 20;
        }
        t.refunded = g.refundedPeriods * price;
        if (closes) {
            t.refunded += (g.periods - f.payable_) * price;
            t.returned = t.bonded - t.slashed;
        }
        t.escrow = t.funded - t.paid - t.fee - t.refunded;
        t.stake = t.bonded - t.slashed - t.returned;
    }

    /// @dev What a settlement now must move, to whom.
    function _book(uint256 id, address bountyTo) internal {
        Ghost storage g = ghosts[id];
        Totals memory a = _totals(id, g.booked);
        Totals memory b = _totals(id, _now());
        address token = g.terms.token;
        address provider = g.terms.provider;
        if (bountyTo == address(0) || bountyTo == ALIAS) bountyTo = g.owner;
        claims[payees[provider]][token] += b.paid - a.paid;
        claims[treasury][token] += b.fee - a.fee;
        claims[g.owner][token] += b.refunded - a.refunded + b.compensation - a.compensation;
        claims[bountyTo][token] += b.bounty - a.bounty;
        free[provider][token] += b.returned - a.returned;
        g.booked = _now();
    }

    function _isTerminal(Status status) internal pure returns (bool) {
        return status == Status.Completed || status == Status.Defaulted;
    }

    /// @dev Status and totals that a terminal deal keeps for ever, as the market tells them.
    function _epitaph(uint256 id) internal view returns (bytes32) {
        return keccak256(abi.encode(market.statusOf(id), lens.totalsNow(id), lens.standingOf(id).missed));
    }

    /// @dev Notes terminal states and challenges when they are first seen.
    function _observe() internal {
        for (uint256 i; i < ids.length; ++i) {
            uint256 id = ids[i];
            Ghost storage g = ghosts[id];
            if (g.epitaph != 0) continue;
            Fate memory f = _fate(id, _now());
            if (_isTerminal(f.status)) g.epitaph = _epitaph(id);
            else if (f.open != 0 && challenges[id][f.open] == 0) _noteChallenge(id, f.open);
        }
    }

    function _noteChallenge(uint256 id, uint256 window) private {
        challenges[id][window] = _challenge(id);
        uint256 epoch = _epoch(id, window);
        if (seeds[epoch] != 0) return;
        seeds[epoch] = randomness.seed(epoch);
        epochs.push(epoch);
    }

    function _challenge(uint256 id) internal view returns (bytes32) {
        (uint256 window, uint256 epoch, uint256[] memory leaves) = lens.challengeOf(id);
        return keccak256(abi.encode(market.pieceIdOf(id), window, epoch, leaves));
    }
}
