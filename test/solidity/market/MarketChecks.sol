// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Standing, Status, Totals} from "../../../contracts/libraries/DealLedger.sol";
import {IRandomness} from "../../../contracts/randomness/IRandomness.sol";
import {MarketModel} from "./MarketModel.sol";

/// @title The invariants of the protocol, as checks of one market against the model
/// @notice Numbered as in section 12 of the protocol.
abstract contract MarketChecks is MarketModel {
    error AllSettled();

    /// @dev 1. The vault has what it owes, and each contract's escrow is what it owes in turn.
    function check01() external view {
        address[3] memory tokens = _tokens();
        for (uint256 i; i < 3; ++i) {
            address token = tokens[i];
            uint256 escrow;
            uint256 stake;
            for (uint256 j; j < ids.length; ++j) {
                if (ghosts[ids[j]].terms.token == token) escrow += lens.totalsOf(ids[j]).escrow;
            }
            for (uint256 j; j < providers.length; ++j) {
                (uint256 free_, uint256 locked) = registry.provisionOf(providers[j], address(market), token);
                stake += free_ + locked;
            }
            assertEq(vault.escrowOf(address(market), token), escrow, "market's escrow");
            assertEq(vault.escrowOf(address(registry), token), stake, "registry's escrow");
            uint256 owed = escrow + stake;
            for (uint256 j; j < accounts.length; ++j) owed += vault.balanceOf(accounts[j], uint160(token));
            uint256 has = token == NATIVE ? address(vault).balance : _balance(token, address(vault));
            if (token == address(plain)) assertGe(has, owed, "vault");
            else assertEq(has, owed, "vault");
        }
    }

    /// @dev 2 and 3. All that was paid in and all that was bonded is somewhere, as booked and as it would be now.
    function check02And03() external view {
        for (uint256 i; i < ids.length; ++i) {
            _checkSums(lens.totalsOf(ids[i]));
            _checkSums(lens.totalsNow(ids[i]));
        }
    }

    function _checkSums(Totals memory t) private pure {
        assertEq(t.paid + t.fee + t.refunded + t.escrow, t.funded, "funded");
        assertEq(t.bounty + t.compensation + t.returned + t.stake, t.bonded, "bonded");
        assertEq(t.bounty + t.compensation, t.slashed, "slashed");
    }

    /// @dev 4. Locked stake is the sum of what deals as booked have left of it.
    function check04() external view {
        address[3] memory tokens = _tokens();
        for (uint256 i; i < providers.length; ++i) {
            for (uint256 j; j < 3; ++j) {
                uint256 expected;
                for (uint256 k; k < ids.length; ++k) {
                    bool his = ghosts[ids[k]].terms.provider == providers[i];
                    if (his && ghosts[ids[k]].terms.token == tokens[j]) expected += lens.totalsOf(ids[k]).stake;
                }
                (uint256 free_, uint256 locked) = registry.provisionOf(providers[i], address(market), tokens[j]);
                assertEq(locked, expected, "locked");
                assertEq(free_, free[providers[i]][tokens[j]], "free");
            }
        }
    }

    /// @dev 5. The counters are those of the list of windows.
    function check05() external view {
        for (uint256 i; i < ids.length; ++i) {
            uint256 id = ids[i];
            Standing memory s = lens.standingOf(id);
            Fate memory f = _fate(id, _now());
            assertEq(s.closed, f.closed, "closed");
            assertEq(s.provenClosed, f.provenClosed, "provenClosed");
            assertEq(s.missed, f.missed, "missed");
            assertEq(s.open, f.open, "open");
            assertEq(uint256(market.statusOf(id)), uint256(f.status), "status");
            assertLe(s.provenClosed, s.closed);
            assertLe(s.closed, f.periods);
            assertEq(lens.dealOf(id).periods, f.periods, "periods");
            assertLe(s.missed, s.allowance);
        }
    }

    /// @dev 6 and 7. Totals are those of the list of windows, whoever settled when; no call changes another deal's.
    function check06And07() external view {
        for (uint256 i; i < ids.length; ++i) {
            uint256 id = ids[i];
            bytes32 expected = keccak256(abi.encode(_totals(id, _now())));
            assertEq(keccak256(abi.encode(lens.totalsNow(id))), expected, "totals now");
            expected = keccak256(abi.encode(_totals(id, ghosts[id].booked)));
            assertEq(keccak256(abi.encode(lens.totalsOf(id))), expected, "totals as booked");
        }
    }

    /// @dev 8. Each account has what its own calls, its signatures and the deals left it, to the wei.
    function check08() external view {
        address[3] memory tokens = _tokens();
        for (uint256 i; i < accounts.length; ++i) {
            for (uint256 j; j < 3; ++j) {
                uint256 has = vault.balanceOf(accounts[i], uint160(tokens[j]));
                assertEq(has, claims[accounts[i]][tokens[j]], "claims");
            }
        }
        for (uint256 i; i < ids.length; ++i) assertEq(market.ownerOf(ids[i]), ghosts[ids[i]].owner, "owner");
    }

    /// @dev 9. Terminal deals stay as they are; the stake behind a live one is locked.
    function check09() external view {
        for (uint256 i; i < ids.length; ++i) {
            bytes32 epitaph = ghosts[ids[i]].epitaph;
            if (epitaph != 0) assertEq(_epitaph(ids[i]), epitaph, "terminal");
        }
        address[3] memory tokens = _tokens();
        for (uint256 i; i < providers.length; ++i) {
            for (uint256 j; j < 3; ++j) {
                uint256 behind;
                for (uint256 k; k < ids.length; ++k) {
                    bool his = ghosts[ids[k]].terms.provider == providers[i];
                    if (his && ghosts[ids[k]].terms.token == tokens[j]) behind += lens.totalsNow(ids[k]).stake;
                }
                (, uint256 locked) = registry.provisionOf(providers[i], address(market), tokens[j]);
                assertGe(locked, behind, "stake behind live deals");
            }
        }
    }

    /// @dev 10. Settling everything now goes through, whoever gets the bounties.
    function check10() external {
        uint256[] memory list = new uint256[](2 * ids.length + 1);
        for (uint256 i; i < ids.length; ++i) (list[i], list[list.length - 1 - i]) = (ids[i], ids[i]);
        (bool ok, bytes memory answer) = address(this).call(abi.encodeCall(this.trySettling, (list)));
        assertFalse(ok);
        assertEq(answer, abi.encodeWithSelector(AllSettled.selector), "settle");
    }

    /// @dev Reverts, so that nothing of it stays.
    function trySettling(uint256[] calldata list) external {
        address[5] memory receivers = [address(0), ALIAS, address(market), address(vault), keeper];
        for (uint256 i; i < list.length; ++i) market.settle(list[i:i + 1], receivers[i % 5]);
        market.settle(list, keeper);
        revert AllSettled();
    }

    /// @dev 12. A seed that was read once reads the same, or not at all.
    function check12() external view {
        for (uint256 i; i < epochs.length; ++i) {
            try randomness.seed(epochs[i]) returns (uint256 seed) {
                assertEq(seed, seeds[epochs[i]], "seed");
            } catch (bytes memory error) {
                assertEq(error, abi.encodeWithSelector(IRandomness.SeedUnavailable.selector, epochs[i]));
            }
        }
    }

    /// @dev 13. The honest provider was never slashed.
    function check13() external view {
        for (uint256 i; i < ids.length; ++i) {
            if (ghosts[ids[i]].terms.provider != providers[0]) continue;
            assertEq(lens.standingOf(ids[i]).missed, 0, "missed by the honest");
            assertEq(lens.totalsNow(ids[i]).slashed, 0, "slashed of the honest");
        }
    }

    /// @dev 14. What is asked for in a window was fixed challengeFinality before, and by the seed.
    function check14() external view {
        for (uint256 i; i < ids.length; ++i) {
            uint256 id = ids[i];
            Ghost storage g = ghosts[id];
            assertGe(g.first, g.opened + FINALITY, "finality");
            assertEq(market.pieceIdOf(id), _pieceOf(_inForce(id)), "piece");
            (uint256 first, ) = lens.windowOf(id, 1);
            assertEq(first, g.first, "schedule");
            Fate memory f = _fate(id, _now());
            bytes32 seen = challenges[id][f.open];
            if (f.open != 0 && f.status != Status.Defaulted && seen != 0) assertEq(_challenge(id), seen, "challenge");
        }
    }

    /// @dev 15. Who holds nothing has lost all its collateral when window maxMisses has closed.
    function check15() external view {
        for (uint256 i; i < ids.length; ++i) {
            uint256 id = ids[i];
            Ghost storage g = ghosts[id];
            if (g.terms.provider != providers[2] || g.ended) continue;
            if (_now() <= _epoch(id, _tierOf(id).maxMisses) + _tierOf(id).window) continue;
            assertEq(uint256(market.statusOf(id)), uint256(Status.Defaulted), "not defaulted");
            assertEq(lens.totalsNow(id).slashed, g.terms.collateral, "not all lost");
            assertEq(lens.totalsNow(id).paid, 0, "paid for nothing");
        }
    }

    /// @dev 17. The owner pays for every started period that was proven and for no other, and at most what was funded.
    function check17() external view {
        for (uint256 i; i < ids.length; ++i) {
            uint256 id = ids[i];
            Ghost storage g = ghosts[id];
            Totals memory t = lens.totalsNow(id);
            assertLe(t.paid + t.fee, t.funded, "loss");
            assertEq(t.paid + t.fee, _proven(id), "proven and paid");
            if (g.endedAt == 0) continue;
            uint256 started;
            while (_epoch(id, started + 1) < g.endedAt) ++started;
            uint256 expected = g.endedPeriods < started + 1 ? g.endedPeriods : started + 1;
            assertEq(windows[id].length, expected, "windows after the end");
            // A default may have taken away those of an amendment since.
            if (_fate(id, _now()).periods < expected) continue;
            (, uint256 last) = lens.windowOf(id, expected);
            assertEq(last, _epoch(id, expected) + _tierOf(id).window, "last window");
            assertEq(lens.dealOf(id).periods, expected, "periods after the end");
        }
    }

    /// @dev The price of each window that was proven and is to be paid by now.
    function _proven(uint256 id) private view returns (uint256 sum) {
        Fate memory f = _fate(id, _now());
        for (uint256 k = 1; k <= windows[id].length; ++k) {
            bool due = k <= f.closed || f.status == Status.Defaulted;
            if (due && proven[id][k]) sum += windows[id][k - 1].price;
        }
    }

    function _balance(address token, address account) internal view returns (uint256) {
        return token == address(plain) ? plain.balanceOf(account) : taxed.balanceOf(account);
    }
}
