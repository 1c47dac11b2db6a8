// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IChainProofs} from "./interfaces/IChainProofs.sol";
import {IMarketConfig, MarketConfig} from "./interfaces/IMarketConfig.sol";
import {IProofVerifier} from "./interfaces/IProofVerifier.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Course, DealLedger, Money, Revision, Standing, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {RevisionStore, StoredRevision} from "./libraries/RevisionStore.sol";
import {Tier} from "./libraries/Schedule.sol";
import {IRandomness} from "./randomness/IRandomness.sol";

/// @title What the market knows
/// @notice The deployment's choices and the deals. Nothing in here moves anything.
/// @dev Both parts of a market start with this contract, so that they find the deals in the same place.
abstract contract MarketBase is IMarketConfig {
    using DealLedger for Course;
    using DealLedger for Standing;
    using DealStore for StoredDeal;
    using RevisionStore for Revision;
    using RevisionStore for StoredRevision;

    /// @dev A deal as it is stored, and where it stands at this block. `money`, and of `revision` what `loadRest`
    /// loads, are left empty where nobody asked for them.
    struct Reading {
        Course course;
        Money money;
        Tier tier;
        Standing standing;
        Revision revision;
    }

    /// @inheritdoc IMarketConfig
    IVault public immutable override vault;
    /// @inheritdoc IMarketConfig
    IProviderRegistry public immutable override registry;
    /// @inheritdoc IMarketConfig
    IRandomness public immutable override randomness;
    /// @inheritdoc IMarketConfig
    address public immutable override treasury;
    /// @inheritdoc IMarketConfig
    uint256 public immutable override feeBps;
    /// @inheritdoc IMarketConfig
    uint256 public immutable override challengeFinality;
    /// @inheritdoc IMarketConfig
    uint256 public immutable override demandWindow;
    /// @inheritdoc IMarketConfig
    address public immutable override stakeToken;
    /// @inheritdoc IMarketConfig
    uint256 public immutable override minStake;
    /// @inheritdoc IMarketConfig
    uint256 public immutable override tierCount;
    /// @inheritdoc IMarketConfig
    IChainProofs public immutable override chainProofs;
    /// @inheritdoc IMarketConfig
    uint256 public immutable override chainTiers;
    /// @inheritdoc IMarketConfig
    address public immutable override termsChecker;
    /// @inheritdoc IMarketConfig
    IProofVerifier public immutable override proofVerifier;

    // The table, two rows a word: code is cheaper to read than storage, and every entry point reads it.
    uint256 private immutable _tiers01;
    uint256 private immutable _tiers23;
    uint256 private immutable _tiers45;
    uint256 private immutable _tiers67;

    mapping(uint256 id => StoredDeal) internal _deals;
    mapping(uint256 id => StoredRevision) internal _revisions;
    mapping(uint256 id => uint256) internal _successors;

    /// @dev Of a config that has been checked.
    constructor(MarketConfig memory config, address termsChecker_, IProofVerifier proofVerifier_) {
        vault = config.vault;
        registry = config.registry;
        randomness = config.randomness;
        treasury = config.treasury;
        feeBps = config.feeBps;
        challengeFinality = config.challengeFinality;
        demandWindow = config.demandWindow;
        stakeToken = config.stakeToken;
        minStake = config.minStake;
        tierCount = config.tiers.length;
        chainProofs = config.chainProofs;
        chainTiers = config.chainTiers;
        termsChecker = termsChecker_;
        proofVerifier = proofVerifier_;
        _tiers01 = _pack(config.tiers, 0) | (_pack(config.tiers, 1) << 128);
        _tiers23 = _pack(config.tiers, 2) | (_pack(config.tiers, 3) << 128);
        _tiers45 = _pack(config.tiers, 4) | (_pack(config.tiers, 5) << 128);
        _tiers67 = _pack(config.tiers, 6) | (_pack(config.tiers, 7) << 128);
    }

    /// @dev A row in 128 bits; zero where the table has no such row.
    function _pack(Tier[] memory tiers, uint256 i) private pure returns (uint256) {
        if (i >= tiers.length) return 0;
        Tier memory t = tiers[i];
        return t.period | (uint256(t.window) << 32) | (uint256(t.challenges) << 64) | (uint256(t.maxMisses) << 96);
    }

    /// @dev Fills `tier` with row i < tierCount.
    function _loadTier(Tier memory tier, uint256 i) internal view {
        uint256 row = i < 4 ? (i < 2 ? _tiers01 : _tiers23) : (i < 6 ? _tiers45 : _tiers67);
        if ((i & 1) == 1) row >>= 128;
        tier.period = uint32(row);
        tier.window = uint32(row >> 32);
        tier.challenges = uint32(row >> 64);
        tier.maxMisses = uint32(row >> 96);
    }

    /// @dev Reverts where there is no such deal.
    function _read(uint256 id) internal view returns (Reading memory r) {
        r = _tryRead(id);
        if (r.standing.status == Status.None) revert IStorageMarket.UnknownDeal(id);
    }

    /// @dev Of status None where there is no such deal.
    function _tryRead(uint256 id) internal view returns (Reading memory r) {
        _readInto(r, id);
    }

    /// @dev Fills all of `r` but the money and the rest of a revision, over what was there.
    function _readInto(Reading memory r, uint256 id) internal view {
        _deals[id].load(r.course);
        _loadTier(r.tier, r.course.tier);
        r.standing.update(r.course, r.tier, block.number);
        if (r.course.amended) _revisions[id].loadHead(r.revision);
        else r.revision.clear();
    }

    /// @dev Counts the proof of the window that is open.
    function _record(uint256 id, Course memory c, uint256 window) internal {
        c.provenBefore = c.lastProven + 1 == window;
        c.lastProven = window;
        ++c.proven;
        _deals[id].saveCounts(c);
        emit IStorageMarket.Proven(id, window);
    }

    function _hold(address payer, address token, uint256 amount) internal {
        if (amount > 0) vault.hold(payer, token, amount);
    }

    function _lock(address provider, address token, uint256 amount) internal {
        if (amount > 0) registry.lock(provider, token, amount);
    }
}
