// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Status} from "../../../contracts/libraries/DealLedger.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {MarketModel} from "./MarketModel.sol";

/// @title What the actions of the handler are made of
/// @notice Time, proofs, and the opening of deals, each foretold by the model: a call that succeeds where it must not,
/// or fails where it must not, fails the test.
///
/// Provider 0 is honest and proves every window before it closes. Provider 1 proves when it is asked to. Provider 2
/// holds nothing and never proves.
abstract contract MarketActions is MarketModel {
    uint256 internal constant HONEST = 0;
    uint256 internal constant EMPTY = 2;
    /// @dev Ways to open: the first ones are right, the others wrong.
    uint256 internal constant RIGHT_WAYS = 6;
    uint256 internal constant ALL_WAYS = 11;

    struct Attempt {
        uint256 way;
        address sender;
        address payer;
        bytes clientSignature;
        bytes providerSignature;
    }

    address[] internal clients;
    mapping(address provider => address) internal signers;
    mapping(address provider => address) internal retiredSigners;
    mapping(uint256 id => bytes) internal lastProof;
    /// @notice How often each action succeeded, or was refused as it had to be.
    mapping(string action => uint256) public done;
    uint256 internal mostDeals;
    uint256 private _entropy;
    uint256 private _seeds;

    function _begin(uint256 x) internal {
        _entropy = x;
    }

    /// @dev A number below n that follows from the action's argument.
    function _draw(uint256 n) internal returns (uint256) {
        _entropy = uint256(keccak256(abi.encode(_entropy)));
        return _entropy % n;
    }

    /// @dev Calls, and fails the test where the outcome isn't the one foretold.
    function _act(
        string memory action,
        address sender,
        address target,
        bytes memory data,
        bool expected
    ) internal returns (bool ok) {
        _pin();
        ok = _call(sender, target, data);
        assertEq(ok, expected, action);
        ++done[ok ? action : string.concat(action, " refused")];
    }

    // Time

    /// @dev Lets time pass. The honest provider proves whatever would close meanwhile, at a random block of its window.
    function _advance(uint256 target) internal {
        while (true) {
            (uint256 id, uint256 k) = _firstDuty(target);
            if (k == 0) break;
            uint256 epoch = _epoch(id, k);
            uint256 from = _now() > epoch ? _now() : epoch + 1;
            vm.roll(from + _draw(epoch + _tierOf(id).window + 1 - from));
            _prove(id);
        }
        vm.roll(target);
    }

    /// @dev The honest provider's unproven window that closes first, if it does so before `target`.
    function _firstDuty(uint256 target) private view returns (uint256 duty, uint256 window) {
        uint256 earliest = target;
        for (uint256 i; i < ids.length; ++i) {
            uint256 id = ids[i];
            if (ghosts[id].terms.provider != providers[HONEST] || ghosts[id].epitaph != 0) continue;
            for (uint256 k = 1; k <= windows[id].length; ++k) {
                uint256 last = _epoch(id, k) + _tierOf(id).window;
                if (last >= earliest || last < _now() || proven[id][k]) continue;
                (earliest, duty, window) = (last, id, k);
            }
        }
    }

    /// @dev An edge of the deal's next window: the challenge, the first and last block of the window, the one after.
    function _edge(uint256 id) internal returns (uint256 target) {
        uint256 k = 1;
        while (k < windows[id].length && _epoch(id, k) + _tierOf(id).window < _now()) ++k;
        uint256 window = _tierOf(id).window;
        target = _epoch(id, k) + [0, 1, window, window + 1][_draw(4)];
        if (target <= _now()) target = _now() + 1;
    }

    // Proofs

    function _provable(uint256 id) internal view returns (bool) {
        return ghosts[id].terms.provider != providers[EMPTY];
    }

    /// @dev The window that a right proof would be accepted for now, zero for none.
    function _wanted(uint256 id) internal view returns (uint256) {
        Fate memory f = _fate(id, _now());
        return f.status == Status.Defaulted || f.open == 0 || proven[id][f.open] ? 0 : f.open;
    }

    /// @dev What proves the window that is open now, whatever has become of the deal.
    function _rightProof(uint256 id) internal view returns (bytes memory) {
        uint256 k = _fate(id, _now()).open;
        Window storage w = windows[id][k - 1];
        return _proofFor(id, k, _epoch(id, k), ghosts[id].terms.tier, w.data, w.leafCount);
    }

    /// @dev Sends the right proof, or the last one where no window is open; true if it was accepted.
    function _prove(uint256 id) internal returns (bool ok) {
        uint256 window = _wanted(id);
        bytes memory proof = _fate(id, _now()).open == 0 ? lastProof[id] : _rightProof(id);
        ok = _act("prove", keeper, address(market), abi.encodeCall(market.prove, (id, proof)), window != 0);
        if (ok) _noteProof(id, window, proof);
    }

    function _noteProof(uint256 id, uint256 window, bytes memory proof) internal {
        assertEq(_pieceOf(windows[id][window - 1]), pinned[id][window], "14: proven with what was fixed before");
        _bookReplacement(id);
        proven[id][window] = true;
        lastProof[id] = proof;
    }

    // Opening

    function _randomTerms() internal returns (DealTerms memory terms) {
        uint8 index = uint8(_draw(3));
        address client = clients[_draw(clients.length)];
        // The runner plays an argument more than once, and terms open once.
        uint256 seed = _draw(type(uint256).max) ^ ++_seeds;
        terms = _termsFor(client, providers[_draw(3)], index, seed, 1 + _draw(12));
        uint32 maxMisses = tiers[index].maxMisses;
        terms.periods = maxMisses + uint32(_draw(8));
        terms.maxPeriods = terms.periods + uint32(_draw(6));
        terms.token = _tokens()[_draw(3)];
        terms.pricePerPeriod = [0, 1, 99, 10_001, 2 ** 97 + 10_101, 2 ** 110][_draw(6)];
        terms.collateral = [0, maxMisses, maxMisses + 1, 50_003, 2 ** 99 + 30_303, 2 ** 109][_draw(6)];
    }

    /// @dev Opens in one of the ways that a deal can be opened, or can't.
    function _openSomehow(DealTerms memory terms, uint256 way) internal {
        if (way == 9) terms.validUntil = uint64(vm.getBlockTimestamp() - 1);
        if (way == 10 && ids.length > 0) terms = ghosts[ids[_draw(ids.length)]].terms;
        Attempt memory a = _attempt(terms, way);
        bool expected = a.way < RIGHT_WAYS && _affordable(terms, a.payer);
        uint256 id = market.dealIdOf(terms);
        bytes memory data = abi.encodeCall(market.open, (terms, a.clientSignature, a.providerSignature));
        if (_act("open", a.sender, address(market), data, expected)) _noteOpening(id, terms, a);
    }

    function _attempt(DealTerms memory terms, uint256 way) private view returns (Attempt memory a) {
        uint256 id = market.dealIdOf(terms);
        address signer = signers[terms.provider];
        address retired = retiredSigners[terms.provider];
        if ((way == 4 || way == 5) && signer == address(0)) way = 0;
        if (way == 8 && retired == address(0)) way = 7;
        a = Attempt(way, keeper, terms.client, "", _sign(terms.provider, id));
        // The sponsor, who is a client where a deal of its own was moved, has no key.
        if (keyOf[terms.client] != 0) a.clientSignature = _sign(terms.client, id);
        if (way == 0) (a.sender, a.clientSignature) = (terms.client, "");
        if (way == 1) (a.sender, a.providerSignature) = (terms.provider, "");
        if (way == 3) (a.sender, a.payer, a.clientSignature) = (sponsor, sponsor, "");
        if (way == 4) (a.sender, a.providerSignature) = (signer, "");
        if (way == 5) a.providerSignature = _sign(signer, id);
        if (way == 6) a.clientSignature = a.providerSignature;
        if (way == 7) a.providerSignature = "";
        if (way == 8) a.providerSignature = _sign(retired, id);
    }

    function _affordable(DealTerms memory terms, address payer) private view returns (bool) {
        uint256 cost = uint256(terms.pricePerPeriod) * terms.periods;
        address provider = terms.provider;
        uint256 stake = free[provider][address(plain)] + _lockedOf(provider, address(plain));
        bool staked = free[provider][terms.token] >= terms.collateral && stake >= MIN_STAKE;
        return staked && claims[payer][terms.token] >= cost;
    }

    /// @dev What deals as booked still have of a provider's stake.
    function _lockedOf(address provider, address token) internal view returns (uint256 locked) {
        for (uint256 i; i < ids.length; ++i) {
            DealTerms storage terms = ghosts[ids[i]].terms;
            if (terms.provider != provider || terms.token != token) continue;
            locked += _totals(ids[i], ghosts[ids[i]].booked).stake;
        }
    }

    function _noteOpening(uint256 id, DealTerms memory terms, Attempt memory a) private {
        ++done[["by client", "by provider", "by anybody", "gift", "by signer", "signer signs"][a.way]];
        _noteDeal(id, terms, uint256(terms.salt));
        claims[a.payer][terms.token] -= ghosts[id].funded;
    }

    /// @dev A deal that has just been opened, for data that follow from `data`; who pays is the caller's to note.
    function _noteDeal(uint256 id, DealTerms memory terms, uint256 data) internal {
        ids.push(id);
        Ghost storage g = ghosts[id];
        g.terms = terms;
        g.owner = terms.client;
        g.opened = _now();
        g.booked = _now();
        g.funded = uint256(terms.pricePerPeriod) * terms.periods;
        uint256 period = tiers[terms.tier].period;
        uint256 phase = (uint256(keccak256(abi.encode(terms.provider, terms.tier))) % 16) * (period / 16);
        g.first = _now() + FINALITY;
        while (g.first % period != phase) ++g.first;
        for (uint256 i; i < terms.periods; ++i) {
            windows[id].push(Window(terms.pricePerPeriod, data, terms.leafCount, 0));
        }
        free[terms.provider][terms.token] -= terms.collateral;
    }
}
