// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IRandomness} from "./IRandomness.sol";

/// @title Seeds from drand, on Filecoin
/// @notice The seed of an epoch is the digest (Blake2b-256) of the drand beacon that Filecoin has for it, read from the
/// chain's own history by the precompile of FIP-0095. It exists for every past epoch, null rounds included, needs no
/// checkpoint, and nobody on the chain has a say in it.
/// @dev FIP-0075 prices a read at 146,200 + 75 gas for each epoch of look-back: 0.36 million gas for a day, 1.66
/// million for a week, of a block's 10 billion.
contract DrandRandomness is IRandomness {
    /// @notice The precompile of FIP-0095: 32 bytes of big-endian epoch in, 32 bytes out.
    address public constant PRECOMPILE = 0xfE00000000000000000000000000000000000006;

    /// @notice Reverts with `SeedUnavailable` where the chain has no such precompile: on any chain but Filecoin, every
    /// proof would be impossible and every provider slashed.
    constructor() {
        _seed(block.number - 1);
    }

    /// @inheritdoc IRandomness
    /// @dev Send enough gas: one read too poor for the look-back can't be told from an epoch without a beacon.
    function seed(uint256 epoch) external view returns (uint256) {
        return _seed(epoch);
    }

    function _seed(uint256 epoch) private view returns (uint256 value) {
        // FVM prices an epoch of the future at infinite gas (filecoin-project/ref-fvm#2056): never ask for one.
        if (epoch < block.number) value = _beacon(epoch);
        if (value == 0) revert SeedUnavailable(epoch);
    }

    /// @dev The beacon's digest, or zero on any answer that isn't one word. All gas is offered: the price grows with
    /// the look-back without bound, and FVM charges a precompile to the contract that calls it whatever cap the call
    /// names. So running dry here ends this contract's frame on Filecoin, and the caller, which the 63/64 rule left its
    /// share, sees a failed call; on an EVM the call fails and `_seed` reverts with what is left.
    function _beacon(uint256 epoch) private view returns (uint256 value) {
        address precompile = PRECOMPILE;
        assembly ("memory-safe") {
            mstore(0x00, epoch)
            let ok := staticcall(gas(), precompile, 0x00, 0x20, 0x00, 0x20)
            if and(ok, eq(returndatasize(), 0x20)) {
                value := mload(0x00)
            }
        }
    }
}
