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
        if (_draw(6) == 0) _proveByChain(id);
        else _prove(id);
    }

    /// @dev All deals that want a proof, some that don't, an unknown id and one of them twice.
    function proveBatch(uint256 x) external action(x) {
        uint256[] memory batch = new uint256[](ids.length + 2);
        uint256[] memory wanted = new uint256[](batch.length);
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
                wanted[i] = _wanted(ids[i]);
                ++expected;
            }
            packed = abi.encodePacked(packed, uint16(proof.length / 32), proof);
            if (wanted[i] != 0) lastProof[ids[i]] = proof;
        }
        _pin();
        assertEq(market.proveMany(batch, packed), expected, "accepted of the batch");
        for (uint256 i; i < ids.length; ++i) {
            if (wanted[i] != 0)
                _noteProof(ids[i], wanted[i], lastProof[ids[i]]);
                // A wrong proof in a batch is timely all the same.
            else if (_wanted(ids[i]) != 0) _bookReplacement(ids[i]);
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

    /// @dev By what the chain knows: of the piece that is asked for, of the first one, of another provider's. Settles
    /// the deal before it counts the window.
    function _proveByChain(uint256 id) private {
        uint256 window = _wanted(id);
        bool allowed = (CHAIN_TIERS >> ghosts[id].terms.tier) & 1 == 1;
        uint256 how = _draw(4);
        Window storage asked = windows[id][window == 0 || how == 0 ? 0 : window - 1];
        bool same = window != 0 && _pieceOf(asked) == _pieceOf(windows[id][window - 1]);
        address provider = how == 1 ? keeper : ghosts[id].terms.provider;
        bytes memory evidence = abi.encode(provider, _rootOf(asked.data, asked.leafCount), asked.leafCount);
        bytes memory data = abi.encodeCall(market.proveByChain, (id, evidence));
        if (!_act("prove by chain", keeper, address(market), data, same && how != 1 && allowed)) return;
        assertEq(_pieceOf(asked), pinned[id][window], "14: proven with what was fixed before");
        _book(id, address(0));
        proven[id][window] = true;
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

    /// @dev Any deal, but mostly one that is not over.
    function _anyDeal() internal returns (uint256) {
        uint256 at = _draw(ids.length);
        if (_draw(4) == 0) return ids[at];
        for (uint256 i; i < ids.length && ghosts[ids[at]].epitaph != 0; ++i) at = (at + 1) % ids.length;
        return ids[at];
    }
}
