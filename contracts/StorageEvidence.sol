// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {DealView, IMarketLens} from "./interfaces/IMarketLens.sol";
import {Holding, IProvenanceRegistry} from "./interfaces/IProvenanceRegistry.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {Status} from "./libraries/DealLedger.sol";
import {Schedule} from "./libraries/Schedule.sol";

/// @title Whether what a record names is still stored
/// @notice Which deals a record is linked to, and which of them hold its piece. It believes the market and nobody else.
abstract contract StorageEvidence is IProvenanceRegistry {
    /// @dev How often a deal may have been moved since it was linked; who moves it more often links it again.
    uint256 private constant MAX_MOVES = 16;
    /// @dev Links that `isHeld` looks at, from the last one back.
    uint256 private constant MAX_LOOKS = 64;

    /// @inheritdoc IProvenanceRegistry
    IStorageMarket public immutable override market;
    /// @inheritdoc IProvenanceRegistry
    IMarketLens public immutable override lens;

    mapping(bytes32 id => bytes32) private _pieces;
    mapping(bytes32 id => uint256[]) private _links;
    mapping(bytes32 id => mapping(uint256 dealId => bool)) private _linked;

    constructor(IMarketLens lens_) {
        lens = lens_;
        market = lens_.market();
    }

    /// @inheritdoc IProvenanceRegistry
    function linkCount(bytes32 id) external view returns (uint256) {
        return _links[id].length;
    }

    /// @inheritdoc IProvenanceRegistry
    function linkAt(bytes32 id, uint256 index) external view returns (uint256) {
        return _links[id][index];
    }

    /// @inheritdoc IProvenanceRegistry
    function holdingsOf(bytes32 id, uint256 from, uint256 count) external view returns (Holding[] memory holdings) {
        uint256 length = _links[id].length;
        uint256 left = from < length ? length - from : 0;
        holdings = new Holding[](count < left ? count : left);
        uint256 found;
        for (uint256 i; i < holdings.length; ++i) {
            uint256 dealId = _holderOf(id, _links[id][from + i]);
            if (dealId != 0) holdings[found++] = _holding(dealId);
        }
        assembly ("memory-safe") {
            mstore(holdings, found)
        }
    }

    /// @inheritdoc IProvenanceRegistry
    function isHeld(bytes32 id) external view returns (bool) {
        uint256 length = _links[id].length;
        uint256 first = length > MAX_LOOKS ? length - MAX_LOOKS : 0;
        for (uint256 i = length; i > first; --i) {
            if (_holderOf(id, _links[id][i - 1]) != 0) return true;
        }
        return false;
    }

    function _link(bytes32 id, bytes32 pieceId, uint256[] calldata dealIds) internal {
        if (pieceId == 0) revert NoPiece(id);
        _pieces[id] = pieceId;
        for (uint256 i; i < dealIds.length; ++i) {
            uint256 dealId = dealIds[i];
            // A deal that does not exist has an id of its piece, too: that of no root and no leaf.
            bool exists = market.statusOf(dealId) != Status.None;
            if (!exists || market.pieceIdOf(dealId) != pieceId) revert PieceMismatch(id, dealId);
            if (_linked[id][dealId]) revert AlreadyLinked(id, dealId);
            _linked[id][dealId] = true;
            _links[id].push(dealId);
            emit Linked(id, dealId);
        }
    }

    /// @dev The deal that holds the record's piece in the place of a linked one: itself, or what it was moved to; zero
    /// if none does. What is linked itself is left out, so that no deal counts twice.
    function _holderOf(bytes32 id, uint256 dealId) private view returns (uint256) {
        for (uint256 moves; moves <= MAX_MOVES; ++moves) {
            if (market.isProven(dealId, _pieces[id])) return dealId;
            dealId = market.successorOf(dealId);
            if (dealId == 0 || _linked[id][dealId]) return 0;
        }
        return 0;
    }

    function _holding(uint256 dealId) private view returns (Holding memory) {
        DealView memory deal = lens.dealOf(dealId);
        uint256 epoch = Schedule.epochOf(deal.firstEpoch, market.tierAt(deal.tier).period, deal.lastProven);
        return Holding(dealId, deal.provider, epoch);
    }
}
