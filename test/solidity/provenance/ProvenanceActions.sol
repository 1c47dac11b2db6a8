// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ProvenanceRegistry} from "../../../contracts/ProvenanceRegistry.sol";
import {Form} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {AiTraining, Anchor, Edge, EdgeKind, Kind, Record} from "../../../contracts/libraries/Records.sol";
import {AnchorTreeTwin} from "./AnchorTreeTwin.sol";
import {ProvenanceChecks} from "./ProvenanceChecks.sol";
import {RecordsTwin} from "./RecordsTwin.sol";

/// @title What the actions of the handler are made of
/// @notice Accounts, and random records, sets and signatures: right ones mostly, and each wrong in one way now and
/// then.
abstract contract ProvenanceActions is ProvenanceChecks {
    using AnchorTreeTwin for bytes32[][];

    /// @dev Accounts: two with a key and a wallet register, two more attest, one has no business here, one may not.
    uint256 internal constant REGISTRANTS = 3;
    uint256 internal constant OUTSIDER = 5;
    /// @dev Ways to sign: the first is right.
    uint256 internal constant ALL_WAYS = 6;

    /// @notice How often each action succeeded, or was refused with the error that was foretold.
    mapping(string action => uint256) public done;
    uint256 private _entropy;
    uint256 private _salt;

    function _setUp() internal {
        vm.warp(1_800_000_000);
        _deploy();
        records = new ProvenanceRegistry(lens);
        foreign = new ProvenanceRegistry(lens);
        separator = RecordsTwin.domain(block.chainid, address(records));
        for (uint256 i; i < 6; ++i) accounts.push(i == 2 ? _newWallet() : _newKey());
        accounts.push(ALIAS);
    }

    function _begin(uint256 x) internal {
        _entropy = x;
    }

    /// @dev A number below n that follows from the action's argument.
    function _draw(uint256 n) internal returns (uint256) {
        _entropy = uint256(keccak256(abi.encode(_entropy)));
        return _entropy % n;
    }

    /// @dev Calls, and fails the test where the outcome isn't the one foretold, to the last byte of the error.
    function _act(string memory action, address sender, bytes memory data, bytes memory error) internal returns (bool) {
        vm.prank(sender);
        (bool ok, bytes memory result) = address(records).call(data);
        assertEq(ok, error.length == 0, action);
        if (!ok) assertEq(result, error, action);
        ++done[ok ? action : string.concat(action, " refused")];
        // By the kind of error, too.
        if (!ok) ++done[vm.toString(abi.encodePacked(bytes4(error)))];
        return ok;
    }

    /// @dev Who acts for a registrant: mostly the one who may.
    function _sender(address right) internal returns (address) {
        return _draw(8) == 0 ? accounts[_draw(accounts.length)] : right;
    }

    // Records

    /// @param wrong One in how many is spoilt.
    function _randomRecord(address registrant, uint256 wrong) internal returns (Record memory r) {
        r.registrant = registrant;
        // Some content is registered by several, and several times.
        r.contentHash = keccak256(abi.encode("content", _draw(20)));
        r.size = uint64(_draw(2 ** 64));
        if (_draw(2) == 0) r.pieceId = keccak256(abi.encode("piece", _draw(5)));
        r.cid = new bytes(_draw(3) == 0 ? 36 : 0);
        r.parents = _randomParents(_draw(3) == 0 ? 0 : 1 + _draw(4));
        r.kind = Kind(_draw(6));
        r.license = _draw(3) == 0 ? "" : "CC-BY-4.0";
        r.aiTraining = AiTraining(_draw(4));
        // The runner plays an argument more than once.
        r.manifestHash = bytes32(_draw(6) == 0 ? 0 : ++_salt);
        if (_draw(wrong) == 0) _spoil(r);
    }

    /// @dev Mostly what is registered, in order.
    function _randomParents(uint256 count) private returns (Edge[] memory edges) {
        if (ids.length == 0) return edges;
        edges = new Edge[](count);
        for (uint256 i; i < count; ++i) edges[i] = Edge(ids[_draw(ids.length)], EdgeKind(_draw(5)));
        for (uint256 i = 1; i < count; ++i) {
            for (uint256 j = i; j > 0 && _isBefore(edges[j], edges[j - 1]); --j) {
                (edges[j - 1], edges[j]) = (edges[j], edges[j - 1]);
            }
        }
        // Twins are taken out.
        uint256 kept = count == 0 ? 0 : 1;
        for (uint256 i = 1; i < count; ++i) if (_isBefore(edges[kept - 1], edges[i])) edges[kept++] = edges[i];
        assembly ("memory-safe") {
            mstore(edges, kept)
        }
    }

    /// @dev Makes it wrong in one way, or takes it to the edge of what is right.
    function _spoil(Record memory r) private {
        uint256 how = _draw(11);
        if (how == 0) r.contentHash = 0;
        if (how == 1) r.cid = new bytes(65);
        if (how == 2) r.license = string(new bytes(129));
        if (how == 3) r.parents = new Edge[](65);
        if (how == 4) r.parents = _one(Edge(keccak256(abi.encode("nobody's", _draw(9))), EdgeKind.Input));
        if (how == 5) r.parents = _one(Edge(0, EdgeKind.Derivation));
        if (how == 6 && r.parents.length > 1) (r.parents[0], r.parents[1]) = (r.parents[1], r.parents[0]);
        if (how == 7 && r.parents.length > 1) r.parents[1] = r.parents[0];
        if (how == 8 && ids.length > 0) r.parents = _everyEdge(ids[_draw(ids.length)]);
        if (how == 9) (r.cid, r.license) = (new bytes(64), string(new bytes(128)));
        // A record that is there already.
        if (how == 10 && ids.length > 0) _copy(r, ids[_draw(ids.length)]);
    }

    function _copy(Record memory r, bytes32 id) private view {
        if (items[id].form != Form.Record) return;
        Record memory old = abi.decode(items[id].encoded, (Record));
        (r.contentHash, r.size, r.pieceId, r.cid) = (old.contentHash, old.size, old.pieceId, old.cid);
        (r.parents, r.kind, r.license) = (old.parents, old.kind, old.license);
        (r.aiTraining, r.manifestHash, r.registrant) = (old.aiTraining, old.manifestHash, old.registrant);
    }

    function _one(Edge memory edge) private pure returns (Edge[] memory edges) {
        edges = new Edge[](1);
        edges[0] = edge;
    }

    /// @dev One parent in all of its roles.
    function _everyEdge(bytes32 parent) private pure returns (Edge[] memory edges) {
        edges = new Edge[](5);
        for (uint256 i; i < 5; ++i) edges[i] = Edge(parent, EdgeKind(i));
    }

    /// @dev Up to five, of which each may have those before it as parents.
    function _randomBatch(address registrant) internal returns (Record[] memory rs) {
        rs = new Record[](_draw(12) == 0 ? 0 : 1 + _draw(5));
        for (uint256 i; i < rs.length; ++i) {
            rs[i] = _randomRecord(registrant, 20);
            bool child = i > 0 && _draw(2) == 0;
            if (child) rs[i].parents = _one(Edge(_idOf(rs[i - 1]), EdgeKind(_draw(5))));
        }
        // The child before its parent, or somebody else's among them.
        if (rs.length > 1 && _draw(12) == 0) (rs[0], rs[1]) = (rs[1], rs[0]);
        if (rs.length > 1 && _draw(12) == 0) rs[1].registrant = accounts[_draw(accounts.length)];
    }

    // Sets

    /// @dev Makes a set, for somebody to anchor later or now. Some of its members may be somebody else's.
    function _randomBundle(address registrant) internal returns (Anchor memory set) {
        Bundle storage b = bundles.push();
        bytes32[] memory leaves = new bytes32[](1 + _draw(9));
        for (uint256 i; i < leaves.length; ++i) {
            Record memory r = _randomRecord(_draw(8) == 0 ? accounts[_draw(REGISTRANTS)] : registrant, 10);
            leaves[i] = _idOf(r);
            b.members.push(abi.encode(r));
        }
        (set.registrant, set.count) = (registrant, uint64(leaves.length));
        set.root = AnchorTreeTwin.build(leaves).root();
        set.parents = _randomParents(_draw(3));
        (set.kind, set.aiTraining) = (Kind(_draw(6)), AiTraining(_draw(4)));
        set.manifestHash = bytes32(++_salt);
        (b.set, b.leaves) = (abi.encode(set), leaves);
        b.id = _idOf(set);
    }

    /// @dev A set that is wrong by itself, one in six times, or one that is there already.
    function _spoil(Anchor memory set) internal returns (Anchor memory) {
        uint256 how = _draw(24);
        if (how == 0) set.root = 0;
        if (how == 1) set.count = 0;
        if (how == 2) set.license = string(new bytes(129));
        if (how == 3) set = abi.decode(bundles[_draw(bundles.length)].set, (Anchor));
        if (how == 4) set.parents = new Edge[](65);
        if (how == 5) set.parents = _one(Edge(set.root, EdgeKind.Component));
        return set;
    }

    // Signatures

    /// @dev What was signed in this way: by another key, for another time, in another registry, on another chain, by a
    /// name in place of a consent.
    function _sign(
        uint256 way,
        address registrant,
        bytes32 consent,
        bytes32 late,
        bytes32 name
    ) internal returns (bytes memory) {
        bytes32 domain = separator;
        if (way == 3) domain = RecordsTwin.domain(block.chainid, address(foreign));
        if (way == 4) domain = RecordsTwin.domain(block.chainid + 1, address(records));
        bytes32 hash =
            way == 2
                ? late
                : way == 5
                    ? name
                    : consent;
        address signer = way == 1 ? accounts[(_draw(2) + 3)] : registrant;
        return _sign(signer, uint256(RecordsTwin.digest(domain, hash)));
    }
}
