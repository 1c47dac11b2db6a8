// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title The leaves that a deal must prove in a window
library Challenge {
    /// @notice The challenged leaves, ascending and each once, so there may be fewer than `count`.
    /// @dev Challenge i is keccak256(abi.encode(chainid, market, dealId, k, seed, i)) mod leafCount. The bias of the
    /// mod is below leafCount / 2^256. The market checks leafCount > 0 where a commitment enters; of 0 leaves, leaf 0
    /// comes out.
    /// @param market The market that the deal is on.
    /// @param dealId The deal.
    /// @param k The window, from 1.
    /// @param seed The seed of the window's epoch.
    /// @param count The number of challenges, from the tier.
    /// @param leafCount The leaves of the piece.
    /// @return leaves Positions in [0, leafCount).
    function indices(
        address market,
        uint256 dealId,
        uint256 k,
        uint256 seed,
        uint256 count,
        uint256 leafCount
    ) internal view returns (uint256[] memory leaves) {
        assembly ("memory-safe") {
            leaves := mload(0x40)
            // Zero in the length's place stops the search below; the length comes last.
            mstore(leaves, 0)
            let tail := leaves
            // The preimage lies above the room for `count` leaves and is not kept.
            let preimage := add(leaves, shl(5, add(count, 1)))
            mstore(0x40, preimage)
            mstore(preimage, chainid())
            mstore(add(preimage, 0x20), shr(96, shl(96, market)))
            mstore(add(preimage, 0x40), dealId)
            mstore(add(preimage, 0x60), k)
            mstore(add(preimage, 0x80), seed)

            for {
                let i := 0
            } lt(i, count) {
                i := add(i, 1)
            } {
                mstore(add(preimage, 0xa0), i)
                let leaf := mod(keccak256(preimage, 0xc0), leafCount)
                // The last place that does not hold a larger leaf.
                let place := tail
                for {} gt(mload(place), leaf) {} {
                    place := sub(place, 0x20)
                }
                if and(eq(mload(place), leaf), gt(place, leaves)) {
                    continue
                }
                mcopy(add(place, 0x40), add(place, 0x20), sub(tail, place))
                mstore(add(place, 0x20), leaf)
                tail := add(tail, 0x20)
            }
            mstore(leaves, shr(5, sub(tail, leaves)))
        }
    }
}
