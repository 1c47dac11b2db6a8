// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {DealTerms} from "../libraries/DealTerms.sol";
import {Status} from "../libraries/DealLedger.sol";
import {IMarketLens} from "./IMarketLens.sol";
import {IProviderRegistry} from "./IProviderRegistry.sol";
import {IStorageMarket} from "./IStorageMarket.sol";
import {IVault} from "./IVault.sol";

/// @notice What a client wants stored, and the most it pays for it. Amounts in base units of `token`.
/// @param client Who posts it, pays, and gets back what is not spent.
/// @param root Piece commitment.
/// @param leafCount Leaves of 32 bytes that the payload touches, 1 to 2^40.
/// @param tier Row of the market's table.
/// @param periods Periods that each replica is paid for, N of its deal.
/// @param maxPeriods Up to where anybody may extend a replica's deal.
/// @param token What is paid with and staked; zero: the native coin.
/// @param startPrice Price of a period at the posting, in base units.
/// @param maxPrice Price of a period from `rampEpochs` after the posting.
/// @param rampEpochs Epochs over which the price rises, at least 1.
/// @param collateral What a provider stakes on the market behind its replica.
/// @param maxEgressPricePerGiB The most that reading a GiB may cost.
/// @param replicas How many providers are wanted, 1 to 32.
/// @param minStake What a provider has locked with this contract while its replica lives; never slashed.
/// @param expires Unix seconds until when replicas can be filled, the last one included.
/// @param repair Whether a replica that defaults is posted again. This contract then owns the deals.
/// @param regions Where a replica may lie, at most 16: "DE" takes all of Germany, "US-CA" California. Empty: anywhere.
/// @param dataUri Where providers fetch the bytes, at most 512 bytes long. The chain does not look at it.
/// @param salt Tells requests apart that are equal otherwise.
struct StorageRequest {
    address client;
    bytes32 root;
    uint64 leafCount;
    uint8 tier;
    uint32 periods;
    uint32 maxPeriods;
    address token;
    uint128 startPrice;
    uint128 maxPrice;
    uint32 rampEpochs;
    uint128 collateral;
    uint128 maxEgressPricePerGiB;
    uint8 replicas;
    uint128 minStake;
    uint64 expires;
    bool repair;
    bytes6[] regions;
    string dataUri;
    bytes32 salt;
}

/// @notice What is written of a request.
/// @param postedEpoch Block of the posting; zero: no such request.
/// @param postedTime Unix seconds of that block.
/// @param unfilled Replicas never filled and not refunded.
/// @param lastEpoch Last block in which anything of it can be filled, once it is cancelled; zero: it is not.
/// @param challenges Leaves that a proof of possession is asked for: the tier's number.
struct RequestState {
    uint48 postedEpoch;
    uint48 postedTime;
    uint8 unfilled;
    uint48 lastEpoch;
    uint8 challenges;
}

/// @notice A replica that was posted again; all zero once it is filled or refunded.
/// @param postedEpoch Block of the re-posting, at which its price starts to rise.
/// @param expires Unix seconds until when it can be filled, the last one included.
/// @param periods N of the deal that fills it. This contract holds maxPrice × periods for it.
/// @param maxPrice Price of a period at the end of the ramp, in base units.
struct Slot {
    uint48 postedEpoch;
    uint48 expires;
    uint32 periods;
    uint128 maxPrice;
}

/// @notice What has been done about a replica's deal since it was filled.
/// @param collected Of what the deal gave this contract back, what it has passed on, in base units.
/// @param ended The client has ended the deal: it is not posted again.
/// @param closed Repair is over for this deal: it was repaired, or released to the client.
/// @param unlocked The provider's `minStake` is free again.
struct ReplicaState {
    uint232 collected;
    bool ended;
    bool closed;
    bool unlocked;
}

/// @title Requests: the open market
/// @notice A client posts what it wants stored, with the most it can cost. The price rises until providers fill it: the
/// first that proves possession, in the transaction that fills, has the deal. With `repair`, a replica that defaults is
/// posted again out of what its deal gives back, and half of the compensation on top.
/// @dev Needs no privilege in market, vault or registry. A request is known by its hash: every call after `post` brings
/// it whole. What is held in escrow in the vault is, to the unit, maxPrice × periods of every replica that is not
/// filled. Errors about what the terms of a deal can't be are the market's own.
interface IStorageRequests {
    /// @notice A request was posted, and maxPrice × periods × replicas locked.
    event Posted(uint256 indexed id, address indexed client, StorageRequest request);
    /// @notice `provider` has a replica: deal `dealId`, at `price` a period. `refund` of what was locked went back to
    /// the client at once. `slot` is zero for an original replica, else the defaulted deal that it replaces.
    event Filled(
        uint256 indexed id,
        uint256 indexed dealId,
        address indexed provider,
        uint256 slot,
        uint256 price,
        uint256 refund
    );
    /// @notice The client takes the request off the market: nothing of it can be filled after block `lastEpoch`.
    event RequestCancelled(uint256 indexed id, uint256 lastEpoch);
    /// @notice What nobody filled went back to the client; `slot` as in `Filled`.
    event Refunded(uint256 indexed id, uint256 indexed slot, uint256 amount);
    /// @notice Deal `slot` defaulted and its replica is posted again, for `periods` periods. maxPrice × periods is
    /// locked.
    event Reposted(
        uint256 indexed id,
        uint256 indexed slot,
        uint256 periods,
        uint256 startPrice,
        uint256 maxPrice,
        uint256 expires
    );
    /// @notice What deal `dealId` gave back, and was not locked again, went to the client.
    event Collected(uint256 indexed id, uint256 indexed dealId, uint256 amount);
    /// @notice The client ended deal `dealId`; it will not be repaired.
    event ReplicaTerminated(uint256 indexed id, uint256 indexed dealId);
    /// @notice The client owns deal `dealId` itself from now on; it will not be repaired.
    event Released(uint256 indexed id, uint256 indexed dealId);
    /// @notice The provider's `minStake` is free again.
    event Unlocked(uint256 indexed id, uint256 indexed dealId, address indexed provider, uint256 amount);

    // Construction
    /// @notice The lens reads another market, or an address has no code.
    error InvalidConfig(string what);

    // Posting. `IStorageMarket` has more: UnknownTier, InvalidLeafCount, InvalidRoot, InvalidPeriods,
    // InvalidCollateral, AmountTooLarge.
    error RequestExists(uint256 id);
    /// @notice The call's data are not the request as `abi.encode` has it.
    error MalformedRequest();
    /// @notice Requests are posted by their client.
    error NotClient(address client, address sender);
    /// @notice An alias of a Filecoin id address could never be paid.
    error InvalidClient(address client);
    error InvalidReplicas(uint256 replicas);
    /// @notice The price does not rise: startPrice is over maxPrice.
    error InvalidPrices(uint256 startPrice, uint256 maxPrice);
    error InvalidRamp(uint256 rampEpochs);
    /// @notice Not in the future, or so far that it does not fit.
    error InvalidExpiry(uint256 expires);
    error TooManyRegions(uint256 count);
    /// @notice An empty region: no region at all is said with an empty list.
    error InvalidRegion(uint256 index);
    error DataUriTooLong(uint256 length);

    // Filling
    error UnknownRequest(uint256 id);
    /// @notice All replicas are filled or refunded, or there is no such slot: `slot` zero means the originals.
    error NothingToFill(uint256 id, uint256 slot);
    error RequestExpired(uint256 id, uint256 slot, uint256 expires);
    /// @notice The client took the request off the market, and its notice is over.
    error RequestOver(uint256 id, uint256 lastEpoch);
    /// @notice This member of the terms is not what the request asks for.
    error TermsMismatch(string member);
    error PriceTooHigh(uint256 price, uint256 priceNow);
    error EgressPriceTooHigh(uint256 price, uint256 most);
    /// @notice One provider has one replica of a request, for ever.
    error AlreadyFilled(uint256 id, address provider);
    error RegionNotEligible(address provider, bytes6 region);
    /// @notice The seed that a proof needs is of an epoch too soon after the posting.
    error TooEarly(uint256 id, uint256 firstBlock);
    error InvalidPossession(uint256 id, address provider);

    // After filling
    error AlreadyCancelled(uint256 id);
    /// @notice Neither expired nor past the notice of a cancellation.
    error NotOverYet(uint256 id, uint256 slot);
    error NothingToRefund(uint256 id, uint256 slot);
    error UnknownReplica(uint256 id, address provider);
    /// @notice The request's deals are the client's own.
    error NotRepairable(uint256 id);
    /// @notice Repair is over for this deal: it was repaired, or released to the client.
    error ReplicaClosed(uint256 id, uint256 dealId);
    /// @notice The deal is not in a status that allows this.
    error WrongReplicaStatus(uint256 dealId, Status status);
    /// @notice Nothing is locked for this replica, or no longer.
    error NothingLocked(uint256 id, address provider);

    /// @notice Posts a request. Its client sends it, and has approved this contract as an operator in the vault.
    /// @dev Locks maxPrice × periods × replicas.
    /// @return id The request.
    function post(StorageRequest calldata request) external returns (uint256 id);

    /// @notice Fills a replica with a deal of `terms.provider`. Anyone may submit it.
    /// @param slot Zero for an original replica, else the defaulted deal that was posted again.
    /// @param terms What the request asks for: client (this contract with `repair`, else the request's), root,
    /// leafCount, tier, periods (the slot's where there is one), maxPeriods, token and collateral the same, prices at
    /// most those allowed.
    /// @param providerSignature As for the market's `open`. Never empty: this contract is the sender there, and signer
    /// of no provider but one that made it its own.
    /// @param proof That the provider holds the piece: a multiproof of the leaves of `challengeOf`.
    /// @return dealId The deal.
    function fill(
        StorageRequest calldata request,
        uint256 slot,
        DealTerms calldata terms,
        bytes calldata providerSignature,
        bytes calldata proof
    ) external returns (uint256 dealId);

    /// @notice The client takes the request off the market. What is unfilled, slots included, can still be filled for
    /// challengeFinality blocks. Deals live on, but what defaults from now on is not posted again.
    function cancel(StorageRequest calldata request) external;

    /// @notice Gives the money of unfilled replicas back to the client, once the request is expired or cancelled.
    function refund(StorageRequest calldata request) external returns (uint256 amount);

    /// @notice As `refund`, for a replica that was posted again.
    function refundSlot(StorageRequest calldata request, uint256 slot) external returns (uint256 amount);

    /// @notice Settles the defaulted deal of `provider`, with bounties to the sender, and posts its replica again. What
    /// the replica does not need goes to the client; all of it where the client has cancelled or ended the deal, or
    /// fewer than maxMisses periods are left.
    /// @return reposted Whether it was posted again: its slot is the deal's id.
    function repair(StorageRequest calldata request, address provider) external returns (bool reposted);

    /// @notice Settles the deal of `provider`, with bounties to the sender, and passes on to the client what the deal
    /// gave back. While the deal lives, half of the compensation stays for its repair.
    function collect(StorageRequest calldata request, address provider) external returns (uint256 amount);

    /// @notice The client ends the deal of `provider`, as the market's `terminate` does, and collects.
    function terminate(StorageRequest calldata request, address provider) external returns (uint256 amount);

    /// @notice The client takes over the deal of `provider`: its token, and everything it gave back. It will not be
    /// repaired.
    function release(StorageRequest calldata request, address provider) external returns (uint256 amount);

    /// @notice Sets the stake free that was locked at the filling, once the deal has ended.
    function unlock(StorageRequest calldata request, address provider) external;

    // Views

    function market() external view returns (IStorageMarket);
    function lens() external view returns (IMarketLens);
    function vault() external view returns (IVault);
    function registry() external view returns (IProviderRegistry);
    /// @notice The id that this request has here: keccak256(chainid, this contract, request).
    function requestIdOf(StorageRequest calldata request) external view returns (uint256);
    /// @notice All zero where there is no such request.
    function stateOf(uint256 id) external view returns (RequestState memory);
    /// @notice All zero where nothing is posted again for deal `slot`.
    function slotOf(uint256 id, uint256 slot) external view returns (Slot memory);
    /// @notice The deal of `provider`'s replica, zero where it has none.
    function dealOf(uint256 id, address provider) external view returns (uint256);
    function replicaOf(uint256 dealId) external view returns (ReplicaState memory);
    /// @notice The most that a fill in this block may cost for each period. Reverts `NothingToFill`.
    function priceOf(StorageRequest calldata request, uint256 slot) external view returns (uint256);
    /// @notice The leaves that `provider` must prove to fill in this block, ascending and each once, and the epoch
    /// whose seed they follow from. Reverts `TooEarly`, `SeedUnavailable`.
    function challengeOf(
        StorageRequest calldata request,
        uint256 slot,
        address provider
    ) external view returns (uint256 epoch, uint256[] memory leaves);
}
