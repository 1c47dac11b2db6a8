// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {IMarketChanges} from "./interfaces/IMarketChanges.sol";
import {MarketConfig} from "./interfaces/IMarketConfig.sol";
import {IProofVerifier, Question} from "./interfaces/IProofVerifier.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {Amendment, Amendments} from "./libraries/Amendments.sol";
import {Course, DealLedger, Due, Revision, Stage, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {DealTerms, DealTermsLib} from "./libraries/DealTerms.sol";
import {PieceTree} from "./libraries/PieceTree.sol";
import {Possession} from "./libraries/Possession.sol";
import {Revisions, Step} from "./libraries/Revisions.sol";
import {RevisionStore, StoredRevision} from "./libraries/RevisionStore.sol";
import {Schedule, Tier} from "./libraries/Schedule.sol";
import {MarketBase} from "./MarketBase.sol";
import {TermsChecker} from "./TermsChecker.sol";

/// @title The part of a market that changes deals
/// @notice Code of `StorageMarket`, which deploys it and runs it by `delegatecall`, on its own storage, in its own name
/// and under its own guard, and settles the deal before. Called itself it refuses: it has no deals.
/// @dev A contract of its own because of the limit on code size. Both parts get their immutables and the place of the
/// deals from `MarketBase`. What it needs of the market beyond, it asks at `address(this)`, which is the market.
contract MarketChanges is IMarketChanges, MarketBase {
    using DealLedger for Course;
    using DealStore for StoredDeal;
    using Revisions for Revision;
    using RevisionStore for StoredRevision;

    /// @dev Tells the challenge of a migration from that of a deal, or of anything else.
    bytes32 private constant MIGRATION_DOMAIN = keccak256("Holdfast migration");

    address private immutable _self = address(this);

    modifier delegated() {
        if (address(this) == _self) revert NotAMarket();
        _;
    }

    constructor(
        MarketConfig memory config,
        address termsChecker_,
        IProofVerifier proofVerifier_
    ) MarketBase(config, termsChecker_, proofVerifier_) {}

    // Proving

    /// @inheritdoc IMarketChanges
    function proveByChain(uint256 id, bytes calldata evidence) external delegated {
        Reading memory r = _read(id);
        Course memory c = r.course;
        uint256 window = r.standing.open;
        if (r.standing.status == Status.Defaulted) revert IStorageMarket.WrongStatus(id, Status.Defaulted);
        if (window == 0) revert IStorageMarket.NoOpenWindow(id);
        if (c.lastProven == window) revert IStorageMarket.AlreadyProven(id, window);
        if ((chainTiers >> c.tier) & 1 == 0) revert NotByChain(c.tier);
        bool stored = chainProofs.isStored(c.provider, _deals[id].root, c.leafCount, evidence);
        if (!stored) revert IStorageMarket.InvalidProof(id, window);
        _record(id, c, window);
    }

    // Terms

    /// @inheritdoc IMarketChanges
    function extend(uint256 id, uint32 periods, uint256 maxCost) external delegated {
        Reading memory r = _readAll(id);
        Course memory c = r.course;
        _requireOpen(id, r);
        if (periods == 0) revert ZeroAmount();
        uint256 lastEpoch = Schedule.epochOf(c.firstEpoch, r.tier.period, c.periods);
        if (block.number >= lastEpoch) revert TooLate(id, lastEpoch);
        _requireWithin(id, c.periods + periods, r.money.maxPeriods);
        uint256 cost = r.revision.extend(c, r.money, periods);
        if (cost > maxCost) revert CostTooHigh(cost, maxCost);

        _save(id, r);
        emit Extended(id, msg.sender, periods, cost);
        _hold(msg.sender, r.money.token, cost);
    }

    /// @inheritdoc IMarketChanges
    function restore(uint256 id, uint32 n) external delegated {
        Reading memory r = _readAll(id);
        Course memory c = r.course;
        if (msg.sender != c.provider) revert NotProvider(id, msg.sender);
        if (r.standing.status != Status.Ending) _requireOpen(id, r);
        if (n == 0) revert ZeroAmount();
        uint256 bond = n * DealLedger.share(r.money, r.tier);
        if (bond == 0) revert NothingToRestore(id);
        uint256 restored = c.restored + n;
        _requireWithin(id, restored, r.money.maxPeriods);

        c.restored = restored;
        _deals[id].saveCounts(c);
        emit Restored(id, n, bond);
        _lock(c.provider, r.money.token, bond);
    }

    /// @inheritdoc IMarketChanges
    function terminate(uint256 id) external delegated {
        Reading memory r = _readAll(id);
        address owner = _owner(id);
        if (msg.sender != owner) revert NotOwner(id, msg.sender);
        _requireOpen(id, r);
        (uint256 refund, uint256 dropped) = _end(id, r);
        emit Terminated(id, r.course.periods, refund);
        _pay(owner, r.money.token, refund + dropped);
    }

    /// @dev Ends an open deal and writes it. What it returns is the caller's to move.
    function _end(uint256 id, Reading memory r) private returns (uint256 refund, uint256 dropped) {
        Course memory c = r.course;
        uint256 periods = c.endedPeriods(r.tier, block.number);
        uint256 from = r.revision.from;
        (refund, dropped) = r.revision.cut(c, r.money, periods);
        c.stage = Stage.Ending;
        _save(id, r);
        if (from > periods) emit RevisionDropped(id, from - 1, dropped);
    }

    // Amending

    /// @inheritdoc IMarketChanges
    function amend(
        Amendment calldata a,
        bytes calldata ownerSignature,
        bytes calldata providerSignature
    ) external delegated {
        Reading memory r = _readAll(a.dealId);
        uint256 from = _requireAmendable(a, r);
        address owner = _owner(a.dealId);
        TermsChecker(termsChecker).checkAmendment(
            a,
            _digest(Amendments.hash(a)),
            r.money.maxPeriods,
            owner,
            r.course.provider,
            msg.sender,
            ownerSignature,
            providerSignature
        );
        _amend(a, r, from, owner);
    }

    /// @dev Whether the deal can be amended now, and by this; returns the first window that it is about.
    function _requireAmendable(Amendment calldata a, Reading memory r) private view returns (uint256 from) {
        _requireOpen(a.dealId, r);
        // solhint-disable-next-line not-rely-on-time
        if (block.timestamp > a.validUntil) revert AmendmentExpired(a.validUntil);
        if (a.nonce != r.revision.nonce) revert WrongNonce(r.revision.nonce, a.nonce);
        if (r.revision.from != 0) revert AmendmentPending(a.dealId, r.revision.from);
        from = Revisions.firstAt(r.course, r.tier, block.number + challengeFinality);
        if (from <= r.course.periods) return from;
        revert TooLate(a.dealId, Schedule.epochOf(r.course.firstEpoch, r.tier.period, r.course.periods));
    }

    /// @dev Writes the amendment. Where no window of the current commitment is left to close, it takes effect at once.
    function _amend(Amendment calldata a, Reading memory r, uint256 from, address owner) private {
        (uint256 cost, uint256 refund) = r.revision.amend(
            r.course,
            r.money,
            from,
            a.root,
            a.leafCount,
            a.pricePerPeriod
        );
        emit Amended(a.dealId, a.root, a.leafCount, a.pricePerPeriod, from, a.nonce, cost, refund);
        _step(a.dealId, r);
        _pay(owner, r.money.token, refund);
        _hold(owner, r.money.token, cost);
    }

    /// @notice Takes the step that the clock asks for where an amendment waits. The market itself calls it alone, of a
    /// deal that it is about to book.
    function advance(uint256 id) external delegated {
        _step(id, _readAll(id));
    }

    /// @dev Takes the step, if one is due, writes the deal, and moves what the step moves.
    function _step(uint256 id, Reading memory r) private {
        (Step step, bytes32 root, Due memory d) = r.revision.advance(
            r.course,
            r.money,
            r.tier,
            r.standing,
            feeBps,
            block.number
        );
        _save(id, r);
        if (step == Step.Turn) {
            _deals[id].saveCommitment(root, r.money.price);
            emit RevisionTurned(id, r.revision.since, r.course.paid, d.payment, d.fee, d.refund);
        } else if (step == Step.Drop) {
            emit RevisionDropped(id, r.course.periods, d.refund);
        }
        if (d.payment > 0) _pay(registry.payeeOf(r.course.provider), r.money.token, d.payment);
        _pay(treasury, r.money.token, d.fee);
        if (d.refund > 0) _pay(_owner(id), r.money.token, d.refund);
    }

    // Moving

    /// @inheritdoc IMarketChanges
    function migrate(
        uint256 id,
        DealTerms memory newTerms,
        bytes calldata ownerSignature,
        bytes calldata providerSignature,
        bytes calldata proof
    ) external delegated returns (uint256 successor) {
        Reading memory r = _readAll(id);
        _requireMovable(id, r, newTerms);
        Tier memory tier;
        _loadTier(tier, newTerms.tier);
        successor = _digest(DealTermsLib.hash(newTerms));
        uint256 consent = _digest(Amendments.migrationHash(id, successor));
        _requireAgreed(newTerms, successor, consent, tier, ownerSignature, providerSignature);
        _requirePossession(id, newTerms, tier, proof);
        uint256 refund = _move(id, r, newTerms.provider, successor);
        _fund(newTerms, r.money.token, refund);
    }

    function _requireMovable(uint256 id, Reading memory r, DealTerms memory newTerms) private view {
        _requireOpen(id, r);
        if (newTerms.client != _owner(id)) revert NotOwner(id, newTerms.client);
        bytes32 asked = PieceTree.pieceId(_deals[id].root, r.course.leafCount);
        bytes32 offered = PieceTree.pieceId(newTerms.root, newTerms.leafCount);
        if (offered != asked) revert PieceMismatch(offered, asked);
    }

    function _requireAgreed(
        DealTerms memory newTerms,
        uint256 successor,
        uint256 consent,
        Tier memory tier,
        bytes calldata ownerSignature,
        bytes calldata providerSignature
    ) private view {
        TermsChecker(termsChecker).checkMigration(
            newTerms,
            successor,
            consent,
            tier.maxMisses,
            msg.sender,
            ownerSignature,
            providerSignature
        );
    }

    /// @dev The seed is not the prover's choice: see `Possession`.
    function _requirePossession(
        uint256 id,
        DealTerms memory newTerms,
        Tier memory tier,
        bytes calldata proof
    ) private view {
        Question memory question = Question({
            root: newTerms.root,
            leafCount: newTerms.leafCount,
            market: address(this),
            dealId: uint256(keccak256(abi.encode(MIGRATION_DOMAIN, id, newTerms.provider))),
            window: 0,
            seed: randomness.seed(Possession.epoch()),
            challenges: tier.challenges
        });
        if (!proofVerifier.verify(question, proof)) revert InvalidPossession(newTerms.provider);
    }

    /// @dev Ends the old deal; returns what that sets free.
    function _move(uint256 id, Reading memory r, address provider, uint256 successor) private returns (uint256) {
        r.course.migrated = true;
        (uint256 refund, uint256 dropped) = _end(id, r);
        _successors[id] = successor;
        emit Migrated(id, successor, provider, r.course.periods, refund);
        return refund + dropped;
    }

    /// @dev Pays for the new deal and locks its stake. `refund`, in `token`, is the old one's; in the new one's token
    /// it stays in escrow, as far as it is needed.
    function _fund(DealTerms memory newTerms, address token, uint256 refund) private {
        uint256 cost = uint256(newTerms.pricePerPeriod) * newTerms.periods;
        if (newTerms.token == token) {
            uint256 kept = refund < cost ? refund : cost;
            refund -= kept;
            cost -= kept;
        }
        _pay(newTerms.client, token, refund);
        _hold(newTerms.client, newTerms.token, cost);
        _lock(newTerms.provider, newTerms.token, newTerms.collateral);
    }

    // Shared

    /// @dev A deal with all of its money, as the market has just settled it.
    function _readAll(uint256 id) private view returns (Reading memory r) {
        r = _read(id);
        _deals[id].loadPay(r.money);
        _deals[id].loadBond(r.money);
        if (r.course.amended) _revisions[id].loadRest(r.revision);
    }

    /// @dev Writes everything but commitment and price.
    function _save(uint256 id, Reading memory r) private {
        _deals[id].saveCounts(r.course);
        _deals[id].saveBond(r.money);
        if (r.course.amended) _revisions[id].save(r.revision);
    }

    function _owner(uint256 id) private view returns (address) {
        return IStorageMarket(address(this)).ownerOf(id);
    }

    function _digest(bytes32 structHash) private view returns (uint256) {
        bytes32 separator = IStorageMarket(address(this)).DOMAIN_SEPARATOR();
        return uint256(MessageHashUtils.toTypedDataHash(separator, structHash));
    }

    function _pay(address to, address token, uint256 amount) private {
        if (amount > 0) vault.pay(to, token, amount);
    }

    function _requireOpen(uint256 id, Reading memory r) private pure {
        Status status = r.standing.status;
        if (status != Status.Open) revert IStorageMarket.WrongStatus(id, status);
    }

    function _requireWithin(uint256 id, uint256 periods, uint256 maxPeriods) private pure {
        if (periods > maxPeriods) revert BeyondMaxPeriods(id, periods, maxPeriods);
    }
}
