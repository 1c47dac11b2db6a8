// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @notice A stand-in for an actor of Filecoin's own. Its runtime code goes to the actor's id alias.
interface IActor {
    /// @return exitCode 0, or fvm_shared's: 16 illegal argument, 17 not found, 21 serialization, 22 unhandled message.
    /// @return answer In CBOR.
    function receiveMessage(
        uint64 method,
        uint64 codec,
        bytes calldata params
    ) external returns (uint32 exitCode, bytes memory answer);
}
