// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Two fields of an RLP block header, read in place
/// @notice Walks the header in calldata up to `mixHash`, and no further: about a tenth of the gas of decoding the whole
/// list into memory (OpenZeppelin's `BlockHeader`, which is the twin that the fuzz tests compare with).
/// @dev For headers whose hash has already been checked: what is read is then what the chain hashed, and the checks
/// here only refuse formats that this library doesn't know. Every step moves forward and ends after the fourteenth
/// field, so gas is bounded whatever the bytes are.
library HeaderRLP {
    uint256 private constant NUMBER_FIELD = 8;
    uint256 private constant MIX_HASH_FIELD = 13;

    /// @notice Reads `number` (field 8) and `mixHash` (field 13; `prevRandao` since the merge).
    /// @return ok False if `header` is no list of plain strings up to `mixHash`, if the list is shorter or longer than
    /// `header`, if the number has over 32 bytes, or if `mixHash` hasn't exactly 32.
    /// @return number The block number.
    /// @return mixHash The word.
    function numberAndMixHash(bytes calldata header) internal pure returns (bool ok, uint256 number, uint256 mixHash) {
        (bool isList, uint256 at) = _listPayload(header);
        if (!isList) return (false, 0, 0);
        for (uint256 field; field < MIX_HASH_FIELD; ++field) {
            (uint256 start, uint256 length) = _string(header, at);
            if (start == 0) return (false, 0, 0);
            if (field == NUMBER_FIELD) {
                if (length > 32) return (false, 0, 0);
                // A shift by 256 gives 0, which is what the empty string means.
                number = _word(header, start) >> (256 - 8 * length);
            }
            at = start + length;
        }
        (uint256 mixStart, uint256 mixLength) = _string(header, at);
        if (mixStart == 0 || mixLength != 32) return (false, 0, 0);
        return (true, number, _word(header, mixStart));
    }

    /// @dev Where the items of the list begin. A header never fits into 55 bytes, so only the long form of a list
    /// (prefix 0xf7 plus the bytes of its length) is one.
    function _listPayload(bytes calldata header) private pure returns (bool ok, uint256 start) {
        if (header.length < 2) return (false, 0);
        uint256 head = _word(header, 0);
        uint256 prefix = head >> 248;
        if (prefix < 0xf8) return (false, 0);
        unchecked {
            // 1 ≤ sizeOfLength ≤ 8, so all of it lies in the first word, and the sums are far from overflow.
            uint256 sizeOfLength = prefix - 0xf7;
            uint256 length = (head << 8) >> (256 - 8 * sizeOfLength);
            start = 1 + sizeOfLength;
            ok = start + length == header.length;
        }
    }

    /// @dev Where the string that begins at `at` has its content. `start` is 0 if there is no string, or not all of it.
    function _string(bytes calldata header, uint256 at) private pure returns (uint256 start, uint256 length) {
        if (at >= header.length) return (0, 0);
        uint256 head = _word(header, at);
        uint256 prefix = head >> 248;
        unchecked {
            // `at` is a position in calldata and every length below 2^64, so no sum overflows.
            if (prefix < 0x80) return (at, 1);
            if (prefix <= 0xb7) {
                (start, length) = (at + 1, prefix - 0x80);
            } else if (prefix <= 0xbf) {
                uint256 sizeOfLength = prefix - 0xb7;
                (start, length) = (at + 1 + sizeOfLength, (head << 8) >> (256 - 8 * sizeOfLength));
            } else {
                return (0, 0);
            }
            if (start + length > header.length) return (0, 0);
        }
    }

    /// @dev The word at `at`. What lies past the end is cut off by the callers, which check lengths.
    function _word(bytes calldata header, uint256 at) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(header.offset, at))
        }
    }
}
