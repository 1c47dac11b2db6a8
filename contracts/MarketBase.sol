// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IMarketConfig, MarketConfig} from "./interfaces/IMarketConfig.sol";
import {IProofVerifier} from "./interfaces/IProofVerifier.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Course, DealLedger, Money, Standing, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {DealTerms, DealTermsLib} from "./libraries/DealTerms.sol";
import {Tier} from "./libraries/Schedule.sol";
import {IRandomness} from "./randomness/IRandomness.sol";

/// @title What the market knows
/// @notice The deployment's choices and the deals. Nothing in here moves anything.
/// @dev All storage of a market is declared here and in the base contracts of this one: `MarketChanges` runs on it.
abstract contract MarketBase is ERC721, EIP712, IMarketConfig {
    using DealLedger for Course;
    using DealLedger for Standing;
    using DealStore for StoredDeal;

    /// @dev A deal as it is at this block. `money` is left empty where nobody asked for it.
    struct Reading {
        Course course;
        Money money;
        Tier tier;
        Standing standing;
    }

    string internal constant DOMAIN_NAME = "Holdfast Storage Market";
    string internal constant DOMAIN_VERSION = "1";

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
    address public immutable override termsChecker;
    /// @inheritdoc IMarketConfig
    IProofVerifier public immutable override proofVerifier;

    // The table, two rows a word: code is cheaper to read than storage, and every entry point reads it.
    uint256 private immutable _tiers01;
    uint256 private immutable _tiers23;
    uint256 private immutable _tiers45;
    uint256 private immutable _tiers67;

    mapping(uint256 id => StoredDeal) internal _deals;

    /// @dev Of a config that has been checked.
    constructor(
        MarketConfig memory config,
        address termsChecker_,
        IProofVerifier proofVerifier_
    ) ERC721("", "") EIP712(DOMAIN_NAME, DOMAIN_VERSION) {
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

    function _dealIdOf(DealTerms memory terms) internal view returns (uint256) {
        return uint256(_hashTypedDataV4(DealTermsLib.hash(terms)));
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

    /// @dev Fills all of `r` but the money, over what was there.
    function _readInto(Reading memory r, uint256 id) internal view {
        _deals[id].load(r.course);
        _loadTier(r.tier, r.course.tier);
        r.standing.update(r.course, r.tier, block.number);
    }
}
