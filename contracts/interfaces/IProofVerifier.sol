// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

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
/// @notice The stateless part of proving: the same answer to the same question for ever, whoever asks.
interface IProofVerifier {
    /// @notice Whether `proof` answers the question. Malformed proofs are wrong ones: it never reverts on them.
    /// @param proof Multiproof in depth-first order, 32 bytes a node: see `PieceTree`.
    function verify(Question calldata question, bytes calldata proof) external view returns (bool);
}
