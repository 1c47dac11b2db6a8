// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {ProvenanceRegistry} from "../../../contracts/ProvenanceRegistry.sol";
import {IMarketLens} from "../../../contracts/interfaces/IMarketLens.sol";
import {IProvenanceRegistry} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {AiTraining, Anchor, Edge, EdgeKind, Kind, Record} from "../../../contracts/libraries/Records.sol";
import {RecordsTwin} from "./RecordsTwin.sol";

/// @dev All that the registry asks of a lens at its deployment.
contract NoMarketLens {
    address public market = address(0x3a4);
}

/// @title Ids of records and sets, and what is signed of them, against encodings by hand
contract RecordsTest is Test {
    using RecordsTwin for Record;
    using RecordsTwin for Anchor;

    /// @dev What the runner draws of a record; of enums it draws what they don't have.
    struct Members {
        address registrant;
        bytes32 contentHash;
        uint64 size;
        bytes32 pieceId;
        bytes cid;
        bytes32 manifestHash;
    }

    uint256 private constant KEY = 0xa11ce;

    ProvenanceRegistry private registry;
    bytes32 private separator;

    function setUp() public {
        vm.warp(1_800_000_000);
        registry = new ProvenanceRegistry(IMarketLens(address(new NoMarketLens())));
        separator = RecordsTwin.domain(block.chainid, address(registry));
    }

    function testTheDomain() public view {
        assertEq(registry.DOMAIN_SEPARATOR(), separator);
    }

    /// Any members at all, valid or not: the id is a hash, and asks nothing of what it is of.
    function testFuzz_idsOfRecords(Members memory m, uint256 seed, uint256 edges, uint256 length) public view {
        Record memory r = _recordOf(m);
        _fill(r, seed, bound(edges, 0, 64), bound(length, 0, 300));
        assertEq(registry.recordIdOf(r), RecordsTwin.idOf(separator, r));
    }

    function testIdsOfTheLongestAndTheEmptiestRecords() public view {
        Record memory r;
        assertEq(registry.recordIdOf(r), RecordsTwin.idOf(separator, r));
        _fill(r, 7, 64, 128);
        r.cid = new bytes(64);
        assertEq(registry.recordIdOf(r), RecordsTwin.idOf(separator, r));
        _fill(r, 7, 1, 20_000);
        assertEq(registry.recordIdOf(r), RecordsTwin.idOf(separator, r));
    }

    function testFuzz_idsOfSets(
        address registrant,
        bytes32 root,
        uint64 count,
        string memory license,
        uint8 aiTraining,
        uint256 edges
    ) public view {
        Record memory r;
        _fill(r, edges, edges % 65, 0);
        Anchor memory a = Anchor(
            registrant,
            root,
            count,
            r.parents,
            r.kind,
            license,
            AiTraining(aiTraining % 4),
            ~root
        );
        assertEq(registry.anchorIdOf(a), RecordsTwin.idOf(separator, a));
    }

    /// Every member counts, and each edge in both of its members and its place.
    function testFuzz_anyOtherMemberIsAnotherRecord(Members memory m, uint256 seed, uint256 edges) public view {
        Record memory r = _recordOf(m);
        _fill(r, seed, bound(edges, 2, 64), seed % 50);
        bytes32 id = registry.recordIdOf(r);
        for (uint256 which; which < 14; ++which) {
            Record memory other = abi.decode(abi.encode(r), (Record));
            _change(other, which, seed);
            assertNotEq(registry.recordIdOf(other), id, vm.toString(which));
        }
    }

    /// Consent is to these records, in this order, until this time; the registry takes what the twin has signed.
    function testFuzz_consentToRecords(uint256 seed, uint256 count, uint64 validUntil) public {
        validUntil = uint64(bound(validUntil, block.timestamp, type(uint64).max));
        Record[] memory records = new Record[](bound(count, 1, 5));
        for (uint256 i; i < records.length; ++i) {
            _fill(records[i], seed ^ i, 0, (seed >> i) % 129);
            (records[i].registrant, records[i].contentHash) = (vm.addr(KEY), bytes32(1 + i));
        }
        bytes memory signature = _sign(RecordsTwin.registration(records, validUntil));
        bytes32[] memory ids = registry.registerFor(records, validUntil, signature);
        for (uint256 i; i < ids.length; ++i) {
            assertEq(ids[i], RecordsTwin.idOf(separator, records[i]));
            assertEq(registry.stateOf(ids[i]).registrant, vm.addr(KEY));
        }
    }

    function testFuzz_consentToSets(bytes32 root, uint64 count, uint256 ai, uint64 validUntil) public {
        validUntil = uint64(bound(validUntil, block.timestamp, type(uint64).max));
        if (root == 0) root = bytes32(uint256(1));
        if (count == 0) count = 1;
        Anchor memory a = Anchor(
            vm.addr(KEY),
            root,
            count,
            new Edge[](0),
            Kind(ai % 6),
            "MIT",
            AiTraining(ai % 4),
            root
        );
        bytes32 id = registry.anchorFor(a, validUntil, _sign(RecordsTwin.anchoring(a, validUntil)));
        assertEq(id, RecordsTwin.idOf(separator, a));
        assertEq(registry.stateOf(id).registrant, vm.addr(KEY));
    }

    /// Neither the id of a record or a set, nor its own EIP-712 struct, is consent to its registration.
    function testANameIsNoConsent() public {
        Record[] memory records = new Record[](1);
        (records[0].registrant, records[0].contentHash) = (vm.addr(KEY), bytes32(uint256(1)));
        _refuse(records, _sign(records[0].hash()));
        _refuse(records, _signRaw(registry.recordIdOf(records[0])));
        Anchor memory set;
        (set.registrant, set.root, set.count) = (vm.addr(KEY), bytes32(uint256(1)), 1);
        _refuse(set, _sign(set.hash()));
        _refuse(set, _signRaw(registry.anchorIdOf(set)));
        // Nor is consent to the one consent to the other.
        _refuse(records, _sign(RecordsTwin.anchoring(set, type(uint64).max)));
        _refuse(set, _sign(RecordsTwin.registration(records, type(uint64).max)));
    }

    function _refuse(Record[] memory records, bytes memory signature) private {
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.InvalidSignature.selector, vm.addr(KEY)));
        registry.registerFor(records, type(uint64).max, signature);
    }

    function _refuse(Anchor memory set, bytes memory signature) private {
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.InvalidSignature.selector, vm.addr(KEY)));
        registry.anchorFor(set, type(uint64).max, signature);
    }

    // Events

    /// The event has the whole record, as the compiler would have written it.
    function testFuzz_theEventOfARecord(Members memory m, uint256 seed, uint256 parents) public {
        if (uint160(m.registrant) >> 64 == 0xff0000000000000000000000 || m.registrant == address(0)) return;
        Record memory r = _recordOf(m);
        Record memory parent;
        (parent.registrant, parent.contentHash) = (m.registrant, ~m.contentHash);
        if (r.contentHash == 0 || parent.contentHash == 0) return;
        _fill(r, seed, 0, seed % 129);
        if (r.cid.length > 64) r.cid = "";
        vm.startPrank(m.registrant);
        r.parents = new Edge[](bound(parents, 0, 5));
        bytes32 known = registry.register(parent);
        for (uint256 i; i < r.parents.length; ++i) r.parents[i] = Edge(known, EdgeKind(i));
        bytes32 id = RecordsTwin.idOf(separator, r);
        vm.expectEmit(address(registry));
        emit IProvenanceRegistry.Registered(id, m.registrant, m.contentHash, r);
        registry.register(r);
        vm.stopPrank();
    }

    // Encodings

    /// What fills up a text, and where in the call it lies, are not part of a record: it has one id.
    function testOneIdWhateverTheEncoding() public view {
        Record memory r;
        _fill(r, 3, 2, 5);
        r.cid = "cid";
        bytes32 id = registry.recordIdOf(r);
        bytes memory data = abi.encodeCall(registry.recordIdOf, (r));
        uint256 cid = 36 + _word(data, 36 + 32 * 4);
        assertEq(_word(data, cid), 3, "three bytes");
        // Bytes after the third.
        for (uint256 i = cid + 32 + 3; i < cid + 64; ++i) data[i] = 0xff;
        assertEq(_idBy(data), id, "dirty padding");
        // The text once more at the end, and its offset there.
        uint256 license = 36 + _word(data, 36 + 32 * 7);
        uint256 moved = data.length - 36;
        data = abi.encodePacked(data, _word(data, license), _word(data, license + 32));
        assertEq(_idBy(_with(data, 36 + 32 * 7, moved)), id, "elsewhere");
    }

    function _idBy(bytes memory data) private view returns (bytes32) {
        (bool ok, bytes memory result) = address(registry).staticcall(data);
        assertTrue(ok);
        return abi.decode(result, (bytes32));
    }

    // Members as they arrive

    /// What no enum has is no record: there is one encoding of each, and no id beside those of valid members.
    function testNoMembersBeyondTheirTypes() public view {
        Record memory r;
        _fill(r, 1, 1, 5);
        bytes memory data = abi.encodeCall(registry.recordIdOf, (r));
        // Words of the record's head, after selector and offset: registrant, size, kind, aiTraining.
        _assertRefused(data, 36 + 32 * 0, 1 << 160);
        _assertRefused(data, 36 + 32 * 2, 1 << 64);
        _assertRefused(data, 36 + 32 * 6, 6);
        _assertRefused(data, 36 + 32 * 8, 4);
        // The edge's kind: its list begins after the head and the CID.
        uint256 list = 36 + _word(data, 36 + 32 * 5);
        assertEq(_word(data, list), 1, "one edge");
        _assertRefused(data, list + 64, 5);
        _assertRefused(data, list + 64, type(uint256).max);
    }

    function _assertRefused(bytes memory data, uint256 at, uint256 value) private view {
        (bool ok, ) = address(registry).staticcall(data);
        assertTrue(ok, "as it was");
        (ok, ) = address(registry).staticcall(_with(data, at, value));
        assertFalse(ok, "beyond its type");
    }

    function _with(bytes memory data, uint256 at, uint256 value) private pure returns (bytes memory changed) {
        changed = bytes.concat(data);
        assembly ("memory-safe") {
            mstore(add(add(changed, 32), at), value)
        }
    }

    function _word(bytes memory data, uint256 at) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(add(add(data, 32), at))
        }
    }

    function _recordOf(Members memory m) private pure returns (Record memory r) {
        (r.registrant, r.contentHash, r.size) = (m.registrant, m.contentHash, m.size);
        (r.pieceId, r.cid, r.manifestHash) = (m.pieceId, m.cid, m.manifestHash);
    }

    function _fill(Record memory r, uint256 seed, uint256 edges, uint256 length) private pure {
        r.parents = new Edge[](edges);
        for (uint256 i; i < edges; ++i) {
            bytes32 x = keccak256(abi.encode(seed, i));
            r.parents[i] = Edge(x, EdgeKind(uint256(x) % 5));
        }
        bytes memory text = new bytes(length);
        for (uint256 i; i < length; ++i) text[i] = bytes1(uint8((seed >> (i % 200)) ^ i));
        r.license = string(text);
        r.kind = Kind(seed % 6);
        r.aiTraining = AiTraining((seed >> 8) % 4);
    }

    function _change(Record memory r, uint256 which, uint256 seed) private pure {
        uint256 at = seed % (r.parents.length - 1);
        if (which == 0) r.registrant = address(uint160(r.registrant) ^ 1);
        if (which == 1) r.contentHash = ~r.contentHash;
        if (which == 2) r.size ^= 1;
        if (which == 3) r.pieceId = ~r.pieceId;
        if (which == 4) r.cid = bytes.concat(r.cid, bytes1(0));
        if (which == 5) r.kind = Kind((uint256(r.kind) + 1) % 6);
        if (which == 6) r.license = string.concat(r.license, " ");
        if (which == 7) r.aiTraining = AiTraining((uint256(r.aiTraining) + 1) % 4);
        if (which == 8) r.manifestHash = ~r.manifestHash;
        if (which == 9) r.parents[at].parent = ~r.parents[at].parent;
        if (which == 10) r.parents[at].kind = EdgeKind((uint256(r.parents[at].kind) + 1) % 5);
        if (which == 11) (r.parents[at], r.parents[at + 1]) = (r.parents[at + 1], r.parents[at]);
        if (which == 12) r.parents = new Edge[](0);
        // What one member loses, the next one gains: lengths are in the hash.
        if (which == 13) (r.cid, r.license) = (bytes.concat(r.cid, "x"), string.concat("x", r.license));
    }

    function _sign(bytes32 structHash) private view returns (bytes memory) {
        return _signRaw(RecordsTwin.digest(separator, structHash));
    }

    function _signRaw(bytes32 digest) private pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        return abi.encodePacked(r, s, v);
    }
}
