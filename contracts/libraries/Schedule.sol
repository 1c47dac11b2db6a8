// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @notice A row of a market's fixed table, in epochs (blocks).
/// @param period Distance from one challenge to the next.
/// @param window Length of the proving window that follows a challenge, below `period`.
/// @param challenges Leaves asked for in each window.
/// @param maxMisses Misses at which a deal defaults, where nothing was restored.
struct Tier {
    uint32 period;
    uint32 window;
    uint32 challenges;
    uint32 maxMisses;
}

/// @title When a deal is challenged
/// @notice Arithmetic of PROTOCOL section 5. Window k = 1…N of a deal is the blocks in (e_k, e_k + window], where
/// e_k = e_1 + (k − 1)·period. Nothing here is stored or marked: all follows from e_1 and the block number.
library Schedule {
    /// @dev Providers are spread over this many phases of a period.
    uint256 internal constant PHASES = 16;

    /// @notice Where in each period a provider's challenges of a tier fall: φ = (hash mod 16) · ⌊period / 16⌋.
    function phase(address provider, uint8 tier, uint256 period) internal pure returns (uint256) {
        return (uint256(keccak256(abi.encode(provider, tier))) % PHASES) * (period / PHASES);
    }

    /// @notice e_1: the least epoch ≥ `earliest` that is ≡ `phase_` modulo `period`.
    function firstEpoch(uint256 earliest, uint256 phase_, uint256 period) internal pure returns (uint256) {
        return earliest + ((phase_ + period - (earliest % period)) % period);
    }

    /// @notice e_k, for k ≥ 1.
    function epochOf(uint256 first, uint256 period, uint256 k) internal pure returns (uint256) {
        return first + (k - 1) * period;
    }

    /// @notice How many of the challenges have been drawn before block `at`: the number of k ≥ 1 with e_k < at.
    function startedAt(uint256 first, uint256 period, uint256 at) internal pure returns (uint256) {
        return at <= first ? 0 : (at - first - 1) / period + 1;
    }

    /// @notice How many of `periods` windows have closed at block `at`, that is the number of k with e_k + window < at,
    /// and the one that is open then: k with e_k < at ≤ e_k + window, 0 where none is.
    function windowsAt(
        uint256 first,
        Tier memory tier,
        uint256 periods,
        uint256 at
    ) internal pure returns (uint256 closed, uint256 open) {
        if (at <= first) return (0, 0);
        unchecked {
            // first < at, and a period is never 0; block numbers stay far from 2^256
            uint256 since = at - first - 1;
            closed = since / tier.period;
            if (since % tier.period < tier.window) open = closed + 1;
            else ++closed;
        }
        if (closed >= periods) return (periods, 0);
    }
}
