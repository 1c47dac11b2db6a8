// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {
    Attestation,
    IProvenanceRegistry,
    RecordState,
    Verdict
} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {Anchor, Edge, EdgeKind, Record} from "../../../contracts/libraries/Records.sol";
import {AnchorTreeTwin} from "./AnchorTreeTwin.sol";
import {ProvenanceAttackSetup} from "./ProvenanceAttackSetup.sol";

/// @title Attacks on cost and on what is said: sizes, strangers in the way, attestations
contract ProvenanceGrief is ProvenanceAttackSetup {
    using AnchorTreeTwin for bytes32[][];

    // Sizes

    /// The most that a record can be costs its sender a bounded amount, and nobody else anything.
    function testTheLargestRecordsGas() public {
        Record memory r = _record(100);
        r.parents = _parents(64);
        r.cid = new bytes(64);
        r.license = string(new bytes(128));
        vm.prank(alice);
        uint256 gas = gasleft();
        bytes32 id = records.register(r);
        assertLt(gas - gasleft(), 500_000);
        (, RecordState[] memory parents) = records.parentsOf(r);
        assertEq(parents.length, 64);
        // To say something of it costs as little as of any other.
        gas = gasleft();
        vm.prank(mallory);
        records.attest(id, 0, Verdict.Disputes, 0, "");
        assertLt(gas - gasleft(), 60_000);
    }

    function testNoMoreThanTheLargest() public {
        Record memory r = _record(100);
        r.parents = _parents(65);
        _refuse(r, abi.encodeWithSelector(IProvenanceRegistry.TooManyParents.selector, 65));
        r.parents = new Edge[](0);
        r.cid = new bytes(65);
        _refuse(r, abi.encodeWithSelector(IProvenanceRegistry.CidTooLong.selector, 65));
        r.cid = "";
        r.license = string(new bytes(100_000));
        _refuse(r, abi.encodeWithSelector(IProvenanceRegistry.LicenseTooLong.selector, 100_000));
        bytes32 id = _enter(alice, 1);
        string memory reason = string(new bytes(100_000));
        bytes memory error = abi.encodeWithSelector(IProvenanceRegistry.ReasonTooLong.selector, 100_000);
        vm.prank(alice);
        vm.expectRevert(error);
        records.withdraw(id, reason);
        vm.prank(mallory);
        vm.expectRevert(error);
        records.attest(id, 0, Verdict.Disputes, 0, reason);
    }

    /// One lineage has one encoding: the same edges in another order, or one of them twice, are no record.
    function testFuzz_oneEncodingOfALineage(uint256 i, uint256 j) public {
        Record memory r = _record(100);
        r.parents = _parents(8);
        i = bound(i, 0, 7);
        j = bound(j, 0, 7);
        if (i == j) j = (j + 1) % 8;
        Edge memory moved = r.parents[i];
        r.parents[i] = r.parents[j];
        bool twice = (i + j) % 2 == 0;
        if (!twice) r.parents[j] = moved;
        vm.prank(alice);
        vm.expectPartialRevert(IProvenanceRegistry.ParentsNotAscending.selector);
        records.register(r);
    }

    // Strangers in the way

    /// Anybody may register a record of an anchored set, before its registrant does. What is then there is what she has
    /// claimed, as of when she did; a batch of hers with that record in it fails, and goes in without it.
    function testAStrangerRegistersOnlyWhatWasClaimed() public {
        (Anchor memory set, bytes32[][] memory levels) = _anchor(alice, 3);
        uint256 then = vm.getBlockTimestamp();
        vm.warp(then + 50);
        vm.prank(mallory);
        bytes32 id = records.registerAnchored(_record(1), set, 1, levels.prove(1));
        RecordState memory state = records.stateOf(id);
        assertEq(state.registrant, alice);
        assertEq(state.registeredAt, then);
        Record[] memory batch = _batch(3);
        vm.startPrank(alice);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.RecordExists.selector, id));
        records.registerMany(batch);
        batch[1] = _record(3);
        records.registerMany(batch);
        vm.stopPrank();
        vm.prank(mallory);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.NotRegistrant.selector, alice, mallory));
        records.withdraw(id, "");
    }

    /// Who relays first does what was signed; who comes second has lost its gas and nothing else.
    function testTheSecondRelayerChangesNothing() public {
        Record[] memory batch = _batch(2);
        bytes memory signature = _consent(alice, batch, FOREVER);
        vm.prank(mallory);
        bytes32[] memory ids = records.registerFor(batch, FOREVER, signature);
        bytes32 before = keccak256(abi.encode(records.stateOf(ids[0]), records.stateOf(ids[1])));
        vm.warp(vm.getBlockTimestamp() + 9);
        vm.prank(keeper);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.RecordExists.selector, ids[0]));
        records.registerFor(batch, FOREVER, signature);
        assertEq(keccak256(abi.encode(records.stateOf(ids[0]), records.stateOf(ids[1]))), before);
    }

    // What is said

    /// Nobody says anything beforehand of what is not registered yet, though its id can be known.
    function testNoVerdictBeforeTheRecord() public {
        bytes32 id = records.recordIdOf(_record(1));
        vm.prank(mallory);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.UnknownRecord.selector, id));
        records.attest(id, 0, Verdict.Disputes, 0, "");
        assertEq(_enter(alice, 1), id);
        assertEq(uint8(_verdict(id, mallory, 0)), uint8(Verdict.None));
    }

    /// Topics are each attester's own: the same word of two attesters is two things, and none stands for another, the
    /// empty one included.
    function testFuzz_topicsDoNotMeet(bytes32 a, bytes32 b) public {
        bytes32 id = _enter(alice, 1);
        vm.prank(mallory);
        records.attest(id, a, Verdict.Disputes, 0, "");
        assertEq(uint8(_verdict(id, mallory, a)), uint8(Verdict.Disputes));
        if (a != b) assertEq(uint8(_verdict(id, mallory, b)), uint8(Verdict.None));
        assertEq(uint8(_verdict(id, keeper, a)), uint8(Verdict.None));
        vm.prank(keeper);
        records.attest(id, a, Verdict.Vouches, 0, "");
        assertEq(uint8(_verdict(id, mallory, a)), uint8(Verdict.Disputes));
        vm.prank(keeper);
        records.revoke(id, a, "");
        assertEq(uint8(_verdict(id, mallory, a)), uint8(Verdict.Disputes));
        assertEq(uint8(_verdict(id, keeper, a)), uint8(Verdict.None));
    }

    function testNobodyRevokesAnothersWord() public {
        bytes32 id = _enter(alice, 1);
        vm.prank(keeper);
        records.attest(id, "origin", Verdict.Disputes, 0, "");
        address[2] memory senders = [alice, mallory];
        for (uint256 i; i < 2; ++i) {
            vm.prank(senders[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IProvenanceRegistry.NothingToRevoke.selector, id, senders[i], bytes32("origin"))
            );
            records.revoke(id, "origin", "");
        }
        // Not even by withdrawing what it is about.
        vm.prank(alice);
        records.withdraw(id, "");
        assertEq(uint8(_verdict(id, keeper, "origin")), uint8(Verdict.Disputes));
    }

    /// A verdict counts in the second that it names, not in the next one; what was revoked does not come back with
    /// time.
    function testFuzz_expiry(uint256 expires, uint256 at) public {
        bytes32 id = _enter(alice, 1);
        uint256 start = vm.getBlockTimestamp();
        expires = bound(expires, start, type(uint48).max);
        at = bound(at, start, type(uint48).max);
        vm.prank(mallory);
        records.attest(id, 0, Verdict.Vouches, uint48(expires), "");
        vm.warp(at);
        assertEq(uint8(_verdict(id, mallory, 0)), uint8(at <= expires ? Verdict.Vouches : Verdict.None));
        vm.warp(expires);
        assertEq(uint8(_verdict(id, mallory, 0)), uint8(Verdict.Vouches));
        vm.warp(expires + 1);
        assertEq(uint8(_verdict(id, mallory, 0)), uint8(Verdict.None));
        vm.warp(start);
        vm.prank(mallory);
        records.revoke(id, 0, "");
        assertEq(uint8(_verdict(id, mallory, 0)), uint8(Verdict.None));
    }

    /// An expiry that does not fit is no expiry: it isn't cut down to one that has passed, or to none.
    function testFuzz_noExpiryThatDoesNotFit(uint256 expires) public {
        expires = bound(expires, uint256(type(uint48).max) + 1, type(uint256).max);
        bytes32 id = _enter(alice, 1);
        bytes memory data = abi.encodeCall(records.attest, (id, 0, Verdict.Vouches, 0, ""));
        assembly ("memory-safe") {
            mstore(add(data, add(32, add(4, 96))), expires)
        }
        assertFalse(_call(mallory, address(records), data));
        Attestation memory said = records.attestationOf(id, mallory, 0);
        assertEq(said.attestedAt, 0);
    }

    /// A registrant vouches for nothing of its own, in no form of it.
    function testNobodyVouchesForItsOwn() public {
        (Anchor memory set, bytes32[][] memory levels) = _anchor(alice, 2);
        bytes32[2] memory own = [records.anchorIdOf(set), bytes32(0)];
        own[1] = records.registerAnchored(_record(0), set, 0, levels.prove(0));
        for (uint256 i; i < 2; ++i) {
            vm.prank(alice);
            vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.OwnRecord.selector, own[i]));
            records.attest(own[i], 0, Verdict.Vouches, 0, "");
        }
    }

    function _verdict(bytes32 id, address attester, bytes32 topic) private view returns (Verdict) {
        bytes32[] memory topics = new bytes32[](1);
        topics[0] = topic;
        return records.verdictsOf(id, attester, topics)[0];
    }

    /// @dev Registers that many records and returns edges to them, in order.
    function _parents(uint256 count) private returns (Edge[] memory edges) {
        edges = new Edge[](count);
        for (uint256 i; i < count; ++i) {
            edges[i] = Edge(_enter(alice, 1000 + i), EdgeKind.Input);
            for (uint256 j = i; j > 0 && edges[j].parent < edges[j - 1].parent; --j) {
                (edges[j], edges[j - 1]) = (edges[j - 1], edges[j]);
            }
        }
    }

    function _refuse(Record memory r, bytes memory error) private {
        vm.prank(alice);
        vm.expectRevert(error);
        records.register(r);
    }
}
