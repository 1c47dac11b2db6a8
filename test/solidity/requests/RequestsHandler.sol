// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {DealView} from "../../../contracts/interfaces/IMarketLens.sol";
import {StorageRequest} from "../../../contracts/interfaces/IStorageRequests.sol";
import {Status, Totals} from "../../../contracts/libraries/DealLedger.sol";
import {RequestsActions} from "./RequestsActions.sol";

/// @title What anybody may do to requests, and to the deals that fill them
/// @notice Each action takes one number and draws everything from it. The model foretells the outcome.
abstract contract RequestsHandler is RequestsActions {
    uint256 private immutable _most;

    modifier action(uint256 x) {
        _begin(x);
        _;
    }

    constructor(uint256 most_) {
        _most = most_;
        _setUp();
        for (uint256 i; i < 3; ++i) {
            _begin(i);
            _post();
        }
    }

    function post(uint256 x) external action(x) {
        if (postings.length < _most) _post();
        else _advance(1 + _draw(20));
    }

    function _post() private {
        uint256 seed = _draw(type(uint256).max);
        StorageRequest memory r = _randomRequest(seed);
        address sender = _draw(8) == 0 ? keeper : r.client;
        uint256 cost = uint256(r.maxPrice) * r.periods * r.replicas;
        bool expected = sender == r.client && cost <= money[r.client][r.token];
        if (!_ask("post", sender, abi.encodeCall(requests.post, (r)), expected)) return;
        money[r.client][r.token] -= cost;
        funded[r.client][r.token] += cost;
        postings.push(Posting(r, requests.requestIdOf(r), seed, _now(), _time(), r.replicas, 0));
    }

    function fill(uint256 x) external action(x) {
        if (postings.length > 0) _fill(_attempt());
    }

    /// @dev Fills come in rows, since requests want several.
    function fillMore(uint256 x) external action(x) {
        for (uint256 i; i < 3 && postings.length > 0; ++i) _fill(_attempt());
    }

    function pass(uint256 x) external action(x) {
        if (_draw(3) == 0 || replicas.length == 0) return _advance(1 + _draw(60));
        // To the block after some deal's next window, where defaults begin.
        DealView memory deal = lens.dealOf(replicas[_draw(replicas.length)].id);
        uint256 k = deal.standing.closed + 1;
        uint256 target = deal.firstEpoch + (k - 1) * tiers[deal.tier].period + tiers[deal.tier].window + 1;
        _advance(target > _now() ? target - _now() : 1);
    }

    function cancel(uint256 x) external action(x) {
        if (postings.length == 0 || _draw(2) == 0) return;
        Posting storage p = postings[_draw(postings.length)];
        address sender = _draw(4) == 0 ? keeper : p.request.client;
        bool expected = sender == p.request.client && p.lastEpoch == 0;
        if (!_ask("cancel", sender, abi.encodeCall(requests.cancel, (p.request)), expected)) return;
        p.lastEpoch = _now() + FINALITY;
    }

    function refund(uint256 x) external action(x) {
        if (postings.length > 0) _refund(_draw(postings.length));
    }

    function _refund(uint256 at) private {
        Posting storage p = postings[at];
        StorageRequest memory r = p.request;
        bool expected = p.unfilled > 0 && _over(at, r.expires);
        if (!_ask("refund", keeper, abi.encodeCall(requests.refund, (r)), expected)) return;
        money[r.client][r.token] += uint256(r.maxPrice) * r.periods * p.unfilled;
        p.unfilled = 0;
    }

    function refundSlot(uint256 x) external action(x) {
        if (agains.length > 0) _refundSlot(_draw(agains.length));
    }

    function _refundSlot(uint256 at) private {
        Again storage a = agains[at];
        StorageRequest memory r = postings[a.posting].request;
        bool expected = !a.gone && _over(a.posting, a.expires);
        if (!_ask("refundSlot", keeper, abi.encodeCall(requests.refundSlot, (r, a.slot)), expected)) return;
        money[r.client][r.token] += a.maxPrice * a.periods;
        a.gone = true;
    }

    // Deals

    function repair(uint256 x) external action(x) {
        if (replicas.length == 0) return;
        uint256 at = _draw(replicas.length);
        for (uint256 i; i < replicas.length && !_isBroken(at); ++i) at = (at + 1) % replicas.length;
        _repair(at);
    }

    /// @dev Whether it has defaulted and can be repaired.
    function _isBroken(uint256 at) private view returns (bool) {
        return _manageable(replicas[at]) && market.statusOf(replicas[at].id) == Status.Defaulted;
    }

    function _repair(uint256 at) private {
        Replica storage r = replicas[at];
        StorageRequest memory request = postings[r.posting].request;
        bytes memory data = abi.encodeCall(requests.repair, (request, r.provider));
        if (!_ask("repair", keeper, data, _isBroken(at))) return;
        _sync(at, keeper);
        r.closed = true;
        uint256 due = _collect(r, 0);
        if (!r.ended && !_cancelled(r.posting)) due -= _postAgain(r, request);
        money[request.client][request.token] += due;
    }

    /// @dev By the specification: what waits for the next provider, as a slot.
    function _postAgain(Replica storage r, StorageRequest memory request) private returns (uint256) {
        DealView memory deal = lens.dealOf(r.id);
        Totals memory t = lens.totalsOf(r.id);
        uint256 left = deal.periods - deal.standing.closed;
        if (left < tiers[request.tier].maxMisses) return 0;
        uint256 budget = left * (deal.price < request.maxPrice ? deal.price : request.maxPrice);
        if (budget > t.refunded) budget = t.refunded;
        uint256 price = (budget + t.compensation / 2) / left;
        if (price == 0) return 0;
        uint256 expires = _time() + request.expires - postings[r.posting].time;
        agains.push(Again(r.posting, r.id, _now(), expires, left, price, false));
        ++done["repost"];
        return price * left;
    }

    function collect(uint256 x) external action(x) {
        if (replicas.length > 0) _collectFrom(_draw(replicas.length));
    }

    function _collectFrom(uint256 at) private {
        Replica storage r = replicas[at];
        StorageRequest memory request = postings[r.posting].request;
        bool expected = _manageable(r) && market.statusOf(r.id) != Status.Defaulted;
        if (!_ask("collect", keeper, abi.encodeCall(requests.collect, (request, r.provider)), expected)) return;
        _sync(at, keeper);
        bool repairable = _isLive(r.id) && !r.ended && !_cancelled(r.posting);
        uint256 kept = repairable ? lens.totalsOf(r.id).compensation / 2 : 0;
        money[request.client][request.token] += _collect(r, kept);
    }

    function terminate(uint256 x) external action(x) {
        if (replicas.length == 0 || _draw(2) == 0) return;
        uint256 at = _draw(replicas.length);
        Replica storage r = replicas[at];
        StorageRequest memory request = postings[r.posting].request;
        address sender = _draw(6) == 0 ? keeper : request.client;
        bool expected = sender == request.client && _manageable(r) && market.statusOf(r.id) == Status.Open;
        if (!_ask("terminate", sender, abi.encodeCall(requests.terminate, (request, r.provider)), expected)) return;
        _sync(at, request.client);
        r.ended = true;
        money[request.client][request.token] += _collect(r, 0);
    }

    function release(uint256 x) external action(x) {
        if (replicas.length == 0 || _draw(3) > 0) return;
        uint256 at = _draw(replicas.length);
        Replica storage r = replicas[at];
        StorageRequest memory request = postings[r.posting].request;
        address sender = _draw(6) == 0 ? keeper : request.client;
        bool expected = sender == request.client && _manageable(r);
        if (!_ask("release", sender, abi.encodeCall(requests.release, (request, r.provider)), expected)) return;
        _sync(at, request.client);
        money[request.client][request.token] += _collect(r, 0);
        (r.closed, r.released) = (true, true);
    }

    function unlock(uint256 x) external action(x) {
        if (replicas.length > 0) _unlock(_draw(replicas.length));
    }

    function _unlock(uint256 at) private {
        Replica storage r = replicas[at];
        bytes memory data = abi.encodeCall(requests.unlock, (postings[r.posting].request, r.provider));
        if (_ask("unlock", keeper, data, r.locked && !_isLive(r.id))) r.locked = false;
    }

    // What the market lets anybody do to these deals

    function prove(uint256 x) external action(x) {
        for (uint256 i; i < replicas.length; ++i) {
            Replica storage r = replicas[i];
            // The first provider proves what it can, the last one nothing.
            bool proves = r.provider == providers[0] || (r.provider != providers[3] && _draw(2) == 0);
            DealView memory deal = lens.dealOf(r.id);
            bool wanted = _isLive(r.id) && deal.standing.open != 0 && deal.lastProven != deal.standing.open;
            if (!proves || !wanted) continue;
            Posting storage p = postings[r.posting];
            bytes memory proof = _proofOf(r.id, p.seed, p.request.leafCount);
            _act("prove", keeper, address(market), abi.encodeCall(market.prove, (r.id, proof)), true);
        }
    }

    function settle(uint256 x) external action(x) {
        if (replicas.length > 0) _settle(_draw(replicas.length), [keeper, address(0), address(requests)][_draw(3)]);
    }

    function _settle(uint256 at, address bountyTo) private {
        market.settle(_one(replicas[at].id), bountyTo);
        _sync(at, bountyTo);
    }

    function extend(uint256 x) external action(x) {
        if (replicas.length == 0) return;
        uint256 at = _draw(replicas.length);
        // In a long history most are over: the first from there on that is not.
        for (uint256 i; i < replicas.length && market.statusOf(replicas[at].id) != Status.Open; ++i) {
            at = (at + 1) % replicas.length;
        }
        uint32 n = uint32(1 + _draw(3));
        if (!_call(sponsor, address(market), abi.encodeCall(market.extend, (replicas[at].id, n, WEALTH)))) return;
        ++done["extend"];
        _sync(at, address(0));
    }

    function restore(uint256 x) external action(x) {
        if (replicas.length == 0) return;
        uint256 at = _draw(replicas.length);
        Replica storage r = replicas[at];
        if (!_call(r.provider, address(market), abi.encodeCall(market.restore, (r.id, 1)))) return;
        ++done["restore"];
        _sync(at, address(0));
    }

    function donate(uint256 x) external action(x) {
        address token = _twoTokens()[_draw(2)];
        uint256 amount = 1 + _draw(1_000_000);
        bytes memory data = abi.encodeCall(vault.transfer, (address(requests), uint160(token), amount));
        if (_act("donate", sponsor, address(vault), data, true)) stray[token] += amount;
    }

    /// @notice Every action, by selector.
    function actions() external pure returns (bytes4[] memory list) {
        bytes4[17] memory all = [
            this.post.selector,
            this.fill.selector,
            this.fillMore.selector,
            this.pass.selector,
            this.cancel.selector,
            this.refund.selector,
            this.refundSlot.selector,
            this.repair.selector,
            this.collect.selector,
            this.terminate.selector,
            this.release.selector,
            this.unlock.selector,
            this.prove.selector,
            this.settle.selector,
            this.extend.selector,
            this.restore.selector,
            this.donate.selector
        ];
        list = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) list[i] = all[i];
    }

    /// @notice Whatever has happened: once deals are over, anybody can bring everything to whom it belongs. Nothing is
    /// left with the contract but what is nobody's.
    function leave() external {
        _advance(20_000);
        for (uint256 round; round < 2; ++round) {
            for (uint256 i; i < replicas.length; ++i) {
                _settle(i, keeper);
                if (_isBroken(i)) _repair(i);
                else if (_manageable(replicas[i])) _collectFrom(i);
                if (replicas[i].locked) _unlock(i);
            }
        }
        for (uint256 i; i < postings.length; ++i) if (postings[i].unfilled > 0) _refund(i);
        for (uint256 i; i < agains.length; ++i) if (!agains[i].gone) _refundSlot(i);
        address[2] memory tokens = _twoTokens();
        for (uint256 i; i < 2; ++i) {
            assertEq(vault.escrowOf(address(requests), tokens[i]), 0, "escrow at the end");
            uint256 left = vault.balanceOf(address(requests), uint160(tokens[i]));
            assertEq(left, stray[tokens[i]], "claims at the end");
        }
    }
}
