// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {StorageRequests} from "../../../contracts/StorageRequests.sol";
import {StorageRequest} from "../../../contracts/interfaces/IStorageRequests.sol";
import {Challenge} from "../../../contracts/libraries/Challenge.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {TreeBuilder} from "../utils/TreeBuilder.sol";
import {RequestsModel} from "./RequestsModel.sol";

/// @title What the actions of the handler are made of
/// @notice Accounts, random requests, and fills with real proofs, each foretold by the model.
abstract contract RequestsActions is RequestsModel {
    using TreeBuilder for TreeBuilder.Tree;

    uint256 private constant STAKE = 2 ** 106;
    uint256 internal constant LOCKED = 100;

    /// @dev A fill to try.
    /// @param prover Whose proof is sent: the provider's own, mostly.
    struct Attempt {
        uint256 posting;
        uint256 again;
        uint256 slot;
        uint256 epoch;
        uint256 expires;
        uint256 periods;
        uint256 maxPrice;
        uint256 price;
        address provider;
        address prover;
        bool there;
    }

    /// @notice How often each action succeeded, or was refused as it had to be.
    mapping(string action => uint256) public done;
    uint256 private _entropy;
    uint256 private _salt;

    function _setUp() internal {
        vm.warp(1_800_000_000);
        _deploy();
        requests = new StorageRequests(market, lens);
        _enrich(sponsor);
        for (uint256 i; i < 6; ++i) {
            address account = i == 1 ? _newWallet() : _newKey();
            _enrich(account);
            if (i < 2) clients.push(account);
            else providers.push(account);
            vm.prank(account);
            vault.setOperator(address(requests), true);
            if (i < 2) (money[account][address(plain)], money[account][NATIVE]) = (WEALTH, WEALTH);
            else _equip(account);
        }
    }

    /// @dev Stake for the market in plenty, and for three replicas at once with the requests.
    function _equip(address provider) private {
        _register(provider, STAKE);
        vm.startPrank(provider);
        registry.provision(address(requests), address(plain), 3 * LOCKED);
        registry.provision(address(requests), NATIVE, 3 * LOCKED);
        vm.stopPrank();
    }

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
        ok = _call(sender, target, data);
        assertEq(ok, expected, action);
        ++done[ok ? action : string.concat(action, " refused")];
    }

    /// @dev Calls the contract, in the name of `sender`.
    function _ask(string memory action, address sender, bytes memory data, bool expected) internal returns (bool) {
        return _act(action, sender, address(requests), data, expected);
    }

    function _advance(uint256 blocks) internal {
        vm.roll(_now() + blocks);
        vm.warp(_time() + 12 * blocks);
    }

    // Posting

    function _randomRequest(uint256 seed) internal returns (StorageRequest memory r) {
        r.client = clients[_draw(2)];
        r.tier = uint8(_draw(3));
        r.leafCount = uint64(1 + _draw(12));
        uint256[] memory any = new uint256[](1);
        (r.root, ) = _treeOf(seed, r.leafCount).prove(any);
        uint32 maxMisses = tiers[r.tier].maxMisses;
        r.periods = maxMisses + uint32(_draw(6));
        r.maxPeriods = r.periods + uint32(_draw(6));
        r.token = _twoTokens()[_draw(2)];
        r.maxPrice = uint128([0, 1, 99, 10_001, 2 ** 97 + 10_101][_draw(5)]);
        r.startPrice = uint128(_draw(uint256(r.maxPrice) + 1));
        r.rampEpochs = uint32(1 + _draw(200));
        r.collateral = uint128([0, maxMisses, 50_003, 2 ** 99 + 30_303][_draw(4)]);
        r.maxEgressPricePerGiB = 7;
        r.replicas = uint8(1 + _draw(4));
        r.minStake = _draw(2) == 0 ? 0 : uint128(LOCKED);
        r.expires = uint64(_time() + 1 + _draw(20_000));
        r.repair = _draw(3) > 0;
        r.regions = new bytes6[](_draw(6) == 0 ? 2 : 0);
        if (r.regions.length > 0) (r.regions[0], r.regions[1]) = ("US-CA", _draw(2) == 0 ? bytes6("DE") : bytes6("DK"));
        r.dataUri = "https://c.example";
        r.salt = bytes32(++_salt);
    }

    // Filling

    /// @dev Any replica that may be there to fill, and how to fill it: rightly, mostly.
    function _attempt() internal returns (Attempt memory a) {
        uint256 open = agains.length;
        if (open > 0 && _draw(2) == 0) {
            a.again = _draw(open);
            for (uint256 i; i < open && agains[a.again].gone; ++i) a.again = (a.again + 1) % open;
            a.posting = agains[a.again].posting;
            (a.slot, a.epoch, a.expires) = (agains[a.again].slot, agains[a.again].epoch, agains[a.again].expires);
            (a.periods, a.maxPrice) = (agains[a.again].periods, agains[a.again].maxPrice);
            a.there = !agains[a.again].gone;
        } else {
            a.posting = _draw(postings.length);
            for (uint256 i; i < postings.length && postings[a.posting].unfilled == 0; ++i) {
                a.posting = (a.posting + 1) % postings.length;
            }
            StorageRequest storage r = postings[a.posting].request;
            (a.epoch, a.expires) = (postings[a.posting].epoch, r.expires);
            (a.periods, a.maxPrice) = (r.periods, r.maxPrice);
            a.there = postings[a.posting].unfilled > 0;
        }
        a.provider = providers[_draw(providers.length)];
        a.prover = _draw(10) == 0 ? providers[_draw(providers.length)] : a.provider;
        uint256 first = ((postings[a.posting].epoch + FINALITY + 63) / 64) * 64 + 1;
        if (_draw(8) > 0 && _now() < first) _advance(first - _now());
        a.price = _price(postings[a.posting].request, a.epoch, a.maxPrice);
        if (_draw(10) == 0) ++a.price;
        else if (_draw(2) == 0) a.price -= _draw(a.price + 1);
    }

    /// @dev Whether the contract must take it, the proof apart.
    function _isRight(Attempt memory a) internal view returns (bool) {
        StorageRequest memory r = postings[a.posting].request;
        bool open = a.there && !_over(a.posting, a.expires) && a.price <= _price(r, a.epoch, a.maxPrice);
        (uint256 free, ) = registry.provisionOf(a.provider, address(requests), r.token);
        // All providers are in Germany.
        bool here = r.regions.length == 0 || r.regions[1] == "DE";
        return open && here && free >= r.minStake && !has[postings[a.posting].id][a.provider];
    }

    /// @dev The proof that the contract must take from `prover`; empty where it is too early for any.
    function _possession(Attempt memory a, address prover) internal view returns (bytes memory proof) {
        Posting storage p = postings[a.posting];
        uint256 epoch = ((_now() - 1) / 64) * 64;
        if (epoch < p.epoch + FINALITY) return "";
        uint256 question = uint256(keccak256(abi.encode(p.id, a.slot, prover)));
        uint256 count = tiers[p.request.tier].challenges;
        uint256 seed = randomness.seed(epoch);
        uint256[] memory leaves = Challenge.indices(address(requests), question, 0, seed, count, p.request.leafCount);
        (, proof) = _treeOf(p.seed, p.request.leafCount).prove(leaves);
    }

    function _offer(Attempt memory a) internal returns (DealTerms memory terms) {
        StorageRequest memory r = postings[a.posting].request;
        terms.client = r.repair ? address(requests) : r.client;
        terms.provider = a.provider;
        terms.root = r.root;
        terms.leafCount = r.leafCount;
        terms.tier = r.tier;
        terms.periods = uint32(a.periods);
        terms.maxPeriods = r.maxPeriods;
        terms.token = r.token;
        terms.pricePerPeriod = uint128(a.price);
        terms.collateral = r.collateral;
        terms.validUntil = type(uint64).max;
        terms.salt = bytes32(++_salt);
    }

    function _fill(Attempt memory a) internal {
        Posting storage p = postings[a.posting];
        bytes memory right = _possession(a, a.provider);
        bytes memory proof = _possession(a, a.prover);
        // Small trees may ask two providers for the same leaves.
        bool expected = _isRight(a) && right.length > 0 && keccak256(right) == keccak256(proof);
        DealTerms memory terms = _offer(a);
        uint256 dealId = market.dealIdOf(terms);
        bytes memory signature = _sign(a.provider, dealId);
        bytes memory data = abi.encodeCall(requests.fill, (p.request, a.slot, terms, signature, proof));
        if (!_ask(a.slot == 0 ? "fill" : "fill a slot", keeper, data, expected)) return;
        if (a.slot == 0) --p.unfilled;
        else agains[a.again].gone = true;
        has[p.id][a.provider] = true;
        money[p.request.client][p.request.token] += (a.maxPrice - a.price) * a.periods;
        replicas.push();
        Replica storage r = replicas[replicas.length - 1];
        (r.posting, r.id, r.provider, r.locked) = (a.posting, dealId, a.provider, p.request.minStake > 0);
    }
}
