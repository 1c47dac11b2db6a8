// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @notice What owner and provider change of a deal: commitment and price, from the first window that is far enough.
/// @param dealId The deal, which keeps its id.
/// @param root The new piece commitment.
/// @param leafCount Its leaves, 1 to 2^40.
/// @param pricePerPeriod Base units for each proven period from then on, the protocol fee included.
/// @param nonce Amendments that the deal has accepted before, so that each is accepted once.
/// @param validUntil Unix seconds until when it can be accepted.
struct Amendment {
    uint256 dealId;
    bytes32 root;
    uint64 leafCount;
    uint128 pricePerPeriod;
    uint32 nonce;
    uint64 validUntil;
}

/// @title EIP-712 hashes of what is signed for a deal that is open
library Amendments {
    bytes32 internal constant TYPEHASH = keccak256(
        "Amendment(uint256 dealId,bytes32 root,uint64 leafCount,uint128 pricePerPeriod,uint32 nonce,uint64 validUntil)"
    );
    bytes32 internal constant MIGRATION_TYPEHASH = keccak256("Migration(uint256 dealId,uint256 successor)");

    /// @notice hashStruct(amendment) of EIP-712.
    function hash(Amendment calldata a) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, a.dealId, a.root, a.leafCount, a.pricePerPeriod, a.nonce, a.validUntil));
    }

    /// @notice hashStruct of an owner's consent to go on with `successor` in the place of `id`.
    function migrationHash(uint256 id, uint256 successor) internal pure returns (bytes32) {
        return keccak256(abi.encode(MIGRATION_TYPEHASH, id, successor));
    }
}
