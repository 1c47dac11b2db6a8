// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Form, IProvenanceRegistry} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {Anchor, Record} from "../../../contracts/libraries/Records.sol";
import {AnchorTreeTwin} from "./AnchorTreeTwin.sol";
import {ProvenanceActions} from "./ProvenanceActions.sol";
import {RecordsTwin} from "./RecordsTwin.sol";

/// @title What anybody may register
/// @notice Each action takes one number and draws everything from it. The model foretells success or the error.
abstract contract RegisterHandler is ProvenanceActions {
    using AnchorTreeTwin for bytes32[][];
    using RecordsTwin for Record;
    using RecordsTwin for Anchor;

    uint256 private immutable _most;

    modifier action(uint256 x) {
        _begin(x);
        _;
        _watch();
    }

    constructor(uint256 most_) {
        _most = most_;
        _setUp();
    }

    // Registering

    function register(uint256 x) external action(x) {
        if (ids.length >= _most) return _pass();
        Record memory r = _randomRecord(accounts[_draw(20) == 0 ? 6 : _draw(REGISTRANTS)], 4);
        address sender = _sender(r.registrant);
        Record[] memory rs = new Record[](1);
        rs[0] = r;
        bytes memory error = _errorOf(rs, sender);
        if (_act("register", sender, abi.encodeCall(records.register, (r)), error)) _note(r, _time());
    }

    /// @dev A second later, so that a registrant's records are of different times.
    function registerSoon(uint256 x) external action(x) {
        if (ids.length >= _most) return _pass();
        vm.warp(_time() + 1);
        Record memory r = _randomRecord(accounts[_draw(REGISTRANTS)], 4);
        bytes memory error = _errorOf(r, new bytes32[](0));
        if (_act("register", r.registrant, abi.encodeCall(records.register, (r)), error)) _note(r, _time());
    }

    function registerMany(uint256 x) external action(x) {
        if (ids.length >= _most) return _pass();
        Record[] memory rs = _randomBatch(accounts[_draw(REGISTRANTS)]);
        address sender = _sender(rs.length > 0 ? rs[0].registrant : accounts[OUTSIDER]);
        bytes memory error = rs.length == 0 ? _nothing() : _errorOf(rs, sender);
        if (!_act("registerMany", sender, abi.encodeCall(records.registerMany, (rs)), error)) return;
        for (uint256 i; i < rs.length; ++i) _note(rs[i], _time());
    }

    /// @dev Signs records or a set, in a right way or a wrong one, and has them relayed now or never; what is signed
    /// rightly can be relayed by `relay` at any time, and again.
    function sign(uint256 x) external action(x) {
        if (ids.length >= _most) return _pass();
        address registrant = accounts[_draw(REGISTRANTS)];
        uint64 validUntil = _deadline();
        uint256 way = _draw(3) > 0 ? 0 : _draw(ALL_WAYS);
        if (_draw(3) == 0) _signSet(registrant, validUntil, way);
        else _signRecords(registrant, validUntil, way);
    }

    function _deadline() private returns (uint64) {
        uint256 how = _draw(12);
        if (how < 2) return uint64(_time() - how);
        return how < 4 ? uint64(_time() + 100) : type(uint64).max;
    }

    function _signRecords(address registrant, uint64 validUntil, uint256 way) private {
        Record[] memory rs = _randomBatch(registrant);
        if (rs.length == 0) rs = new Record[](_draw(2));
        bytes memory signature;
        if (rs.length > 0) {
            if (rs[0].registrant != registrant) rs[0].registrant = registrant;
            bytes32 late = RecordsTwin.registration(rs, validUntil - 1);
            signature = _sign(way, registrant, RecordsTwin.registration(rs, validUntil), late, rs[0].hash());
        }
        if (way == 0 && rs.length > 0 && _draw(2) == 0) {
            consents.push(Consent(false, abi.encode(rs), validUntil, signature, false));
            ++done["signed for later"];
            return;
        }
        _relayRecords(rs, validUntil, signature, way == 0);
    }

    function _relayRecords(
        Record[] memory rs,
        uint64 validUntil,
        bytes memory signature,
        bool right
    ) private returns (bool ok) {
        bytes memory error = _errorOfRelay(rs, validUntil, right);
        bytes memory data = abi.encodeCall(records.registerFor, (rs, validUntil, signature));
        ok = _act("registerFor", accounts[_draw(accounts.length)], data, error);
        for (uint256 i; ok && i < rs.length; ++i) _note(rs[i], _time());
    }

    function _errorOfRelay(Record[] memory rs, uint64 validUntil, bool right) private returns (bytes memory) {
        if (rs.length == 0) return _nothing();
        bytes memory error = _errorOfConsent(rs[0].registrant, validUntil, right);
        return error.length > 0 ? error : _errorOf(rs, rs[0].registrant);
    }

    function _nothing() private pure returns (bytes memory) {
        return abi.encodeWithSelector(IProvenanceRegistry.NothingToRegister.selector);
    }

    function _errorOfConsent(address registrant, uint64 validUntil, bool right) private view returns (bytes memory) {
        if (_time() > validUntil) return _error(IProvenanceRegistry.SignatureExpired.selector, validUntil);
        if (right && !rejecting[registrant]) return "";
        return _error(IProvenanceRegistry.InvalidSignature.selector, uint160(registrant));
    }

    function _signSet(address registrant, uint64 validUntil, uint256 way) private {
        Anchor memory set = _spoil(_randomBundle(registrant));
        bytes32 late = RecordsTwin.anchoring(set, validUntil - 1);
        bytes32 consent = RecordsTwin.anchoring(set, validUntil);
        bytes memory signature = _sign(way, set.registrant, consent, late, set.hash());
        if (way == 0 && _draw(2) == 0) {
            consents.push(Consent(true, abi.encode(set), validUntil, signature, false));
            ++done["signed for later"];
            return;
        }
        _relaySet(set, validUntil, signature, way == 0);
    }

    function _relaySet(
        Anchor memory set,
        uint64 validUntil,
        bytes memory signature,
        bool right
    ) private returns (bool ok) {
        bytes memory error = _errorOfConsent(set.registrant, validUntil, right);
        if (error.length == 0) error = _errorOf(set);
        bytes memory data = abi.encodeCall(records.anchorFor, (set, validUntil, signature));
        ok = _act("anchorFor", accounts[_draw(accounts.length)], data, error);
        if (ok) _note(set);
    }

    /// @dev Relays what was signed before: whole, and now and then a part of it, turned round, or with another time.
    function relay(uint256 x) external action(x) {
        if (consents.length == 0) return _pass();
        uint256 at = _draw(consents.length);
        for (uint256 i; i < consents.length && _draw(8) > 0 && consents[at].used; ++i) at = (at + 1) % consents.length;
        Consent memory c = consents[at];
        bool whole = _draw(3) > 0;
        if (!whole && _draw(2) == 0) c.validUntil += c.validUntil == type(uint64).max ? 0 : 1;
        bool same = c.validUntil == consents[at].validUntil;
        bool ok;
        if (c.ofSet) {
            ok = _relaySet(abi.decode(c.what, (Anchor)), c.validUntil, c.signature, same);
        } else {
            Record[] memory rs = abi.decode(c.what, (Record[]));
            if (!whole && rs.length > 1) {
                if (_draw(2) == 0) (rs[0], rs[rs.length - 1]) = (rs[rs.length - 1], rs[0]);
                else rs = _without(rs, _draw(rs.length));
            }
            same = same && keccak256(abi.encode(rs)) == keccak256(c.what);
            ok = _relayRecords(rs, c.validUntil, c.signature, same);
        }
        if (!ok) return;
        assertFalse(consents[at].used, "a signature used twice");
        consents[at].used = true;
        ++done["relay"];
    }

    function _without(Record[] memory rs, uint256 at) private pure returns (Record[] memory rest) {
        rest = new Record[](rs.length - 1);
        for (uint256 i; i < rest.length; ++i) rest[i] = rs[i < at ? i : i + 1];
    }

    // Sets

    function anchor(uint256 x) external action(x) {
        if (ids.length >= _most) return _pass();
        Anchor memory set = _spoil(_randomBundle(accounts[_draw(20) == 0 ? 6 : _draw(REGISTRANTS)]));
        // Some are only made: their records are in no set yet.
        if (_draw(4) == 0) return;
        address sender = _sender(set.registrant);
        bytes memory error = sender == set.registrant ? _errorOf(set) : _notRegistrant(set.registrant, sender);
        if (_act("anchor", sender, abi.encodeCall(records.anchor, (set)), error)) _note(set);
    }

    function registerAnchored(uint256 x) external action(x) {
        if (bundles.length == 0) return _pass();
        uint256 at = _draw(bundles.length);
        // Mostly one that is anchored.
        for (uint256 i; i < bundles.length && _draw(8) > 0 && items[bundles[at].id].form != Form.Set; ++i) {
            at = (at + 1) % bundles.length;
        }
        Bundle storage b = bundles[at];
        Anchor memory set = abi.decode(b.set, (Anchor));
        uint256 index = _draw(b.members.length);
        Record memory r = abi.decode(b.members[index], (Record));
        bytes32[] memory proof = AnchorTreeTwin.build(b.leaves).prove(index);
        uint256 how = _draw(16);
        if (how == 0 && proof.length > 0) proof[_draw(proof.length)] ^= bytes32(uint256(1));
        if (how == 1) proof = new bytes32[](proof.length + 1);
        if (how == 2) r.size ^= 1;
        if (how == 3) index += b.leaves.length;
        bool sound = how > 3 || (how == 0 && proof.length == 0);
        bytes32 id = _idOf(r);
        bytes memory error;
        if (items[b.id].withdrawn) {
            error = _error(IProvenanceRegistry.AlreadyWithdrawn.selector, uint256(b.id));
        } else if (!sound || items[b.id].form != Form.Set || r.registrant != set.registrant) {
            error = abi.encodeWithSelector(IProvenanceRegistry.NotInSet.selector, b.id, id);
        } else {
            error = _errorOf(r, new bytes32[](0));
        }
        bytes memory data = abi.encodeCall(records.registerAnchored, (r, set, uint64(index), proof));
        bool ok = _act("registerAnchored", accounts[_draw(accounts.length)], data, error);
        if (ok) _note(r, items[b.id].time);
    }

    // Time

    function _pass() internal {
        vm.warp(_time() + [1, 1, 10, 89, 90, 91, 1 days][_draw(7)]);
        ++done["pass"];
    }
}
