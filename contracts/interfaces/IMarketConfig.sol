// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRandomness} from "../randomness/IRandomness.sol";
import {Tier} from "../libraries/Schedule.sol";
import {IChainProofs} from "./IChainProofs.sol";
import {IProofVerifier} from "./IProofVerifier.sol";
import {IProviderRegistry} from "./IProviderRegistry.sol";
import {IVault} from "./IVault.sol";

/// @notice What a deployment chooses, for ever.
/// @param treasury Where the fee goes; may be zero where `feeBps` is.
/// @param feeBps Fee within each period's price, in hundredths of a percent, at most 100.
/// @param challengeFinality Least distance in epochs from fixing a commitment to its first challenge.
/// @param demandWindow Epochs a provider has to answer a forced retrieval.
/// @param stakeToken Token of `minStake`.
/// @param minStake What a provider must have provisioned to this market, free or locked, to take a deal.
/// @param tiers The table; a tier is its index.
/// @param chainProofs What is asked where the chain itself proves possession; zero on chains that can't.
/// @param chainTiers The tiers that may be proven so, a bit each: bit i is tier i.
struct MarketConfig {
    IVault vault;
    IProviderRegistry registry;
    IRandomness randomness;
    address treasury;
    uint16 feeBps;
    uint32 challengeFinality;
    uint32 demandWindow;
    address stakeToken;
    uint128 minStake;
    Tier[] tiers;
    IChainProofs chainProofs;
    uint8 chainTiers;
}

/// @title What a market was deployed with
/// @notice Nothing here ever changes.
interface IMarketConfig {
    error InvalidTier(uint256 tier);
    error InvalidConfig(string what);

    function vault() external view returns (IVault);
    function registry() external view returns (IProviderRegistry);
    function randomness() external view returns (IRandomness);
    function treasury() external view returns (address);
    function feeBps() external view returns (uint256);
    function challengeFinality() external view returns (uint256);
    function demandWindow() external view returns (uint256);
    function stakeToken() external view returns (address);
    function minStake() external view returns (uint256);
    function tierCount() external view returns (uint256);
    function chainProofs() external view returns (IChainProofs);
    function chainTiers() external view returns (uint256);
    /// @notice What decides whether a proof is right: stateless, deployed by the market.
    function proofVerifier() external view returns (IProofVerifier);
    /// @notice What `open` asks before it writes anything: `TermsChecker`, deployed by the market.
    function termsChecker() external view returns (address);
}
