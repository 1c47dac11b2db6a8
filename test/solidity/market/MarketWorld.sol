// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {CommonBase} from "forge-std/Base.sol";
import {StdAssertions} from "forge-std/StdAssertions.sol";
import {MarketLens} from "../../../contracts/MarketLens.sol";
import {ProviderRegistry} from "../../../contracts/ProviderRegistry.sol";
import {StorageMarket} from "../../../contracts/StorageMarket.sol";
import {Vault} from "../../../contracts/Vault.sol";
import {Profile} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {MarketConfig} from "../../../contracts/interfaces/IMarketConfig.sol";
import {Amendment} from "../../../contracts/libraries/Amendments.sol";
import {Challenge} from "../../../contracts/libraries/Challenge.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {Tier} from "../../../contracts/libraries/Schedule.sol";
import {FeeToken} from "../../../contracts/mocks/FeeToken.sol";
import {TestToken} from "../../../contracts/mocks/TestToken.sol";
import {Wallet1271} from "../../../contracts/mocks/Wallet1271.sol";
import {VouchingChain} from "../../../contracts/mocks/VouchingChain.sol";
import {BlockhashRandomness} from "../../../contracts/randomness/BlockhashRandomness.sol";
import {TreeBuilder} from "../utils/TreeBuilder.sol";

/// @title A whole deployment with accounts, money and data, for tests of the market
/// @notice Small periods, so that a test passes through many windows; the block hash is the seed, which the test
/// network has for any block that `vm.roll` skipped.
abstract contract MarketWorld is CommonBase, StdAssertions {
    using TreeBuilder for TreeBuilder.Tree;

    address internal constant NATIVE = address(0);
    uint256 internal constant FINALITY = 3;
    uint256 internal constant FEE_BPS = 100;
    uint256 internal constant MIN_STAKE = 1000;
    /// @dev What every account of the world has in each token: amounts beyond 96 bits come up, too.
    uint256 internal constant WEALTH = 2 ** 110;
    /// @dev Tiers that the chain may answer for: the first and the last.
    uint8 internal constant CHAIN_TIERS = 5;
    address internal constant ALIAS = 0xFF00000000000000000000000000000000001234;

    Vault public vault;
    ProviderRegistry public registry;
    BlockhashRandomness public randomness;
    VouchingChain public chain;
    StorageMarket public market;
    MarketLens public lens;
    TestToken internal plain;
    FeeToken internal taxed;
    Tier[3] internal tiers;
    address internal treasury = address(0x7ea5);
    address internal keeper = address(0x4ee9e4);
    address internal sponsor = address(0x5905);

    /// @dev The key that signs for an account: its own, or its owner's where it is a contract.
    mapping(address account => uint256) internal keyOf;
    uint256 private _keys = 0xa11ce;

    function _deploy() internal {
        vm.roll(1000);
        plain = new TestToken("Plain", "PLAIN", 18);
        taxed = new FeeToken();
        vault = new Vault();
        registry = new ProviderRegistry(vault);
        randomness = new BlockhashRandomness();
        tiers[0] = Tier({period: 16, window: 4, challenges: 2, maxMisses: 3});
        tiers[1] = Tier({period: 20, window: 7, challenges: 3, maxMisses: 2});
        // The strictest and the widest that a table may have.
        tiers[2] = Tier({period: 33, window: 32, challenges: 5, maxMisses: 1});
        chain = new VouchingChain();
        market = _newMarket();
        lens = new MarketLens(market);
    }

    function _newMarket() internal returns (StorageMarket) {
        Tier[] memory table = new Tier[](tiers.length);
        for (uint256 i; i < table.length; ++i) table[i] = tiers[i];
        return
            new StorageMarket(
                MarketConfig({
                    vault: vault,
                    registry: registry,
                    randomness: randomness,
                    treasury: treasury,
                    feeBps: uint16(FEE_BPS),
                    challengeFinality: uint32(FINALITY),
                    demandWindow: 8,
                    stakeToken: address(plain),
                    minStake: uint128(MIN_STAKE),
                    tiers: table,
                    chainProofs: chain,
                    chainTiers: CHAIN_TIERS
                })
            );
    }

    // Accounts

    function _newKey() internal returns (address account) {
        account = vm.addr(++_keys);
        keyOf[account] = _keys;
    }

    /// @dev A wallet that is a contract; a key signs for it.
    function _newWallet() internal returns (address account) {
        account = address(new Wallet1271(vm.addr(++_keys)));
        keyOf[account] = _keys;
    }

    /// @dev Gives the account money in the vault, and the market the right to take it.
    function _enrich(address account) internal {
        vm.deal(account, 2 * WEALTH);
        plain.mint(account, 2 * WEALTH);
        taxed.mint(account, 2 * WEALTH);
        vm.startPrank(account);
        plain.approve(address(vault), type(uint256).max);
        taxed.approve(address(vault), type(uint256).max);
        vault.deposit(address(plain), account, WEALTH);
        vault.deposit(address(taxed), account, WEALTH);
        vault.deposit{value: WEALTH}(NATIVE, account, WEALTH);
        vault.setOperator(address(market), true);
        vm.stopPrank();
    }

    /// @dev Registers a rich account as provider, with `stake` of every token provisioned to the market.
    function _register(address provider, uint256 stake) internal {
        vm.startPrank(provider);
        registry.register(Profile("P", "https://p.example", "", "DE", 7, ""));
        vault.setOperator(address(registry), true);
        registry.provision(address(market), address(plain), stake);
        registry.provision(address(market), address(taxed), stake);
        registry.provision(address(market), NATIVE, stake);
        vm.stopPrank();
    }

    // Terms and signatures

    /// @dev Terms for data of `leafCount` leaves that follow from `seed`; the rest is the caller's to change.
    function _termsFor(
        address client,
        address provider,
        uint8 tier,
        uint256 seed,
        uint256 leafCount
    ) internal view returns (DealTerms memory terms) {
        terms.root = _rootOf(seed, leafCount);
        terms.client = client;
        terms.provider = provider;
        terms.leafCount = uint64(leafCount);
        terms.tier = tier;
        terms.periods = 4;
        terms.maxPeriods = 12;
        terms.token = address(plain);
        terms.pricePerPeriod = 10_001;
        terms.collateral = 50_003;
        terms.validUntil = uint64(vm.getBlockTimestamp() + 1 days);
        terms.salt = bytes32(seed);
    }

    function _sign(address account, uint256 id) internal view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf[account], bytes32(id));
        return abi.encodePacked(r, s, v);
    }

    /// @dev EIP-712 from its own words, in the market's domain.
    function _digest(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", market.DOMAIN_SEPARATOR(), structHash));
    }

    function _amendmentDigest(Amendment memory a) internal view returns (bytes32) {
        bytes memory members = "uint256 dealId,bytes32 root,uint64 leafCount,uint128 pricePerPeriod,uint32 nonce,";
        bytes32 typeHash = keccak256(abi.encodePacked("Amendment(", members, "uint64 validUntil)"));
        return _digest(keccak256(abi.encode(typeHash, a)));
    }

    /// @dev Opens by the client, with the provider's signature.
    function _open(DealTerms memory terms) internal returns (uint256 id) {
        bytes memory signature = _sign(terms.provider, market.dealIdOf(terms));
        vm.prank(terms.client);
        return market.open(terms, "", signature);
    }

    // Data

    function _treeOf(uint256 seed, uint256 leafCount) internal pure returns (TreeBuilder.Tree memory) {
        uint256 height = 2;
        while (2 ** height < leafCount) ++height;
        return TreeBuilder.full(seed, height, leafCount);
    }

    function _rootOf(uint256 seed, uint256 leafCount) internal pure returns (bytes32 root) {
        (root, ) = _treeOf(seed, leafCount).prove(new uint256[](1));
    }

    /// @dev The answer to the challenge of the window that is open now, by somebody who has the data.
    function _proofOf(uint256 id, uint256 seed, uint256 leafCount) internal view returns (bytes memory proof) {
        (, , uint256[] memory leaves) = lens.challengeOf(id);
        (, proof) = _treeOf(seed, leafCount).prove(leaves);
    }

    /// @dev As `_proofOf`, for a window that the market may think nobody should prove any more.
    function _proofFor(
        uint256 id,
        uint256 window,
        uint256 epoch,
        uint8 tier,
        uint256 seed,
        uint256 leafCount
    ) internal view returns (bytes memory proof) {
        uint256 drawn = randomness.seed(epoch);
        uint256 count = tiers[tier].challenges;
        (, proof) = _treeOf(seed, leafCount).prove(
            Challenge.indices(address(market), id, window, drawn, count, leafCount)
        );
    }

    // Calls

    function _call(address sender, address target, bytes memory data) internal returns (bool ok) {
        vm.prank(sender);
        (ok, ) = target.call(data);
    }

    function _one(uint256 id) internal pure returns (uint256[] memory ids) {
        ids = new uint256[](1);
        ids[0] = id;
    }

    function _tokens() internal view returns (address[3] memory) {
        return [address(plain), address(taxed), NATIVE];
    }
}
