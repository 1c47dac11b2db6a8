// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Blockhash} from "@openzeppelin/contracts/utils/Blockhash.sol";

/// @title Hashes of past blocks, as far back as the chain serves them
/// @notice The last 256 blocks by `BLOCKHASH`, the last 8,191 where the chain has EIP-2935.
/// @dev Differs from OpenZeppelin's `Blockhash.blockHash` in one point that decides here: the answer of the history
/// contract counts only if the call succeeded with exactly one word. OpenZeppelin takes the first word of whatever
/// comes back, revert data too; the Hardhat network has a contract there that reverts with a message, so every block
/// older than 256 would have the "hash" 0x08c379a0…, the selector of `Error(string)`, and a seed would change its
/// value.
library BlockHistory {
    /// @notice The hash of block `height`, or zero where the chain doesn't serve it: the current block, later ones, and
    /// those that are too old.
    function hashOf(uint256 height) internal view returns (bytes32 hash) {
        if (height >= block.number) return 0;
        unchecked {
            // height < block.number
            if (block.number - height <= 256) return blockhash(height);
        }
        address history = Blockhash.HISTORY_STORAGE_ADDRESS;
        assembly ("memory-safe") {
            mstore(0x00, height)
            let ok := staticcall(gas(), history, 0x00, 0x20, 0x00, 0x20)
            if and(ok, eq(returndatasize(), 0x20)) {
                hash := mload(0x00)
            }
        }
    }
}
