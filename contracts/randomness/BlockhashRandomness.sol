// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {BlockHistory} from "./BlockHistory.sol";
import {IRandomness} from "./IRandomness.sol";

/// @title Seeds from block hashes, for test and development chains only
/// @notice The seed of an epoch is its block's hash, for as long as the chain serves it: 256 blocks, or 8,191 where the
/// chain has EIP-2935. Nothing to checkpoint, and nothing to trust with money: whoever builds the block picks its hash.
/// @dev The builder can vary `extraData`, the order of transactions or the gas limit, and each try costs one Keccak of
/// about 600 bytes: 2.5 us on one core of a small machine, 4.8 million tries in a slot of 12 s. A provider that kept
/// the share `h` of a piece answers n challenges with odds h^n; the builder whom it pays re-rolls until they fit. One
/// core and one slot suffice, in 99 of 100 cases, for 10 challenges with a quarter of the data. RANDAO gives a proposer
/// two tries, drand gives nobody a second one. On Filecoin, moreover, an epoch without blocks (a null round) repeats
/// the hash of the epoch before, so neighbouring epochs can share a seed.
contract BlockhashRandomness is IRandomness {
    /// @inheritdoc IRandomness
    function seed(uint256 epoch) external view returns (uint256 value) {
        value = uint256(BlockHistory.hashOf(epoch));
        if (value == 0) revert SeedUnavailable(epoch);
    }
}
