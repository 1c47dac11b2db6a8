// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IProofVerifier, Question} from "./interfaces/IProofVerifier.sol";
import {IStorageMarket, MarketConfig} from "./interfaces/IStorageMarket.sol";
import {Course, DealLedger, Due, Stage, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {DealTerms, DealTermsLib} from "./libraries/DealTerms.sol";
import {FilecoinAddress} from "./libraries/FilecoinAddress.sol";
import {PayoutList, Payouts} from "./libraries/Payouts.sol";
import {Schedule, Tier} from "./libraries/Schedule.sol";
import {MarketBase} from "./MarketBase.sol";
import {ProofVerifier} from "./ProofVerifier.sol";
import {IRandomness} from "./randomness/IRandomness.sol";
import {TermsChecker} from "./TermsChecker.sol";

/// @title The storage market
/// @notice The entry points. Each acts on the derived status; each but `prove` books the deal before it changes
/// anything, and a proof needs no booking: totals are the same in one step or in many.
contract StorageMarket is MarketBase, ReentrancyGuardTransient {
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

    /// @inheritdoc IStorageMarket
    address public immutable override termsChecker;
    /// @inheritdoc IStorageMarket
    IProofVerifier public immutable override proofVerifier;

    constructor(MarketConfig memory config) MarketBase(config) {
        termsChecker = address(new TermsChecker(config.vault, config.registry, config.stakeToken, config.minStake));
        proofVerifier = new ProofVerifier();
    }

    // Opening

    /// @inheritdoc IStorageMarket
    function open(
        DealTerms memory terms,
        bytes calldata clientSignature,
        bytes calldata providerSignature
    ) external nonReentrant returns (uint256 id) {
        id = dealIdOf(terms);
        _requireFresh(id);
        // solhint-disable-next-line not-rely-on-time
        if (block.timestamp > terms.validUntil) revert TermsExpired(terms.validUntil);
        if (terms.tier >= tierCount) revert UnknownTier(terms.tier);
        Tier memory tier;
        _loadTier(tier, terms.tier);
        bool gift = TermsChecker(termsChecker).check(
            terms,
            id,
            tier.maxMisses,
            msg.sender,
            clientSignature,
            providerSignature
        );

        address payer = gift ? msg.sender : terms.client;
        uint256 phase = Schedule.phase(terms.provider, terms.tier, tier.period);
        uint256 first = Schedule.firstEpoch(block.number + challengeFinality, phase, tier.period);
        _deals[id].open(terms, first, gift);
        emit Opened(id, terms.client, terms.provider, terms, payer, gift, first);
        _mint(terms.client, id);

        uint256 cost = uint256(terms.pricePerPeriod) * terms.periods;
        _hold(payer, terms.token, cost);
        _lock(terms.provider, terms.token, terms.collateral);
    }

    /// @inheritdoc IStorageMarket
    function cancel(DealTerms memory terms) external {
        uint256 id = dealIdOf(terms);
        _requireFresh(id);
        bool party = msg.sender == terms.client || msg.sender == terms.provider;
        if (!party && msg.sender != registry.signerOf(terms.provider)) revert NotAParty(msg.sender);
        _deals[id].cancel();
        emit Cancelled(id, msg.sender);
    }

    function _requireFresh(uint256 id) private view {
        Stage stage = _deals[id].stageOf();
        if (stage == Stage.Cancelled) revert TermsCancelled(id);
        if (stage != Stage.None) revert DealExists(id);
    }

    function _hold(address payer, address token, uint256 amount) private {
        if (amount > 0) vault.hold(payer, token, amount);
    }

    function _lock(address provider, address token, uint256 amount) private {
        if (amount > 0) registry.lock(provider, token, amount);
    }

    // Proving. No guard: nothing called here can call back, and a proof moves no money.

    /// @inheritdoc IStorageMarket
    function prove(uint256 id, bytes calldata proof) external {
        Reading memory r;
        _readInto(r, id);
        bytes4 fault = _faultOf(r);
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

    function _record(uint256 id, Course memory c, uint256 window) private {
        c.provenBefore = c.lastProven + 1 == window;
        c.lastProven = window;
        ++c.proven;
        _deals[id].saveCounts(c);
        emit Proven(id, window);
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

    /// @dev Books one deal up to this block: brings `r` up to date and adds what moves to `list`. Of the money, the
    /// bond is read only where something but pay moves.
    function _book(uint256 id, Reading memory r, address bountyTo, PayoutList memory list) private {
        Course memory c = r.course;
        Status status = r.standing.status;
        if (status == Status.None || c.stage == Stage.Closed) return;
        StoredDeal storage deal = _deals[id];
        deal.loadPay(r.money);
        bool pays = (status == Status.Open || status == Status.Ending) && r.standing.missed == c.slashed;
        if (!pays) deal.loadBond(r.money);
        Due memory d = c.due(r.money, r.tier, r.standing, feeBps);
        if (pays && d.windows == 0) return;

        c.book(d);
        deal.saveCounts(c);
        // Where nothing goes to the owner, its slot need not be read.
        address owner = pays ? address(0) : _ownerOf(id);
        if (d.misses == 0) bountyTo = address(0);
        else if (!FilecoinAddress.isAccount(bountyTo)) bountyTo = owner;
        emit Settled(id, c.paid, c.slashed, d, bountyTo, status);
        if (d.payment > 0) list.addPay(registry, treasury, c.provider, r.money.token, d.payment, d.fee);
        if (!pays) _gatherRest(list, r, owner, bountyTo, d);
    }

    function _gatherRest(
        PayoutList memory list,
        Reading memory r,
        address owner,
        address bountyTo,
        Due memory d
    ) private pure {
        address token = r.money.token;
        address provider = r.course.provider;
        list.add(address(0), owner, token, d.refund);
        list.add(provider, bountyTo, token, d.bounty);
        list.add(provider, owner, token, d.compensation);
        list.add(provider, address(0), token, d.returned);
    }

    /// @dev Books one deal, which must exist, and reads all of its money; bounties go to its owner. What moves is in
    /// the list, for the caller to flush when it has written everything.
    function _bookAlone(uint256 id) private returns (Reading memory r, PayoutList memory list) {
        list = Payouts.create(1);
        r = _read(id);
        _book(id, r, address(0), list);
        _deals[id].loadBond(r.money);
    }

    function _flush(PayoutList memory list) private {
        list.flush(vault, registry);
    }

    // Changing a deal

    /// @inheritdoc IStorageMarket
    function extend(uint256 id, uint32 periods, uint256 maxCost) external nonReentrant {
        (Reading memory r, PayoutList memory list) = _bookAlone(id);
        Course memory c = r.course;
        _requireStatus(id, r.standing.status, false);
        if (periods == 0) revert ZeroAmount();
        uint256 lastEpoch = Schedule.epochOf(c.firstEpoch, r.tier.period, c.periods);
        if (block.number >= lastEpoch) revert TooLate(id, lastEpoch);
        uint256 total = c.periods + periods;
        _requireWithin(id, total, r.money.maxPeriods);
        uint256 cost = periods * r.money.price;
        if (cost > maxCost) revert CostTooHigh(cost, maxCost);

        c.periods = total;
        r.money.fundedPeriods += periods;
        _deals[id].saveCounts(c);
        _deals[id].saveBond(r.money);
        emit Extended(id, msg.sender, periods, cost);
        _flush(list);
        _hold(msg.sender, r.money.token, cost);
    }

    /// @inheritdoc IStorageMarket
    function restore(uint256 id, uint32 n) external nonReentrant {
        (Reading memory r, PayoutList memory list) = _bookAlone(id);
        Course memory c = r.course;
        if (msg.sender != c.provider) revert NotProvider(id, msg.sender);
        _requireStatus(id, r.standing.status, true);
        if (n == 0) revert ZeroAmount();
        uint256 bond = n * DealLedger.share(r.money, r.tier);
        if (bond == 0) revert NothingToRestore(id);
        uint256 restored = c.restored + n;
        _requireWithin(id, restored, r.money.maxPeriods);

        c.restored = restored;
        _deals[id].saveCounts(c);
        emit Restored(id, n, bond);
        _flush(list);
        _lock(c.provider, r.money.token, bond);
    }

    /// @inheritdoc IStorageMarket
    function terminate(uint256 id) external nonReentrant {
        (Reading memory r, PayoutList memory list) = _bookAlone(id);
        Course memory c = r.course;
        address owner = _ownerOf(id);
        if (msg.sender != owner) revert NotOwner(id, msg.sender);
        _requireStatus(id, r.standing.status, false);
        uint256 periods = c.endedPeriods(r.tier, block.number);
        uint256 refund = (c.periods - periods) * r.money.price;

        c.periods = periods;
        c.stage = Stage.Ending;
        _deals[id].saveCounts(c);
        emit Terminated(id, periods, refund);
        list.add(address(0), owner, r.money.token, refund);
        _flush(list);
    }

    /// @dev Open, or, where that will do, Ending.
    function _requireStatus(uint256 id, Status status, bool orEnding) private pure {
        if (status != Status.Open && !(orEnding && status == Status.Ending)) revert WrongStatus(id, status);
    }

    function _requireWithin(uint256 id, uint256 periods, uint256 maxPeriods) private pure {
        if (periods > maxPeriods) revert BeyondMaxPeriods(id, periods, maxPeriods);
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
        (, PayoutList memory list) = _bookAlone(id);
        _flush(list);
        super.transferFrom(from, to, id);
    }
}
