// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Anchor, Edge, Record} from "../../../contracts/libraries/Records.sol";

/// @title Ids and EIP-712 by hand, for records, sets and consents
/// @notice Types as text, members as packed words, encodings word by word after the ABI's specification, with nothing
/// of the contracts' library and nothing of the compiler's encoder.
library RecordsTwin {
    bytes internal constant EDGE = "Edge(bytes32 parent,uint8 kind)";
    bytes internal constant RECORD =
        "Record(address registrant,bytes32 contentHash,uint64 size,bytes32 pieceId,bytes cid,Edge[] parents,"
        "uint8 kind,string license,uint8 aiTraining,bytes32 manifestHash)";
    bytes internal constant ANCHOR =
        "Anchor(address registrant,bytes32 root,uint64 count,Edge[] parents,uint8 kind,string license,"
        "uint8 aiTraining,bytes32 manifestHash)";

    /// @dev The domain of a registry, by EIP-712 itself.
    function domain(uint256 chainId, address registry) internal pure returns (bytes32) {
        bytes memory fields = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
        bytes memory words = abi.encodePacked(keccak256(fields), keccak256("Holdfast Provenance"), keccak256("1"));
        return keccak256(abi.encodePacked(words, chainId, uint256(uint160(registry))));
    }

    function digest(bytes32 separator, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes2(0x1901), separator, structHash));
    }

    // Ids

    function idOf(bytes32 separator, Record memory r) internal pure returns (bytes32) {
        return keccak256(bytes.concat(separator, hex"01", encode(r)));
    }

    function idOf(bytes32 separator, Anchor memory a) internal pure returns (bytes32) {
        return keccak256(bytes.concat(separator, hex"02", encode(a)));
    }

    /// @dev A word that says where the record begins, its ten words, and what three of them point to.
    function encode(Record memory r) internal pure returns (bytes memory) {
        bytes memory cid = _tail(r.cid);
        bytes memory edges = _tail(r.parents);
        uint256 at = 10 * 32;
        bytes memory head = abi.encodePacked(uint256(32), uint256(uint160(r.registrant)), r.contentHash);
        head = abi.encodePacked(head, uint256(r.size), r.pieceId, at, at + cid.length, uint256(r.kind));
        head = abi.encodePacked(head, at + cid.length + edges.length, uint256(r.aiTraining), r.manifestHash);
        return bytes.concat(head, cid, edges, _tail(bytes(r.license)));
    }

    /// @dev Likewise, of eight words, of which two point to something.
    function encode(Anchor memory a) internal pure returns (bytes memory) {
        bytes memory edges = _tail(a.parents);
        uint256 at = 8 * 32;
        bytes memory head = abi.encodePacked(uint256(32), uint256(uint160(a.registrant)), a.root, uint256(a.count));
        head = abi.encodePacked(head, at, uint256(a.kind), at + edges.length, uint256(a.aiTraining), a.manifestHash);
        return bytes.concat(head, edges, _tail(bytes(a.license)));
    }

    /// @dev How many edges, then two words of each.
    function _tail(Edge[] memory edges) private pure returns (bytes memory data) {
        data = abi.encodePacked(edges.length);
        for (uint256 i; i < edges.length; ++i) {
            data = abi.encodePacked(data, edges[i].parent, uint256(edges[i].kind));
        }
    }

    /// @dev The length, then the bytes, filled up with zeros to whole words.
    function _tail(bytes memory data) private pure returns (bytes memory) {
        return abi.encodePacked(data.length, data, new bytes((32 - (data.length % 32)) % 32));
    }

    // Consents

    function hash(Record memory r) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(bytes.concat(RECORD, EDGE));
        bytes memory words = abi.encodePacked(typeHash, uint256(uint160(r.registrant)), r.contentHash, uint256(r.size));
        words = abi.encodePacked(words, r.pieceId, keccak256(r.cid), _hash(r.parents), uint256(r.kind));
        words = abi.encodePacked(words, keccak256(bytes(r.license)), uint256(r.aiTraining), r.manifestHash);
        assert(words.length == 11 * 32);
        return keccak256(words);
    }

    function _hash(Edge[] memory edges) private pure returns (bytes32) {
        bytes memory hashes;
        for (uint256 i; i < edges.length; ++i) {
            bytes memory words = abi.encodePacked(keccak256(EDGE), edges[i].parent, uint256(edges[i].kind));
            hashes = bytes.concat(hashes, keccak256(words));
        }
        return keccak256(hashes);
    }

    function hash(Anchor memory a) internal pure returns (bytes32) {
        bytes32 typeHash = keccak256(bytes.concat(ANCHOR, EDGE));
        bytes memory words = abi.encodePacked(typeHash, uint256(uint160(a.registrant)), a.root, uint256(a.count));
        words = abi.encodePacked(words, _hash(a.parents), uint256(a.kind), keccak256(bytes(a.license)));
        words = abi.encodePacked(words, uint256(a.aiTraining));
        return keccak256(abi.encodePacked(words, a.manifestHash));
    }

    /// @dev Consent to the registration of all of the records, in this order.
    function registration(Record[] memory records, uint64 validUntil) internal pure returns (bytes32) {
        bytes memory hashes;
        for (uint256 i; i < records.length; ++i) hashes = bytes.concat(hashes, hash(records[i]));
        bytes memory type_ = bytes.concat("Registration(Record[] records,uint64 validUntil)", EDGE, RECORD);
        return keccak256(abi.encodePacked(keccak256(type_), keccak256(hashes), uint256(validUntil)));
    }

    function anchoring(Anchor memory a, uint64 validUntil) internal pure returns (bytes32) {
        bytes memory type_ = bytes.concat("Anchoring(Anchor anchor,uint64 validUntil)", ANCHOR, EDGE);
        return keccak256(abi.encodePacked(keccak256(type_), hash(a), uint256(validUntil)));
    }
}
