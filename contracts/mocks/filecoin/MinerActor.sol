// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor} from "../../integrations/filecoin/Cbor.sol";
import {ISectorProofs} from "../../integrations/filecoin/ISectorProofs.sol";
import {IActor} from "./IActor.sol";

/// @title Stand-in for a Filecoin miner actor
/// @notice Answers FIP-0112's `ValidateSectorStatus` and `GenerateSectorLocation`, and sends FIP-0109's notification as
/// `notify_data_consumers` does. Tests say what became of a sector, in place of proofs and cron.
contract MinerActor is IActor {
    enum Status {
        Dead,
        Active,
        Faulty
    }

    /// @dev Of `location`: in CBOR, `[deadline, partition]`; empty where the miner knows no such sector.
    struct Sector {
        Status status;
        bytes location;
    }

    /// @dev How the actor of a test misbehaves: it burns all gas, it reads statuses by name as one version of
    /// builtin-actors does, it answers what is no boolean, it wants a question for a place wrapped in a tuple.
    enum Mode {
        Sound,
        Burning,
        ByName,
        Babbling,
        Wrapping
    }

    uint64 private constant SECTOR_CONTENT_CHANGED = 2034386435;
    uint64 private constant VALIDATE_SECTOR_STATUS = 3092458564;
    uint64 private constant GENERATE_SECTOR_LOCATION = 1321604665;
    uint64 private constant CBOR = 0x51;
    uint32 private constant NOT_FOUND = 17;
    uint32 private constant SERIALIZATION = 21;
    uint32 private constant UNHANDLED = 22;
    /// @dev `[-1, -1]`: FIP-0112's NO_DEADLINE and NO_PARTITION.
    bytes private constant NOWHERE = hex"822020";

    mapping(uint64 sector => Sector) private _sectors;
    Mode public mode;

    /// @notice A notification was rejected or answered wrongly, and the miner had asked for success.
    error NotificationFailed(uint32 exitCode, bytes answer);

    event Notified(uint32 exitCode, uint64 codec, bytes answer);

    function setMode(Mode mode_) external {
        mode = mode_;
    }

    function setSector(uint64 sector, Status status, bytes calldata location) external {
        _sectors[sector] = Sector(status, location);
    }

    /// @notice What ProveCommitSectors3 does last.
    /// @param expected The only answer that counts as success where the miner requires it.
    function notify(ISectorProofs receiver, bytes calldata params, bool required, bytes calldata expected) external {
        (uint32 exitCode, uint64 codec, bytes memory answer) = receiver.handle_filecoin_method(
            SECTOR_CONTENT_CHANGED,
            CBOR,
            params
        );
        if (required && (exitCode != 0 || keccak256(answer) != keccak256(expected))) {
            revert NotificationFailed(exitCode, answer);
        }
        emit Notified(exitCode, codec, answer);
    }

    /// @inheritdoc IActor
    function receiveMessage(
        uint64 method,
        uint64 codec,
        bytes calldata params
    ) external view returns (uint32 exitCode, bytes memory answer) {
        if (mode == Mode.Burning) {
            assembly ("memory-safe") {
                invalid()
            }
        }
        if (codec != CBOR) return (SERIALIZATION, "");
        if (method == VALIDATE_SECTOR_STATUS) return _validate(params);
        if (method == GENERATE_SECTOR_LOCATION) return _locate(params);
        return (UNHANDLED, "");
    }

    function _validate(bytes calldata params) private view returns (uint32, bytes memory) {
        uint256 at = Cbor.readTuple(params, 0, 3);
        uint64 number;
        (number, at) = Cbor.readUint(params, at);
        bool named = uint8(params[at]) >> 5 == 3;
        if (named != (mode == Mode.ByName)) return (SERIALIZATION, "");
        Status asked;
        (asked, at) = named ? _statusByName(params, at) : _statusByNumber(params, at);
        (bytes calldata location, uint256 end) = Cbor.readBytes(params, at);
        if (end != params.length) return (SERIALIZATION, "");
        if (mode == Mode.Babbling) return (0, hex"f5f5");
        Sector storage sector = _sectors[number];
        bool nowhere = keccak256(location) == keccak256(NOWHERE);
        bool found = sector.location.length != 0;
        if (nowhere) return (0, _bool(asked == Status.Dead && !found));
        if (!found || keccak256(location) != keccak256(sector.location)) return (NOT_FOUND, "");
        return (0, _bool(asked == sector.status));
    }

    function _statusByNumber(bytes calldata params, uint256 at) private pure returns (Status, uint256) {
        (uint64 value, uint256 next) = Cbor.readUint(params, at);
        return (Status(value), next);
    }

    /// @dev `"Active"`, as a text of six bytes, is all that anybody asks for.
    function _statusByName(bytes calldata params, uint256 at) private pure returns (Status, uint256) {
        bool active = keccak256(params[at:at + 7]) == keccak256(hex"66416374697665");
        return (active ? Status.Active : Status.Dead, at + 7);
    }

    function _locate(bytes calldata params) private view returns (uint32, bytes memory) {
        uint256 at = mode == Mode.Wrapping ? Cbor.readTuple(params, 0, 1) : 0;
        (uint64 number, uint256 end) = Cbor.readUint(params, at);
        if (end != params.length) return (SERIALIZATION, "");
        Sector storage sector = _sectors[number];
        bytes memory location = sector.location.length == 0 ? NOWHERE : sector.location;
        bytes memory status = Cbor.uintOf(uint64(sector.status));
        return (0, bytes.concat(Cbor.arrayOf(2), status, Cbor.bytesOf(location)));
    }

    function _bool(bool value) private pure returns (bytes memory) {
        return abi.encodePacked(value ? Cbor.TRUE : Cbor.FALSE);
    }
}
