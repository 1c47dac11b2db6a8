// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ProvenanceRegistry} from "../../../contracts/ProvenanceRegistry.sol";
import {Form, IProvenanceRegistry, Verdict} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {AiTraining, Anchor, Edge, Kind, Record} from "../../../contracts/libraries/Records.sol";
import {MarketWorld} from "../market/MarketWorld.sol";
import {RecordsTwin} from "./RecordsTwin.sol";

/// @title What a registry must know and must refuse, kept beside the contract
/// @notice Ids are hashed by hand, and every outcome is foretold as the very bytes of an error; none: it succeeds.
abstract contract ProvenanceModel is MarketWorld {
    /// @param order Place in the order of all registrations, from 1.
    /// @param encoded The record or the set.
    struct Item {
        Form form;
        address registrant;
        uint256 time;
        uint256 order;
        Kind kind;
        AiTraining aiTraining;
        bool withdrawn;
        bytes32 by;
        bytes encoded;
    }

    struct Said {
        uint256 at;
        uint256 expires;
        Verdict verdict;
        bool revoked;
    }

    struct Saying {
        bytes32 subject;
        address attester;
        bytes32 topic;
    }

    /// @dev A set that somebody made, anchored or not, with the records that its tree is over.
    struct Bundle {
        bytes set;
        bytes32 id;
        bytes32[] leaves;
        bytes[] members;
    }

    /// @dev Something signed rightly, used or not.
    /// @param what Records, or a set, encoded.
    struct Consent {
        bool ofSet;
        bytes what;
        uint64 validUntil;
        bytes signature;
        bool used;
    }

    bytes32[4] internal allTopics = [bytes32(0), "accuracy", "origin", keccak256("a text that is longer than a word")];

    ProvenanceRegistry public records;
    /// @dev A second registry over the same market, in which nothing may ever come up.
    ProvenanceRegistry public foreign;
    bytes32 internal separator;

    /// @dev Every id that came up, registered or not, and those that are registered in their order.
    bytes32[] internal seen;
    mapping(bytes32 id => bool) internal isSeen;
    bytes32[] internal ids;
    mapping(bytes32 id => Item) internal items;
    mapping(bytes32 subject => mapping(address attester => mapping(bytes32 topic => Said))) internal said;
    Saying[] internal sayings;
    address[] internal accounts;
    Bundle[] internal bundles;
    Consent[] internal consents;
    /// @dev Wallets that refuse every signature at present.
    mapping(address wallet => bool) internal rejecting;

    function _time() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function _idOf(Record memory r) internal returns (bytes32 id) {
        id = RecordsTwin.idOf(separator, r);
        _see(id);
    }

    function _idOf(Anchor memory a) internal returns (bytes32 id) {
        id = RecordsTwin.idOf(separator, a);
        _see(id);
    }

    function _see(bytes32 id) private {
        if (!isSeen[id]) seen.push(id);
        isSeen[id] = true;
    }

    // Noting

    function _note(Record memory r, uint256 time) internal {
        bytes32 id = _idOf(r);
        ids.push(id);
        bytes memory encoded = abi.encode(r);
        items[id] = Item(Form.Record, r.registrant, time, ids.length, r.kind, r.aiTraining, false, 0, encoded);
    }

    function _note(Anchor memory a) internal {
        bytes32 id = _idOf(a);
        ids.push(id);
        bytes memory encoded = abi.encode(a);
        items[id] = Item(Form.Set, a.registrant, _time(), ids.length, a.kind, a.aiTraining, false, 0, encoded);
    }

    // Foretelling

    /// @dev Of records that `registrant` has registered in this order, all or none.
    function _errorOf(Record[] memory rs, address registrant) internal returns (bytes memory error) {
        bytes32[] memory batch = new bytes32[](rs.length);
        for (uint256 i; i < rs.length && error.length == 0; ++i) {
            bool own = rs[i].registrant == registrant;
            error = own ? _errorOf(rs[i], batch) : _notRegistrant(rs[i].registrant, registrant);
            batch[i] = _idOf(rs[i]);
        }
    }

    /// @param batch Ids that the same call has registered before.
    function _errorOf(Record memory r, bytes32[] memory batch) internal returns (bytes memory) {
        bytes32 id = _idOf(r);
        if (r.contentHash == 0) return abi.encodeWithSelector(IProvenanceRegistry.InvalidContent.selector);
        if (r.cid.length > 64) return _error(IProvenanceRegistry.CidTooLong.selector, r.cid.length);
        bytes memory error = _errorOfLicense(r.license);
        if (error.length == 0) error = _errorOfParents(r.parents, batch);
        if (error.length > 0) return error;
        return _errorOfEntry(id, r.registrant, batch);
    }

    function _errorOf(Anchor memory a) internal returns (bytes memory) {
        bytes32 id = _idOf(a);
        if (a.root == 0 || a.count == 0) return abi.encodeWithSelector(IProvenanceRegistry.InvalidAnchor.selector);
        bytes32[] memory none = new bytes32[](0);
        bytes memory error = _errorOfLicense(a.license);
        if (error.length == 0) error = _errorOfParents(a.parents, none);
        return error.length > 0 ? error : _errorOfEntry(id, a.registrant, none);
    }

    function _errorOfEntry(bytes32 id, address registrant, bytes32[] memory batch) private view returns (bytes memory) {
        if (_isKnown(id, batch)) return _error(IProvenanceRegistry.RecordExists.selector, uint256(id));
        if (registrant == ALIAS) return _error(IProvenanceRegistry.InvalidAccount.selector, uint160(registrant));
        return "";
    }

    function _errorOfParents(Edge[] memory parents, bytes32[] memory batch) private view returns (bytes memory) {
        if (parents.length > 64) return _error(IProvenanceRegistry.TooManyParents.selector, parents.length);
        for (uint256 i; i < parents.length; ++i) {
            if (i > 0 && !_isBefore(parents[i - 1], parents[i])) {
                return _error(IProvenanceRegistry.ParentsNotAscending.selector, i);
            }
            bytes32 parent = parents[i].parent;
            if (_isKnown(parent, batch)) continue;
            return abi.encodeWithSelector(IProvenanceRegistry.UnknownParent.selector, i, parent);
        }
        return "";
    }

    function _errorOfLicense(string memory license) private pure returns (bytes memory) {
        uint256 length = bytes(license).length;
        return length > 128 ? _error(IProvenanceRegistry.LicenseTooLong.selector, length) : bytes("");
    }

    function _errorOfReason(string memory reason) internal pure returns (bytes memory) {
        uint256 length = bytes(reason).length;
        return length > 256 ? _error(IProvenanceRegistry.ReasonTooLong.selector, length) : bytes("");
    }

    /// @dev Of what only the registrant may do.
    function _errorOfOwner(bytes32 id, address sender) internal view returns (bytes memory) {
        address registrant = items[id].registrant;
        if (items[id].form == Form.None) return _error(IProvenanceRegistry.UnknownRecord.selector, uint256(id));
        return registrant == sender ? bytes("") : _notRegistrant(registrant, sender);
    }

    function _notRegistrant(address registrant, address sender) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IProvenanceRegistry.NotRegistrant.selector, registrant, sender);
    }

    function _error(bytes4 selector, uint256 value) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, value);
    }

    function _isKnown(bytes32 id, bytes32[] memory batch) private view returns (bool) {
        for (uint256 i; i < batch.length; ++i) if (batch[i] == id && id != 0) return true;
        return items[id].form != Form.None;
    }

    /// @dev The order that edges of a record come in.
    function _isBefore(Edge memory a, Edge memory b) internal pure returns (bool) {
        return uint256(a.parent) < uint256(b.parent) || (a.parent == b.parent && uint8(a.kind) < uint8(b.kind));
    }

    /// @dev What an attester says now, by the sentence of the interface.
    function _verdict(bytes32 subject, address attester, bytes32 topic) internal view returns (Verdict) {
        Said storage s = said[subject][attester][topic];
        bool counts = s.at != 0 && !s.revoked && (s.expires == 0 || _time() <= s.expires);
        return counts ? s.verdict : Verdict.None;
    }
}
