// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Cbor} from "./Cbor.sol";

/// @title The notification that a sector's content has changed
/// @notice `SectorContentChangedParams` of FIP-0076 and FIP-0109: an array of sectors, each `[number, minimum
/// commitment epoch, pieces]`, each piece `[CID, size, payload]`. The answer is an array of arrays of booleans, in the
/// same order.
/// @dev Each reader takes a position and returns the one behind what it has read, or reverts with `MalformedCbor`.
library SectorNotice {
    /// @dev Multibase 0x00, CIDv1, codec fil-commitment-unsealed (0xf101), multihash sha2-256-trunc254-padded
    /// (0x1012), 32 bytes.
    bytes8 private constant PIECE_CID = 0x000181e203922020;
    uint256 private constant PIECE_CID_BYTES = 40;

    /// @notice A sector, up to its pieces.
    /// @return sector Its number.
    /// @return until Epoch to which the data is committed at least.
    /// @return count Of its pieces, which follow.
    function readSector(
        bytes calldata params,
        uint256 at
    ) internal pure returns (uint64 sector, int64 until, uint256 count, uint256 next) {
        next = Cbor.readTuple(params, at, 3);
        (sector, next) = Cbor.readUint(params, next);
        (until, next) = Cbor.readInt(params, next);
        (count, next) = Cbor.readArray(params, next);
    }

    /// @notice A piece.
    /// @return root Which its PieceCIDv1 names; zero where its CID is none.
    /// @return size Of the padded piece in bytes.
    /// @return payload What the miner's operator wrote for the receiver.
    function readPiece(
        bytes calldata params,
        uint256 at
    ) internal pure returns (bytes32 root, uint64 size, bytes calldata payload, uint256 next) {
        bytes calldata cid;
        next = Cbor.readTuple(params, at, 3);
        (cid, next) = Cbor.readCid(params, next);
        (size, next) = Cbor.readUint(params, next);
        (payload, next) = Cbor.readBytes(params, next);
        if (cid.length == PIECE_CID_BYTES && bytes8(cid) == PIECE_CID) root = bytes32(cid[8:]);
    }
}
