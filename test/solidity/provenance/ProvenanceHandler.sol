// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Form, IProvenanceRegistry, Verdict} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {Wallet1271} from "../../../contracts/mocks/Wallet1271.sol";
import {RegisterHandler} from "./RegisterHandler.sol";

/// @title What anybody may do to a registry
abstract contract ProvenanceHandler is RegisterHandler {
    constructor(uint256 most_) RegisterHandler(most_) {}

    // Afterwards

    function withdraw(uint256 x) external action(x) {
        bytes32 id = _anyId();
        address sender = _sender(items[id].registrant);
        string memory reason = _reason();
        bytes memory error = _errorOfOwner(id, sender);
        if (error.length == 0 && items[id].withdrawn) {
            error = _error(IProvenanceRegistry.AlreadyWithdrawn.selector, uint256(id));
        }
        if (error.length == 0) error = _errorOfReason(reason);
        if (_act("withdraw", sender, abi.encodeCall(records.withdraw, (id, reason)), error)) items[id].withdrawn = true;
    }

    function supersede(uint256 x) external action(x) {
        bytes32 id = _anyId();
        bytes32 by = _draw(12) == 0 ? id : _anyId();
        // Mostly a later one of the same registrant.
        for (uint256 i; i < ids.length && _draw(40) > 0 && !_mayReplace(by, id); ++i) by = ids[ids.length - 1 - i];
        address sender = _sender(items[id].registrant);
        bytes memory error = _errorOfOwner(id, sender);
        if (error.length == 0 && items[id].by != 0) {
            error = abi.encodeWithSelector(IProvenanceRegistry.AlreadySuperseded.selector, id, items[id].by);
        }
        if (error.length == 0) error = _errorOfOwner(by, sender);
        if (error.length == 0 && items[by].time <= items[id].time) {
            error = abi.encodeWithSelector(IProvenanceRegistry.NotLater.selector, id, by);
        }
        if (_act("supersede", sender, abi.encodeCall(records.supersede, (id, by)), error)) items[id].by = by;
    }

    function _mayReplace(bytes32 by, bytes32 id) private view returns (bool) {
        return items[by].registrant == items[id].registrant && items[by].time > items[id].time;
    }

    function attest(uint256 x) external action(x) {
        bytes32 subject = _anyId();
        address sender = accounts[_draw(16) == 0 ? 6 : _draw(6)];
        bytes32 topic = allTopics[_draw(allTopics.length)];
        Verdict verdict = Verdict(_draw(8) == 0 ? 0 : 1 + _draw(2));
        uint256[6] memory times = [0, 1, _time() - 1, _time(), _time() + 90, type(uint48).max];
        uint48 expires = uint48(times[_draw(3) == 0 ? _draw(6) : 3 * _draw(2)]);
        string memory reason = _reason();
        bytes memory error = _errorOfSaying(subject, sender, verdict, expires);
        if (error.length == 0) error = _errorOfReason(reason);
        bytes memory data = abi.encodeCall(records.attest, (subject, topic, verdict, expires, reason));
        if (_act("attest", sender, data, error)) {
            said[subject][sender][topic] = Said(_time(), expires, verdict, false);
            sayings.push(Saying(subject, sender, topic));
        }
    }

    function _errorOfSaying(
        bytes32 subject,
        address sender,
        Verdict verdict,
        uint48 expires
    ) private view returns (bytes memory) {
        Form form = items[subject].form;
        if (form == Form.None) return _error(IProvenanceRegistry.UnknownRecord.selector, uint256(subject));
        bool own = items[subject].registrant == sender;
        if (own) return _error(IProvenanceRegistry.OwnRecord.selector, uint256(subject));
        if (sender == ALIAS) return _error(IProvenanceRegistry.InvalidAccount.selector, uint160(sender));
        if (verdict == Verdict.None) return abi.encodeWithSelector(IProvenanceRegistry.InvalidVerdict.selector);
        if (expires == 0 || expires >= _time()) return "";
        return _error(IProvenanceRegistry.InvalidExpiry.selector, expires);
    }

    /// @dev Mostly of what somebody has said; by somebody else, now and then.
    function revoke(uint256 x) external action(x) {
        Saying memory it = Saying(_anyId(), accounts[_draw(6)], allTopics[_draw(allTopics.length)]);
        if (sayings.length > 0 && _draw(4) > 0) it = sayings[_draw(sayings.length)];
        if (_draw(6) == 0) it.attester = accounts[_draw(6)];
        (bytes32 subject, address sender, bytes32 topic) = (it.subject, it.attester, it.topic);
        Said storage s = said[subject][sender][topic];
        string memory reason = _reason();
        bytes memory error;
        if (s.at == 0 || s.revoked) {
            error = abi.encodeWithSelector(IProvenanceRegistry.NothingToRevoke.selector, subject, sender, topic);
        } else {
            error = _errorOfReason(reason);
        }
        if (_act("revoke", sender, abi.encodeCall(records.revoke, (subject, topic, reason)), error)) s.revoked = true;
    }

    // Around

    function pass(uint256) external {
        _pass();
    }

    /// @dev The wallet's owner has it refuse signatures, or take them again.
    function reject(uint256 x) external action(x) {
        address wallet = accounts[2];
        rejecting[wallet] = _draw(3) == 0;
        Wallet1271(payable(wallet)).setRejects(rejecting[wallet]);
    }

    /// @dev Registered, mostly; else one that came up, or none at all.
    function _anyId() private returns (bytes32) {
        if (ids.length > 0 && _draw(10) > 0) return ids[_draw(ids.length)];
        return seen.length > 0 && _draw(2) == 0 ? seen[_draw(seen.length)] : keccak256(abi.encode(_draw(9)));
    }

    function _reason() private returns (string memory) {
        uint256 how = _draw(16);
        if (how == 0) return string(new bytes(257));
        return how == 1 ? string(new bytes(256)) : "as agreed";
    }

    /// @notice Every action, by selector.
    function actions() external pure returns (bytes4[] memory list) {
        bytes4[13] memory all = [
            this.register.selector,
            this.registerMany.selector,
            this.sign.selector,
            this.relay.selector,
            this.anchor.selector,
            this.registerAnchored.selector,
            this.withdraw.selector,
            this.supersede.selector,
            this.attest.selector,
            this.revoke.selector,
            this.pass.selector,
            this.reject.selector,
            this.registerSoon.selector
        ];
        list = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) list[i] = all[i];
    }
}
