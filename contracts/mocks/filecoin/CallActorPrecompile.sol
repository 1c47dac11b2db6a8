// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IActor} from "./IActor.sol";

/// @title Stand-in for Filecoin's precompile that calls an actor by its id
/// @notice Its runtime code goes to 0xfe…05 (`hardhat_setCode`, `anvil_setCode`). As FIP-0054 has it: DELEGATECALL
/// alone; input `(method, value, flags, codec, params, actor)`, output `(exit code, codec, answer)` in the Solidity
/// ABI; what is wrong with the call itself burns all gas; what goes wrong in the actor is an exit code, that of the FVM
/// negative.
/// @dev The actors' stand-ins lie at their id aliases.
contract CallActorPrecompile {
    address private constant ADDRESS = 0xfe00000000000000000000000000000000000005;
    uint160 private constant ALIASES = uint160(0xff) << 152;
    uint64 private constant READ_ONLY = 1;
    uint64 private constant CBOR = 0x51;
    /// @dev Methods up to this are the EVM's own, and the precompile refuses them, but for a bare transfer, 0.
    uint64 private constant RESERVED = 1023;
    int256 private constant NOT_FOUND = -6;
    int256 private constant OUT_OF_GAS = 7;
    uint256 private constant HEAD = 192;

    fallback(bytes calldata input) external returns (bytes memory) {
        if (address(this) == ADDRESS || input.length < HEAD) _burn();
        (uint64 method, uint256 value, uint64 flags, uint64 codec, bytes memory params, uint64 id) = abi.decode(
            input,
            (uint64, uint256, uint64, uint64, bytes, uint64)
        );
        bool known = codec == CBOR || (codec == 0 && params.length == 0);
        if (!known || method <= RESERVED || flags > READ_ONLY || value != 0) _burn();
        IActor actor = IActor(address(ALIASES | id));
        if (address(actor).code.length == 0) return abi.encode(NOT_FOUND, 0, "");
        (bool ok, bytes memory output) = flags == READ_ONLY
            ? address(actor).staticcall(abi.encodeCall(IActor.receiveMessage, (method, codec, params)))
            : address(actor).call(abi.encodeCall(IActor.receiveMessage, (method, codec, params)));
        if (!ok) return abi.encode(OUT_OF_GAS, 0, "");
        (uint32 exitCode, bytes memory answer) = abi.decode(output, (uint32, bytes));
        return abi.encode(int256(uint256(exitCode)), uint256(answer.length == 0 ? 0 : CBOR), answer);
    }

    function _burn() private pure {
        assembly ("memory-safe") {
            invalid()
        }
    }
}
