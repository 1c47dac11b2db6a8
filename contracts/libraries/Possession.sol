// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Which seed a proof of possession outside of a deal's windows is for
/// @notice There is one in GRID blocks, so that a prover can't choose among many.
library Possession {
    uint256 internal constant GRID = 64;

    /// @notice q: the last multiple of GRID before this block.
    function epoch() internal view returns (uint256) {
        return ((block.number - 1) / GRID) * GRID;
    }

    /// @notice The first block in which q is `earliest` or later.
    function firstBlock(uint256 earliest) internal pure returns (uint256) {
        return ((earliest + GRID - 1) / GRID) * GRID + 1;
    }
}
