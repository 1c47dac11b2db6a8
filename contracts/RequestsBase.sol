// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IMarketLens} from "./interfaces/IMarketLens.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {IStorageRequests, ReplicaState, RequestState, Slot, StorageRequest} from "./interfaces/IStorageRequests.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Challenge} from "./libraries/Challenge.sol";
import {DealTerms} from "./libraries/DealTerms.sol";
import {FilecoinAddress} from "./libraries/FilecoinAddress.sol";
import {PieceTree} from "./libraries/PieceTree.sol";
import {Tier} from "./libraries/Schedule.sol";
import {Possession} from "./libraries/Possession.sol";
import {TermsRules} from "./libraries/TermsRules.sol";
import {IRandomness} from "./randomness/IRandomness.sol";

/// @title What a request is, and who may fill it
/// @notice What is stored of requests, all views of them, and all checks. Nothing in here moves anything.
abstract contract RequestsBase is IStorageRequests {
    /// @dev A replica that is to be had: an original one, or a slot.
    /// @param maxPrice What is held in escrow for each of its periods.
    struct Replica {
        uint256 postedEpoch;
        uint256 periods;
        uint256 maxPrice;
        uint256 expires;
    }

    /// @dev Bytes of a request's 19 members, each in a word or told where it is by one.
    uint256 private constant REQUEST_HEAD = 19 * 32;
    uint256 private constant MAX_REPLICAS = 32;
    uint256 private constant MAX_REGIONS = 16;
    uint256 private constant MAX_DATA_URI = 512;
    /// @dev Beyond it the end of a slot, which lasts as long as its request did, would not fit in 48 bits.
    uint256 private constant MAX_EXPIRY = type(uint40).max;

    /// @inheritdoc IStorageRequests
    IStorageMarket public immutable override market;
    /// @inheritdoc IStorageRequests
    IMarketLens public immutable override lens;
    /// @inheritdoc IStorageRequests
    IVault public immutable override vault;
    /// @inheritdoc IStorageRequests
    IProviderRegistry public immutable override registry;
    IRandomness private immutable _randomness;
    uint256 internal immutable _challengeFinality;

    mapping(uint256 id => RequestState) internal _states;
    mapping(uint256 id => mapping(uint256 slot => Slot)) internal _slots;
    mapping(uint256 id => mapping(address provider => uint256)) internal _deals;
    mapping(uint256 dealId => ReplicaState) internal _replicas;

    constructor(IStorageMarket market_, IMarketLens lens_) {
        if (lens_.market() != market_) revert InvalidConfig("lens");
        market = market_;
        lens = lens_;
        vault = market_.vault();
        registry = market_.registry();
        _randomness = market_.randomness();
        _challengeFinality = market_.challengeFinality();
    }

    // Views

    /// @inheritdoc IStorageRequests
    function requestIdOf(StorageRequest calldata request) public view returns (uint256) {
        return uint256(keccak256(abi.encode(block.chainid, address(this), request)));
    }

    /// @inheritdoc IStorageRequests
    function stateOf(uint256 id) external view returns (RequestState memory) {
        return _states[id];
    }

    /// @inheritdoc IStorageRequests
    function slotOf(uint256 id, uint256 slot) external view returns (Slot memory) {
        return _slots[id][slot];
    }

    /// @inheritdoc IStorageRequests
    function dealOf(uint256 id, address provider) external view returns (uint256) {
        return _deals[id][provider];
    }

    /// @inheritdoc IStorageRequests
    function replicaOf(uint256 dealId) external view returns (ReplicaState memory) {
        return _replicas[dealId];
    }

    /// @inheritdoc IStorageRequests
    function priceOf(StorageRequest calldata request, uint256 slot) external view returns (uint256) {
        (uint256 id, RequestState memory state) = _find(request);
        return _priceNow(request, _replicaOf(id, state, request, slot));
    }

    /// @inheritdoc IStorageRequests
    function challengeOf(
        StorageRequest calldata request,
        uint256 slot,
        address provider
    ) external view returns (uint256 epoch, uint256[] memory leaves) {
        (uint256 id, RequestState memory state) = _find(request);
        return _challenge(id, state, slot, provider, request.leafCount);
    }

    // Finding

    function _find(StorageRequest calldata request) internal view returns (uint256 id, RequestState memory state) {
        id = _idOf(request);
        state = _states[id];
        if (state.postedEpoch == 0) revert UnknownRequest(id);
    }

    /// @dev As `requestIdOf`, over the bytes as they came, which saves encoding them anew. `post` makes sure that these
    /// are the same. Later, other bytes have another id, which nobody posted.
    function _idOf(StorageRequest calldata request) internal view returns (uint256 id) {
        // A word for each member, then both lengths, the regions, and the text in whole words.
        uint256 length =
            REQUEST_HEAD + 64 + 32 * request.regions.length + ((bytes(request.dataUri).length + 31) & ~uint256(31));
        assembly ("memory-safe") {
            let encoding := mload(0x40)
            mstore(encoding, chainid())
            mstore(add(encoding, 0x20), address())
            mstore(add(encoding, 0x40), 0x60)
            calldatacopy(add(encoding, 0x60), request, length)
            id := keccak256(encoding, add(length, 0x60))
        }
    }

    /// @dev What is unfilled of `slot`: one original replica, or the one that was posted again.
    function _replicaOf(
        uint256 id,
        RequestState memory state,
        StorageRequest calldata request,
        uint256 slot
    ) internal view returns (Replica memory replica) {
        if (slot == 0) {
            if (state.unfilled == 0) revert NothingToFill(id, slot);
            return Replica(state.postedEpoch, request.periods, request.maxPrice, request.expires);
        }
        Slot memory again = _slots[id][slot];
        if (again.postedEpoch == 0) revert NothingToFill(id, slot);
        return Replica(again.postedEpoch, again.periods, again.maxPrice, again.expires);
    }

    function _priceNow(StorageRequest calldata request, Replica memory replica) internal view returns (uint256 price) {
        uint256 ramp = request.rampEpochs;
        unchecked {
            // Posted before this block; prices are below 2^128, the start not above the max, and the ramp is never 0.
            uint256 elapsed = block.number - replica.postedEpoch;
            if (elapsed >= ramp) return replica.maxPrice;
            price = _startPrice(request, replica.maxPrice);
            price += ((replica.maxPrice - price) * elapsed) / ramp;
        }
    }

    function _startPrice(StorageRequest calldata request, uint256 maxPrice) internal pure returns (uint256) {
        return request.startPrice < maxPrice ? request.startPrice : maxPrice;
    }

    function _requireClient(StorageRequest calldata request) internal view {
        if (msg.sender != request.client) revert NotClient(request.client, msg.sender);
    }

    // Checks of a posting

    /// @dev That the request is one that can be filled at all, as far as this can be known.
    /// @return tier Of the market, which reverts where there is no such tier.
    function _checkRequest(StorageRequest calldata request) internal view returns (Tier memory tier) {
        if (!FilecoinAddress.isAccount(request.client)) revert InvalidClient(request.client);
        tier = market.tierAt(request.tier);
        TermsRules.requirePiece(request.root, request.leafCount);
        TermsRules.requireNumbers(
            request.periods,
            request.maxPeriods,
            request.maxPrice,
            request.collateral,
            tier.maxMisses
        );
        if (request.replicas == 0 || request.replicas > MAX_REPLICAS) revert InvalidReplicas(request.replicas);
        if (request.startPrice > request.maxPrice) revert InvalidPrices(request.startPrice, request.maxPrice);
        if (request.rampEpochs == 0) revert InvalidRamp(request.rampEpochs);
        // solhint-disable-next-line not-rely-on-time
        if (request.expires <= block.timestamp || request.expires > MAX_EXPIRY) revert InvalidExpiry(request.expires);
        if (bytes(request.dataUri).length > MAX_DATA_URI) revert DataUriTooLong(bytes(request.dataUri).length);
        _checkRegions(request.regions);
    }

    function _checkRegions(bytes6[] calldata regions) private pure {
        if (regions.length > MAX_REGIONS) revert TooManyRegions(regions.length);
        for (uint256 i; i < regions.length; ++i) {
            if (regions[i] == 0) revert InvalidRegion(i);
        }
    }

    // Checks of a filling

    /// @dev That it is neither too late for this replica, nor too cheap at this block.
    function _checkOffer(
        uint256 id,
        RequestState memory state,
        StorageRequest calldata request,
        uint256 slot,
        Replica memory replica,
        DealTerms memory terms
    ) internal view {
        // solhint-disable-next-line not-rely-on-time
        if (block.timestamp > replica.expires) revert RequestExpired(id, slot, replica.expires);
        if (state.lastEpoch != 0 && block.number > state.lastEpoch) revert RequestOver(id, state.lastEpoch);
        uint256 priceNow = _priceNow(request, replica);
        if (terms.pricePerPeriod > priceNow) revert PriceTooHigh(terms.pricePerPeriod, priceNow);
        if (terms.egressPricePerGiB > request.maxEgressPricePerGiB) {
            revert EgressPriceTooHigh(terms.egressPricePerGiB, request.maxEgressPricePerGiB);
        }
    }

    /// @dev That the terms are the request's in everything but their prices, provider, time and salt.
    function _checkTerms(StorageRequest calldata request, DealTerms memory terms, uint256 periods) internal view {
        address client = request.repair ? address(this) : request.client;
        if (terms.client != client) revert TermsMismatch("client");
        if (terms.root != request.root) revert TermsMismatch("root");
        if (terms.leafCount != request.leafCount) revert TermsMismatch("leafCount");
        if (terms.tier != request.tier) revert TermsMismatch("tier");
        if (terms.periods != periods) revert TermsMismatch("periods");
        if (terms.maxPeriods != request.maxPeriods) revert TermsMismatch("maxPeriods");
        if (terms.token != request.token) revert TermsMismatch("token");
        if (terms.collateral != request.collateral) revert TermsMismatch("collateral");
    }

    /// @dev That it has no replica of this request, and lies where one is wanted. It can't be this contract, which the
    /// market would take for a provider that agrees, being the sender.
    function _checkProvider(uint256 id, bytes6[] calldata regions, address provider) internal view {
        if (provider == address(this)) revert TermsMismatch("provider");
        if (_deals[id][provider] != 0) revert AlreadyFilled(id, provider);
        if (regions.length == 0) return;
        bytes6 region = registry.regionOf(provider);
        for (uint256 i; i < regions.length; ++i) {
            if (regions[i] == region) return;
            bool country = bytes6(regions[i] << 16) == 0;
            if (country && bytes2(regions[i]) == bytes2(region)) return;
        }
        revert RegionNotEligible(provider, region);
    }

    /// @dev That it holds the piece now: neither the epoch nor anything else in the question is its choice.
    function _checkPossession(
        uint256 id,
        RequestState memory state,
        StorageRequest calldata request,
        uint256 slot,
        address provider,
        bytes calldata proof
    ) internal view {
        (, uint256[] memory leaves) = _challenge(id, state, slot, provider, request.leafCount);
        bool holds = PieceTree.verify(request.root, PieceTree.height(request.leafCount), leaves, proof);
        if (!holds) revert InvalidPossession(id, provider);
    }

    function _challenge(
        uint256 id,
        RequestState memory state,
        uint256 slot,
        address provider,
        uint256 leafCount
    ) internal view returns (uint256 epoch, uint256[] memory leaves) {
        epoch = _possessionEpoch(id, state);
        // Stands for a deal's id: a proof is for one provider, one slot and one request. No deal has a window 0.
        uint256 question = uint256(keccak256(abi.encode(id, slot, provider)));
        uint256 seed = _randomness.seed(epoch);
        leaves = Challenge.indices(address(this), question, 0, seed, state.challenges, leafCount);
    }

    /// @dev The last multiple of the grid before this block, if it is far enough from the posting of the request. A
    /// slot counts from there, too: its commitment is as old.
    function _possessionEpoch(uint256 id, RequestState memory state) private view returns (uint256 epoch) {
        uint256 earliest = state.postedEpoch + _challengeFinality;
        epoch = Possession.epoch();
        if (epoch < earliest) revert TooEarly(id, Possession.firstBlock(earliest));
    }
}
