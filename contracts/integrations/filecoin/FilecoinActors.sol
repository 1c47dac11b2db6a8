// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Questions to Filecoin's own actors
/// @notice By the precompile that calls an actor by its id (FIP-0054, "call_actor_id"), which a contract reaches by
/// DELEGATECALL alone. Every call here is read-only: the FVM fails it if the actor changes anything.
/// @dev The gas that a contract gives the precompile bounds the actor too: the FVM hands the limit on to the message
/// that it sends. So a question that burns all of it leaves whoever asked a 64th, and their caller what they kept.
library FilecoinActors {
    address internal constant CALL_ACTOR_ID = 0xfe00000000000000000000000000000000000005;
    /// @dev fvm_shared's SendFlags::READ_ONLY, and the multicodec of CBOR.
    uint64 private constant READ_ONLY = 1;
    uint64 internal constant CBOR = 0x51;
    /// @dev An answer's four words before its bytes: exit code, codec, offset, length.
    uint256 private constant ANSWER_HEAD = 128;

    /// @notice What actor `id` answers, and whether it did: false where the exit code is not zero, where there is no
    /// such actor, where the gas ran out, and on a chain without the precompile.
    /// @param method Number of an exported method (FRC-0042).
    /// @param params In CBOR; empty for none.
    function ask(uint64 id, uint64 method, bytes memory params) internal view returns (bool ok, bytes memory answer) {
        function(uint64, uint64, bytes memory) view returns (bool, bytes memory) asView;
        function(uint64, uint64, bytes memory) returns (bool, bytes memory) asking = _ask;
        // The compiler can't know that this DELEGATECALL changes nothing; the flag makes sure of it.
        assembly ("memory-safe") {
            asView := asking
        }
        return asView(id, method, params);
    }

    function _ask(uint64 id, uint64 method, bytes memory params) private returns (bool ok, bytes memory answer) {
        uint64 codec = params.length == 0 ? 0 : CBOR;
        bytes memory question = abi.encode(method, uint256(0), READ_ONLY, codec, params, id);
        bytes memory output;
        (ok, output) = CALL_ACTOR_ID.delegatecall(question);
        // Where nothing has code at that address, the call succeeds and returns nothing.
        if (!ok || output.length < ANSWER_HEAD) return (false, "");
        int256 exitCode;
        (exitCode, , answer) = abi.decode(output, (int256, uint64, bytes));
        ok = exitCode == 0;
    }
}
