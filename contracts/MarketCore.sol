// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {MarketConfig} from "./interfaces/IMarketConfig.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {ConfigCheck} from "./libraries/ConfigCheck.sol";
import {Course, DealLedger, Due, Revision, Stage, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {DealTerms, DealTermsLib} from "./libraries/DealTerms.sol";
import {FilecoinAddress} from "./libraries/FilecoinAddress.sol";
import {PayoutList, Payouts} from "./libraries/Payouts.sol";
import {Revisions, Step} from "./libraries/Revisions.sol";
import {Schedule, Tier} from "./libraries/Schedule.sol";
import {MarketBase} from "./MarketBase.sol";
import {MarketChanges} from "./MarketChanges.sol";
import {ProofVerifier} from "./ProofVerifier.sol";
import {TermsChecker} from "./TermsChecker.sol";

/// @title What the entry points are made of
/// @notice Opening and booking a deal, and moving its money.
abstract contract MarketCore is MarketBase, ERC721, EIP712, ReentrancyGuardTransient {
    using DealLedger for Course;
    using DealStore for StoredDeal;
    using Payouts for PayoutList;
    using Revisions for Revision;

    string internal constant DOMAIN_NAME = "Holdfast Storage Market";
    string internal constant DOMAIN_VERSION = "1";

    /// @dev The market's other part: see `MarketChanges`. There is no way to put another in its place.
    address private immutable _changes;

    constructor(
        MarketConfig memory config
    )
        MarketBase(
            config,
            address(new TermsChecker(config.vault, config.registry, config.stakeToken, config.minStake)),
            new ProofVerifier()
        )
        ERC721("", "")
        EIP712(DOMAIN_NAME, DOMAIN_VERSION)
    {
        ConfigCheck.check(config);
        _changes = address(new MarketChanges(config, termsChecker, proofVerifier));
    }

    // Opening

    function _dealIdOf(DealTerms memory terms) internal view returns (uint256) {
        return uint256(_hashTypedDataV4(DealTermsLib.hash(terms)));
    }

    /// @dev Fills `tier` with that of terms that can be opened now, as far as time, table and their history go.
    function _requireOpenable(DealTerms memory terms, uint256 id, Tier memory tier) internal view {
        _requireFresh(id);
        // solhint-disable-next-line not-rely-on-time
        if (block.timestamp > terms.validUntil) revert IStorageMarket.TermsExpired(terms.validUntil);
        if (terms.tier >= tierCount) revert IStorageMarket.UnknownTier(terms.tier);
        _loadTier(tier, terms.tier);
    }

    function _requireFresh(uint256 id) internal view {
        Stage stage = _deals[id].stageOf();
        if (stage == Stage.Cancelled) revert IStorageMarket.TermsCancelled(id);
        if (stage != Stage.None) revert IStorageMarket.DealExists(id);
    }

    /// @dev Writes the deal and gives it to its client. Its money is the caller's to hold, its stake to lock.
    function _openDeal(DealTerms memory terms, uint256 id, Tier memory tier, address payer, bool gift) internal {
        uint256 phase = Schedule.phase(terms.provider, terms.tier, tier.period);
        uint256 first = Schedule.firstEpoch(block.number + challengeFinality, phase, tier.period);
        _deals[id].open(terms, first, gift);
        emit IStorageMarket.Opened(id, terms.client, terms.provider, terms, payer, gift, first);
        _mint(terms.client, id);
    }

    // Booking

    /// @dev Books one deal up to this block: brings `r` up to date and adds what moves to `list`. Of the money, the
    /// bond is read only where something but pay moves.
    function _book(uint256 id, Reading memory r, address bountyTo, PayoutList memory list) internal {
        Course memory c = r.course;
        Status status = r.standing.status;
        if (status == Status.None || c.stage == Stage.Closed) return;
        StoredDeal storage deal = _deals[id];
        deal.loadPay(r.money);
        if (r.revision.from != 0) _advance(id, r);
        bool pays = (status == Status.Open || status == Status.Ending) && r.standing.missed == c.slashed;
        if (!pays) deal.loadBond(r.money);
        Due memory d = c.due(r.money, r.revision, r.tier, r.standing, feeBps);
        if (pays && d.windows == 0) return;

        c.book(d);
        deal.saveCounts(c);
        // Where nothing goes to the owner, its slot need not be read.
        address owner = pays ? address(0) : _ownerOf(id);
        if (d.misses == 0) bountyTo = address(0);
        else if (!FilecoinAddress.isAccount(bountyTo)) bountyTo = owner;
        emit IStorageMarket.Settled(id, c.paid, c.slashed, d, bountyTo, status);
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

    /// @dev Takes the step that the clock asks for where an amendment waits, and reads the deal again.
    function _advance(uint256 id, Reading memory r) private {
        if (r.revision.stepOf(r.course, r.standing) == Step.None) return;
        _delegate(abi.encodeCall(MarketChanges.advance, (id)));
        _readInto(r, id);
        _deals[id].loadPay(r.money);
    }

    /// @dev Books one deal, which must exist, and moves its money; bounties go to its owner.
    function _settleOne(uint256 id) internal {
        PayoutList memory list = Payouts.create(1);
        _book(id, _read(id), address(0), list);
        _flush(list);
    }

    function _flush(PayoutList memory list) internal {
        list.flush(vault, registry);
    }

    /// @dev Has the other part run `call`; reverts as it does.
    function _delegate(bytes memory call) internal {
        Address.functionDelegateCall(_changes, call);
    }
}
