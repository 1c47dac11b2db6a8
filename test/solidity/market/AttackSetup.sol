// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {Totals} from "../../../contracts/libraries/DealLedger.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {MarketWorld} from "./MarketWorld.sol";

/// @title A deal to attack
/// @notice `id` is one of tier 0 (period 16, window 4, three misses) and of four periods, open and not yet challenged.
abstract contract AttackSetup is MarketWorld, Test {
    uint256 internal constant SEED = 4711;
    uint256 internal constant LEAVES = 200;
    uint256 internal constant PERIOD = 16;
    uint256 internal constant WINDOW = 4;
    uint256 internal constant STAKE = 150_000;

    address internal client;
    address internal provider;
    address internal other;
    uint256 internal id;
    uint256 internal first;
    uint256 internal price;
    uint256 internal share;

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        _deploy();
        client = _newKey();
        provider = _newKey();
        other = _newKey();
        _enrich(client);
        _enrich(provider);
        _enrich(other);
        _register(provider, STAKE);
        _register(other, STAKE);
        DealTerms memory terms = _standard();
        id = _open(terms);
        (first, ) = lens.windowOf(id, 1);
        price = terms.pricePerPeriod;
        share = terms.collateral / 3;
    }

    function _standard() internal view returns (DealTerms memory terms) {
        terms = _termsFor(client, provider, 0, SEED, LEAVES);
        terms.validUntil = 1_800_086_400;
    }

    function _prove(uint256 deal) internal {
        market.prove(deal, _proofOf(deal, SEED, LEAVES));
    }

    function _terminate(address owner) internal {
        vm.prank(owner);
        market.terminate(id);
    }

    function _expectNoOpening(DealTerms memory terms, bytes memory signature, bytes memory error) internal {
        vm.prank(client);
        vm.expectRevert(error);
        market.open(terms, "", signature);
    }

    function _claims(address account) internal view returns (uint256) {
        return vault.balanceOf(account, uint160(address(plain)));
    }

    /// @dev Claims and free stake.
    function _wealth(address account) internal view returns (uint256) {
        (uint256 free, ) = registry.provisionOf(account, address(market), address(plain));
        return _claims(account) + free;
    }

    function _inDeal() internal view returns (uint256) {
        Totals memory t = lens.totalsOf(id);
        return t.escrow + t.stake;
    }
}
