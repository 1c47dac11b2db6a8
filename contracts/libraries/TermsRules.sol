// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IStorageMarket} from "../interfaces/IStorageMarket.sol";
import {DealTermsLib} from "./DealTerms.sol";
import {PieceTree} from "./PieceTree.sol";

/// @title What a commitment and the numbers of a deal must be
/// @notice The same wherever they enter: in terms, and in a request for them. Errors are the market's.
library TermsRules {
    /// @notice Reverts unless a piece can have this root and as many leaves.
    function requirePiece(bytes32 root, uint256 leafCount) internal pure {
        if (leafCount == 0 || leafCount > PieceTree.MAX_LEAVES) revert IStorageMarket.InvalidLeafCount(leafCount);
        if (!PieceTree.isRoot(root)) revert IStorageMarket.InvalidRoot(root);
    }

    /// @notice Reverts unless a deal can be that long, its stake makes shares, and no amount overflows at `maxPeriods`.
    /// @param price Of a period, below 2^128.
    /// @param collateral Below 2^128.
    /// @param maxMisses Of the tier, never 0.
    function requireNumbers(
        uint256 periods,
        uint256 maxPeriods,
        uint256 price,
        uint256 collateral,
        uint256 maxMisses
    ) internal pure {
        if (periods < maxMisses || periods > maxPeriods || maxPeriods > DealTermsLib.MAX_PERIODS) {
            revert IStorageMarket.InvalidPeriods(periods, maxPeriods);
        }
        if (collateral != 0 && collateral < maxMisses) revert IStorageMarket.InvalidCollateral(collateral);
        requirePrice(price, maxPeriods);
        unchecked {
            // collateral is below 2^128, maxPeriods is at most 2^24, and maxMisses is never 0
            _requireAmount(collateral + maxPeriods * (collateral / maxMisses));
        }
    }

    /// @notice Reverts where a price, below 2^128, overflows 128 bits at `maxPeriods`, which is at most 2^24.
    function requirePrice(uint256 price, uint256 maxPeriods) internal pure {
        unchecked {
            // below 2^152
            _requireAmount(price * maxPeriods);
        }
    }

    function _requireAmount(uint256 most) private pure {
        if (most > type(uint128).max) revert IStorageMarket.AmountTooLarge(most);
    }
}
