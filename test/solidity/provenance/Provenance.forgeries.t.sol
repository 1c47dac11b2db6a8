// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IProvenanceRegistry} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {Anchor, Edge, EdgeKind, Record} from "../../../contracts/libraries/Records.sol";
import {AnchorTreeTwin} from "./AnchorTreeTwin.sol";
import {ProvenanceAttackSetup} from "./ProvenanceAttackSetup.sol";

/// @title Attacks on who was it and when: names of others, dates before the fact, circles
contract ProvenanceForgeries is ProvenanceAttackSetup {
    using AnchorTreeTwin for bytes32[][];

    // Names

    /// To be first blocks nobody: the same bytes under another name are another record.
    function testBeingFirstBlocksNobody() public {
        Record memory hers = _record(1);
        Record memory stolen = _record(1);
        stolen.registrant = mallory;
        vm.prank(mallory);
        bytes32 first = records.register(stolen);
        vm.prank(alice);
        bytes32 second = records.register(hers);
        assertNotEq(first, second);
        assertEq(records.stateOf(first).registrant, mallory);
        assertEq(records.stateOf(second).registrant, alice);
    }

    /// A set speaks for the records of who anchored it, not for those of others that are put in its tree.
    function testNobodysSetTakesInAnothersRecords() public {
        bytes32[] memory leaves = new bytes32[](2);
        Record memory hers = _record(1);
        (leaves[0], leaves[1]) = (records.recordIdOf(hers), keccak256("another"));
        bytes32[][] memory levels = AnchorTreeTwin.build(leaves);
        Anchor memory set = _set(mallory, levels.root(), 2);
        vm.prank(mallory);
        bytes32 setId = records.anchor(set);
        assertFalse(records.isAnchored(hers, set, 0, levels.prove(0)));
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.NotInSet.selector, setId, leaves[0]));
        records.registerAnchored(hers, set, 0, levels.prove(0));
        // With her as the registrant it is another set, which is not anchored, and which she alone can anchor.
        set.registrant = alice;
        bytes32 forged = records.anchorIdOf(set);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.NotInSet.selector, forged, leaves[0]));
        records.registerAnchored(hers, set, 0, levels.prove(0));
        vm.prank(mallory);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.NotRegistrant.selector, alice, mallory));
        records.anchor(set);
    }

    /// Only what a registrant owns supersedes what it owns: nobody hangs their record on another's, or another's on
    /// theirs.
    function testNobodySupersedesWithAnothersRecord() public {
        bytes32 hers = _enter(alice, 1);
        vm.warp(vm.getBlockTimestamp() + 1);
        bytes32 theirs = _enter(mallory, 2);
        bytes memory error = abi.encodeWithSelector(IProvenanceRegistry.NotRegistrant.selector, alice, mallory);
        vm.startPrank(mallory);
        vm.expectRevert(error);
        records.supersede(hers, theirs);
        vm.expectRevert(error);
        records.supersede(theirs, hers);
        vm.expectRevert(error);
        records.withdraw(hers, "not hers");
        vm.stopPrank();
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.NotRegistrant.selector, mallory, alice));
        records.supersede(hers, theirs);
    }

    // Time

    /// A set's time is that of its anchoring, for what its root was over and for nothing else.
    function testNobodyBackdates() public {
        (Anchor memory set, bytes32[][] memory levels) = _anchor(alice, 3);
        uint256 then = vm.getBlockTimestamp();
        vm.warp(then + 1000);
        // Not in the tree: at no place, by no proof of another.
        Record memory late = _record(7);
        for (uint64 i; i < 3; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IProvenanceRegistry.NotInSet.selector,
                    records.anchorIdOf(set),
                    records.recordIdOf(late)
                )
            );
            records.registerAnchored(late, set, i, levels.prove(i));
        }
        // The same root with another count or licence is another set, of its own time.
        Anchor memory again = abi.decode(abi.encode(set), (Anchor));
        again.count = 4;
        assertFalse(records.isAnchored(_record(0), again, 0, levels.prove(0)), "not anchored yet");
        vm.startPrank(alice);
        assertEq(records.stateOf(records.anchor(again)).registeredAt, then + 1000);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.RecordExists.selector, records.anchorIdOf(set)));
        records.anchor(set);
        // What is registered keeps its time, though an older set has it.
        bytes32 id = records.register(_record(1));
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.RecordExists.selector, id));
        records.registerAnchored(_record(1), set, 1, levels.prove(1));
        assertEq(records.stateOf(id).registeredAt, then + 1000);
        vm.stopPrank();
        // What is in it has the set's time, whoever registers it.
        vm.prank(mallory);
        id = records.registerAnchored(_record(2), set, 2, levels.prove(2));
        assertEq(records.stateOf(id).registeredAt, then);
        assertEq(records.stateOf(id).registrant, alice);
    }

    /// Ids are hashes, so a set can hold what is made of a record that is registered only later. It has the set's time
    /// then, which is before its parent's; it is registered after it all the same.
    function testAChildMayBeOlderThanItsParentButNotBeforeIt() public {
        Record memory parent = _record(1);
        Record memory child = _record(2);
        child.parents = new Edge[](1);
        child.parents[0] = Edge(records.recordIdOf(parent), EdgeKind.Derivation);
        Anchor memory set = _set(alice, keccak256(abi.encodePacked(uint8(0), records.recordIdOf(child))), 1);
        vm.prank(alice);
        records.anchor(set);
        vm.warp(vm.getBlockTimestamp() + 5);
        bytes32 parentId = records.recordIdOf(parent);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.UnknownParent.selector, 0, parentId));
        records.registerAnchored(child, set, 0, new bytes32[](0));
        vm.prank(alice);
        records.register(parent);
        bytes32 id = records.registerAnchored(child, set, 0, new bytes32[](0));
        assertLt(records.stateOf(id).registeredAt, records.stateOf(parentId).registeredAt);
    }

    /// A withdrawn set gives up no more records: nobody brings back, one by one, what its registrant took back. What
    /// was registered from it before is the registrant's to withdraw.
    function testNobodyBringsBackAWithdrawnSet() public {
        (Anchor memory set, bytes32[][] memory levels) = _anchor(alice, 3);
        bytes32 setId = records.anchorIdOf(set);
        bytes32 early = records.registerAnchored(_record(0), set, 0, levels.prove(0));
        vm.prank(alice);
        records.withdraw(setId, "");
        bytes memory error = abi.encodeWithSelector(IProvenanceRegistry.AlreadyWithdrawn.selector, setId);
        address[2] memory senders = [mallory, alice];
        for (uint256 i; i < 2; ++i) {
            vm.prank(senders[i]);
            vm.expectRevert(error);
            records.registerAnchored(_record(1), set, 1, levels.prove(1));
        }
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.RecordExists.selector, setId));
        records.anchor(set);
        assertFalse(records.stateOf(early).withdrawn);
        assertTrue(records.isAnchored(_record(1), set, 1, levels.prove(1)), "it is what it was");
    }

    /// Edges have no circle; edges and membership together can have one. A set may come from a record that is in it, so
    /// whoever goes from records to their sets and on to the sets' parents has to note where it was.
    function testASetMayComeFromWhatIsInIt() public {
        bytes32 id = _enter(alice, 1);
        Anchor memory set = _set(alice, keccak256(abi.encodePacked(uint8(0), id)), 1);
        set.parents = new Edge[](1);
        set.parents[0] = Edge(id, EdgeKind.Component);
        vm.startPrank(alice);
        bytes32 setId = records.anchor(set);
        assertTrue(records.isAnchored(_record(1), set, 0, new bytes32[](0)));
        // The record can't come from the set in turn: that would be another record, and not in it.
        Record memory r = _record(1);
        r.parents = new Edge[](1);
        r.parents[0] = Edge(setId, EdgeKind.Derivation);
        records.register(r);
        assertFalse(records.isAnchored(r, set, 0, new bytes32[](0)));
        vm.stopPrank();
    }

    /// Succession goes forward in time alone: not to itself, not within a second, not back, not in a circle.
    function testNoCircleOfSuccessors() public {
        bytes32 a = _enter(alice, 1);
        bytes32 twin = _enter(alice, 2);
        _refuseSupersede(a, a);
        _refuseSupersede(a, twin);
        _refuseSupersede(twin, a);
        vm.warp(vm.getBlockTimestamp() + 1);
        bytes32 b = _enter(alice, 3);
        vm.warp(vm.getBlockTimestamp() + 1);
        bytes32 c = _enter(alice, 4);
        vm.startPrank(alice);
        records.supersede(a, b);
        records.supersede(b, c);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.AlreadySuperseded.selector, a, b));
        records.supersede(a, c);
        vm.stopPrank();
        _refuseSupersede(c, a);
        _refuseSupersede(c, b);
    }

    /// An id is a hash over its parents, so nothing leads back: what would have to be its own id is another's.
    function testNoRecordIsItsOwnAncestor() public {
        Record[] memory batch = _batch(2);
        batch[0].parents = new Edge[](1);
        batch[0].parents[0] = Edge(records.recordIdOf(batch[1]), EdgeKind.Derivation);
        vm.startPrank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(IProvenanceRegistry.UnknownParent.selector, 0, batch[0].parents[0].parent)
        );
        records.registerMany(batch);
        // With itself as its parent it is another record each time, of which none is there.
        Record memory r = _record(3);
        r.parents = new Edge[](1);
        for (uint256 i; i < 4; ++i) {
            r.parents[0].parent = records.recordIdOf(r);
            assertNotEq(records.recordIdOf(r), r.parents[0].parent);
            vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.UnknownParent.selector, 0, r.parents[0].parent));
            records.register(r);
        }
        vm.stopPrank();
    }

    function _refuseSupersede(bytes32 id, bytes32 by) private {
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.NotLater.selector, id, by));
        records.supersede(id, by);
    }
}
