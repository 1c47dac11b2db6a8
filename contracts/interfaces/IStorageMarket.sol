// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {Course, Due, Money, Revision, Status} from "../libraries/DealLedger.sol";
import {DealTerms} from "../libraries/DealTerms.sol";
import {Tier} from "../libraries/Schedule.sol";
import {IMarketChanges} from "./IMarketChanges.sol";
import {IMarketConfig} from "./IMarketConfig.sol";

/// @title The storage market
/// @notice Deals between clients and providers: escrow for pay, stake for loss, and proofs of possession that decide
/// which. A deal is an ERC-721 token of its client; its id is the EIP-712 digest of its terms. There is no owner, no
/// pause and no upgrade; every duty (prove, settle) is anybody's.
/// @dev Time is block numbers. A deal's status is derived, never marked: what is due by the clock is due whether or not
/// anybody has settled. No call in here can reach foreign code except ERC-1271 signature checks, which are static, and
/// the receiver hook at the end of an ERC-721 safe transfer.
interface IStorageMarket is IMarketConfig, IMarketChanges, IERC721 {
    /// @notice Terms were opened, with escrow from `payer`.
    event Opened(
        uint256 indexed id,
        address indexed client,
        address indexed provider,
        DealTerms terms,
        address payer,
        bool gift,
        uint256 firstEpoch
    );
    event Cancelled(uint256 indexed id, address indexed by);
    /// @notice The challenge of `window` was answered.
    event Proven(uint256 indexed id, uint256 window);
    /// @notice An item of a batch was not accepted; `reason` is the selector of the error that `prove` reverts with.
    event ProofSkipped(uint256 indexed id, bytes4 reason);
    /// @notice The deal was booked up to this block: totals of windows paid and misses slashed, and what moved.
    /// `bountyTo` got the bounty; zero where no miss was slashed.
    event Settled(
        uint256 indexed id,
        uint256 paidWindows,
        uint256 slashedMisses,
        Due moved,
        address bountyTo,
        Status status
    );

    // Terms
    error DealExists(uint256 id);
    error TermsCancelled(uint256 id);
    error TermsExpired(uint256 validUntil);
    error UnknownTier(uint8 tier);
    /// @notice Zero, an id alias, or a contract of the protocol.
    error InvalidAccount(address account);
    error InvalidLeafCount(uint256 leafCount);
    /// @notice No piece has such a root: the two top bits of the last byte are always clear.
    error InvalidRoot(bytes32 root);
    error InvalidPeriods(uint256 periods, uint256 maxPeriods);
    error InvalidCollateral(uint256 collateral);
    error AmountTooLarge(uint256 amount);
    error InvalidClientSignature(address client);
    error InvalidProviderSignature(address provider);
    error StakeBelowMinimum(address provider, uint256 stake, uint256 minimum);
    error NotAParty(address sender);

    // Proofs
    error NoOpenWindow(uint256 id);
    error AlreadyProven(uint256 id, uint256 window);
    error InvalidProof(uint256 id, uint256 window);
    /// @notice The packed proofs of a batch end too early or too late.
    error MalformedBatch();

    // Deals
    error UnknownDeal(uint256 id);
    /// @notice The deal is not in a status that allows this.
    error WrongStatus(uint256 id, Status status);
    /// @notice The deal is not what the buyer looked at.
    error StateChanged(uint256 id, bytes32 actual, bytes32 expected);

    /// @notice Opens a deal. Anyone may submit it. The signature of the sender, or of the account it may act for
    /// (the provider's registered signer), may be empty. Without a client's signature the sender pays, and the deal is
    /// a gift.
    /// @dev Locks price × periods from the payer's vault account (the market must be its operator) and `collateral` of
    /// the provider's free stake.
    /// @return id The deal.
    function open(
        DealTerms calldata terms,
        bytes calldata clientSignature,
        bytes calldata providerSignature
    ) external returns (uint256 id);

    /// @notice Voids terms that are not open yet. For the client, the provider, and the provider's signer.
    function cancel(DealTerms calldata terms) external;

    /// @notice Proves possession in the window that is open now.
    /// @param proof Multiproof in depth-first order, 32 bytes a node: see `PieceTree`.
    function prove(uint256 id, bytes calldata proof) external;

    /// @notice Proves many deals. A bad item, or one whose seed can't be read, is skipped with an event.
    /// @param proofs For each id in turn: the number of nodes as two bytes, then the nodes, nothing between.
    /// @return proven How many were accepted.
    function proveMany(uint256[] calldata ids, bytes calldata proofs) external returns (uint256 proven);

    /// @notice Brings deals up to date: pays what is proven, slashes what is missed, refunds what is over. By anyone,
    /// at any time; ids that do not exist are skipped. Never reverts but for lack of gas or re-entry.
    /// @param bountyTo Who gets the bounties; zero or an alias: the owner of each deal.
    function settle(uint256[] calldata ids, address bountyTo) external;

    /// @notice As `transferFrom(owner, to, id)`, if the deal still is what `expected` says (see `stateHash`).
    function transferIf(uint256 id, address to, bytes32 expected) external;

    // Views: terms and table

    /// @notice The id that these terms have here.
    function dealIdOf(DealTerms calldata terms) external view returns (uint256);
    function isCancelled(uint256 id) external view returns (bool);
    /// @notice Reverts `UnknownTier`.
    function tierAt(uint8 tier) external view returns (Tier memory);
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32);

    // Views: deals. More of them, for reading and not for the chain's own use, are in `MarketLens`.

    /// @notice A deal as it is stored; all zero where there is none. Of amended deals see `revisionOf`, too.
    function recordOf(uint256 id) external view returns (bytes32 root, Course memory course, Money memory money);
    /// @notice What an amended deal has stored beyond that, all zero in others. An amendment that waits counts from the
    /// clock, whether or not anybody has settled: until somebody has, it is found here, and the old one in `recordOf`.
    function revisionOf(uint256 id) external view returns (Revision memory revision);
    /// @notice The deal that this one was moved to by `migrate`; 0: none.
    function successorOf(uint256 id) external view returns (uint256);
    /// @notice The derived status now; None where there is no such deal.
    function statusOf(uint256 id) external view returns (Status);
    /// @notice keccak256(root, leafCount) of the commitment in force, that of the first window not closed yet: the
    /// identity of the data.
    function pieceIdOf(uint256 id) external view returns (bytes32);
    /// @notice Whether the deal is live, is for this very piece, and its last closed window was proven for it.
    function isProven(uint256 id, bytes32 pieceId) external view returns (bool);
    /// @notice Hash of everything a buyer of the deal relies on. Proving and settling do not change it, nor that an
    /// amendment takes effect; amending, ending, migrating, extending, restoring, a miss, a default and the end do.
    /// Reverts `UnknownDeal`.
    function stateHash(uint256 id) external view returns (bytes32);
}
