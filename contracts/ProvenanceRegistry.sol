// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IMarketLens} from "./interfaces/IMarketLens.sol";
import {Attestation, Form, IProvenanceRegistry, RecordState, Verdict} from "./interfaces/IProvenanceRegistry.sol";
import {AnchorTree} from "./libraries/AnchorTree.sol";
import {FilecoinAddress} from "./libraries/FilecoinAddress.sol";
import {AiTraining, Anchor, Edge, EdgeKind, Kind, Record, Records} from "./libraries/Records.sol";
import {StorageEvidence} from "./StorageEvidence.sol";

/// @title Records, sets, and what is said of them
contract ProvenanceRegistry is StorageEvidence, EIP712 {
    uint256 private constant MAX_PARENTS = 64;
    uint256 private constant MAX_CID = 64;
    uint256 private constant MAX_LICENSE = 128;
    uint256 private constant MAX_REASON = 256;

    /// @dev In one word.
    struct Entry {
        address registrant;
        uint48 registeredAt;
        Form form;
        Kind kind;
        AiTraining aiTraining;
        bool withdrawn;
        bool superseded;
    }

    mapping(bytes32 id => Entry) private _entries;
    mapping(bytes32 id => bytes32) private _successors;
    mapping(bytes32 subject => mapping(address attester => mapping(bytes32 topic => Attestation)))
        private _attestations;

    constructor(IMarketLens lens_) StorageEvidence(lens_) EIP712("Holdfast Provenance", "1") {}

    // Registering

    /// @inheritdoc IProvenanceRegistry
    function register(Record calldata record) external returns (bytes32) {
        _requireRegistrant(record.registrant);
        return _register(record, block.timestamp);
    }

    /// @inheritdoc IProvenanceRegistry
    function registerMany(Record[] calldata records) external returns (bytes32[] memory ids) {
        if (records.length == 0) revert NothingToRegister();
        ids = new bytes32[](records.length);
        for (uint256 i; i < records.length; ++i) {
            _requireRegistrant(records[i].registrant);
            ids[i] = _register(records[i], block.timestamp);
        }
    }

    /// @inheritdoc IProvenanceRegistry
    function registerFor(
        Record[] calldata records,
        uint64 validUntil,
        bytes calldata signature
    ) external returns (bytes32[] memory ids) {
        if (records.length == 0) revert NothingToRegister();
        address registrant = records[0].registrant;
        _requireSigned(registrant, Records.registrationHash(records, validUntil), validUntil, signature);
        ids = new bytes32[](records.length);
        for (uint256 i; i < records.length; ++i) {
            if (records[i].registrant != registrant) revert NotRegistrant(records[i].registrant, registrant);
            ids[i] = _register(records[i], block.timestamp);
        }
    }

    /// @inheritdoc IProvenanceRegistry
    function anchor(Anchor calldata set) external returns (bytes32) {
        _requireRegistrant(set.registrant);
        return _anchor(set);
    }

    /// @inheritdoc IProvenanceRegistry
    function anchorFor(Anchor calldata set, uint64 validUntil, bytes calldata signature) external returns (bytes32) {
        _requireSigned(set.registrant, Records.anchoringHash(set, validUntil), validUntil, signature);
        return _anchor(set);
    }

    /// @inheritdoc IProvenanceRegistry
    function registerAnchored(
        Record calldata record,
        Anchor calldata set,
        uint64 index,
        bytes32[] calldata proof
    ) external returns (bytes32 id) {
        bytes32 setId = anchorIdOf(set);
        if (_entries[setId].withdrawn) revert AlreadyWithdrawn(setId);
        id = recordIdOf(record);
        if (!_isAnchored(id, record, setId, set, index, proof)) revert NotInSet(setId, id);
        _register(record, _entries[setId].registeredAt);
        emit RegisteredFromSet(id, setId);
    }

    // Afterwards

    /// @inheritdoc IProvenanceRegistry
    function withdraw(bytes32 id, string calldata reason) external {
        Entry storage entry = _ownEntry(id);
        if (entry.withdrawn) revert AlreadyWithdrawn(id);
        _requireReason(reason);
        entry.withdrawn = true;
        emit Withdrawn(id, reason);
    }

    /// @inheritdoc IProvenanceRegistry
    function supersede(bytes32 id, bytes32 by) external {
        Entry storage entry = _ownEntry(id);
        if (entry.superseded) revert AlreadySuperseded(id, _successors[id]);
        if (_ownEntry(by).registeredAt <= entry.registeredAt) revert NotLater(id, by);
        entry.superseded = true;
        _successors[id] = by;
        emit Superseded(id, by);
    }

    /// @inheritdoc IProvenanceRegistry
    function attest(bytes32 subject, bytes32 topic, Verdict verdict, uint48 expires, string calldata reason) external {
        if (_knownEntry(subject).registrant == msg.sender) revert OwnRecord(subject);
        if (!FilecoinAddress.isAccount(msg.sender)) revert InvalidAccount(msg.sender);
        if (verdict == Verdict.None) revert InvalidVerdict();
        // solhint-disable-next-line not-rely-on-time
        if (expires != 0 && expires < block.timestamp) revert InvalidExpiry(expires);
        _requireReason(reason);
        _attestations[subject][msg.sender][topic] = Attestation(uint48(block.timestamp), expires, verdict, false);
        emit Attested(subject, msg.sender, topic, verdict, expires, reason);
    }

    /// @inheritdoc IProvenanceRegistry
    function revoke(bytes32 subject, bytes32 topic, string calldata reason) external {
        Attestation storage said = _attestations[subject][msg.sender][topic];
        if (said.attestedAt == 0 || said.revoked) revert NothingToRevoke(subject, msg.sender, topic);
        _requireReason(reason);
        said.revoked = true;
        emit Revoked(subject, msg.sender, topic, reason);
    }

    /// @inheritdoc IProvenanceRegistry
    function link(Record calldata record, uint256[] calldata dealIds) external {
        bytes32 id = recordIdOf(record);
        _ownEntry(id);
        _link(id, record.pieceId, dealIds);
    }

    // Views

    /// @inheritdoc IProvenanceRegistry
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IProvenanceRegistry
    function recordIdOf(Record calldata record) public view returns (bytes32 id) {
        (id, ) = Records.idOf(_domainSeparatorV4(), record);
    }

    /// @inheritdoc IProvenanceRegistry
    function anchorIdOf(Anchor calldata set) public view returns (bytes32) {
        return Records.idOf(_domainSeparatorV4(), set);
    }

    /// @inheritdoc IProvenanceRegistry
    function stateOf(bytes32 id) public view returns (RecordState memory) {
        Entry memory e = _entries[id];
        bytes32 successor = e.superseded ? _successors[id] : bytes32(0);
        return RecordState(e.form, e.registrant, e.registeredAt, e.kind, e.aiTraining, e.withdrawn, successor);
    }

    /// @inheritdoc IProvenanceRegistry
    function parentsOf(Record calldata record) external view returns (bytes32 id, RecordState[] memory parents) {
        id = recordIdOf(record);
        _knownEntry(id);
        parents = new RecordState[](record.parents.length);
        for (uint256 i; i < parents.length; ++i) parents[i] = stateOf(record.parents[i].parent);
    }

    /// @inheritdoc IProvenanceRegistry
    function isAnchored(
        Record calldata record,
        Anchor calldata set,
        uint64 index,
        bytes32[] calldata proof
    ) external view returns (bool) {
        return _isAnchored(recordIdOf(record), record, anchorIdOf(set), set, index, proof);
    }

    /// @inheritdoc IProvenanceRegistry
    function attestationOf(
        bytes32 subject,
        address attester,
        bytes32 topic
    ) external view returns (Attestation memory) {
        return _attestations[subject][attester][topic];
    }

    /// @inheritdoc IProvenanceRegistry
    function verdictsOf(
        bytes32 subject,
        address attester,
        bytes32[] calldata topics
    ) external view returns (Verdict[] memory verdicts) {
        verdicts = new Verdict[](topics.length);
        for (uint256 i; i < topics.length; ++i) {
            Attestation memory said = _attestations[subject][attester][topics[i]];
            // solhint-disable-next-line not-rely-on-time
            bool expired = said.expires != 0 && said.expires < block.timestamp;
            if (!said.revoked && !expired) verdicts[i] = said.verdict;
        }
    }

    // What they are made of

    /// @dev `at` is at most the time of this block, which fits in 48 bits for 8.9 million years.
    function _register(Record calldata record, uint256 at) private returns (bytes32 id) {
        bytes32 contentHash = record.contentHash;
        if (contentHash == 0) revert InvalidContent();
        if (record.cid.length > MAX_CID) revert CidTooLong(record.cid.length);
        _requireLicense(record.license);
        _requireParents(record.parents);
        bytes memory encoded;
        (id, encoded) = Records.idOf(_domainSeparatorV4(), record);
        address registrant = record.registrant;
        _enter(id, registrant, at, Form.Record, record.kind, record.aiTraining);
        // emit Registered(id, registrant, contentHash, record), with the record as it is encoded already.
        bytes32 topic = Registered.selector;
        assembly ("memory-safe") {
            log4(add(encoded, 0x20), mload(encoded), topic, id, registrant, contentHash)
        }
    }

    function _anchor(Anchor calldata set) private returns (bytes32 id) {
        if (set.root == 0 || set.count == 0) revert InvalidAnchor();
        _requireLicense(set.license);
        _requireParents(set.parents);
        id = anchorIdOf(set);
        _enter(id, set.registrant, block.timestamp, Form.Set, set.kind, set.aiTraining);
        emit Anchored(id, set.registrant, set.manifestHash, set);
    }

    function _enter(bytes32 id, address registrant, uint256 at, Form form, Kind kind, AiTraining aiTraining) private {
        Entry storage entry = _entries[id];
        if (entry.form != Form.None) revert RecordExists(id);
        if (!FilecoinAddress.isAccount(registrant)) revert InvalidAccount(registrant);
        // As the struct lies in its word, at once: member by member costs 1,100 gas more.
        uint256 word = uint160(registrant) | (at << 160) | (uint256(form) << 208);
        word |= (uint256(kind) << 216) | (uint256(aiTraining) << 224);
        assembly ("memory-safe") {
            sstore(entry.slot, word)
        }
    }

    /// @dev Ascending, so that one lineage has one encoding.
    function _requireParents(Edge[] calldata parents) private view {
        if (parents.length > MAX_PARENTS) revert TooManyParents(parents.length);
        bytes32 last;
        EdgeKind lastKind;
        for (uint256 i; i < parents.length; ++i) {
            (bytes32 parent, EdgeKind kind) = (parents[i].parent, parents[i].kind);
            bool ascends = parent > last || (parent == last && kind > lastKind);
            if (i > 0 && !ascends) revert ParentsNotAscending(i);
            if (_entries[parent].form == Form.None) revert UnknownParent(i, parent);
            (last, lastKind) = (parent, kind);
        }
    }

    function _isAnchored(
        bytes32 id,
        Record calldata record,
        bytes32 setId,
        Anchor calldata set,
        uint64 index,
        bytes32[] calldata proof
    ) private view returns (bool) {
        if (_entries[setId].form != Form.Set || record.registrant != set.registrant) return false;
        return AnchorTree.includes(set.root, set.count, id, index, proof);
    }

    function _requireRegistrant(address registrant) private view {
        if (msg.sender != registrant) revert NotRegistrant(registrant, msg.sender);
    }

    function _requireSigned(
        address registrant,
        bytes32 hash,
        uint64 validUntil,
        bytes calldata signature
    ) private view {
        // solhint-disable-next-line not-rely-on-time
        if (block.timestamp > validUntil) revert SignatureExpired(validUntil);
        bytes32 digest = _hashTypedDataV4(hash);
        bool signed = SignatureChecker.isValidSignatureNowCalldata(registrant, digest, signature);
        if (!signed) revert InvalidSignature(registrant);
    }

    function _requireLicense(string calldata license) private pure {
        uint256 length = bytes(license).length;
        if (length > MAX_LICENSE) revert LicenseTooLong(length);
    }

    function _requireReason(string calldata reason) private pure {
        uint256 length = bytes(reason).length;
        if (length > MAX_REASON) revert ReasonTooLong(length);
    }

    function _knownEntry(bytes32 id) private view returns (Entry storage entry) {
        entry = _entries[id];
        if (entry.form == Form.None) revert UnknownRecord(id);
    }

    function _ownEntry(bytes32 id) private view returns (Entry storage entry) {
        entry = _knownEntry(id);
        _requireRegistrant(entry.registrant);
    }
}
