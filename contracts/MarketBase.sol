// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IStorageMarket, MarketConfig} from "./interfaces/IStorageMarket.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Course, DealLedger, Money, Stage, Standing, Status} from "./libraries/DealLedger.sol";
import {DealTerms, DealTermsLib} from "./libraries/DealTerms.sol";
import {FilecoinAddress} from "./libraries/FilecoinAddress.sol";
import {PieceTree} from "./libraries/PieceTree.sol";
import {Tier} from "./libraries/Schedule.sol";
import {IRandomness} from "./randomness/IRandomness.sol";

/// @title What the market knows
/// @notice The deployment's choices, the deals, and all views of them. Nothing in here moves anything.
abstract contract MarketBase is IStorageMarket, ERC721, EIP712 {
    using DealLedger for Course;

    /// @dev Five slots a deal: root, course (2), money (2). A pending amendment and a successor, written for few deals,
    /// belong in mappings of their own.
    struct Deal {
        bytes32 root;
        Course course;
        Money money;
    }

    uint256 private constant MAX_FEE_BPS = 100;
    uint256 private constant MIN_PERIOD = 16;
    /// @dev Bounds every counter of windows and misses well within 32 bits: 7,600 years of four-hour periods.
    uint256 internal constant MAX_PERIODS = 2 ** 24;

    /// @inheritdoc IStorageMarket
    IVault public immutable override vault;
    /// @inheritdoc IStorageMarket
    IProviderRegistry public immutable override registry;
    /// @inheritdoc IStorageMarket
    IRandomness public immutable override randomness;
    /// @inheritdoc IStorageMarket
    address public immutable override treasury;
    /// @inheritdoc IStorageMarket
    uint256 public immutable override feeBps;
    /// @inheritdoc IStorageMarket
    uint256 public immutable override challengeFinality;
    /// @inheritdoc IStorageMarket
    uint256 public immutable override demandWindow;
    /// @inheritdoc IStorageMarket
    address public immutable override stakeToken;
    /// @inheritdoc IStorageMarket
    uint256 public immutable override minStake;
    /// @inheritdoc IStorageMarket
    uint256 public immutable override tierCount;

    mapping(uint256 tier => Tier) private _tiers;
    mapping(uint256 id => Deal) internal _deals;

    constructor(MarketConfig memory config) ERC721("Holdfast Deal", "HOLD") EIP712("Holdfast Storage Market", "1") {
        if (address(config.vault).code.length == 0) revert InvalidConfig("vault");
        if (address(config.registry).code.length == 0) revert InvalidConfig("registry");
        if (address(config.randomness).code.length == 0) revert InvalidConfig("randomness");
        if (config.feeBps > MAX_FEE_BPS) revert InvalidConfig("feeBps");
        if (config.feeBps > 0 && !FilecoinAddress.isAccount(config.treasury)) revert InvalidConfig("treasury");
        if (config.challengeFinality == 0) revert InvalidConfig("challengeFinality");
        if (config.demandWindow == 0) revert InvalidConfig("demandWindow");
        if (config.tiers.length == 0 || config.tiers.length > type(uint8).max) revert InvalidConfig("tiers");
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
        for (uint256 i; i < config.tiers.length; ++i) _setTier(i, config.tiers[i], config.challengeFinality);
    }

    function _setTier(uint256 i, Tier memory tier, uint256 finality) private {
        bool timed = tier.period >= MIN_PERIOD && tier.window > 0 && tier.window < tier.period;
        bool strict = tier.challenges > 0 && tier.challenges <= type(uint8).max && tier.maxMisses > 0;
        if (!timed || !strict || tier.maxMisses >= MAX_PERIODS || finality >= tier.period) revert InvalidTier(i);
        _tiers[i] = tier;
    }

    // Terms and table

    /// @inheritdoc IStorageMarket
    function dealIdOf(DealTerms calldata terms) public view returns (uint256) {
        return uint256(_hashTypedDataV4(DealTermsLib.hash(terms)));
    }

    /// @inheritdoc IStorageMarket
    function isCancelled(uint256 id) external view returns (bool) {
        return _deals[id].course.stage == Stage.Cancelled;
    }

    /// @inheritdoc IStorageMarket
    function tierAt(uint8 tier) external view returns (Tier memory) {
        if (tier >= tierCount) revert UnknownTier(tier);
        return _tier(tier);
    }

    /// @inheritdoc IStorageMarket
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // Deals

    /// @inheritdoc IStorageMarket
    function recordOf(uint256 id) external view returns (bytes32 root, Course memory course, Money memory money) {
        return (_deals[id].root, _course(id), _money(id));
    }

    /// @inheritdoc IStorageMarket
    function statusOf(uint256 id) public view returns (Status) {
        Course memory c = _course(id);
        return c.stage < Stage.Open ? Status.None : c.standing(_tier(c.tier), block.number).status;
    }

    /// @inheritdoc IStorageMarket
    function pieceIdOf(uint256 id) public view returns (bytes32) {
        return PieceTree.pieceId(_deals[id].root, _course(id).leafCount);
    }

    /// @inheritdoc IStorageMarket
    function isProven(uint256 id, bytes32 pieceId) external view returns (bool) {
        Course memory c = _course(id);
        if (c.stage < Stage.Open) return false;
        Standing memory s = c.standing(_tier(c.tier), block.number);
        bool live = s.status == Status.Open || s.status == Status.Ending;
        return live && c.lastClosedProven(s) && pieceIdOf(id) == pieceId;
    }

    /// @inheritdoc IStorageMarket
    function stateHash(uint256 id) public view returns (bytes32) {
        (Course memory c, , Standing memory s) = _load(id);
        Money memory m = _money(id);
        bytes32 fixedPart = keccak256(abi.encode(id, pieceIdOf(id), m));
        return keccak256(abi.encode(fixedPart, c.periods, c.restored, s.missed, s.status));
    }

    /// @dev Reverts where there is no such deal.
    function _load(uint256 id) internal view returns (Course memory c, Tier memory tier, Standing memory s) {
        c = _course(id);
        if (c.stage < Stage.Open) revert UnknownDeal(id);
        tier = _tier(c.tier);
        s = c.standing(tier, block.number);
    }

    // Reading and writing whole structs in one place each: the compiler lays out every copy of one anew.

    function _course(uint256 id) internal view returns (Course memory) {
        return _deals[id].course;
    }

    function _money(uint256 id) internal view returns (Money memory) {
        return _deals[id].money;
    }

    function _save(uint256 id, Course memory c) internal {
        _deals[id].course = c;
    }

    function _tier(uint8 tier) internal view returns (Tier memory) {
        return _tiers[tier];
    }
}
