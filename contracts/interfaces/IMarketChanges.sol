// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Amendment} from "../libraries/Amendments.sol";
import {DealTerms} from "../libraries/DealTerms.sol";

/// @title Changing a deal
/// @notice The entry points that change what client and provider agreed on. Each settles the deal first, the bounty to
/// its owner, and acts on what it is then.
interface IMarketChanges {
    event Extended(uint256 indexed id, address indexed payer, uint256 periods, uint256 cost);
    event Restored(uint256 indexed id, uint256 shares, uint256 bonded);
    /// @notice The owner ended the deal: it has `periods` windows now, and `refund` went back at once.
    event Terminated(uint256 indexed id, uint256 periods, uint256 refund);
    /// @notice Owner and provider agreed on another commitment, from window `from` on. `nonce` is the amendment's. The
    /// owner paid `cost` more, or got `refund` back.
    event Amended(
        uint256 indexed id,
        bytes32 root,
        uint64 leafCount,
        uint128 pricePerPeriod,
        uint256 from,
        uint256 nonce,
        uint256 cost,
        uint256 refund
    );
    /// @notice The commitment that waited is current now. The books of the one before are closed: window `since` was
    /// its last one, `paidWindows` are paid in all, `refund` is what its missed windows gave back to the owner.
    event RevisionTurned(
        uint256 indexed id,
        uint256 since,
        uint256 paidWindows,
        uint256 payment,
        uint256 fee,
        uint256 refund
    );
    /// @notice The commitment that waited never comes: its windows are gone, `periods` are left, and `refund` went
    /// back.
    event RevisionDropped(uint256 indexed id, uint256 periods, uint256 refund);
    /// @notice The owner moved the deal to `provider`. The old one has `periods` windows now; `refund` of its escrow
    /// was there to pay for `successor`.
    event Migrated(
        uint256 indexed id,
        uint256 indexed successor,
        address indexed provider,
        uint256 periods,
        uint256 refund
    );

    /// @notice Deals of this tier are proven by their leaves alone.
    error NotByChain(uint256 tier);
    /// @notice This is code that a market runs, and no market.
    error NotAMarket();
    error NotOwner(uint256 id, address account);
    error NotProvider(uint256 id, address sender);
    /// @notice Too close to the last challenge e_N: for an extension once it is drawn, for an amendment less than
    /// challengeFinality before it.
    error TooLate(uint256 id, uint256 lastEpoch);
    error BeyondMaxPeriods(uint256 id, uint256 periods, uint256 maxPeriods);
    error CostTooHigh(uint256 cost, uint256 maxCost);
    /// @notice The deal has no collateral, so there is nothing to restore.
    error NothingToRestore(uint256 id);
    error ZeroAmount();
    error AmendmentExpired(uint256 validUntil);
    /// @notice The deal has accepted `expected` amendments.
    error WrongNonce(uint256 expected, uint256 actual);
    /// @notice An amendment waits for window `from` already.
    error AmendmentPending(uint256 id, uint256 from);
    /// @notice The new terms are for another piece than the one that the deal asks for now.
    error PieceMismatch(bytes32 actual, bytes32 expected);
    /// @notice The provider did not show that it has the piece.
    error InvalidPossession(address provider);

    /// @notice Proves possession in the window that is open now by what the chain itself knows, with no leaf of it: on
    /// Filecoin, that the piece lies in an active sector. In tiers that allow it; anybody may send it.
    /// @param evidence Where `chainProofs` is to look, as it defines it.
    function proveByChain(uint256 id, bytes calldata evidence) external;

    /// @notice Adds periods, paid by the sender, at the price of the commitment that they will be under. While
    /// block < e_N, and neither ending nor defaulted.
    /// @param maxCost The most the sender is willing to pay in all, in base units.
    function extend(uint256 id, uint32 periods, uint256 maxCost) external;

    /// @notice The provider bonds `n` more shares, and as many misses more lead to a default.
    function restore(uint256 id, uint32 n) external;

    /// @notice The owner ends the deal: the period in progress is still owed, the rest is refunded at once. An
    /// amendment that lies beyond is dropped.
    function terminate(uint256 id) external;

    /// @notice Puts another commitment and price in the place of the deal's, from the first window on whose challenge
    /// is at least challengeFinality away. Until the window before has closed, nothing else can be amended. Anyone
    /// submits it; the signature of the sender, or of the account it may act for, may be empty.
    /// @dev A higher price takes the difference for all windows concerned from the owner's vault account at once, a
    /// lower one gives it back. Collateral stays as it is.
    /// @param ownerSignature Of the deal's present owner over the amendment.
    /// @param providerSignature Of the provider, or of its registered signer.
    function amend(
        Amendment calldata amendment,
        bytes calldata ownerSignature,
        bytes calldata providerSignature
    ) external;

    /// @notice Moves the deal to a provider that proves in this call that it has the piece. The old deal ends as by
    /// `terminate`, and is Migrated where it would be Completed; what that gives back pays for a new one. Anyone
    /// submits it; the signature of the sender, or of the account it may act for, may be empty.
    /// @dev In the same token only the difference moves: a surplus to the owner, what is missing from the owner's vault
    /// account. The challenge's seed is that of the last block before this one whose number is a multiple of 64. It is
    /// bound to keccak256(abi.encode(keccak256("Holdfast migration"), id, provider)) in the place of a deal's id, and
    /// to window 0, which no deal has.
    /// @param newTerms For the same piece as the old deal's now, with its present owner as client. They name the new
    /// provider, which may ask for another price, tier, token or collateral.
    /// @param ownerSignature Over `Migration(uint256 dealId,uint256 successor)`.
    /// @param providerSignature Of the new provider, or of its registered signer, over `newTerms`.
    /// @param proof The new provider's, of as many challenges as the new tier has.
    /// @return successor The new deal.
    function migrate(
        uint256 id,
        DealTerms calldata newTerms,
        bytes calldata ownerSignature,
        bytes calldata providerSignature,
        bytes calldata proof
    ) external returns (uint256 successor);
}
