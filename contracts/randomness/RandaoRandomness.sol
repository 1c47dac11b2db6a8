// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {BlockHistory} from "./BlockHistory.sol";
import {HeaderRLP} from "./HeaderRLP.sol";
import {IRandaoRandomness} from "./IRandaoRandomness.sol";
import {IRandomness} from "./IRandomness.sol";

/// @title RandaoRandomness
/// @dev No owner and no configuration: the header's hash is the only authority.
contract RandaoRandomness is IRandaoRandomness {
    mapping(uint256 epoch => uint256 seed) private _seeds;

    /// @inheritdoc IRandaoRandomness
    function checkpoint(uint256 epoch, bytes calldata headerRLP) external {
        if (_seeds[epoch] != 0) return;

        bytes32 expected = BlockHistory.hashOf(epoch);
        if (expected == 0) revert UnknownBlockHash(epoch);
        bytes32 actual = keccak256(headerRLP);
        if (actual != expected) revert HeaderMismatch(epoch, expected, actual);

        (bool ok, uint256 number, uint256 mixHash) = HeaderRLP.numberAndMixHash(headerRLP);
        if (!ok) revert MalformedHeader(epoch);
        if (number != epoch) revert NumberMismatch(epoch, number);
        if (mixHash == 0) revert ZeroMixHash(epoch);

        _seeds[epoch] = mixHash;
        emit Checkpointed(epoch, mixHash, msg.sender);
    }

    /// @inheritdoc IRandomness
    function seed(uint256 epoch) external view returns (uint256 value) {
        value = _seeds[epoch];
        if (value == 0) revert SeedUnavailable(epoch);
    }

    /// @inheritdoc IRandaoRandomness
    function checkpointable(uint256 epoch) external view returns (bool) {
        return _seeds[epoch] == 0 && BlockHistory.hashOf(epoch) != 0;
    }
}
