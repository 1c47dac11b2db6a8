// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Revision} from "./DealLedger.sol";

/// @notice What an amended deal has in storage beyond the others: four words. Their bits, lowest first:
/// @param root The commitment that waits; where none does, whatever was there before.
/// @param head price 128, leafCount 44, from 28, since 28, lapsed 28.
/// @param past paid 128, fee 128.
/// @param rest refunded 192, nonce 64.
struct StoredRevision {
    bytes32 root;
    uint256 head;
    uint256 past;
    uint256 rest;
}

/// @title How a revision lies in storage
/// @notice A proof or a settlement of an amended deal reads `head`, and no more until its commitment is replaced.
/// @dev Windows stay below 2^26 and leafCount is at most 2^40, as in `DealStore`. Paid and fee are of at most
/// maxPeriods windows, each at a price with which maxPeriods of them fit in 128 bits. Each amendment gives back less
/// than 2^128, and there are fewer than 2^33 of them: their nonce is signed for in 32 bits.
library RevisionStore {
    /// @notice Fills what the clock acts on: the commitment that waits but for its root, and where the current one
    /// began.
    function loadHead(StoredRevision storage revision, Revision memory v) internal view {
        uint256 head = revision.head;
        v.price = uint128(head);
        v.leafCount = (head >> 128) & 0xfffffffffff;
        v.from = (head >> 172) & 0xfffffff;
        v.since = (head >> 200) & 0xfffffff;
        v.lapsed = head >> 228;
    }

    /// @notice Fills the rest of `v`, whose head has been loaded.
    function loadRest(StoredRevision storage revision, Revision memory v) internal view {
        uint256 past = revision.past;
        uint256 rest = revision.rest;
        v.root = v.from == 0 ? bytes32(0) : revision.root;
        v.paid = uint128(past);
        v.fee = past >> 128;
        v.refunded = uint192(rest);
        v.nonce = rest >> 192;
    }

    /// @notice Writes all of `v`, but a root only where a commitment waits.
    function save(StoredRevision storage revision, Revision memory v) internal {
        if (v.from != 0) revision.root = v.root;
        revision.head = v.price | (v.leafCount << 128) | (v.from << 172) | (v.since << 200) | (v.lapsed << 228);
        revision.past = v.paid | (v.fee << 128);
        revision.rest = v.refunded | (v.nonce << 192);
    }

    /// @notice Makes `v` that of a deal that was never amended.
    function clear(Revision memory v) internal pure {
        assembly ("memory-safe") {
            // Ten words of zeros: nothing lies behind the end of the calldata.
            calldatacopy(v, calldatasize(), 0x140)
        }
    }
}
