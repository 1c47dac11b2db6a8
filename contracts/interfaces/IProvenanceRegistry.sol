// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {AiTraining, Anchor, Kind, Record} from "../libraries/Records.sol";
import {IMarketLens} from "./IMarketLens.sol";
import {IStorageMarket} from "./IStorageMarket.sol";

/// @notice What an id stands for.
enum Form {
    None,
    Record,
    Set
}

/// @notice What a third party says of a record or a set.
enum Verdict {
    None,
    Vouches,
    Disputes
}

/// @notice What is known of a record or a set by its id alone.
/// @param registeredAt Unix seconds of the block it was registered in.
/// @param supersededBy The record or set that its registrant puts in its place; zero: none.
struct RecordState {
    Form form;
    address registrant;
    uint48 registeredAt;
    Kind kind;
    AiTraining aiTraining;
    bool withdrawn;
    bytes32 supersededBy;
}

/// @notice What somebody said of a record or a set on one topic.
/// @param attestedAt Unix seconds; zero: nothing was ever said.
/// @param expires Unix seconds until when it counts, the last one included; zero: it does not expire.
struct Attestation {
    uint48 attestedAt;
    uint48 expires;
    Verdict verdict;
    bool revoked;
}

/// @notice A deal by which a record's piece is held.
/// @param lastProvenEpoch e_k of the last window that was proven.
struct Holding {
    uint256 dealId;
    address provider;
    uint256 lastProvenEpoch;
}

/// @title Provenance: where data came from
/// @notice Append-only. Records and sets are known by the hash of what they claim. Their edges lead to what is
/// registered already, so no lineage has a circle. Their registrant can withdraw or supersede them, and nobody can
/// change or erase them. Three things are kept apart: what a registrant claims (records), what others say of it
/// (attestations), and what the chain itself has seen (time of registration, membership in a set, storage proven by a
/// market's deals). To be registered, or to be registered first, proves nothing by itself.
/// @dev No owner, no money. One word is stored of a record; events have the rest, and readers on chain bring it with
/// them. Nothing personal belongs in here: nobody can take it out again.
interface IProvenanceRegistry {
    /// @notice A record was registered.
    event Registered(bytes32 indexed id, address indexed registrant, bytes32 indexed contentHash, Record record);
    /// @notice It was anchored in a set before, and counts from then.
    event RegisteredFromSet(bytes32 indexed id, bytes32 indexed set);
    /// @notice A set was anchored.
    event Anchored(bytes32 indexed id, address indexed registrant, bytes32 indexed manifestHash, Anchor anchor);
    /// @notice The registrant stands by it no longer.
    event Withdrawn(bytes32 indexed id, string reason);
    /// @notice The registrant puts `by` in its place.
    event Superseded(bytes32 indexed id, bytes32 indexed by);
    /// @notice `attester` said this of `subject`; it replaces what it said before on the same topic.
    event Attested(
        bytes32 indexed subject,
        address indexed attester,
        bytes32 indexed topic,
        Verdict verdict,
        uint256 expires,
        string reason
    );
    /// @notice `attester` takes back what it said.
    event Revoked(bytes32 indexed subject, address indexed attester, bytes32 indexed topic, string reason);
    /// @notice The registrant names a deal by which the record's piece is held.
    event Linked(bytes32 indexed id, uint256 indexed dealId);

    // Registering
    error RecordExists(bytes32 id);
    /// @notice A parent that is not registered. A record can't be its own: its id is known only when its parents are.
    error UnknownParent(uint256 index, bytes32 parent);
    error TooManyParents(uint256 count);
    /// @notice Parents come in ascending order of parent and kind, each once.
    error ParentsNotAscending(uint256 index);
    /// @notice A record names a content hash.
    error InvalidContent();
    error CidTooLong(uint256 length);
    error LicenseTooLong(uint256 length);
    error ReasonTooLong(uint256 length);
    /// @notice A set has a root and at least one record.
    error InvalidAnchor();
    /// @notice Zero, or an alias of a Filecoin id address.
    error InvalidAccount(address account);
    /// @notice Only the registrant may do this, or have it done by its signature.
    error NotRegistrant(address registrant, address sender);
    error InvalidSignature(address registrant);
    error SignatureExpired(uint256 validUntil);
    error NothingToRegister();
    /// @notice The record is not in the set, at this place, by this proof.
    error NotInSet(bytes32 set, bytes32 id);

    // Afterwards
    error UnknownRecord(bytes32 id);
    error AlreadyWithdrawn(bytes32 id);
    error AlreadySuperseded(bytes32 id, bytes32 by);
    /// @notice What supersedes was registered in a later second than what is superseded.
    error NotLater(bytes32 id, bytes32 by);
    /// @notice What a registrant says of its own is the record; attestations are for others.
    error OwnRecord(bytes32 id);
    error InvalidVerdict();
    /// @notice In the past.
    error InvalidExpiry(uint256 expires);
    /// @notice The sender has said nothing of it on this topic, or has revoked it.
    error NothingToRevoke(bytes32 subject, address attester, bytes32 topic);
    error NoPiece(bytes32 id);
    /// @notice There is no such deal, or it is not on the record's piece.
    error PieceMismatch(bytes32 id, uint256 dealId);
    error AlreadyLinked(bytes32 id, uint256 dealId);

    // Registering

    /// @notice Registers a record of the sender's.
    function register(Record calldata record) external returns (bytes32 id);

    /// @notice Registers records of the sender's, in order: one may have those before it as parents. All or none.
    function registerMany(Record[] calldata records) external returns (bytes32[] memory ids);

    /// @notice Registers records of somebody who has signed for it, an account or a contract (ERC-1271). All or none.
    /// @param validUntil Unix seconds until when the signature counts, the last one included.
    /// @param signature Over the EIP-712 struct `Registration(Record[] records,uint64 validUntil)`.
    function registerFor(
        Record[] calldata records,
        uint64 validUntil,
        bytes calldata signature
    ) external returns (bytes32[] memory ids);

    /// @notice Anchors a set of the sender's records, however many there are.
    function anchor(Anchor calldata set) external returns (bytes32 id);

    /// @notice Anchors a set of somebody who has signed for it.
    /// @param signature Over the EIP-712 struct `Anchoring(Anchor anchor,uint64 validUntil)`.
    function anchorFor(Anchor calldata set, uint64 validUntil, bytes calldata signature) external returns (bytes32 id);

    /// @notice Registers a record that was anchored in a set, as of the set's time, which may be before that of its
    /// parents. Anyone may, until the set is withdrawn: its registrant has claimed it with the set. From then on it can
    /// be a parent, be attested, linked and withdrawn by itself; that the set is withdrawn later does not reach it.
    function registerAnchored(
        Record calldata record,
        Anchor calldata set,
        uint64 index,
        bytes32[] calldata proof
    ) external returns (bytes32 id);

    // Afterwards

    /// @notice The registrant stands by a record or a set no longer, for good.
    /// @param reason At most 256 bytes.
    function withdraw(bytes32 id, string calldata reason) external;

    /// @notice The registrant puts a later record or set of its own in the place of one, once.
    function supersede(bytes32 id, bytes32 by) external;

    /// @notice Says something of somebody else's record or set. It replaces what the sender said before on the topic.
    /// @param topic What it is about, as the attester names it: a short text or a hash; zero: the whole.
    /// @param expires Unix seconds until when it counts; zero: it does not expire.
    /// @param reason At most 256 bytes.
    function attest(bytes32 subject, bytes32 topic, Verdict verdict, uint48 expires, string calldata reason) external;

    /// @notice Takes back what the sender has said on a topic.
    function revoke(bytes32 subject, bytes32 topic, string calldata reason) external;

    /// @notice The registrant names deals of the market by which the record's piece is held.
    function link(Record calldata record, uint256[] calldata dealIds) external;

    // Views

    function market() external view returns (IStorageMarket);
    function lens() external view returns (IMarketLens);
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32);
    /// @notice The id that this record has here: keccak256(DOMAIN_SEPARATOR ‖ 0x01 ‖ abi.encode(record)).
    function recordIdOf(Record calldata record) external view returns (bytes32);
    /// @notice The id that this set has here: keccak256(DOMAIN_SEPARATOR ‖ 0x02 ‖ abi.encode(set)).
    function anchorIdOf(Anchor calldata set) external view returns (bytes32);
    /// @notice Who registered it and when, and how it stands. All zero where there is nothing by this id.
    function stateOf(bytes32 id) external view returns (RecordState memory);
    /// @notice The id of a registered record, and how each of its parents stands, in order. Reverts `UnknownRecord`.
    function parentsOf(Record calldata record) external view returns (bytes32 id, RecordState[] memory parents);
    /// @notice Whether a record is at this place in a set that is anchored here.
    function isAnchored(
        Record calldata record,
        Anchor calldata set,
        uint64 index,
        bytes32[] calldata proof
    ) external view returns (bool);
    /// @notice What was said last, whether or not it still counts.
    function attestationOf(bytes32 subject, address attester, bytes32 topic) external view returns (Attestation memory);
    /// @notice What `attester` says of `subject` on each topic now: neither revoked nor expired, else None.
    function verdictsOf(
        bytes32 subject,
        address attester,
        bytes32[] calldata topics
    ) external view returns (Verdict[] memory);
    function linkCount(bytes32 id) external view returns (uint256);
    /// @notice A deal that was linked, by its place in the list.
    function linkAt(bytes32 id, uint256 index) external view returns (uint256 dealId);
    /// @notice Of the links from place `from` on, `count` at most, those that hold the piece now: the deal, or what it
    /// was moved to, is live and was proven in its last closed window.
    function holdingsOf(bytes32 id, uint256 from, uint256 count) external view returns (Holding[] memory);
    /// @notice Whether one of the last 64 links holds the piece now. Where none does, each costs some 20,000 gas, and
    /// more where deals were moved.
    function isHeld(bytes32 id) external view returns (bool);
}
