// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Cbor} from "../../integrations/filecoin/Cbor.sol";

/// @title The CBOR of Filecoin's actors, for tests beside another library's
contract CborHarness {
    function uintOf(uint64 value) external pure returns (bytes memory) {
        return Cbor.uintOf(value);
    }

    function bytesOf(bytes calldata value) external pure returns (bytes memory) {
        return Cbor.bytesOf(value);
    }

    function arrayOf(uint256 length) external pure returns (bytes memory) {
        return Cbor.arrayOf(length);
    }

    function readUint(bytes calldata data) external pure returns (uint64 value, uint256 next) {
        return Cbor.readUint(data, 0);
    }

    function readInt(bytes calldata data) external pure returns (int64 value, uint256 next) {
        return Cbor.readInt(data, 0);
    }

    function readBytes(bytes calldata data) external pure returns (bytes memory value, uint256 next) {
        return Cbor.readBytes(data, 0);
    }

    function readCid(bytes calldata data) external pure returns (bytes memory value, uint256 next) {
        return Cbor.readCid(data, 0);
    }
}
