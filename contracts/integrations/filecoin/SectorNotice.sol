// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Cbor} from "./Cbor.sol";

/// @notice A piece that a miner has sealed, as FIP-0109 tells it.
/// @param cid PieceCIDv1, with its multibase prefix.
/// @param size Of the padded piece in bytes, a power of two.
/// @param payload What the miner's operator wrote for this receiver.
struct SealedPiece {
    uint64 sector;
    int64 until;
    bytes cid;
    uint64 size;
    bytes payload;
}

/// @title The notification that a sector's content has changed
/// @notice `SectorContentChangedParams` of FIP-0076 and FIP-0109: an array of sectors, each `[number, minimum commitment
/// epoch, pieces]`, each piece `[CID, size, payload]`. The answer is an array of arrays of booleans, in the same order.
library SectorNotice {
    /// @dev Multibase 0x00, CIDv1, codec fil-commitment-unsealed (0xf101), multihash sha2-256-trunc254-padded (0x1012), 32
    /// bytes.
    bytes8 private constant PIECE_CID = 0x000181e203922020;
    uint256 private constant PIECE_CID_BYTES = 40;

    /// @notice The root that a PieceCIDv1 names; zero where it is none.
    function rootOf(bytes memory cid) internal pure returns (bytes32 root) {
        if (cid.length != PIECE_CID_BYTES || bytes8(cid) != PIECE_CID) return 0;
        assembly ("memory-safe") {
            root := mload(add(cid, 0x28))
        }
    }

    /// @notice The pieces in the order of the notice, and how many of them each sector has.
    /// @dev Reverts with `MalformedCbor` on anything else, bytes behind the end included.
    function decode(
        bytes calldata params
    ) internal pure returns (SealedPiece[] memory pieces, uint256[] memory perSector) {
        (uint256 sectors, uint256 at) = Cbor.readArray(params, 0);
        perSector = new uint256[](sectors);
        pieces = new SealedPiece[](_count(params, sectors, at, perSector));
        uint256 filled;
        for (uint256 i; i < sectors; ++i) (filled, at) = _readSector(params, at, pieces, filled);
        if (at != params.length) revert Cbor.MalformedCbor(at);
    }

    /// @dev Reads all once to know how much room to make.
    function _count(
        bytes calldata params,
        uint256 sectors,
        uint256 at,
        uint256[] memory perSector
    ) private pure returns (uint256 total) {
        for (uint256 i; i < sectors; ++i) {
            (, , perSector[i], at) = _readSectorHead(params, at);
            total += perSector[i];
            for (uint256 k; k < perSector[i]; ++k) {
                at = Cbor.readTuple(params, at, 3);
                (, at) = Cbor.readCid(params, at);
                (, at) = Cbor.readUint(params, at);
                (, at) = Cbor.readBytes(params, at);
            }
        }
    }

    function _readSector(
        bytes calldata params,
        uint256 at,
        SealedPiece[] memory pieces,
        uint256 filled
    ) private pure returns (uint256, uint256) {
        uint64 sector;
        int64 until;
        uint256 count;
        (sector, until, count, at) = _readSectorHead(params, at);
        for (uint256 i; i < count; ++i) {
            SealedPiece memory piece = pieces[filled++];
            (piece.sector, piece.until) = (sector, until);
            at = Cbor.readTuple(params, at, 3);
            (piece.cid, at) = Cbor.readCid(params, at);
            (piece.size, at) = Cbor.readUint(params, at);
            (piece.payload, at) = Cbor.readBytes(params, at);
        }
        return (filled, at);
    }

    function _readSectorHead(
        bytes calldata params,
        uint256 at
    ) private pure returns (uint64 sector, int64 until, uint256 count, uint256 next) {
        next = Cbor.readTuple(params, at, 3);
        (sector, next) = Cbor.readUint(params, next);
        (until, next) = Cbor.readInt(params, next);
        (count, next) = Cbor.readArray(params, next);
    }

    /// @notice The answer to a notice.
    function encode(bool[] memory accepted, uint256[] memory perSector) internal pure returns (bytes memory answer) {
        answer = Cbor.arrayOf(perSector.length);
        uint256 next;
        for (uint256 i; i < perSector.length; ++i) {
            bytes memory row = new bytes(perSector[i]);
            for (uint256 k; k < row.length; ++k) row[k] = accepted[next++] ? Cbor.TRUE : Cbor.FALSE;
            answer = bytes.concat(answer, Cbor.arrayOf(row.length), row);
        }
    }
}
