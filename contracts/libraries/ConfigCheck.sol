// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IMarketConfig, MarketConfig} from "../interfaces/IMarketConfig.sol";
import {DealTermsLib} from "./DealTerms.sol";
import {FilecoinAddress} from "./FilecoinAddress.sol";
import {Tier} from "./Schedule.sol";

/// @title What a deployment may choose
library ConfigCheck {
    uint256 private constant MAX_FEE_BPS = 100;
    uint256 private constant MIN_PERIOD = 16;
    /// @dev As many as a provider's profile has bits for.
    uint256 private constant MAX_TIERS = 8;

    /// @notice Reverts unless a market can be deployed with it.
    function check(MarketConfig memory config) internal view {
        if (address(config.vault).code.length == 0) revert IMarketConfig.InvalidConfig("vault");
        if (address(config.registry).code.length == 0) revert IMarketConfig.InvalidConfig("registry");
        // Pay and stake of a deal lie in one vault, or its parties would have to watch two.
        if (config.registry.vault() != config.vault) revert IMarketConfig.InvalidConfig("registry");
        if (address(config.randomness).code.length == 0) revert IMarketConfig.InvalidConfig("randomness");
        if (config.feeBps > MAX_FEE_BPS) revert IMarketConfig.InvalidConfig("feeBps");
        bool payable_ = config.feeBps == 0 || FilecoinAddress.isAccount(config.treasury);
        if (!payable_) revert IMarketConfig.InvalidConfig("treasury");
        if (config.challengeFinality == 0) revert IMarketConfig.InvalidConfig("challengeFinality");
        if (config.demandWindow == 0) revert IMarketConfig.InvalidConfig("demandWindow");
        uint256 count = config.tiers.length;
        if (count == 0 || count > MAX_TIERS) revert IMarketConfig.InvalidConfig("tiers");
        for (uint256 i; i < count; ++i) _checkTier(i, config.tiers[i], config.challengeFinality);
        if (config.chainTiers >> count != 0) revert IMarketConfig.InvalidConfig("chainTiers");
        // A tier that nobody can answer for, or an answer that no tier wants, is a mistake.
        address asked = address(config.chainProofs);
        bool fits = config.chainTiers == 0 ? asked == address(0) : asked.code.length > 0;
        if (!fits) revert IMarketConfig.InvalidConfig("chainProofs");
    }

    function _checkTier(uint256 i, Tier memory tier, uint256 finality) private pure {
        bool timed = tier.period >= MIN_PERIOD && tier.window > 0 && tier.window < tier.period;
        bool strict = tier.challenges > 0 && tier.challenges <= type(uint8).max && tier.maxMisses > 0;
        bool bounded = tier.maxMisses < DealTermsLib.MAX_PERIODS && finality < tier.period;
        if (!timed || !strict || !bounded) revert IMarketConfig.InvalidTier(i);
    }
}
