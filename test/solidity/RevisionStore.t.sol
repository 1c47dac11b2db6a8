// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {Money, Revision} from "../../contracts/libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "../../contracts/libraries/DealStore.sol";
import {DealTerms} from "../../contracts/libraries/DealTerms.sol";
import {RevisionStore, StoredRevision} from "../../contracts/libraries/RevisionStore.sol";

/// @title Revisions in storage: what is written is what is read, up to every bound
contract RevisionStoreTest is Test {
    using DealStore for StoredDeal;
    using RevisionStore for Revision;
    using RevisionStore for StoredRevision;

    uint256 private constant MOST = 2 ** 28 - 1;

    mapping(uint256 id => StoredRevision) private _revisions;
    mapping(uint256 id => StoredDeal) private _deals;

    function testFuzz_readsAsWritten(Revision memory first, Revision memory second) public {
        _bound(first);
        _bound(second);
        _revisions[1].save(first);
        assertEq(abi.encode(_load(1)), abi.encode(first));
        _revisions[1].save(second);
        assertEq(abi.encode(_load(1)), abi.encode(second));
        Revision memory none;
        assertEq(abi.encode(_load(2)), abi.encode(none));
    }

    function testFuzz_theHeadAloneIsWhatTheClockActsOn(Revision memory v) public {
        _bound(v);
        _revisions[1].save(v);
        Revision memory head;
        _revisions[1].loadHead(head);
        assertEq(head.from, v.from);
        assertEq(head.leafCount, v.leafCount);
        assertEq(head.price, v.price);
        assertEq(head.since, v.since);
        assertEq(head.lapsed, v.lapsed);
        assertEq(head.nonce + head.paid + head.fee + head.refunded + uint256(head.root), 0);
    }

    function testFuzz_clearedIsOfADealThatWasNeverAmended(Revision memory v, uint256 behind) public pure {
        // What lies behind it in memory stays.
        uint256[] memory rest = new uint256[](1);
        rest[0] = behind;
        v.clear();
        Revision memory none;
        assertEq(abi.encode(v), abi.encode(none));
        assertEq(rest[0], behind);
    }

    function testFuzz_anotherCommitmentLeavesTheRestOfTheDeal(
        DealTerms memory t,
        bytes32 root,
        uint128 price,
        uint48 firstEpoch
    ) public {
        t.leafCount = uint64(bound(t.leafCount, 1, 2 ** 40));
        t.tier = uint8(bound(t.tier, 0, 7));
        t.periods = uint32(bound(t.periods, 1, MOST));
        _deals[1].open(t, firstEpoch, false);
        (uint256 counts, uint256 bond) = (_deals[1].counts, _deals[1].bond);
        _deals[1].saveCommitment(root, price);
        Money memory m;
        _deals[1].loadPay(m);
        assertEq(_deals[1].root, root);
        assertEq(m.price, price);
        assertEq(m.token, t.token);
        assertEq(_deals[1].place >> 96, uint160(t.provider));
        assertEq(uint48(_deals[1].place), firstEpoch);
        assertEq(_deals[1].counts, counts);
        assertEq(_deals[1].bond, bond);
    }

    /// @dev As the market could have written it: a root only where a commitment waits.
    function _bound(Revision memory v) private pure {
        v.nonce = bound(v.nonce, 0, 2 ** 33);
        v.from = bound(v.from, 0, MOST);
        if (v.from == 0) v.root = 0;
        v.leafCount = bound(v.leafCount, 0, 2 ** 40);
        v.price = bound(v.price, 0, type(uint128).max);
        v.since = bound(v.since, 0, MOST);
        v.lapsed = bound(v.lapsed, 0, MOST);
        v.paid = bound(v.paid, 0, type(uint128).max);
        v.fee = bound(v.fee, 0, type(uint128).max);
        v.refunded = bound(v.refunded, 0, type(uint192).max);
    }

    function _load(uint256 id) private view returns (Revision memory v) {
        _revisions[id].loadHead(v);
        _revisions[id].loadRest(v);
    }
}
