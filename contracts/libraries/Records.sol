// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @notice How a record came about, as its registrant says.
enum Kind {
    Original,
    Edited,
    Derived,
    Generated,
    TrainedOn,
    Aggregated
}

/// @notice What a parent is to its child: the child was derived from it, is a revision of it, contains it, was made
/// with it as an input, or was trained on it.
enum EdgeKind {
    Derivation,
    Revision,
    Component,
    Input,
    Training
}

/// @notice Whether AI may be trained on the bytes, as the registrant says.
enum AiTraining {
    Unstated,
    Allowed,
    Constrained,
    Refused
}

/// @notice One step of a lineage.
/// @param parent Id of a record or an anchored set.
struct Edge {
    bytes32 parent;
    EdgeKind kind;
}

/// @notice What a registrant claims of some bytes. The hash of it is the record's id.
/// @param registrant Who claims it.
/// @param contentHash SHA-256 of the bytes.
/// @param size How many bytes there are.
/// @param pieceId keccak256(root, leafCount) of the piece that stores them; zero: none is named.
/// @param cid Binary CID that they are also known by, at most 64 bytes; empty: none is named.
/// @param parents What they came from: at most 64, in ascending order of parent and kind, each once.
/// @param kind How they came about.
/// @param license SPDX licence expression, at most 128 bytes; empty: not stated.
/// @param aiTraining Whether AI may be trained on them.
/// @param manifestHash SHA-256 of a manifest that lies off chain; zero: none.
struct Record {
    address registrant;
    bytes32 contentHash;
    uint64 size;
    bytes32 pieceId;
    bytes cid;
    Edge[] parents;
    Kind kind;
    string license;
    AiTraining aiTraining;
    bytes32 manifestHash;
}

/// @notice A set of records that are claimed together. The hash of it is the set's id.
/// @param registrant Who claims it: the registrant of every record in it.
/// @param root Root of the tree over their ids; see `AnchorTree`.
/// @param count How many records there are, at least 1.
/// @param parents What the set as a whole came from, as for a record.
/// @param kind How it came about, likewise.
/// @param license Likewise; what a record in it says of itself goes first.
/// @param aiTraining Likewise.
/// @param manifestHash SHA-256 of a manifest that lies off chain and lists what is in the set; zero: none.
struct Anchor {
    address registrant;
    bytes32 root;
    uint64 count;
    Edge[] parents;
    Kind kind;
    string license;
    AiTraining aiTraining;
    bytes32 manifestHash;
}

/// @title What records and sets are known by, and what is signed to have them registered
library Records {
    uint8 private constant RECORD = 1;
    uint8 private constant SET = 2;

    bytes32 private constant EDGE_TYPEHASH = keccak256("Edge(bytes32 parent,uint8 kind)");
    bytes32 private constant RECORD_TYPEHASH = keccak256(
        "Record(address registrant,bytes32 contentHash,uint64 size,bytes32 pieceId,bytes cid,Edge[] parents,uint8 kind,"
        "string license,uint8 aiTraining,bytes32 manifestHash)Edge(bytes32 parent,uint8 kind)"
    );
    bytes32 private constant ANCHOR_TYPEHASH = keccak256(
        "Anchor(address registrant,bytes32 root,uint64 count,Edge[] parents,uint8 kind,string license,uint8 aiTraining,"
        "bytes32 manifestHash)Edge(bytes32 parent,uint8 kind)"
    );
    bytes32 private constant REGISTRATION_TYPEHASH = keccak256(
        "Registration(Record[] records,uint64 validUntil)Edge(bytes32 parent,uint8 kind)"
        "Record(address registrant,bytes32 contentHash,uint64 size,bytes32 pieceId,bytes cid,Edge[] parents,uint8 kind,"
        "string license,uint8 aiTraining,bytes32 manifestHash)"
    );
    bytes32 private constant ANCHORING_TYPEHASH = keccak256(
        "Anchoring(Anchor anchor,uint64 validUntil)"
        "Anchor(address registrant,bytes32 root,uint64 count,Edge[] parents,uint8 kind,string license,uint8 aiTraining,"
        "bytes32 manifestHash)Edge(bytes32 parent,uint8 kind)"
    );

    /// @notice The id of a record, and its ABI encoding, which is what it is an id of:
    /// keccak256(domain ‖ 0x01 ‖ abi.encode(record)).
    /// @dev Not its EIP-712 digest: one encoding serves both the id and the event, which saves 3,000 gas a record.
    /// @param domain The registry's EIP-712 domain separator.
    function idOf(bytes32 domain, Record calldata r) internal pure returns (bytes32 id, bytes memory encoded) {
        encoded = abi.encode(r);
        id = keccak256(abi.encodePacked(domain, RECORD, encoded));
    }

    /// @notice The id of a set: keccak256(domain ‖ 0x02 ‖ abi.encode(set)).
    function idOf(bytes32 domain, Anchor calldata a) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(domain, SET, abi.encode(a)));
    }

    /// @notice hashStruct(record) of EIP-712.
    function _hash(Record calldata r) private pure returns (bytes32) {
        bytes32 parents = _hashEdges(r.parents);
        return
            keccak256(
                abi.encode(
                    RECORD_TYPEHASH,
                    r.registrant,
                    r.contentHash,
                    r.size,
                    r.pieceId,
                    keccak256(r.cid),
                    parents,
                    r.kind,
                    keccak256(bytes(r.license)),
                    r.aiTraining,
                    r.manifestHash
                )
            );
    }

    /// @notice hashStruct(anchor) of EIP-712.
    function _hash(Anchor calldata a) private pure returns (bytes32) {
        bytes32 parents = _hashEdges(a.parents);
        return
            keccak256(
                abi.encode(
                    ANCHOR_TYPEHASH,
                    a.registrant,
                    a.root,
                    a.count,
                    parents,
                    a.kind,
                    keccak256(bytes(a.license)),
                    a.aiTraining,
                    a.manifestHash
                )
            );
    }

    /// @notice hashStruct of a registrant's consent to the registration of records until a time.
    function registrationHash(Record[] calldata records, uint64 validUntil) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](records.length);
        for (uint256 i; i < records.length; ++i) hashes[i] = _hash(records[i]);
        return keccak256(abi.encode(REGISTRATION_TYPEHASH, keccak256(abi.encodePacked(hashes)), validUntil));
    }

    /// @notice hashStruct of a registrant's consent to the anchoring of a set until a time.
    function anchoringHash(Anchor calldata a, uint64 validUntil) internal pure returns (bytes32) {
        return keccak256(abi.encode(ANCHORING_TYPEHASH, _hash(a), validUntil));
    }

    function _hashEdges(Edge[] calldata edges) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](edges.length);
        for (uint256 i; i < edges.length; ++i) {
            hashes[i] = keccak256(abi.encode(EDGE_TYPEHASH, edges[i].parent, edges[i].kind));
        }
        return keccak256(abi.encodePacked(hashes));
    }
}
