// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Cbor} from "./Cbor.sol";
import {FilecoinActors} from "./FilecoinActors.sol";

/// @title What Filecoin knows of miners and their sectors
/// @notice Methods are numbered by FRC-0042 from their names; structs are CBOR arrays, those of one member that member
/// alone (builtin-actors' `serde(transparent)`).
library Sectors {
    /// @dev Storage power actor.
    uint64 private constant POWER = 4;
    uint64 private constant MINER_COUNT = 1987646258;
    uint64 private constant MINER_RAW_POWER = 3753401894;
    /// @dev Miner actors, FIP-0112.
    uint64 private constant VALIDATE_SECTOR_STATUS = 3092458564;
    uint64 private constant GENERATE_SECTOR_LOCATION = 1321604665;

    /// @dev A sector that is neither faulty nor terminated, as FIP-0112 numbers it; and as an enum without numbers
    /// would be written, which one version of builtin-actors reads.
    bytes private constant ACTIVE = hex"01";
    bytes private constant ACTIVE_BY_NAME = hex"66416374697665";

    /// @notice Whether this chain has the actors that this library asks.
    function areThere() internal view returns (bool ok) {
        (ok, ) = FilecoinActors.ask(POWER, MINER_COUNT, "");
    }

    /// @notice Whether actor `id` is a miner: the power actor has a claim of it. Any other actor could say that it has
    /// sealed something.
    function isMiner(uint64 id) internal view returns (bool ok) {
        (ok, ) = FilecoinActors.ask(POWER, MINER_RAW_POWER, Cbor.uintOf(id));
    }

    /// @notice Whether the sector is active: committed, not terminated, not expired, and not faulty when its deadline
    /// was last looked at, which is once a day.
    /// @param location FIP-0112's `aux_data`: deadline and partition in CBOR, from {locate}; a wrong one is not active.
    function isActive(uint64 miner, uint64 sector, bytes memory location) internal view returns (bool) {
        (bool ok, bytes memory answer) = _validate(miner, sector, ACTIVE, location);
        if (!ok) (ok, answer) = _validate(miner, sector, ACTIVE_BY_NAME, location);
        return ok && answer.length == 1 && answer[0] == Cbor.TRUE;
    }

    function _validate(
        uint64 miner,
        uint64 sector,
        bytes memory status,
        bytes memory location
    ) private view returns (bool, bytes memory) {
        bytes memory params = bytes.concat(Cbor.arrayOf(3), Cbor.uintOf(sector), status, Cbor.bytesOf(location));
        return FilecoinActors.ask(miner, VALIDATE_SECTOR_STATUS, params);
    }

    /// @notice What the miner answers to "where is this sector?": `[status, aux_data]` in CBOR, empty where it does not
    /// answer. The miner searches all its deadlines: not for a transaction.
    function locate(uint64 miner, uint64 sector) internal view returns (bytes memory answer) {
        bool ok;
        (ok, answer) = FilecoinActors.ask(miner, GENERATE_SECTOR_LOCATION, Cbor.uintOf(sector));
        if (ok) return answer;
        bytes memory wrapped = bytes.concat(Cbor.arrayOf(1), Cbor.uintOf(sector));
        (ok, answer) = FilecoinActors.ask(miner, GENERATE_SECTOR_LOCATION, wrapped);
        if (!ok) answer = "";
    }
}
