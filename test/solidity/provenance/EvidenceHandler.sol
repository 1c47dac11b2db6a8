// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ProvenanceRegistry} from "../../../contracts/ProvenanceRegistry.sol";
import {Holding, IProvenanceRegistry} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {Status} from "../../../contracts/libraries/DealLedger.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {Record} from "../../../contracts/libraries/Records.sol";
import {MarketHandler} from "../market/MarketHandler.sol";

/// @title Records linked to the deals of a market in which everything happens
/// @notice The market's own handler acts, its model says what each window was proven with, and what is held follows
/// from that, window by window, with nothing of the contract.
abstract contract EvidenceHandler is MarketHandler {
    uint256 private constant MOST_MOVES = 16;

    ProvenanceRegistry public records;
    bytes32[] internal claimIds;
    mapping(bytes32 id => bytes) private _encoded;
    mapping(bytes32 id => uint256[]) internal linksOf;
    mapping(bytes32 id => mapping(uint256 dealId => bool)) internal linked;
    uint256 private _salts;

    constructor(uint256 mostDeals_) MarketHandler(mostDeals_) {
        records = new ProvenanceRegistry(lens);
    }

    // Actions

    /// @dev Registers a record of what some deal is about, now or in its last window; one in ten of another piece or
    /// none.
    function claim(uint256 x) external action(x) {
        if (claimIds.length >= mostDeals) return;
        _claim(_draw(2) == 0 ? _honestDeal() : _anyDeal());
    }

    function _claim(uint256 deal) private {
        Window storage w = _draw(4) == 0 ? windows[deal][windows[deal].length - 1] : _inForce(deal);
        Record memory r;
        r.registrant = clients[_draw(3)];
        r.contentHash = keccak256(abi.encode("content", ++_salts));
        r.pieceId = _pieceOf(w);
        uint256 how = _draw(16);
        if (how == 0) r.pieceId = 0;
        if (how == 1) r.pieceId = keccak256(abi.encode(_rootOf(w.data, w.leafCount), w.leafCount + 1));
        vm.prank(r.registrant);
        bytes32 id = records.register(r);
        claimIds.push(id);
        _encoded[id] = abi.encode(r);
        if (how != 1) _link(id, deal);
    }

    /// @dev A new deal, if there may be one, that lasts and is proven in every window.
    function _honestDeal() private returns (uint256) {
        uint256 count = ids.length;
        if (count >= mostDeals) return _anyDeal();
        DealTerms memory terms = _randomTerms();
        (terms.provider, terms.periods, terms.maxPeriods) = (providers[HONEST], 14, 20);
        (terms.token, terms.pricePerPeriod, terms.collateral) = (address(plain), 99, 50_003);
        _openSomehow(terms, _draw(RIGHT_WAYS));
        return ids.length > count ? ids[count] : _anyDeal();
    }

    /// @dev Tries to move deals, and claims what those that moved are about: links the old one, not yet the new one.
    function move(uint256 x) external {
        for (uint256 i; i < 4; ++i) {
            uint256 count = ids.length;
            this.migrate(uint256(keccak256(abi.encode(x, i))));
            if (ids.length == count || claimIds.length >= mostDeals) continue;
            for (uint256 j; j < count; ++j) if (ghosts[ids[j]].successor == ids[count]) _claim(ids[j]);
        }
    }

    function link(uint256 x) external action(x) {
        if (claimIds.length == 0) return;
        uint256 last = claimIds.length;
        bytes32 id = claimIds[_draw(3) == 0 ? _draw(last) : last - 1 - _draw(last < 5 ? last : 5)];
        // Mostly one that fits; what a linked deal was moved to, now and then.
        bool moved = _draw(4) == 0;
        uint256 deal = _anyDeal();
        bytes32 pieceId = abi.decode(_encoded[id], (Record)).pieceId;
        for (uint256 i; i < ids.length && _draw(40) > 0; ++i) {
            if (_fits(id, pieceId, deal) && _isMoved(id, deal) == moved) break;
            deal = ids[ids.length - 1 - i];
        }
        _link(id, deal);
    }

    /// @dev Links `deal`, and now and then another deal of the record's piece.
    function _link(bytes32 id, uint256 deal) private {
        Record memory r = abi.decode(_encoded[id], (Record));
        if (_draw(12) == 0) r.size = 1;
        uint256 other = _draw(ids.length);
        for (uint256 i; i < ids.length && !_fits(id, r.pieceId, ids[other]); ++i) other = (other + 1) % ids.length;
        bool two = _fits(id, r.pieceId, ids[other]) ? _draw(2) == 0 : _draw(8) == 0;
        uint256[] memory deals = new uint256[](two ? 2 : 1);
        deals[0] = deal;
        if (two) deals[1] = ids[other];
        if (_draw(16) == 0) deals[0] = uint256(keccak256("no deal"));
        address sender = _draw(8) == 0 ? [keeper, clients[_draw(3)]][_draw(2)] : r.registrant;
        bytes memory error = _errorOfLink(id, r, deals, sender);
        vm.prank(sender);
        (bool ok, bytes memory result) = address(records).call(abi.encodeCall(records.link, (r, deals)));
        assertEq(ok, error.length == 0, "link");
        if (!ok) assertEq(result, error, "link");
        ++done[ok ? "link" : "link refused"];
        if (!ok) ++done[vm.toString(abi.encodePacked(bytes4(error)))];
        for (uint256 i; ok && i < deals.length; ++i) {
            linksOf[id].push(deals[i]);
            linked[id][deals[i]] = true;
        }
    }

    /// @dev Whether a linked deal was moved to it.
    function _isMoved(bytes32 id, uint256 deal) private view returns (bool) {
        for (uint256 i; i < linksOf[id].length; ++i) if (ghosts[linksOf[id][i]].successor == deal) return true;
        return false;
    }

    function _fits(bytes32 id, bytes32 pieceId, uint256 deal) private view returns (bool) {
        return !linked[id][deal] && _pieceOf(_inForce(deal)) == pieceId;
    }

    function _errorOfLink(
        bytes32 id,
        Record memory r,
        uint256[] memory deals,
        address sender
    ) private view returns (bytes memory) {
        if (r.size != 0)
            return abi.encodeWithSelector(IProvenanceRegistry.UnknownRecord.selector, records.recordIdOf(r));
        if (sender != r.registrant) {
            return abi.encodeWithSelector(IProvenanceRegistry.NotRegistrant.selector, r.registrant, sender);
        }
        if (r.pieceId == 0) return abi.encodeWithSelector(IProvenanceRegistry.NoPiece.selector, id);
        for (uint256 i; i < deals.length; ++i) {
            bool known = ghosts[deals[i]].opened != 0;
            if (!known || _pieceOf(_inForce(deals[i])) != r.pieceId) {
                return abi.encodeWithSelector(IProvenanceRegistry.PieceMismatch.selector, id, deals[i]);
            }
            if (linked[id][deals[i]] || (i > 0 && deals[i] == deals[i - 1])) {
                return abi.encodeWithSelector(IProvenanceRegistry.AlreadyLinked.selector, id, deals[i]);
            }
        }
        return "";
    }

    /// @dev All who have the data prove what is asked for.
    function proveAll(uint256 x) external action(x) {
        for (uint256 i; i < ids.length; ++i) {
            if (_provable(ids[i]) && _wanted(ids[i]) != 0) _prove(ids[i]);
        }
    }

    /// @dev Time passes, and it is noted at each stop what is held by then.
    function look(uint256 x) external action(x) {
        for (uint256 i; i < 4; ++i) {
            _advance(_now() + 1 + _draw(12));
            for (uint256 j = claimIds.length; j > 0 && j + 8 > claimIds.length; --j) _count(claimIds[j - 1]);
        }
    }

    function _count(bytes32 id) private {
        bytes32 pieceId = abi.decode(_encoded[id], (Record)).pieceId;
        for (uint256 i; i < linksOf[id].length; ++i) {
            uint256 deal = linksOf[id][i];
            uint256 holder = _holder(id, pieceId, deal);
            ++done[
                holder == 0
                    ? "not held"
                    : holder == deal
                        ? "held"
                        : "held by a successor"
            ];
            if (holder == 0 && _isTerminal(_fate(deal, _now()).status)) ++done["no longer held"];
            bool amended = _pieceOf(_inForce(deal)) != pieceId;
            if (amended) ++done["about another piece"];
            if (linked[id][ghosts[deal].successor]) ++done["both linked"];
        }
    }

    // What must be held

    /// @dev By the sentence of the protocol: live, for this piece, and proven in the last window that has closed, under
    /// the agreement in force.
    function _holds(uint256 deal, bytes32 pieceId) private view returns (bool) {
        Fate memory f = _fate(deal, _now());
        bool live = f.status == Status.Open || f.status == Status.Ending;
        if (!live || f.closed == 0 || !proven[deal][f.closed]) return false;
        Window storage last = windows[deal][f.closed - 1];
        return last.agreement == f.agreement && _pieceOf(last) == pieceId;
    }

    function _holder(bytes32 id, bytes32 pieceId, uint256 deal) private view returns (uint256) {
        for (uint256 moves; moves <= MOST_MOVES; ++moves) {
            if (_holds(deal, pieceId)) return deal;
            deal = ghosts[deal].successor;
            if (deal == 0 || linked[id][deal]) return 0;
        }
        return 0;
    }

    /// @notice What is told to be held is what is held: each deal once, in the order of the links, by whom, and since
    /// when; in one page or in many.
    function checkHoldings() external view {
        for (uint256 i; i < claimIds.length; ++i) {
            bytes32 id = claimIds[i];
            bytes32 pieceId = abi.decode(_encoded[id], (Record)).pieceId;
            uint256 length = linksOf[id].length;
            assertEq(records.linkCount(id), length, "links");
            Holding[] memory all = records.holdingsOf(id, 0, type(uint256).max);
            uint256 found;
            for (uint256 j; j < length; ++j) {
                assertEq(records.linkAt(id, j), linksOf[id][j], "link");
                uint256 holder = _holder(id, pieceId, linksOf[id][j]);
                Holding[] memory page = records.holdingsOf(id, j, 1);
                assertEq(page.length, holder == 0 ? 0 : 1, "a page of one");
                if (holder == 0) continue;
                _checkHolding(all[found++], holder);
                _checkHolding(page[0], holder);
            }
            assertEq(all.length, found, "holdings");
            assertEq(records.isHeld(id), found > 0, "held");
            assertEq(records.holdingsOf(id, length, 5).length, 0, "beyond the last page");
            for (uint256 j; j < all.length; ++j) {
                for (uint256 k; k < j; ++k) assertNotEq(all[j].dealId, all[k].dealId, "counted twice");
            }
        }
    }

    function _checkHolding(Holding memory h, uint256 holder) private view {
        uint256 last = windows[holder].length;
        while (!proven[holder][last]) --last;
        assertEq(h.dealId, holder, "deal");
        assertEq(h.provider, ghosts[holder].terms.provider, "provider");
        assertEq(h.lastProvenEpoch, _epoch(holder, last), "last proven");
    }

    /// @notice Every action, by selector: all that may change what is held.
    function evidenceActions() external pure returns (bytes4[] memory list) {
        bytes4[13] memory all = [
            this.claim.selector,
            this.link.selector,
            this.proveAll.selector,
            this.open.selector,
            this.pass.selector,
            this.prove.selector,
            this.settle.selector,
            this.extend.selector,
            this.restore.selector,
            this.terminate.selector,
            this.amend.selector,
            this.move.selector,
            this.look.selector
        ];
        list = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) list[i] = all[i];
    }
}
