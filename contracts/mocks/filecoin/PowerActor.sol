// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor} from "../../integrations/filecoin/Cbor.sol";
import {IActor} from "./IActor.sol";

/// @title Stand-in for Filecoin's storage power actor, f04
contract PowerActor is IActor {
    uint64 private constant MINER_COUNT = 1987646258;
    uint64 private constant MINER_RAW_POWER = 3753401894;

    mapping(uint64 id => bool) public isMiner;
    uint64 public count;

    function createMiner(uint64 id) external {
        isMiner[id] = true;
        ++count;
    }

    /// @inheritdoc IActor
    function receiveMessage(
        uint64 method,
        uint64 codec,
        bytes calldata params
    ) external view returns (uint32 exitCode, bytes memory answer) {
        if (method == MINER_COUNT) return codec == 0 ? (0, Cbor.uintOf(count)) : (uint32(21), bytes(""));
        if (method != MINER_RAW_POWER) return (22, "");
        (uint64 id, ) = Cbor.readUint(params, 0);
        if (!isMiner[id]) return (17, "");
        // No raw power yet, as a big integer, and so not the consensus minimum.
        return (0, hex"8240f4");
    }
}
