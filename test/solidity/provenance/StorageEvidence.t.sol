// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ProvenanceRegistry} from "../../../contracts/ProvenanceRegistry.sol";
import {DealView, IMarketLens} from "../../../contracts/interfaces/IMarketLens.sol";
import {Holding, IProvenanceRegistry} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {IStorageMarket} from "../../../contracts/interfaces/IStorageMarket.sol";
import {Amendment} from "../../../contracts/libraries/Amendments.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {Status} from "../../../contracts/libraries/DealLedger.sol";
import {Record} from "../../../contracts/libraries/Records.sol";
import {AttackSetup} from "../market/AttackSetup.sol";

/// @dev A lens over the right market that makes up what it tells of deals.
contract LyingLens {
    IStorageMarket public immutable market;

    constructor(IStorageMarket market_) {
        market = market_;
    }

    function dealOf(uint256) external pure returns (DealView memory deal) {
        (deal.provider, deal.firstEpoch, deal.lastProven) = (address(0xbad), 1, 1000);
    }
}

/// @title What is held, on a deal that is proven, moved, amended, or lost
/// @notice `id` is a deal of four windows, of `client` with `provider`; the record is `other`'s.
contract StorageEvidenceTest is AttackSetup {
    ProvenanceRegistry private records;
    Record private record;
    bytes32 private recordId;
    uint256 private last;

    function setUp() public override {
        super.setUp();
        records = new ProvenanceRegistry(lens);
        record.registrant = other;
        record.contentHash = sha256("content");
        record.pieceId = market.pieceIdOf(id);
        vm.prank(other);
        recordId = records.register(record);
        last = first;
    }

    // When

    /// Not before the first window is proven and closed, and no longer than until one closes that isn't.
    function testHeldWhileTheLastClosedWindowIsProven() public {
        _link(id);
        _assertHeld(0);
        _proveWindow(1);
        _assertHeld(0);
        vm.roll(first + WINDOW);
        _assertHeld(0);
        vm.roll(first + WINDOW + 1);
        _assertHeld(id);
        // Window 2 is left out: it counts until that one closes.
        vm.roll(first + PERIOD + WINDOW);
        _assertHeld(id);
        vm.roll(first + PERIOD + WINDOW + 1);
        _assertHeld(0);
        _proveWindow(3);
        _assertHeld(0);
        vm.roll(first + 2 * PERIOD + WINDOW + 1);
        _assertHeld(id);
    }

    /// The epoch is that of the last window proven, the open one included.
    function testTheLastProvenEpoch() public {
        _link(id);
        _proveWindow(1);
        vm.roll(first + WINDOW + 1);
        assertEq(records.holdingsOf(recordId, 0, 1)[0].lastProvenEpoch, first);
        vm.roll(first + PERIOD + 1);
        assertEq(records.holdingsOf(recordId, 0, 1)[0].lastProvenEpoch, first);
        _prove(id);
        assertEq(records.holdingsOf(recordId, 0, 1)[0].lastProvenEpoch, first + PERIOD);
        assertEq(records.holdingsOf(recordId, 0, 1)[0].provider, provider);
    }

    function testNotHeldOnceTheDealIsOver() public {
        _link(id);
        for (uint256 k = 1; k <= 4; ++k) _proveWindow(k);
        _assertHeld(id);
        vm.roll(first + 3 * PERIOD + WINDOW + 1);
        assertEq(uint8(market.statusOf(id)), uint8(Status.Completed));
        _assertHeld(0);
    }

    function testHeldUntilAnEndedDealIsOver() public {
        _link(id);
        _proveWindow(1);
        vm.roll(first + WINDOW + 1);
        _terminate(client);
        _assertHeld(id);
        _proveWindow(2);
        vm.roll(first + PERIOD + WINDOW + 1);
        assertEq(uint8(market.statusOf(id)), uint8(Status.Completed));
        _assertHeld(0);
    }

    function testNotHeldAfterADefault() public {
        _link(id);
        _proveWindow(1);
        vm.roll(first + 3 * PERIOD + WINDOW + 1);
        assertEq(uint8(market.statusOf(id)), uint8(Status.Defaulted));
        _assertHeld(0);
    }

    // Amended

    /// The deal goes on, but is about something else; its new piece can be linked to a record of that one, from when it
    /// is in force.
    function testNotHeldOnceTheDealIsAboutAnotherPiece() public {
        _link(id);
        _amendFrom(1, 99);
        bytes32 next = keccak256(abi.encode(_rootOf(99, LEAVES), LEAVES));
        assertEq(market.pieceIdOf(id), next);
        _assertHeld(0);
        _refuseLink(record, id, abi.encodeWithSelector(IProvenanceRegistry.PieceMismatch.selector, recordId, id));
        Record memory r = record;
        r.pieceId = next;
        vm.startPrank(other);
        bytes32 newId = records.register(r);
        records.link(r, _one(id));
        vm.stopPrank();
        assertFalse(records.isHeld(newId), "held before it was proven");
        vm.roll(first + 1);
        market.prove(id, _proofOf(id, 99, LEAVES));
        vm.roll(first + WINDOW + 1);
        assertTrue(records.isHeld(newId));
        _assertHeld(0);
    }

    /// An amendment that waits changes nothing before its time, and nobody has to settle for it to count.
    function testHeldUntilAnAmendmentTakesEffect() public {
        _link(id);
        _proveWindow(1);
        vm.roll(first + WINDOW + 1);
        vm.roll(first + PERIOD - 1);
        _amendFrom(3, 99);
        _assertHeld(id);
        vm.roll(first + PERIOD + 1);
        _prove(id);
        _assertHeld(id);
        vm.roll(first + PERIOD + WINDOW + 1);
        _assertHeld(0);
    }

    // Moved

    /// What a deal was moved to counts without a new link, once it is proven; and never beside the link it stands for.
    function testASuccessorCountsInItsPlace() public {
        _link(id);
        _proveWindow(1);
        vm.roll(first + WINDOW + 1);
        uint256 successor = _migrate(id, 1);
        _assertHeld(id);
        _proveUntilHolds(successor);
        assertEq(uint8(market.statusOf(id)), uint8(Status.Migrated));
        _assertHeld(successor);
        _link(successor);
        assertEq(records.linkCount(recordId), 2);
        _assertHeld(successor);
        assertEq(records.holdingsOf(recordId, 0, 1).length, 0, "the old link has lost it");
        assertEq(records.holdingsOf(recordId, 1, 1)[0].dealId, successor, "the new one has it");
    }

    /// A link follows sixteen moves. After more, the registrant links again, any of the later deals.
    function testALinkFollowsSixteenMoves() public {
        _link(id);
        uint256[] memory chain = new uint256[](18);
        chain[0] = id;
        for (uint256 i = 1; i < 18; ++i) {
            chain[i] = _migrate(chain[i - 1], i);
            if (i != 16) continue;
            uint256 state = vm.snapshotState();
            _proveUntilHolds(chain[16]);
            _assertHeld(chain[16]);
            vm.revertToState(state);
        }
        _proveUntilHolds(chain[17]);
        _assertHeld(0);
        _link(chain[5]);
        _assertHeld(chain[17]);
    }

    // Links

    function testOnlyTheRegistrantLinks() public {
        uint256[] memory deals = _one(id);
        address[3] memory senders = [client, provider, keeper];
        for (uint256 i; i < 3; ++i) {
            vm.prank(senders[i]);
            vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.NotRegistrant.selector, other, senders[i]));
            records.link(record, deals);
        }
        assertEq(records.linkCount(recordId), 0);
    }

    /// Root and number of leaves: the same root over another number of leaves is other data.
    function testOnlyDealsOfTheVeryPiece() public {
        Record memory r = record;
        r.pieceId = keccak256(abi.encode(_rootOf(SEED, LEAVES), LEAVES + 1));
        vm.prank(other);
        bytes32 wrong = records.register(r);
        _refuseLink(r, id, abi.encodeWithSelector(IProvenanceRegistry.PieceMismatch.selector, wrong, id));
        _refuseLink(record, 77, abi.encodeWithSelector(IProvenanceRegistry.PieceMismatch.selector, recordId, 77));
        // What is not as it was registered is another record.
        r.size = 5;
        _refuseLink(r, id, abi.encodeWithSelector(IProvenanceRegistry.UnknownRecord.selector, records.recordIdOf(r)));
        r.pieceId = 0;
        vm.prank(other);
        bytes32 none = records.register(r);
        _refuseLink(r, id, abi.encodeWithSelector(IProvenanceRegistry.NoPiece.selector, none));
    }

    /// All or none, and each once.
    function testALinkIsMadeOnce() public {
        uint256[] memory twice = new uint256[](2);
        (twice[0], twice[1]) = (id, id);
        bytes memory error = abi.encodeWithSelector(IProvenanceRegistry.AlreadyLinked.selector, recordId, id);
        vm.prank(other);
        vm.expectRevert(error);
        records.link(record, twice);
        assertEq(records.linkCount(recordId), 0);
        _link(id);
        _refuseLink(record, id, error);
        assertEq(records.linkCount(recordId), 1);
        assertEq(records.linkAt(recordId, 0), id);
    }

    /// A market tells an empty piece of deals that it does not have: a record of that piece can't be linked to them.
    function testNoLinkToADealThatIsNotThere() public {
        Record memory r = record;
        r.pieceId = keccak256(abi.encode(bytes32(0), uint256(0)));
        vm.prank(other);
        bytes32 empty = records.register(r);
        DealTerms memory terms = _standard();
        terms.salt = bytes32("not yet");
        uint256 future = market.dealIdOf(terms);
        bytes memory error = abi.encodeWithSelector(IProvenanceRegistry.PieceMismatch.selector, empty, future);
        _refuseLink(r, future, error);
        // Nor terms that were called off.
        vm.prank(client);
        market.cancel(terms);
        _refuseLink(r, future, error);
        assertEq(records.linkCount(empty), 0);
    }

    /// Pages cut the links, not the holdings; whoever asks beyond the end gets nothing, and never an error.
    function testFuzz_pages(uint256 from, uint256 count, uint256 proven) public {
        uint256[] memory deals = new uint256[](6);
        DealTerms memory terms = _standard();
        terms.collateral = 0;
        for (uint256 i; i < 6; ++i) {
            terms.salt = bytes32(i + 1);
            deals[i] = _open(terms);
        }
        vm.prank(other);
        records.link(record, deals);
        vm.roll(first + 1);
        for (uint256 i; i < 6; ++i) if ((proven >> i) & 1 == 1) _prove(deals[i]);
        vm.roll(first + WINDOW + 1);
        from = from % 3 == 0 ? from : from % 8;
        count = count % 3 == 0 ? count : count % 8;
        Holding[] memory page = records.holdingsOf(recordId, from, count);
        uint256 found;
        for (uint256 i = from; i < 6 && i - from < count; ++i) {
            if ((proven >> i) & 1 == 1) assertEq(page[found++].dealId, deals[i]);
        }
        assertEq(page.length, found);
        assertEq(records.isHeld(recordId), proven % 64 != 0);
    }

    /// `isHeld` looks at the last 64 links and no further, whatever they are: that bounds its cost, which nobody but
    /// the registrant can raise.
    function testTheGasOfLookingAtManyLinks() public {
        uint256[] memory deals = new uint256[](64);
        DealTerms memory terms = _standard();
        terms.collateral = 0;
        for (uint256 i; i < 64; ++i) {
            terms.salt = bytes32(i + 1);
            deals[i] = _open(terms);
        }
        _link(id);
        _proveWindow(1);
        vm.roll(first + WINDOW + 1);
        vm.prank(other);
        records.link(record, deals);
        uint256 gas = gasleft();
        bool held = records.isHeld(recordId);
        gas -= gasleft();
        assertFalse(held, "beyond the last 64");
        assertLt(gas, 64 * 20_000);
        _assertHeldIn(id, 0);
    }

    // Whom it believes

    /// A lens is asked for details alone. One that lies changes nothing about what is held, and by which deals.
    function testALyingLensHoldsNothing() public {
        ProvenanceRegistry fooled = new ProvenanceRegistry(IMarketLens(address(new LyingLens(market))));
        vm.startPrank(other);
        bytes32 there = fooled.register(record);
        fooled.link(record, _one(id));
        vm.stopPrank();
        assertFalse(fooled.isHeld(there));
        assertEq(fooled.holdingsOf(there, 0, 9).length, 0);
        vm.prank(other);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.PieceMismatch.selector, there, 77));
        fooled.link(record, _one(77));
    }

    /// Whoever has the bytes stored may be another than who registers them: evidence says that the piece is held, not
    /// by whose doing, and not that the content is in it.
    function testEvidenceIsOfThePieceAlone() public {
        Record memory r = record;
        (r.registrant, r.contentHash) = (keeper, sha256("something else"));
        vm.startPrank(keeper);
        bytes32 theirs = records.register(r);
        records.link(r, _one(id));
        vm.stopPrank();
        _proveWindow(1);
        vm.roll(first + WINDOW + 1);
        assertTrue(records.isHeld(theirs));
        assertFalse(records.isHeld(recordId), "what another links counts for the other");
    }

    // What they are made of

    function _link(uint256 deal) private {
        vm.prank(other);
        records.link(record, _one(deal));
    }

    function _refuseLink(Record memory r, uint256 deal, bytes memory error) private {
        vm.prank(other);
        vm.expectRevert(error);
        records.link(r, _one(deal));
    }

    /// @dev Nothing is held, or exactly this deal holds it.
    function _assertHeld(uint256 deal) private view {
        Holding[] memory all = records.holdingsOf(recordId, 0, 100);
        assertEq(records.isHeld(recordId), deal != 0, "held");
        assertEq(all.length, deal == 0 ? 0 : 1, "holdings");
        if (deal != 0) assertEq(all[0].dealId, deal, "by");
    }

    function _assertHeldIn(uint256 deal, uint256 at) private view {
        Holding[] memory page = records.holdingsOf(recordId, at, 1);
        assertEq(page.length, 1);
        assertEq(page[0].dealId, deal);
    }

    function _proveWindow(uint256 k) private {
        vm.roll(first + (k - 1) * PERIOD + 1);
        _prove(id);
    }

    /// @dev The first window of the deal closes, proven, and the one before it is over.
    function _proveUntilHolds(uint256 deal) private {
        (uint256 epoch, ) = lens.windowOf(deal, 1);
        uint256 end = first + 3 * PERIOD + WINDOW + 1;
        uint256 k = 1;
        for (; epoch + WINDOW < end; ++k) {
            vm.roll(epoch + 1);
            _prove(deal);
            epoch += PERIOD;
        }
        vm.roll(epoch - PERIOD + WINDOW + 1);
    }

    /// @dev Amends now, to data of another seed; the windows that it is about begin with `from`.
    function _amendFrom(uint32 from, uint256 seed) private {
        Amendment memory a = Amendment({
            dealId: id,
            root: _rootOf(seed, LEAVES),
            leafCount: uint64(LEAVES),
            pricePerPeriod: uint128(price),
            nonce: 0,
            validUntil: type(uint64).max
        });
        bytes memory signature = _sign(provider, uint256(_amendmentDigest(a)));
        vm.prank(client);
        market.amend(a, "", signature);
        uint256 waits = market.revisionOf(id).from;
        if (waits != 0) assertEq(waits, from, "from");
    }

    /// @dev Moves a deal of the client's to the same provider, who proves that it has the data.
    function _migrate(uint256 deal, uint256 salt) private returns (uint256 successor) {
        DealTerms memory terms = _standard();
        (terms.salt, terms.periods, terms.collateral) = (bytes32(1000 + salt), 8, 0);
        successor = market.dealIdOf(terms);
        uint256 question = uint256(keccak256(abi.encode(keccak256("Holdfast migration"), deal, provider)));
        uint256 grid = ((vm.getBlockNumber() - 1) / 64) * 64;
        bytes memory proof = _proofFor(question, 0, grid, 0, SEED, LEAVES);
        bytes memory signature = _sign(provider, successor);
        vm.prank(client);
        assertEq(market.migrate(deal, terms, "", signature, proof), successor);
    }
}
