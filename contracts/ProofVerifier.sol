// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IProofVerifier, Question} from "./interfaces/IProofVerifier.sol";
import {Challenge} from "./libraries/Challenge.sol";
import {PieceTree} from "./libraries/PieceTree.sol";

/// @title Checking proofs of possession
/// @notice A market deploys its own in its constructor.
/// @dev A contract of its own because of the limit on code size. Its call costs less than what a proof's calldata
/// costs beyond its execution (EIP-7623), so for most proofs it costs nothing.
contract ProofVerifier is IProofVerifier {
    /// @inheritdoc IProofVerifier
    function verify(Question calldata question, bytes calldata proof) external view returns (bool) {
        uint256[] memory leaves = Challenge.indices(
            question.market,
            question.dealId,
            question.window,
            question.seed,
            question.challenges,
            question.leafCount
        );
        return PieceTree.verify(question.root, PieceTree.height(question.leafCount), leaves, proof);
    }
}
