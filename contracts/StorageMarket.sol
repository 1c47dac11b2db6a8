// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IMarketChanges} from "./interfaces/IMarketChanges.sol";
import {MarketConfig} from "./interfaces/IMarketConfig.sol";
import {Question} from "./interfaces/IProofVerifier.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {Amendment} from "./libraries/Amendments.sol";
import {Course, DealLedger, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {DealTerms, DealTermsLib} from "./libraries/DealTerms.sol";
import {PayoutList, Payouts} from "./libraries/Payouts.sol";
import {Schedule, Tier} from "./libraries/Schedule.sol";
import {MarketCore} from "./MarketCore.sol";
import {MarketViews} from "./MarketViews.sol";
import {IRandomness} from "./randomness/IRandomness.sol";
import {TermsChecker} from "./TermsChecker.sol";

/// @title The storage market
/// @notice The entry points. Each acts on the derived status; each but `prove` books the deal before it changes
/// anything, and a proof needs no booking: totals are the same in one step or in many.
contract StorageMarket is MarketViews {
    using DealLedger for Course;
    using DealStore for StoredDeal;
    using Payouts for PayoutList;

    /// @dev Bytes that tell a proof's number of nodes in a batch, and bytes of a node.
    uint256 private constant COUNT_BYTES = 2;
    uint256 private constant NODE_BYTES = 32;

    /// @dev Seeds that a batch has read; zero: it can't be read.
    struct Seeds {
        uint256 length;
        uint256[] epochs;
        uint256[] values;
    }

    constructor(MarketConfig memory config) MarketCore(config) {}

    // Opening

    /// @inheritdoc IStorageMarket
    function open(
        DealTerms memory terms,
        bytes calldata clientSignature,
        bytes calldata providerSignature
    ) external nonReentrant returns (uint256 id) {
        id = _dealIdOf(terms);
        Tier memory tier;
        _requireOpenable(terms, id, tier);
        bool gift = TermsChecker(termsChecker).check(
            terms,
            id,
            tier.maxMisses,
            msg.sender,
            clientSignature,
            providerSignature
        );
        address payer = gift ? msg.sender : terms.client;
        _openDeal(terms, id, tier, payer, gift);
        _hold(payer, terms.token, uint256(terms.pricePerPeriod) * terms.periods);
        _lock(terms.provider, terms.token, terms.collateral);
    }

    /// @inheritdoc IStorageMarket
    function cancel(DealTerms memory terms) external {
        uint256 id = _dealIdOf(terms);
        _requireFresh(id);
        bool party = msg.sender == terms.client || msg.sender == terms.provider;
        if (!party && msg.sender != registry.signerOf(terms.provider)) revert NotAParty(msg.sender);
        _deals[id].cancel();
        emit Cancelled(id, msg.sender);
    }

    // Proving. No guard: nothing called here can call back, and a proof moves no money but where an amendment waited.

    /// @inheritdoc IStorageMarket
    function prove(uint256 id, bytes calldata proof) external {
        Reading memory r;
        _readInto(r, id);
        bytes4 fault = _faultOf(r);
        if (fault == 0) _turnFirst(id, r);
        if (fault == 0) fault = _take(id, r, randomness.seed(_openEpoch(r)), proof);
        if (fault != 0) _refuse(id, r, fault);
    }

    /// @inheritdoc IStorageMarket
    function proveMany(uint256[] calldata ids, bytes calldata proofs) external returns (uint256 proven) {
        Seeds memory seeds = Seeds(0, new uint256[](ids.length), new uint256[](ids.length));
        Reading memory r;
        uint256 at;
        for (uint256 i; i < ids.length; ++i) {
            bytes calldata proof;
            (proof, at) = _nextProof(proofs, at);
            _readInto(r, ids[i]);
            bytes4 fault = _faultOf(r);
            if (fault == 0) _turnFirst(ids[i], r);
            if (fault == 0) fault = _take(ids[i], r, _seedOf(seeds, _openEpoch(r)), proof);
            if (fault == 0) ++proven;
            else emit ProofSkipped(ids[i], fault);
        }
        if (at != proofs.length) revert MalformedBatch();
    }

    function _nextProof(bytes calldata proofs, uint256 at) private pure returns (bytes calldata, uint256) {
        if (at + COUNT_BYTES > proofs.length) revert MalformedBatch();
        uint256 start = at + COUNT_BYTES;
        uint256 end = start + uint256(uint16(bytes2(proofs[at:start]))) * NODE_BYTES;
        if (end > proofs.length) revert MalformedBatch();
        return (proofs[start:end], end);
    }

    /// @dev Settles a deal whose open window is under a commitment that waited: what was proven before counts under the
    /// old one, what is proven from now on under the new.
    function _turnFirst(uint256 id, Reading memory r) private {
        if (r.revision.from == 0 || r.revision.from > r.standing.open) return;
        _settleOne(id);
        _readInto(r, id);
    }

    /// @dev Takes the proof for the open window, or says which error keeps it from being taken. A seed of zero is none.
    function _take(uint256 id, Reading memory r, uint256 seed, bytes calldata proof) private returns (bytes4 fault) {
        if (seed == 0) return IRandomness.SeedUnavailable.selector;
        if (!_verify(id, r, seed, proof)) return InvalidProof.selector;
        _record(id, r.course, r.standing.open);
    }

    function _refuse(uint256 id, Reading memory r, bytes4 fault) private pure {
        uint256 window = r.standing.open;
        if (fault == UnknownDeal.selector) revert UnknownDeal(id);
        if (fault == WrongStatus.selector) revert WrongStatus(id, r.standing.status);
        if (fault == NoOpenWindow.selector) revert NoOpenWindow(id);
        if (fault == AlreadyProven.selector) revert AlreadyProven(id, window);
        if (fault == InvalidProof.selector) revert InvalidProof(id, window);
        revert IRandomness.SeedUnavailable(_openEpoch(r));
    }

    /// @dev The error that keeps this deal from being proven now, zero for none.
    function _faultOf(Reading memory r) private pure returns (bytes4) {
        if (r.standing.status == Status.None) return UnknownDeal.selector;
        if (r.standing.status == Status.Defaulted) return WrongStatus.selector;
        if (r.standing.open == 0) return NoOpenWindow.selector;
        return r.course.lastProven == r.standing.open ? AlreadyProven.selector : bytes4(0);
    }

    /// @dev e_k of the window that is open now.
    function _openEpoch(Reading memory r) private pure returns (uint256) {
        return Schedule.epochOf(r.course.firstEpoch, r.tier.period, r.standing.open);
    }

    function _seedOf(Seeds memory seeds, uint256 epoch) private view returns (uint256 seed) {
        for (uint256 i = seeds.length; i > 0; --i) {
            if (seeds.epochs[i - 1] == epoch) return seeds.values[i - 1];
        }
        try randomness.seed(epoch) returns (uint256 value) {
            seed = value;
        } catch {
            seed = 0;
        }
        seeds.epochs[seeds.length] = epoch;
        seeds.values[seeds.length++] = seed;
    }

    function _verify(uint256 id, Reading memory r, uint256 seed, bytes calldata proof) private view returns (bool) {
        Question memory question = Question({
            root: _deals[id].root,
            leafCount: r.course.leafCount,
            market: address(this),
            dealId: id,
            window: r.standing.open,
            seed: seed,
            challenges: r.tier.challenges
        });
        return proofVerifier.verify(question, proof);
    }

    // Settling

    /// @inheritdoc IStorageMarket
    function settle(uint256[] calldata ids, address bountyTo) external nonReentrant {
        PayoutList memory list = Payouts.create(ids.length);
        // One reading for all: memory that grows with the list would cost more for each deal of a long one.
        Reading memory r;
        for (uint256 i; i < ids.length; ++i) {
            _readInto(r, ids[i]);
            _book(ids[i], r, bountyTo, list);
        }
        _flush(list);
    }

    // Changing a deal: it is settled, then the other part runs the call as it came, on the storage of this one.

    /// @inheritdoc IMarketChanges
    function proveByChain(uint256 id, bytes calldata) external {
        _change(id);
    }

    /// @inheritdoc IMarketChanges
    function extend(uint256 id, uint32, uint256) external {
        _change(id);
    }

    /// @inheritdoc IMarketChanges
    function restore(uint256 id, uint32) external {
        _change(id);
    }

    /// @inheritdoc IMarketChanges
    function terminate(uint256 id) external {
        _change(id);
    }

    /// @inheritdoc IMarketChanges
    function amend(Amendment calldata amendment, bytes calldata, bytes calldata) external {
        _change(amendment.dealId);
    }

    /// @inheritdoc IMarketChanges
    function migrate(
        uint256 id,
        DealTerms memory newTerms,
        bytes calldata,
        bytes calldata,
        bytes calldata
    ) external nonReentrant returns (uint256 successor) {
        successor = _dealIdOf(newTerms);
        Tier memory tier;
        _requireOpenable(newTerms, successor, tier);
        _settleOne(id);
        _delegate(msg.data);
        _openDeal(newTerms, successor, tier, newTerms.client, false);
    }

    function _change(uint256 id) private nonReentrant {
        _settleOne(id);
        _delegate(msg.data);
    }

    // Ownership

    /// @notice Deals have no metadata document.
    function tokenURI(uint256 id) public view override returns (string memory) {
        _requireOwned(id);
        return "";
    }

    /// @inheritdoc IStorageMarket
    function transferIf(uint256 id, address to, bytes32 expected) external {
        bytes32 actual = stateHash(id);
        if (actual != expected) revert StateChanged(id, actual, expected);
        transferFrom(_ownerOf(id), to, id);
    }

    /// @notice As ERC-721; what is due by now is booked to the owner before.
    function transferFrom(address from, address to, uint256 id) public override(ERC721, IERC721) nonReentrant {
        if (!DealTermsLib.isReceiver(to, address(vault), address(registry), address(this))) revert InvalidAccount(to);
        _settleOne(id);
        super.transferFrom(from, to, id);
    }
}
