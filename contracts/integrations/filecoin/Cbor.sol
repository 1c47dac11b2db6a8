// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title As much CBOR as Filecoin's actors speak
/// @notice Definite lengths only (RFC 8949, section 3; FIP-0054 carries it as codec 0x51). Each reader takes the
/// position of an item and returns it with the position behind it, and reverts on an item of another type or one that
/// is cut off.
library Cbor {
    /// @notice There is no such item at this position.
    error MalformedCbor(uint256 at);

    uint256 private constant UINT = 0;
    uint256 private constant NEGATIVE = 1;
    uint256 private constant BYTES = 2;
    uint256 private constant ARRAY = 4;
    uint256 private constant TAG = 6;

    /// @dev A CID in CBOR is a byte string under this tag, its multibase prefix 0x00 first (DAG-CBOR).
    uint256 private constant CID_TAG = 42;

    bytes1 internal constant FALSE = 0xf4;
    bytes1 internal constant TRUE = 0xf5;

    // Reading

    /// @notice An unsigned integer of 64 bits.
    function readUint(bytes calldata data, uint256 at) internal pure returns (uint64 value, uint256 next) {
        uint256 argument;
        (argument, next) = _readHead(data, at, UINT);
        value = uint64(argument);
    }

    /// @notice A signed integer of 64 bits.
    function readInt(bytes calldata data, uint256 at) internal pure returns (int64 value, uint256 next) {
        uint256 major = _majorAt(data, at);
        uint256 argument;
        (argument, next) = _readHead(data, at, major == NEGATIVE ? NEGATIVE : UINT);
        if (argument > uint64(type(int64).max)) revert MalformedCbor(at);
        value = int64(uint64(argument));
        if (major == NEGATIVE) value = -1 - value;
    }

    /// @notice How many items an array has; they follow.
    function readArray(bytes calldata data, uint256 at) internal pure returns (uint256 length, uint256 next) {
        (length, next) = _readHead(data, at, ARRAY);
        // An item has at least a byte: whoever makes room for as many is never misled by a length alone.
        if (length > data.length - next) revert MalformedCbor(at);
    }

    /// @notice An array of exactly `length` items, as a struct is written.
    function readTuple(bytes calldata data, uint256 at, uint256 length) internal pure returns (uint256 next) {
        uint256 actual;
        (actual, next) = readArray(data, at);
        if (actual != length) revert MalformedCbor(at);
    }

    /// @notice A byte string.
    function readBytes(bytes calldata data, uint256 at) internal pure returns (bytes calldata value, uint256 next) {
        uint256 length;
        (length, next) = _readHead(data, at, BYTES);
        if (length > data.length - next) revert MalformedCbor(at);
        value = data[next:next + length];
        next += length;
    }

    /// @notice A CID, with its multibase prefix.
    function readCid(bytes calldata data, uint256 at) internal pure returns (bytes calldata value, uint256 next) {
        uint256 tag;
        (tag, next) = _readHead(data, at, TAG);
        if (tag != CID_TAG) revert MalformedCbor(at);
        return readBytes(data, next);
    }

    function _majorAt(bytes calldata data, uint256 at) private pure returns (uint256) {
        if (at >= data.length) revert MalformedCbor(at);
        return uint8(data[at]) >> 5;
    }

    /// @dev The argument of an item of type `major`: at most 8 bytes follow the first.
    function _readHead(
        bytes calldata data,
        uint256 at,
        uint256 major
    ) private pure returns (uint256 argument, uint256 next) {
        if (_majorAt(data, at) != major) revert MalformedCbor(at);
        uint256 info = uint8(data[at]) & 31;
        next = at + 1;
        if (info < 24) return (info, next);
        if (info > 27) revert MalformedCbor(at);
        uint256 size = 1 << (info - 24);
        if (size > data.length - next) revert MalformedCbor(at);
        argument = uint256(bytes32(data[next:next + size])) >> (256 - 8 * size);
        next += size;
    }

    // Writing

    function uintOf(uint64 value) internal pure returns (bytes memory) {
        return _head(UINT, value);
    }

    function bytesOf(bytes memory value) internal pure returns (bytes memory) {
        return bytes.concat(_head(BYTES, value.length), value);
    }

    /// @notice The head of an array; its items follow.
    function arrayOf(uint256 length) internal pure returns (bytes memory) {
        return _head(ARRAY, length);
    }

    function _head(uint256 major, uint256 argument) private pure returns (bytes memory head) {
        uint256 size = argument < 24 ? 0 : 1;
        while (size != 0 && argument >> (8 * size) != 0) size *= 2;
        head = new bytes(1 + size);
        uint256 info = size == 0 ? argument : 24 + Math.log2(size);
        head[0] = bytes1(uint8((major << 5) | info));
        for (uint256 i = size; i > 0; argument >>= 8) head[i--] = bytes1(uint8(argument));
    }
}
