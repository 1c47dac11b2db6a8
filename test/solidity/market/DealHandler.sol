// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Status} from "../../../contracts/libraries/DealLedger.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {MarketActions} from "./MarketActions.sol";

/// @title What anybody may do to deals
/// @notice Each action takes one number and draws everything from it. The model foretells the outcome.
abstract contract DealHandler is MarketActions {
    uint256 private constant STAKE = 2 ** 106;

    /// @dev Ends each action: what can be seen now for the first time is noted.
    modifier action(uint256 x) {
        _begin(x);
        _;
        _observe();
    }

    constructor(uint256 mostDeals_) {
        vm.warp(1_800_000_000);
        _deploy();
        mostDeals = mostDeals_;
        for (uint256 i; i < 3; ++i) {
            clients.push(i == 2 ? _newWallet() : _newKey());
            providers.push(_newKey());
            _enrich(clients[i]);
            _enrich(providers[i]);
            _register(providers[i], STAKE);
            payees[providers[i]] = providers[i];
            address[3] memory tokens = _tokens();
            for (uint256 j; j < 3; ++j) free[providers[i]][tokens[j]] = STAKE;
        }
        _enrich(sponsor);
        address[5] memory others = [keeper, treasury, address(market), address(registry), address(vault)];
        for (uint256 i; i < others.length; ++i) _track(others[i]);
        for (uint256 i; i < 3; ++i) {
            _track(clients[i]);
            _track(providers[i]);
        }
        _track(sponsor);
        // One deal of each provider in each tier, so that no history starts in an empty market.
        for (uint256 i; i < 9; ++i) {
            _begin(i);
            DealTerms memory terms = _termsFor(clients[i % 3], providers[i / 3], uint8(i % 3), i, 3 * i + 1);
            terms.token = _tokens()[(i + i / 3) % 3];
            _openSomehow(terms, i % 4);
        }
        _observe();
    }

    function open(uint256 x) external action(x) {
        if (ids.length >= mostDeals) return _pass();
        // Right ways come twice as often as wrong ones.
        uint256 way = _draw(3) == 0 ? _draw(ALL_WAYS) : _draw(RIGHT_WAYS);
        _openSomehow(_randomTerms(), way);
    }

    function cancel(uint256 x) external action(x) {
        DealTerms memory terms = _randomTerms();
        uint256 how = _draw(4);
        address sender =
            how == 0
                ? terms.client
                : how == 1
                    ? terms.provider
                    : how == 2
                        ? keeper
                        : terms.client;
        if (how == 3) terms = ghosts[_anyDeal()].terms;
        bool expected = how < 2;
        _act("cancel", sender, address(market), abi.encodeCall(market.cancel, (terms)), expected);
        if (!expected) return;
        assertTrue(market.isCancelled(market.dealIdOf(terms)), "cancelled");
        bytes memory signature = _sign(terms.provider, market.dealIdOf(terms));
        _act("open", terms.client, address(market), abi.encodeCall(market.open, (terms, "", signature)), false);
    }

    function pass(uint256 x) external action(x) {
        _pass();
    }

    function _pass() private {
        uint256 how = _draw(16);
        if (how == 0) _advance(_now() + 300);
        else if (how < 5) _advance(_now() + 1 + _draw(12));
        else _advance(_edge(_anyDeal()));
        ++done["pass"];
    }

    function prove(uint256 x) external action(x) {
        uint256 id = _anyDeal();
        if (!_provable(id)) return;
        if (_wanted(id) == 0 && _draw(4) != 0) _advance(_edge(id));
        _prove(id);
    }

    /// @dev All deals that want a proof, some that don't, an unknown id and one of them twice.
    function proveBatch(uint256 x) external action(x) {
        uint256[] memory batch = new uint256[](ids.length + 2);
        uint256[] memory windows = new uint256[](batch.length);
        bytes memory packed;
        uint256 expected;
        for (uint256 i; i < batch.length; ++i) {
            batch[i] =
                i < ids.length
                    ? ids[i]
                    : i == ids.length
                        ? x
                        : ids[_draw(ids.length)];
            bytes memory proof = hex"";
            if (i < ids.length && _provable(ids[i]) && _wanted(ids[i]) != 0) {
                proof = _rightProof(ids[i]);
                windows[i] = _wanted(ids[i]);
                ++expected;
            }
            packed = abi.encodePacked(packed, uint16(proof.length / 32), proof);
            if (windows[i] != 0) lastProof[ids[i]] = proof;
        }
        assertEq(market.proveMany(batch, packed), expected, "accepted of the batch");
        for (uint256 i; i < ids.length; ++i) {
            if (windows[i] != 0) proven[ids[i]][windows[i]] = true;
        }
        done["prove in a batch"] += expected;
    }

    /// @dev A bit flipped, a node too few or too many, the last window's proof, another deal's.
    function proveWrongly(uint256 x) external action(x) {
        uint256 id = _anyDeal();
        if (_wanted(id) == 0) _advance(_edge(id));
        if (_wanted(id) == 0) return;
        bytes memory right = _rightProof(id);
        bytes memory wrong = bytes.concat(right);
        uint256 how = _draw(5);
        if (how == 0) wrong[_draw(wrong.length)] ^= bytes1(uint8(1 << _draw(8)));
        if (how == 1) wrong = bytes.concat(right, bytes32(0));
        if (how == 2) wrong = lastProof[id];
        if (how == 3) wrong = lastProof[_anyDeal()];
        if (how == 4) wrong = "";
        // The smallest pieces have the same challenge, and so the same proof, in many windows.
        if (keccak256(wrong) == keccak256(right)) return;
        _act("prove wrongly", keeper, address(market), abi.encodeCall(market.prove, (id, wrong)), false);
    }

    /// @dev Settling is anybody's, with any list and any receiver of bounties, and never reverts.
    function settle(uint256 x) external action(x) {
        address[7] memory receivers = [address(0), ALIAS, address(market), address(vault), keeper, sponsor, treasury];
        address bountyTo = receivers[_draw(receivers.length)];
        uint256[] memory list = new uint256[](_draw(2) == 0 ? 1 : ids.length + 3);
        for (uint256 i; i < list.length; ++i) {
            list[i] = i < ids.length ? ids[(i + (x % ids.length)) % ids.length] : ids[_draw(ids.length)];
        }
        if (list.length > 1) list[list.length - 1] = x;
        bytes memory data = abi.encodeCall(market.settle, (list, bountyTo));
        _act(
            list.length == 1 ? "settle one" : "settle many",
            accounts[_draw(accounts.length)],
            address(market),
            data,
            true
        );
        for (uint256 i; i < list.length; ++i) {
            if (ghosts[list[i]].opened == 0) continue;
            _count(list[i]);
            _book(list[i], bountyTo);
        }
    }

    /// @dev Counts what a settlement now finds.
    function _count(uint256 id) private {
        Fate memory was = _fate(id, ghosts[id].booked);
        Fate memory is_ = _fate(id, _now());
        if (is_.payable_ > was.payable_) ++done["pay"];
        if (is_.missed > was.missed) ++done["slash"];
        if (_isTerminal(was.status)) return;
        if (is_.status == Status.Completed) ++done["complete"];
        if (is_.status == Status.Defaulted) ++done["default"];
    }

    function extend(uint256 x) external action(x) {
        uint256 id = _anyDeal();
        Ghost storage g = ghosts[id];
        address sender = _draw(2) == 0 ? sponsor : clients[_draw(3)];
        uint256 n = _draw(4);
        uint256 cost = n * g.terms.pricePerPeriod;
        uint256 maxCost = _draw(8) == 0 ? cost / 2 : cost;
        if (claims[sender][g.terms.token] < cost) return;
        bool inTime = _fate(id, _now()).status == Status.Open && _now() < _epoch(id, g.periods);
        bool expected = inTime && n > 0 && g.periods + n <= g.terms.maxPeriods && cost <= maxCost;
        bytes memory data = abi.encodeCall(market.extend, (id, uint32(n), maxCost));
        if (!_act("extend", sender, address(market), data, expected)) return;
        _book(id, address(0));
        g.periods += n;
        g.fundedPeriods += n;
        claims[sender][g.terms.token] -= cost;
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
        Ghost storage g = ghosts[id];
        address sender = _draw(4) == 0 ? keeper : g.owner;
        bool expected = sender == g.owner && _fate(id, _now()).status == Status.Open;
        if (!_act("terminate", sender, address(market), abi.encodeCall(market.terminate, (id)), expected)) return;
        _book(id, address(0));
        uint256 left = 1;
        for (uint256 k = 1; k <= g.periods && _epoch(id, k) < _now(); ++k) ++left;
        if (left > g.periods) left = g.periods;
        uint256 refunded = g.periods - left;
        g.ended = true;
        (g.endedAt, g.endedPeriods) = (_now(), g.periods);
        g.periods = left;
        g.refundedPeriods = refunded;
        claims[g.owner][g.terms.token] += refunded * g.terms.pricePerPeriod;
    }

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

    /// @dev Any deal, but mostly one that is not over.
    function _anyDeal() internal returns (uint256) {
        uint256 at = _draw(ids.length);
        if (_draw(4) == 0) return ids[at];
        for (uint256 i; i < ids.length && ghosts[ids[at]].epitaph != 0; ++i) at = (at + 1) % ids.length;
        return ids[at];
    }
}
