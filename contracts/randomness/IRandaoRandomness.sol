// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IRandomness} from "./IRandomness.sol";

/// @title Seeds from RANDAO, kept by checkpoints
/// @notice For Ethereum and chains like it. The seed of an epoch is the `mixHash` of that block's header
/// (`prevRandao`). The EVM shows it to its own block only, so somebody has to bring the header while the chain can
/// still vouch for its hash: 256 blocks back, or 8,191 with EIP-2935. One checkpoint serves everybody who needs the
/// epoch.
interface IRandaoRandomness is IRandomness {
    /// @notice The seed of an epoch is now readable for ever.
    event Checkpointed(uint256 indexed epoch, uint256 seed, address indexed by);

    /// @notice The chain doesn't serve the hash of `epoch`: it isn't past yet, or it is too old.
    error UnknownBlockHash(uint256 epoch);

    /// @notice The bytes are not the header of `epoch`.
    error HeaderMismatch(uint256 epoch, bytes32 expected, bytes32 actual);

    /// @notice The bytes hash to the hash of `epoch`, but they aren't RLP with a number and a 32-byte `mixHash` in
    /// their places: this chain's headers have another format.
    error MalformedHeader(uint256 epoch);

    /// @notice The header says it is block `number`: this chain's `BLOCKHASH` doesn't follow its block numbers.
    error NumberMismatch(uint256 epoch, uint256 number);

    /// @notice The header's `mixHash` is zero: this chain has no RANDAO.
    error ZeroMixHash(uint256 epoch);

    /// @notice Stores the seed of `epoch`. Anyone may call; where the seed is there already, nothing happens, so that
    /// keepers may race.
    /// @param epoch A block whose hash the chain still serves.
    /// @param headerRLP Its header, RLP-encoded as the chain hashes it.
    function checkpoint(uint256 epoch, bytes calldata headerRLP) external;

    /// @notice Whether `epoch` has no seed yet and the chain still serves its hash: that a checkpoint is worth sending.
    function checkpointable(uint256 epoch) external view returns (bool);
}
