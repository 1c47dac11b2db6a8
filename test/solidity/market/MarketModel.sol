// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Course, Revision, Status, Totals} from "../../../contracts/libraries/DealLedger.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {Tier} from "../../../contracts/libraries/Schedule.sol";
import {MarketWorld} from "./MarketWorld.sol";

/// @title The market from its definitions
/// @notice Keeps, for each deal, the list of its windows, each with its own price and data, and for each account, what
/// it must have. All amounts come from loops over windows and misses, with none of the market's arithmetic in between.
abstract contract MarketModel is MarketWorld {
    /// @dev What both parties agreed on at once: by the terms, number 0, or by an amendment.
    struct Window {
        uint256 price;
        uint256 data;
        uint256 leafCount;
        uint256 agreement;
    }

    struct Ghost {
        DealTerms terms;
        address owner;
        uint256 opened;
        uint256 first;
        uint256 funded;
        uint256 restored;
        /// @dev Given back by endings and amendments.
        uint256 givenBack;
        uint256 amendments;
        uint256 successor;
        /// @dev The block up to which the deal was last booked.
        uint256 booked;
        bool ended;
        /// @dev The block at which the owner ended it, and its periods before.
        uint256 endedAt;
        uint256 endedPeriods;
        /// @dev What it was when it was first seen in a terminal state: status and totals.
        bytes32 epitaph;
    }

    /// @dev What a deal is at a block, by the definitions. `agreement` is the one in force; windows under another that
    /// is not in force when the deal defaults are no longer `periods` of it.
    struct Fate {
        Status status;
        uint256 periods;
        uint256 agreement;
        uint256 closed;
        uint256 provenClosed;
        uint256 missed;
        uint256 payable_;
        uint256 open;
    }

    uint256[] internal ids;
    mapping(uint256 id => Ghost) internal ghosts;
    mapping(uint256 id => Window[]) internal windows;
    mapping(uint256 id => mapping(uint256 window => bool)) internal proven;
    /// @dev The market's commitment for a window as it was when it must not change any more, and for how many windows
    /// it was noted.
    mapping(uint256 id => mapping(uint256 window => bytes32)) internal pinned;
    mapping(uint256 id => uint256) internal pins;
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

    /// @dev Goes through the windows one by one. What was not in force when the deal defaulted never will be.
    function _fate(uint256 id, uint256 at) internal view returns (Fate memory f) {
        Ghost storage g = ghosts[id];
        Tier memory tier = _tierOf(id);
        uint256 allowance = tier.maxMisses + g.restored;
        uint256 provenAll;
        for (uint256 k = 1; k <= windows[id].length; ++k) {
            uint256 agreement = windows[id][k - 1].agreement;
            bool closed = _epoch(id, k) + tier.window < at;
            if (f.missed == allowance) {
                if (agreement != f.agreement) break;
            } else if (closed || k == f.closed + 1) {
                f.agreement = agreement;
            }
            ++f.periods;
            if (proven[id][k]) ++provenAll;
            if (_epoch(id, k) < at && !closed) f.open = k;
            if (!closed) continue;
            ++f.closed;
            if (proven[id][k]) ++f.provenClosed;
            else if (f.missed < allowance) ++f.missed;
        }
        f.payable_ = f.missed == allowance ? provenAll : f.provenClosed;
        if (f.missed == allowance) f.status = Status.Defaulted;
        else if (f.closed == f.periods) f.status = g.successor == 0 ? Status.Completed : Status.Migrated;
        else f.status = g.ended ? Status.Ending : Status.Open;
    }

    /// @dev The totals of a deal that was booked at block `at`.
    function _totals(uint256 id, uint256 at) internal view returns (Totals memory t) {
        Ghost storage g = ghosts[id];
        Tier memory tier = _tierOf(id);
        Fate memory f = _fate(id, at);
        uint256 share = g.terms.collateral / tier.maxMisses;
        t.funded = g.funded;
        t.refunded = g.givenBack;
        t.bonded = g.terms.collateral;
        for (uint256 i; i < g.restored; ++i) t.bonded += share;
        _addPay(id, f, t);
        for (uint256 i = 1; i <= f.missed; ++i) {
            uint256 slash = i == tier.maxMisses + g.restored ? t.bonded - t.slashed : share;
            t.slashed += slash;
            t.bounty += slash / 20;
            t.compensation += slash - slash / 20;
        }
        if (_isTerminal(f.status)) t.returned = t.bonded - t.slashed;
        t.escrow = t.funded - t.paid - t.fee - t.refunded;
        t.stake = t.bonded - t.slashed - t.returned;
    }

    /// @dev What each window costs and gives back. Misses under an agreement go back when it is replaced or at the end.
    function _addPay(uint256 id, Fate memory f, Totals memory t) private view {
        for (uint256 k = 1; k <= windows[id].length; ++k) {
            Window storage w = windows[id][k - 1];
            bool paid = proven[id][k] && (k <= f.closed || f.status == Status.Defaulted);
            if (paid) {
                t.fee += (w.price * FEE_BPS) / 10_000;
                t.paid += w.price - (w.price * FEE_BPS) / 10_000;
            } else if (_isTerminal(f.status) || (k <= f.closed && w.agreement < f.agreement)) {
                t.refunded += w.price;
            }
        }
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
        return status == Status.Completed || status == Status.Defaulted || status == Status.Migrated;
    }

    /// @dev Status and totals that a terminal deal keeps for ever, as the market tells them.
    function _epitaph(uint256 id) internal view returns (bytes32) {
        return keccak256(abi.encode(market.statusOf(id), lens.totalsNow(id), lens.standingOf(id).missed));
    }

    /// @dev A proof books a deal only where it is the first one under a new agreement.
    function _bookReplacement(uint256 id) internal {
        if (_fate(id, ghosts[id].booked).agreement != _fate(id, _now()).agreement) _book(id, address(0));
    }

    /// @dev The window whose commitment is in force.
    function _inForce(uint256 id) internal view returns (Window storage) {
        Fate memory f = _fate(id, _now());
        return windows[id][(f.closed < f.periods ? f.closed + 1 : f.periods) - 1];
    }

    function _pieceOf(Window storage w) internal view returns (bytes32) {
        return keccak256(abi.encode(_rootOf(w.data, w.leafCount), w.leafCount));
    }

    /// @dev Notes the commitment of every window that is so near that it is fixed.
    function _pin() internal {
        for (uint256 i; i < ids.length; ++i) {
            uint256 id = ids[i];
            uint256 k = pins[id] + 1;
            for (; k <= windows[id].length && _epoch(id, k) < _now() + FINALITY; ++k)
                pinned[id][k] = _commitment(id, k);
            pins[id] = k - 1;
        }
    }

    /// @dev What the market's own record says of the data that window k is to be proven with.
    function _commitment(uint256 id, uint256 k) private view returns (bytes32) {
        Revision memory r = market.revisionOf(id);
        if (r.from != 0 && k >= r.from) return keccak256(abi.encode(r.root, r.leafCount));
        (bytes32 root, Course memory course, ) = market.recordOf(id);
        return keccak256(abi.encode(root, course.leafCount));
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
