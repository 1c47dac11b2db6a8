// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IStorageMarket, MarketConfig} from "./interfaces/IStorageMarket.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Course, DealLedger, Money, Stage, Standing, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {DealTerms, DealTermsLib} from "./libraries/DealTerms.sol";
import {FilecoinAddress} from "./libraries/FilecoinAddress.sol";
import {PieceTree} from "./libraries/PieceTree.sol";
import {Tier} from "./libraries/Schedule.sol";
import {IRandomness} from "./randomness/IRandomness.sol";

/// @title What the market knows
/// @notice The deployment's choices, the deals, and all views of them. Nothing in here moves anything.
abstract contract MarketBase is IStorageMarket, ERC721, EIP712 {
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

    string private constant DOMAIN_NAME = "Holdfast Storage Market";
    string private constant DOMAIN_VERSION = "1";
    uint256 private constant MAX_FEE_BPS = 100;
    uint256 private constant MIN_PERIOD = 16;
    /// @dev As many as a provider's profile has bits for.
    uint256 private constant MAX_TIERS = 8;

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

    // The table, two rows a word: code is cheaper to read than storage, and every entry point reads it.
    uint256 private immutable _tiers01;
    uint256 private immutable _tiers23;
    uint256 private immutable _tiers45;
    uint256 private immutable _tiers67;

    /// @dev A pending amendment and a successor, written for few deals, belong in mappings of their own.
    mapping(uint256 id => StoredDeal) internal _deals;

    constructor(MarketConfig memory config) ERC721("", "") EIP712(DOMAIN_NAME, DOMAIN_VERSION) {
        if (address(config.vault).code.length == 0) revert InvalidConfig("vault");
        if (address(config.registry).code.length == 0) revert InvalidConfig("registry");
        // Pay and stake of a deal lie in one vault, or its parties would have to watch two.
        if (config.registry.vault() != config.vault) revert InvalidConfig("registry");
        if (address(config.randomness).code.length == 0) revert InvalidConfig("randomness");
        if (config.feeBps > MAX_FEE_BPS) revert InvalidConfig("feeBps");
        if (config.feeBps > 0 && !FilecoinAddress.isAccount(config.treasury)) revert InvalidConfig("treasury");
        if (config.challengeFinality == 0) revert InvalidConfig("challengeFinality");
        if (config.demandWindow == 0) revert InvalidConfig("demandWindow");
        if (config.tiers.length == 0 || config.tiers.length > MAX_TIERS) revert InvalidConfig("tiers");
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
        for (uint256 i; i < config.tiers.length; ++i) _checkTier(i, config.tiers[i], config.challengeFinality);
        _tiers01 = _pack(config.tiers, 0) | (_pack(config.tiers, 1) << 128);
        _tiers23 = _pack(config.tiers, 2) | (_pack(config.tiers, 3) << 128);
        _tiers45 = _pack(config.tiers, 4) | (_pack(config.tiers, 5) << 128);
        _tiers67 = _pack(config.tiers, 6) | (_pack(config.tiers, 7) << 128);
    }

    function _checkTier(uint256 i, Tier memory tier, uint256 finality) private pure {
        bool timed = tier.period >= MIN_PERIOD && tier.window > 0 && tier.window < tier.period;
        bool strict = tier.challenges > 0 && tier.challenges <= type(uint8).max && tier.maxMisses > 0;
        bool bounded = tier.maxMisses < DealTermsLib.MAX_PERIODS && finality < tier.period;
        if (!timed || !strict || !bounded) revert InvalidTier(i);
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

    // Names, in code: what the base contracts keep for texts of any length is not needed

    /// @notice Name of the token that each deal is.
    function name() public pure override returns (string memory) {
        return "Holdfast Deal";
    }

    /// @notice Its symbol.
    function symbol() public pure override returns (string memory) {
        return "HOLD";
    }

    /// @notice The EIP-712 domain, as ERC-5267 has it.
    function eip712Domain()
        public
        view
        override
        returns (
            bytes1 fields,
            string memory domainName,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        (fields, domainName, version) = (hex"0f", DOMAIN_NAME, DOMAIN_VERSION);
        (chainId, verifyingContract) = (block.chainid, address(this));
        return (fields, domainName, version, chainId, verifyingContract, salt, extensions);
    }

    // Terms and table

    /// @inheritdoc IStorageMarket
    function dealIdOf(DealTerms memory terms) public view returns (uint256) {
        return uint256(_hashTypedDataV4(DealTermsLib.hash(terms)));
    }

    /// @inheritdoc IStorageMarket
    function isCancelled(uint256 id) external view returns (bool) {
        return _deals[id].stageOf() == Stage.Cancelled;
    }

    /// @inheritdoc IStorageMarket
    function tierAt(uint8 tier) external view returns (Tier memory row) {
        if (tier >= tierCount) revert UnknownTier(tier);
        _loadTier(row, tier);
    }

    /// @inheritdoc IStorageMarket
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // Deals

    /// @inheritdoc IStorageMarket
    function recordOf(uint256 id) external view returns (bytes32 root, Course memory course, Money memory money) {
        StoredDeal storage deal = _deals[id];
        root = deal.root;
        deal.load(course);
        deal.loadPay(money);
        deal.loadBond(money);
    }

    /// @inheritdoc IStorageMarket
    function statusOf(uint256 id) public view returns (Status) {
        return _tryRead(id).standing.status;
    }

    /// @inheritdoc IStorageMarket
    function pieceIdOf(uint256 id) public view returns (bytes32) {
        return _pieceId(id, _tryRead(id).course);
    }

    /// @inheritdoc IStorageMarket
    function isProven(uint256 id, bytes32 pieceId) external view returns (bool) {
        Reading memory r = _tryRead(id);
        bool live = r.standing.status == Status.Open || r.standing.status == Status.Ending;
        return live && r.course.lastClosedProven(r.standing) && _pieceId(id, r.course) == pieceId;
    }

    /// @inheritdoc IStorageMarket
    function stateHash(uint256 id) public view returns (bytes32) {
        Reading memory r = _read(id);
        _deals[id].loadPay(r.money);
        _deals[id].loadBond(r.money);
        bytes32 fixedPart = keccak256(abi.encode(id, _pieceId(id, r.course), r.money));
        return
            keccak256(abi.encode(fixedPart, r.course.periods, r.course.restored, r.standing.missed, r.standing.status));
    }

    function _pieceId(uint256 id, Course memory c) private view returns (bytes32) {
        return PieceTree.pieceId(_deals[id].root, c.leafCount);
    }

    /// @dev Reverts where there is no such deal.
    function _read(uint256 id) internal view returns (Reading memory r) {
        r = _tryRead(id);
        if (r.standing.status == Status.None) revert UnknownDeal(id);
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
