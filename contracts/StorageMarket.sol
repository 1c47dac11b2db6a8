// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IStorageMarket, MarketConfig} from "./interfaces/IStorageMarket.sol";
import {Challenge} from "./libraries/Challenge.sol";
import {Course, DealLedger, Due, Money, Stage, Standing, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {DealTerms} from "./libraries/DealTerms.sol";
import {FilecoinAddress} from "./libraries/FilecoinAddress.sol";
import {PayoutList, Payouts} from "./libraries/Payouts.sol";
import {PieceTree} from "./libraries/PieceTree.sol";
import {Schedule, Tier} from "./libraries/Schedule.sol";
import {MarketBase} from "./MarketBase.sol";
import {IRandomness} from "./randomness/IRandomness.sol";

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

    constructor(MarketConfig memory config) MarketBase(config) {}

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
        Tier memory tier = _checkTerms(terms);
        bool gift = clientSignature.length == 0 && msg.sender != terms.client;
        _requireClient(terms.client, id, clientSignature, gift);
        _requireProvider(terms.provider, id, providerSignature);

        address payer = gift ? msg.sender : terms.client;
        uint256 first = _write(id, terms, tier, gift);
        emit Opened(id, terms.client, terms.provider, terms, payer, gift, first);
        _mint(terms.client, id);

        uint256 cost = uint256(terms.pricePerPeriod) * terms.periods;
        if (cost > 0) vault.hold(payer, terms.token, cost);
        if (terms.collateral > 0) registry.lock(terms.provider, terms.token, terms.collateral);
        _requireMinStake(terms.provider);
    }

    /// @inheritdoc IStorageMarket
    function cancel(DealTerms memory terms) external {
        uint256 id = dealIdOf(terms);
        _requireFresh(id);
        if (msg.sender != terms.client && !_actsFor(msg.sender, terms.provider)) revert NotAParty(msg.sender);
        _deals[id].cancel();
        emit Cancelled(id, msg.sender);
    }

    function _requireFresh(uint256 id) private view {
        Stage stage = _deals[id].stageOf();
        if (stage == Stage.Cancelled) revert TermsCancelled(id);
        if (stage != Stage.None) revert DealExists(id);
    }

    function _checkTerms(DealTerms memory terms) private view returns (Tier memory tier) {
        if (terms.tier >= tierCount) revert UnknownTier(terms.tier);
        _loadTier(tier, terms.tier);
        _requireReceiver(terms.client);
        _requireReceiver(terms.provider);
        if (terms.leafCount == 0 || terms.leafCount > PieceTree.MAX_LEAVES) revert InvalidLeafCount(terms.leafCount);
        if (!PieceTree.isRoot(terms.root)) revert InvalidRoot(terms.root);
        if (terms.periods < tier.maxMisses || terms.periods > terms.maxPeriods || terms.maxPeriods > MAX_PERIODS) {
            revert InvalidPeriods(terms.periods, terms.maxPeriods);
        }
        if (terms.collateral != 0 && terms.collateral < tier.maxMisses) revert InvalidCollateral(terms.collateral);
        uint256 most = uint256(terms.pricePerPeriod) * terms.maxPeriods;
        if (most > type(uint128).max) revert AmountTooLarge(most);
        most = terms.collateral + uint256(terms.maxPeriods) * (terms.collateral / tier.maxMisses);
        if (most > type(uint128).max) revert AmountTooLarge(most);
    }

    function _requireClient(address client, uint256 id, bytes calldata signature, bool gift) private view {
        if (gift || msg.sender == client) return;
        if (!_signed(client, id, signature)) revert InvalidClientSignature(client);
    }

    function _requireProvider(address provider, uint256 id, bytes calldata signature) private view {
        if (msg.sender == provider) return;
        address signer = registry.signerOf(provider);
        if (msg.sender == signer || _signed(signer, id, signature) || _signed(provider, id, signature)) return;
        revert InvalidProviderSignature(provider);
    }

    /// @dev No account can sign for the zero address: nothing recovers to it.
    function _signed(address account, uint256 id, bytes calldata signature) private view returns (bool) {
        return account != address(0) && SignatureChecker.isValidSignatureNow(account, bytes32(id), signature);
    }

    function _actsFor(address sender, address provider) private view returns (bool) {
        return sender == provider || sender == registry.signerOf(provider);
    }

    function _requireMinStake(address provider) private view {
        if (minStake == 0) return;
        (uint256 free, uint256 locked) = registry.provisionOf(provider, address(this), stakeToken);
        if (free + locked < minStake) revert StakeBelowMinimum(provider, free + locked, minStake);
    }

    function _write(
        uint256 id,
        DealTerms memory terms,
        Tier memory tier,
        bool gift
    ) private returns (uint256 first) {
        uint256 phase = Schedule.phase(terms.provider, terms.tier, tier.period);
        first = Schedule.firstEpoch(block.number + challengeFinality, phase, tier.period);
        Course memory c;
        c.provider = terms.provider;
        // Casts: leafCount ≤ 2^40 is checked, and block numbers stay below 2^48.
        c.leafCount = uint48(terms.leafCount);
        c.firstEpoch = uint48(first);
        c.periods = terms.periods;
        c.tier = terms.tier;
        c.stage = Stage.Open;
        c.gift = gift;
        Money memory m = Money({
            token: terms.token,
            maxPeriods: terms.maxPeriods,
            fundedPeriods: terms.periods,
            price: terms.pricePerPeriod,
            collateral: terms.collateral
        });
        StoredDeal storage deal = _deals[id];
        deal.saveFixed(terms.root, c, m);
        deal.saveCounts(c);
        deal.saveBond(m);
    }

    // Proving. No guard: nothing called here can call back, and a proof moves no money.

    /// @inheritdoc IStorageMarket
    function prove(uint256 id, bytes calldata proof) external {
        Reading memory r = _read(id);
        uint256 window = r.standing.open;
        bytes4 fault = _faultOf(r);
        if (fault == WrongStatus.selector) revert WrongStatus(id, r.standing.status);
        if (fault == NoOpenWindow.selector) revert NoOpenWindow(id);
        if (fault == AlreadyProven.selector) revert AlreadyProven(id, window);
        if (!_verify(id, r, randomness.seed(_openEpoch(r)), proof)) revert InvalidProof(id, window);
        _record(id, r.course, window);
    }

    /// @inheritdoc IStorageMarket
    function proveMany(uint256[] calldata ids, bytes calldata proofs) external returns (uint256 proven) {
        Seeds memory seeds = Seeds(0, new uint256[](ids.length), new uint256[](ids.length));
        uint256 at;
        for (uint256 i; i < ids.length; ++i) {
            bytes calldata proof;
            (proof, at) = _nextProof(proofs, at);
            bytes4 fault = _proveItem(ids[i], proof, seeds);
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

    function _proveItem(uint256 id, bytes calldata proof, Seeds memory seeds) private returns (bytes4 fault) {
        Reading memory r = _tryRead(id);
        fault = _faultOf(r);
        if (fault != 0) return fault;
        uint256 seed = _seedOf(seeds, _openEpoch(r));
        if (seed == 0) return IRandomness.SeedUnavailable.selector;
        if (!_verify(id, r, seed, proof)) return InvalidProof.selector;
        _record(id, r.course, r.standing.open);
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
        uint256[] memory leaves = Challenge.indices(
            address(this),
            id,
            r.standing.open,
            seed,
            r.tier.challenges,
            r.course.leafCount
        );
        return PieceTree.verify(_deals[id].root, PieceTree.height(r.course.leafCount), leaves, proof);
    }

    function _record(uint256 id, Course memory c, uint256 window) private {
        c.provenBefore = c.lastProven + 1 == window;
        // Casts: windows are at most N, which is at most 2^24.
        c.lastProven = uint32(window);
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
        list.flush(vault, registry);
    }

    /// @dev Books one deal up to this block: brings `r` up to date and adds what moves to `list`. Of the money, the bond
    /// is read only where something but pay moves.
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
        bool named = FilecoinAddress.isAccount(bountyTo);
        // Where nothing goes to the owner, its slot need not be read.
        address owner = pays && named ? address(0) : _ownerOf(id);
        if (!named) bountyTo = owner;
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

    /// @dev Books one deal, which must exist, and reads all of its money; bounties go to its owner.
    function _bookAlone(uint256 id) private returns (Reading memory r) {
        PayoutList memory list = Payouts.create(1);
        r = _read(id);
        _book(id, r, address(0), list);
        list.flush(vault, registry);
        _deals[id].loadBond(r.money);
    }

    // Changing a deal

    /// @inheritdoc IStorageMarket
    function extend(uint256 id, uint32 periods, uint256 maxCost) external nonReentrant {
        Reading memory r = _bookAlone(id);
        if (r.standing.status != Status.Open) revert WrongStatus(id, r.standing.status);
        if (periods == 0) revert ZeroAmount();
        uint256 lastEpoch = Schedule.epochOf(r.course.firstEpoch, r.tier.period, r.course.periods);
        if (block.number >= lastEpoch) revert TooLate(id, lastEpoch);
        uint256 total = uint256(r.course.periods) + periods;
        if (total > r.money.maxPeriods) revert BeyondMaxPeriods(id, total, r.money.maxPeriods);
        uint256 cost = uint256(periods) * r.money.price;
        if (cost > maxCost) revert CostTooHigh(cost, maxCost);

        // Cast: total ≤ maxPeriods. Funded periods are those of all payments, at most maxPeriods as well.
        r.course.periods = uint32(total);
        r.money.fundedPeriods += periods;
        _deals[id].saveCounts(r.course);
        _deals[id].saveBond(r.money);
        emit Extended(id, msg.sender, periods, cost);
        if (cost > 0) vault.hold(msg.sender, r.money.token, cost);
    }

    /// @inheritdoc IStorageMarket
    function restore(uint256 id, uint32 n) external nonReentrant {
        Reading memory r = _bookAlone(id);
        if (msg.sender != r.course.provider) revert NotProvider(id, msg.sender);
        Status status = r.standing.status;
        if (status != Status.Open && status != Status.Ending) revert WrongStatus(id, status);
        if (n == 0) revert ZeroAmount();
        uint256 share = DealLedger.share(r.money, r.tier);
        if (share == 0) revert NothingToRestore(id);
        uint256 restored = uint256(r.course.restored) + n;
        if (restored > r.money.maxPeriods) revert BeyondMaxPeriods(id, restored, r.money.maxPeriods);

        // Cast: restored ≤ maxPeriods.
        r.course.restored = uint32(restored);
        _deals[id].saveCounts(r.course);
        emit Restored(id, n, n * share);
        registry.lock(r.course.provider, r.money.token, n * share);
    }

    /// @inheritdoc IStorageMarket
    function terminate(uint256 id) external nonReentrant {
        Reading memory r = _bookAlone(id);
        address owner = _ownerOf(id);
        if (msg.sender != owner) revert NotOwner(id, msg.sender);
        if (r.standing.status != Status.Open) revert WrongStatus(id, r.standing.status);
        uint256 periods = r.course.endedPeriods(r.tier, block.number);
        uint256 refund = (r.course.periods - periods) * r.money.price;

        // Cast: it is at most what it was.
        r.course.periods = uint32(periods);
        r.course.stage = Stage.Ending;
        _deals[id].saveCounts(r.course);
        emit Terminated(id, periods, refund);
        if (refund > 0) vault.pay(owner, r.money.token, refund);
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
        _requireReceiver(to);
        _bookAlone(id);
        super.transferFrom(from, to, id);
    }

    /// @dev Zero and id aliases can't own anything; the protocol's own contracts could never use a deal.
    function _requireReceiver(address account) private view {
        bool own = account == address(vault) || account == address(registry) || account == address(this);
        if (own || !FilecoinAddress.isAccount(account)) revert InvalidAccount(account);
    }
}
