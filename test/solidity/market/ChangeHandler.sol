// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Status, Totals} from "../../../contracts/libraries/DealLedger.sol";
import {Amendment} from "../../../contracts/libraries/Amendments.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {DealHandler} from "./DealHandler.sol";

/// @title What the parties may change about a deal
/// @notice Windows are added, taken away and repriced one by one; what that costs is the difference of the totals.
abstract contract ChangeHandler is DealHandler {
    /// @dev Ways to consent to a change: the first ones are right, the others wrong.
    uint256 private constant RIGHT_CONSENTS = 3;
    uint256 private constant ALL_CONSENTS = 7;
    bytes32 private constant MIGRATION = keccak256("Migration(uint256 dealId,uint256 successor)");

    struct Consent {
        bool right;
        address sender;
        bytes owner;
        bytes provider;
    }

    constructor(uint256 mostDeals_) DealHandler(mostDeals_) {}

    function extend(uint256 x) external action(x) {
        uint256 id = _anyDeal();
        for (uint256 i; i < ids.length && _draw(6) > 0 && !_extensible(id); ++i) id = ids[ids.length - 1 - i];
        Ghost storage g = ghosts[id];
        address sender = _draw(2) == 0 ? sponsor : clients[_draw(3)];
        uint256 n = _draw(4);
        uint256 count = windows[id].length;
        Window memory last = windows[id][count - 1];
        uint256 cost = n * last.price;
        uint256 maxCost = _draw(8) == 0 ? cost / 2 : cost;
        if (claims[sender][g.terms.token] < cost) return;
        bool expected = _extensible(id) && n > 0 && count + n <= g.terms.maxPeriods && cost <= maxCost;
        bool waiting = _isWaiting(id);
        bytes memory data = abi.encodeCall(market.extend, (id, uint32(n), maxCost));
        if (!_act("extend", sender, address(market), data, expected)) return;
        if (waiting) ++done["extend while one waits"];
        _book(id, address(0));
        for (uint256 i; i < n; ++i) windows[id].push(last);
        g.funded += cost;
        claims[sender][g.terms.token] -= cost;
    }

    function _extensible(uint256 id) private view returns (bool) {
        return _fate(id, _now()).status == Status.Open && _now() < _epoch(id, windows[id].length);
    }

    function restore(uint256 x) external action(x) {
        uint256 id = _anyDeal();
        Ghost storage g = ghosts[id];
        address provider = g.terms.provider;
        // The empty provider restores nothing.
        if (provider == providers[EMPTY]) return;
        address sender = _draw(8) == 0 ? g.owner : provider;
        uint256 n = _draw(3);
        uint256 share = g.terms.collateral / _tierOf(id).maxMisses;
        bool live = !_isTerminal(_fate(id, _now()).status);
        bool expected = live && sender == provider && n > 0 && share > 0 && g.restored + n <= g.terms.maxPeriods;
        expected = expected && free[provider][g.terms.token] >= n * share;
        bytes memory data = abi.encodeCall(market.restore, (id, uint32(n)));
        if (!_act("restore", sender, address(market), data, expected)) return;
        _book(id, address(0));
        g.restored += n;
        free[provider][g.terms.token] -= n * share;
    }

    function terminate(uint256 x) external action(x) {
        uint256 id = _anyDeal();
        if (_draw(2) == 0) _advance(_edge(id));
        _terminate(id, _draw(4) == 0 ? keeper : ghosts[id].owner);
    }

    function _terminate(uint256 id, address sender) private {
        Ghost storage g = ghosts[id];
        bool expected = sender == g.owner && _fate(id, _now()).status == Status.Open;
        bool waiting = _isWaiting(id);
        if (!_act("terminate", sender, address(market), abi.encodeCall(market.terminate, (id)), expected)) return;
        _book(id, address(0));
        claims[g.owner][g.terms.token] += _end(id);
        if (waiting) ++done[_isWaiting(id) ? "terminate while one waits" : "terminate and drop"];
    }

    /// @dev Takes away the windows that an ending now takes away, and says what they would have cost.
    function _end(uint256 id) private returns (uint256 freed) {
        Ghost storage g = ghosts[id];
        Window[] storage list = windows[id];
        g.ended = true;
        (g.endedAt, g.endedPeriods) = (_now(), list.length);
        uint256 left = 1;
        for (uint256 k = 1; k <= list.length && _epoch(id, k) < _now(); ++k) ++left;
        for (; list.length > left; list.pop()) freed += list[list.length - 1].price;
        g.givenBack += freed;
    }

    // Amending

    function amend(uint256 x) external action(x) {
        uint256 id = _anyDeal();
        // Most of the others are ending, nearly over, or waiting for an amendment.
        for (uint256 i; i < ids.length && _draw(12) > 0 && !_amendable(id); ++i) id = ids[ids.length - 1 - i];
        uint256 how = _draw(3);
        if (how == 0) _advance(_edge(id));
        if (how == 1) _approach(id);
        if (!_amend(id)) return;
        if (_isWaiting(id) && _draw(how == 1 ? 2 : 8) == 0) _terminate(id, ghosts[id].owner);
    }

    /// @dev Goes to where the next challenge is too near to be amended, but not drawn.
    function _approach(uint256 id) private {
        uint256 k = 1;
        while (_epoch(id, k) < _now() + FINALITY) ++k;
        _advance(_epoch(id, k) - _draw(FINALITY));
    }

    function _amend(uint256 id) private returns (bool) {
        Ghost storage g = ghosts[id];
        Amendment memory a = _amendment(id);
        uint256 data = _draw(type(uint256).max);
        a.root = _rootOf(data, a.leafCount);
        bool sound = _spoil(a);
        bytes32 digest = _amendmentDigest(a);
        Consent memory c = _consent(g.owner, g.terms.provider, digest, digest);
        uint256 from = _moving(id);
        bool expected = sound && c.right && _amendable(id) && _available(id) >= _dearer(id, from, a.pricePerPeriod);
        bytes memory call_ = abi.encodeCall(market.amend, (a, c.owner, c.provider));
        if (!_act("amend", c.sender, address(market), call_, expected)) return false;
        _book(id, address(0));
        _replace(id, from, Window(a.pricePerPeriod, data, a.leafCount, a.nonce + 1));
        return true;
    }

    function _amendment(uint256 id) private returns (Amendment memory a) {
        uint256 price = windows[id][windows[id].length - 1].price;
        a.dealId = id;
        a.leafCount = uint64(1 + _draw(12));
        a.pricePerPeriod = uint128([price, price / 3, price + 77, 0, 20_002, 2 ** 97 + 11][_draw(6)]);
        a.nonce = uint32(ghosts[id].amendments);
        a.validUntil = uint64(vm.getBlockTimestamp());
    }

    /// @dev Makes one in eight wrong by itself.
    function _spoil(Amendment memory a) private returns (bool sound) {
        uint256 how = _draw(48);
        if (how == 0) --a.validUntil;
        if (how == 1) ++a.nonce;
        if (how == 2) a.leafCount = 0;
        if (how == 3) a.root = bytes32(uint256(0x40));
        if (how == 4) a.pricePerPeriod = type(uint128).max;
        if (how == 5) a.leafCount = 2 ** 40 + 1;
        return how > 5;
    }

    /// @dev Open, nothing waits, and a window is far enough away.
    function _amendable(uint256 id) private view returns (bool) {
        return _fate(id, _now()).status == Status.Open && !_isWaiting(id) && _moving(id) != 0;
    }

    /// @dev An amendment was accepted that is not in force yet.
    function _isWaiting(uint256 id) private view returns (bool) {
        return windows[id][windows[id].length - 1].agreement != _fate(id, _now()).agreement;
    }

    /// @dev The first window that is challenged late enough, zero for none.
    function _moving(uint256 id) private view returns (uint256) {
        for (uint256 k = 1; k <= windows[id].length; ++k) {
            if (_epoch(id, k) >= _now() + FINALITY) return k;
        }
        return 0;
    }

    function _dearer(uint256 id, uint256 from, uint256 price) private view returns (uint256 cost) {
        for (uint256 k = from; k > 0 && k <= windows[id].length; ++k) {
            uint256 before = windows[id][k - 1].price;
            if (price > before) cost += price - before;
        }
    }

    /// @dev Puts the windows from `from` under another agreement. Where none is left under the one before, it is
    /// replaced at once, and what its missed windows kept goes back.
    function _replace(uint256 id, uint256 from, Window memory w) private {
        Ghost storage g = ghosts[id];
        uint256 before = _totals(id, _now()).refunded;
        uint256 cost = _dearer(id, from, w.price);
        for (uint256 k = from; k <= windows[id].length; ++k) {
            uint256 old = windows[id][k - 1].price;
            if (old > w.price) g.givenBack += old - w.price;
            windows[id][k - 1] = w;
        }
        g.funded += cost;
        ++g.amendments;
        claims[g.owner][g.terms.token] -= cost;
        claims[g.owner][g.terms.token] += _totals(id, _now()).refunded - before;
        ++done[cost > 0 ? "amend to a higher price" : "amend to no higher price"];
        if (_fate(id, _now()).agreement == w.agreement) ++done["amend at once"];
    }

    /// @dev Who sends a change, and what is signed: `byOwner` and `byProvider` are the digests.
    function _consent(
        address owner,
        address provider,
        bytes32 byOwner,
        bytes32 byProvider
    ) private returns (Consent memory c) {
        uint256 way = _draw(3) == 0 ? _draw(ALL_CONSENTS) : _draw(RIGHT_CONSENTS);
        // The sponsor, who may own a deal, has no key.
        bool keyed = keyOf[owner] != 0;
        if (!keyed) way = 0;
        address signer = signers[provider];
        if (signer == address(0) || _draw(2) == 0) signer = provider;
        c = Consent(way < RIGHT_CONSENTS, keeper, "", _sign(signer, uint256(byProvider)));
        if (keyed) c.owner = _sign(owner, uint256(byOwner));
        if (way == 0) (c.sender, c.owner) = (owner, "");
        if (way == 1) (c.sender, c.provider) = (provider, "");
        if (way == 3) c.owner = "";
        if (way == 4) c.provider = "";
        if (way == 5) c.owner = c.provider;
        if (way == 6) c.provider = c.owner;
    }

    /// @dev What the owner has once the deal is settled, in its token.
    function _available(uint256 id) private view returns (uint256) {
        Ghost storage g = ghosts[id];
        Totals memory a = _totals(id, g.booked);
        Totals memory b = _totals(id, _now());
        return claims[g.owner][g.terms.token] + b.refunded - a.refunded + b.slashed - a.slashed;
    }

    // Migrating

    function migrate(uint256 x) external action(x) {
        if (ids.length > mostDeals + 4) return;
        uint256 id = _anyDeal();
        if (_draw(3) == 0) _advance(_edge(id));
        Ghost storage g = ghosts[id];
        Window memory w = _inForce(id);
        (DealTerms memory terms, bool sound) = _newTerms(id, w);
        uint256 successor = market.dealIdOf(terms);
        bytes32 byOwner = _digest(keccak256(abi.encode(MIGRATION, id, successor)));
        Consent memory c = _consent(g.owner, terms.provider, byOwner, bytes32(successor));
        bytes memory proof = _possession(id, terms.provider, terms.tier, w);
        if (_draw(10) == 0) (proof, sound) = (bytes.concat(proof, bytes32(0)), false);
        bool open_ = _fate(id, _now()).status == Status.Open;
        bool expected = sound && c.right && open_ && _payable(id, terms) && _stakeable(id, terms);
        bytes memory call_ = abi.encodeCall(market.migrate, (id, terms, c.owner, c.provider, proof));
        if (!_act("migrate", c.sender, address(market), call_, expected)) return;
        _book(id, address(0));
        g.successor = successor;
        claims[g.owner][g.terms.token] += _end(id);
        _noteDeal(successor, terms, w.data);
        claims[g.owner][terms.token] -= ghosts[successor].funded;
        assertEq(market.successorOf(id), successor, "successor");
    }

    /// @dev Terms for what is in force, one in eight of them wrong: another owner, another piece.
    function _newTerms(uint256 id, Window memory w) private returns (DealTerms memory terms, bool sound) {
        uint256 how = _draw(16);
        bytes32 other;
        terms = _randomTerms();
        if (_draw(3) != 0) terms.token = ghosts[id].terms.token;
        other = terms.root;
        terms.root = _rootOf(w.data, w.leafCount);
        terms.leafCount = uint64(w.leafCount);
        terms.client = how == 0 ? keeper : ghosts[id].owner;
        if (how == 1) terms.root = other;
        sound = how > 1;
    }

    /// @dev The new provider's answer to its own question, from the last block of the grid.
    function _possession(
        uint256 id,
        address provider,
        uint8 tier,
        Window memory w
    ) private view returns (bytes memory proof) {
        uint256 question = uint256(keccak256(abi.encode(keccak256("Holdfast migration"), id, provider)));
        uint256 q = _now() - 1;
        while (q % 64 != 0) --q;
        return _proofFor(question, 0, q, tier, w.data, w.leafCount);
    }

    /// @dev Whether what the old deal frees and the owner's account pay for the new one.
    function _payable(uint256 id, DealTerms memory terms) private view returns (bool) {
        Ghost storage g = ghosts[id];
        uint256 cost = uint256(terms.pricePerPeriod) * terms.periods;
        if (terms.token != g.terms.token) return claims[g.owner][terms.token] >= cost;
        uint256 has = _available(id);
        for (uint256 k = windows[id].length; k > 1 && _epoch(id, k - 1) >= _now(); --k) has += windows[id][k - 1].price;
        return has >= cost;
    }

    /// @dev Whether the new provider has the collateral, and the least stake once the old deal is settled.
    function _stakeable(uint256 id, DealTerms memory terms) private view returns (bool) {
        address provider = terms.provider;
        uint256 stake = free[provider][address(plain)] + _lockedOf(provider, address(plain));
        Ghost storage g = ghosts[id];
        if (g.terms.provider == provider && g.terms.token == address(plain)) {
            stake -= _totals(id, g.booked).stake - _totals(id, _now()).stake;
        }
        return free[provider][terms.token] >= terms.collateral && stake >= MIN_STAKE;
    }

    // Ownership

    function transfer(uint256 x) external action(x) {
        uint256 id = _anyDeal();
        Ghost storage g = ghosts[id];
        address[7] memory receivers = [
            clients[0],
            clients[1],
            clients[2],
            sponsor,
            address(market),
            address(vault),
            ALIAS
        ];
        uint256 choice = _draw(3) == 0 ? _draw(7) : _draw(4);
        address to = receivers[choice];
        uint256 how = _draw(4);
        address sender = _draw(8) == 0 ? keeper : g.owner;
        bytes32 state = market.stateHash(id);
        bytes memory data = abi.encodeCall(market.transferFrom, (g.owner, to, id));
        if (how == 1) data = abi.encodeWithSignature("safeTransferFrom(address,address,uint256)", g.owner, to, id);
        if (how == 2) data = abi.encodeCall(market.transferIf, (id, to, state));
        if (how == 3) data = abi.encodeCall(market.transferIf, (id, to, ~state));
        // The wallet has no receiver hook.
        bool taken = choice < 4 && !(how == 1 && to == clients[2]);
        if (!_act("transfer", sender, address(market), data, taken && how != 3 && sender == g.owner)) return;
        _book(id, address(0));
        g.owner = to;
    }
}
