// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ProvenanceRegistry} from "../../../contracts/ProvenanceRegistry.sol";
import {
    Attestation,
    Form,
    IProvenanceRegistry,
    RecordState,
    Verdict
} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {Anchor, Edge, Record} from "../../../contracts/libraries/Records.sol";
import {AnchorTreeTwin} from "./AnchorTreeTwin.sol";
import {ProvenanceModel} from "./ProvenanceModel.sol";

/// @title What always holds for a registry, as checks against the model
abstract contract ProvenanceChecks is ProvenanceModel {
    using AnchorTreeTwin for bytes32[][];

    /// @dev What the registry itself first said of an id, and the first withdrawal and successor that it told.
    mapping(bytes32 id => bytes32) private _born;
    mapping(bytes32 id => bool) private _gone;
    mapping(bytes32 id => bytes32) private _replaced;

    /// @dev Notes what is told for the first time; called after every action.
    function _watch() internal {
        for (uint256 i; i < ids.length; ++i) {
            RecordState memory s = records.stateOf(ids[i]);
            if (_born[ids[i]] == 0) _born[ids[i]] = _birth(s);
            if (s.withdrawn) _gone[ids[i]] = true;
            if (_replaced[ids[i]] == 0) _replaced[ids[i]] = s.supersededBy;
        }
    }

    function _birth(RecordState memory s) private pure returns (bytes32) {
        return keccak256(abi.encode(s.form, s.registrant, s.registeredAt, s.kind, s.aiTraining));
    }

    /// @notice Nothing that was told is ever taken back: who registered what and when, that it was withdrawn, and what
    /// superseded it.
    function checkAppendOnly() external view {
        for (uint256 i; i < ids.length; ++i) {
            RecordState memory s = records.stateOf(ids[i]);
            assertEq(_birth(s), _born[ids[i]], "as it was registered");
            if (_gone[ids[i]]) assertTrue(s.withdrawn, "withdrawn for good");
            if (_replaced[ids[i]] != 0) assertEq(s.supersededBy, _replaced[ids[i]], "superseded once");
        }
    }

    /// @notice All that is known by every id that ever came up is what its registrant did; of others, nothing. The
    /// model books withdrawals and successors for calls of the registrant alone.
    function checkStates() external view {
        for (uint256 i; i < seen.length; ++i) {
            bytes32 id = seen[i];
            Item storage m = items[id];
            RecordState memory s = records.stateOf(id);
            assertEq(uint8(s.form), uint8(m.form), "form");
            assertEq(s.registrant, m.registrant, "registrant");
            assertEq(s.registeredAt, m.time, "time");
            assertEq(uint8(s.kind), uint8(m.kind), "kind");
            assertEq(uint8(s.aiTraining), uint8(m.aiTraining), "AI training");
            assertEq(s.withdrawn, m.withdrawn, "withdrawn");
            assertEq(s.supersededBy, m.by, "superseded");
            assertEq(records.linkCount(id), 0, "links");
            assertFalse(records.isHeld(id), "held");
            assertEq(uint8(foreign.stateOf(id).form), 0, "in the other registry");
        }
    }

    /// @notice Every parent was there before its child, and every successor is a later one of the same registrant:
    /// neither lineage nor succession has a circle.
    function checkOrder() external view {
        for (uint256 i; i < ids.length; ++i) {
            Item storage item = items[ids[i]];
            if (item.form == Form.Record) _checkParents(ids[i], abi.decode(item.encoded, (Record)));
            else _checkOrder(ids[i], abi.decode(item.encoded, (Anchor)).parents);
            bytes32 at = ids[i];
            for (uint256 steps; at != 0; ++steps) {
                assertLe(steps, ids.length, "a circle");
                RecordState memory s = records.stateOf(at);
                if (s.supersededBy == 0) break;
                RecordState memory next = records.stateOf(s.supersededBy);
                assertGt(next.registeredAt, s.registeredAt, "a later one");
                assertEq(next.registrant, s.registrant, "of the same registrant");
                at = s.supersededBy;
            }
        }
    }

    function _checkParents(bytes32 id, Record memory r) private view {
        (bytes32 told, RecordState[] memory parents) = records.parentsOf(r);
        assertEq(told, id, "id");
        assertEq(parents.length, r.parents.length, "parents");
        for (uint256 i; i < parents.length; ++i) {
            Item storage parent = items[r.parents[i].parent];
            assertEq(parents[i].registrant, parent.registrant, "parent");
            assertEq(parents[i].withdrawn, parent.withdrawn, "parent withdrawn");
        }
        _checkOrder(id, r.parents);
    }

    function _checkOrder(bytes32 id, Edge[] memory edges) private view {
        assertLe(edges.length, 64, "parents");
        for (uint256 i; i < edges.length; ++i) {
            uint256 order = items[edges[i].parent].order;
            assertTrue(order > 0 && order < items[id].order, "a parent after its child");
            if (i > 0) assertTrue(_isBefore(edges[i - 1], edges[i]), "edges in order");
        }
    }

    /// @notice What everybody says of everything is what they said themselves last, and counts until it expires or is
    /// revoked.
    function checkVerdicts() external view {
        bytes32[] memory topics = new bytes32[](allTopics.length);
        for (uint256 i; i < topics.length; ++i) topics[i] = allTopics[i];
        for (uint256 i; i < seen.length; ++i) {
            // Nothing can be said of what is not registered; one account stands for all there.
            bool known = items[seen[i]].form != Form.None;
            for (uint256 j = known ? 0 : i % 7; j < accounts.length; j += known ? 1 : 7) {
                Verdict[] memory verdicts = records.verdictsOf(seen[i], accounts[j], topics);
                for (uint256 k; k < topics.length; ++k) {
                    Verdict expected = _verdict(seen[i], accounts[j], topics[k]);
                    if (verdicts[k] != expected) assertEq(uint8(verdicts[k]), uint8(expected), "verdict");
                }
            }
        }
        for (uint256 i; i < sayings.length; ++i) {
            _checkSaid(sayings[i].subject, sayings[i].attester, sayings[i].topic);
        }
    }

    function _checkSaid(bytes32 subject, address attester, bytes32 topic) private view {
        Said storage s = said[subject][attester][topic];
        Attestation memory a = records.attestationOf(subject, attester, topic);
        assertEq(a.attestedAt, s.at, "attested at");
        assertEq(a.expires, s.expires, "expires");
        assertEq(uint8(a.verdict), uint8(s.verdict), "said");
        assertEq(a.revoked, s.revoked, "revoked");
    }

    /// @notice Records are in the sets that they were put in by their own registrant, once those are anchored, and have
    /// the time of a set only as members of it.
    function checkSets() external view {
        for (uint256 i; i < bundles.length; ++i) {
            Bundle storage b = bundles[i];
            Anchor memory set = abi.decode(b.set, (Anchor));
            uint64 count = uint64(b.leaves.length);
            bytes32[][] memory levels = AnchorTreeTwin.build(b.leaves);
            for (uint64 j; j < count; ++j) {
                Record memory r = abi.decode(b.members[j], (Record));
                bool expected = items[b.id].form == Form.Set && r.registrant == set.registrant;
                assertEq(records.isAnchored(r, set, j, levels.prove(j)), expected, "in the set");
                assertFalse(records.isAnchored(r, set, count, levels.prove(j)), "beyond the set");
            }
        }
    }

    /// @notice What was signed once has been used once, and is good for nothing else: nowhere, again or by another
    /// time.
    function checkSignatures() external {
        for (uint256 i; i < consents.length; ++i) {
            Consent memory c = consents[i];
            _assertRefused(foreign, c, c.validUntil, IProvenanceRegistry.InvalidSignature.selector);
            if (!c.used) continue;
            _assertRefused(records, c, c.validUntil, IProvenanceRegistry.RecordExists.selector);
            _assertRefused(records, c, c.validUntil ^ 1, IProvenanceRegistry.InvalidSignature.selector);
        }
    }

    function _assertRefused(ProvenanceRegistry registry_, Consent memory c, uint64 validUntil, bytes4 reason) private {
        bytes memory data = _relayOf(c.ofSet, c.what, validUntil, c.signature);
        (bool ok, bytes memory error) = address(registry_).call(data);
        assertFalse(ok, "a signature used twice");
        bytes4 actual = bytes4(error);
        if (_time() > validUntil) reason = IProvenanceRegistry.SignatureExpired.selector;
        // A wallet may have changed its mind.
        bool off = reason == IProvenanceRegistry.RecordExists.selector && rejecting[_signerOf(c)];
        if (off) reason = IProvenanceRegistry.InvalidSignature.selector;
        assertEq(actual, reason, "refused for what it is");
    }

    function _signerOf(Consent memory c) internal pure returns (address) {
        if (c.ofSet) return abi.decode(c.what, (Anchor)).registrant;
        return abi.decode(c.what, (Record[]))[0].registrant;
    }

    function _relayOf(
        bool ofSet,
        bytes memory what,
        uint64 validUntil,
        bytes memory signature
    ) internal view returns (bytes memory) {
        if (ofSet) return abi.encodeCall(records.anchorFor, (abi.decode(what, (Anchor)), validUntil, signature));
        return abi.encodeCall(records.registerFor, (abi.decode(what, (Record[])), validUntil, signature));
    }
}
