// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Challenge} from "./libraries/Challenge.sol";
import {PieceTree} from "./libraries/PieceTree.sol";

/// @notice What a deal must prove in a window.
/// @param root The commitment in force.
/// @param leafCount Its leaves.
/// @param market The market that the deal is on.
/// @param dealId The deal.
/// @param window k, from 1.
/// @param seed The seed of e_k.
/// @param challenges The tier's number of challenges.
struct Question {
    bytes32 root;
    uint256 leafCount;
    address market;
    uint256 dealId;
    uint256 window;
    uint256 seed;
    uint256 challenges;
}

/// @title Checking proofs of possession
/// @notice The stateless part of proving: the same answer to the same question for ever, whoever asks. A market deploys
/// its own in its constructor.
/// @dev A contract of its own because of the limit on code size. Its call costs less than what a proof's calldata
/// costs beyond its execution (EIP-7623), so for most proofs it costs nothing.
contract ProofVerifier {
    /// @notice Whether `proof` answers the question. Malformed proofs are wrong ones: it never reverts on them.
    /// @param proof Multiproof in depth-first order, 32 bytes a node: see `PieceTree`.
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
