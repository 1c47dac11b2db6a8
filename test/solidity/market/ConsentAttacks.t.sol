// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {StorageMarket} from "../../../contracts/StorageMarket.sol";
import {IMarketChanges} from "../../../contracts/interfaces/IMarketChanges.sol";
import {IStorageMarket} from "../../../contracts/interfaces/IStorageMarket.sol";
import {Status, Totals} from "../../../contracts/libraries/DealLedger.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {AttackSetup} from "./AttackSetup.sol";

/// @dev A wallet that tries to change the market while it is asked for its signature.
contract MeddlingWallet is IERC1271 {
    bytes private _data;

    function arm(bytes calldata data) external {
        _data = data;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        (bool ok, ) = msg.sender.staticcall(_data);
        return ok ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @title Attacks on consent and on time: replays, stale signatures, edges of windows, sales
/// @notice After section 13 of the protocol.
contract ConsentAttacks is AttackSetup {
    // Replays

    /// A proof is one of this window of this deal on this market.
    function testAProofIsGoodOnce() public {
        DealTerms memory terms = _standard();
        terms.salt = bytes32("twin");
        uint256 twin = _open(terms);
        vm.roll(first + 1);
        bytes memory proof = _proofOf(id, SEED, LEAVES);
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.InvalidProof.selector, twin, 1));
        market.prove(twin, proof);
        market.prove(id, proof);
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.AlreadyProven.selector, id, 1));
        market.prove(id, proof);
        vm.roll(first + PERIOD + 1);
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.InvalidProof.selector, id, 2));
        market.prove(id, proof);
    }

    /// Terms of one market are not those of another: signatures don't carry over.
    function testSignaturesOfAnotherMarketAreWorthless() public {
        StorageMarket foreign = _newMarket();
        DealTerms memory terms = _standard();
        terms.salt = bytes32("there");
        bytes memory signature = _sign(provider, foreign.dealIdOf(terms));
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.InvalidProviderSignature.selector, provider));
        market.open(terms, "", signature);
    }

    /// Terms open once, even when the deal is over.
    function testTermsOpenOnce() public {
        vm.roll(first + 4 * PERIOD);
        market.settle(_one(id), keeper);
        DealTerms memory terms = _standard();
        bytes memory signature = _sign(provider, id);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.DealExists.selector, id));
        market.open(terms, "", signature);
    }

    // Stale signatures

    /// A signed quote is an option until it runs out, is cancelled, or its signer is replaced: each ends it.
    function testAStaleQuoteIsWorthless() public {
        address signer = _newKey();
        vm.prank(provider);
        registry.setSigner(signer);
        DealTerms memory terms = _standard();
        terms.salt = bytes32("quote");
        uint256 quoted = market.dealIdOf(terms);
        bytes memory signature = _sign(signer, quoted);

        vm.warp(terms.validUntil + 1);
        _expectNoOpening(
            terms,
            signature,
            abi.encodeWithSelector(IStorageMarket.TermsExpired.selector, terms.validUntil)
        );
        vm.warp(terms.validUntil);

        vm.prank(provider);
        registry.setSigner(address(0));
        bytes memory refusal = abi.encodeWithSelector(IStorageMarket.InvalidProviderSignature.selector, provider);
        _expectNoOpening(terms, signature, refusal);

        vm.prank(provider);
        market.cancel(terms);
        signature = _sign(provider, quoted);
        _expectNoOpening(terms, signature, abi.encodeWithSelector(IStorageMarket.TermsCancelled.selector, quoted));
    }

    // Edges of windows

    /// Whatever block the owner ends the deal at, a provider that proves on time is paid for every started period, and
    /// the windows it is still asked for are in time to be proven.
    function testFuzz_endingDodgesNoPaymentAndForcesNoMiss(uint256 at, bool proveFirst) public {
        at = bound(at, vm.getBlockNumber(), first + 3 * PERIOD + WINDOW);
        uint256 started;
        for (uint256 k = 1; k <= 4; ++k) {
            uint256 epoch = first + (k - 1) * PERIOD;
            if (epoch < at) ++started;
            // Before, in the window and after the end alike: in the same block if it so happens.
            uint256 when = proveFirst ? epoch + 1 : epoch + WINDOW;
            if (at <= when && at > epoch - PERIOD && market.statusOf(id) == Status.Open) {
                vm.roll(at);
                _terminate(client);
            }
            if (k > lens.dealOf(id).periods) break;
            vm.roll(when);
            _prove(id);
        }
        vm.roll(first + 4 * PERIOD);
        market.settle(_one(id), keeper);
        Totals memory t = lens.totalsOf(id);
        assertEq(t.slashed, 0, "a miss was forced");
        assertGe(t.paid + t.fee, started * price, "a started period was not paid");
        assertEq(uint256(market.statusOf(id)), uint256(Status.Completed));
    }

    /// An extension, at the last block at which there can be one, asks for nothing before the next regular window.
    function testFuzz_anExtensionForcesNoMiss(uint256 at) public {
        at = bound(at, vm.getBlockNumber(), first + 3 * PERIOD);
        for (uint256 k = 1; k <= 3 && first + (k - 1) * PERIOD + 1 < at; ++k) {
            vm.roll(first + (k - 1) * PERIOD + 1);
            _prove(id);
        }
        vm.roll(at);
        bytes memory data = abi.encodeCall(market.extend, (id, 8, type(uint256).max));
        bool ok = _call(other, address(market), data);
        assertEq(ok, at < first + 3 * PERIOD, "too late");
        assertEq(lens.standingOf(id).missed, 0);
        (, uint256 last) = lens.windowOf(id, 4);
        assertGt(last, at);
    }

    /// Nobody can prove before the challenge is drawn, nor bring the draw forward.
    function testNoProofBeforeTheDraw() public {
        vm.roll(first);
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.NoOpenWindow.selector, id));
        market.prove(id, "");
        vm.roll(first + WINDOW + 1);
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.NoOpenWindow.selector, id));
        market.prove(id, "");
    }

    /// Data that turns up after the default proves nothing: a terminal deal stays as it is.
    function testNoProofAfterTheDefault() public {
        uint256 epoch = first + 3 * PERIOD;
        vm.roll(epoch + 1);
        bytes memory proof = _proofFor(id, 4, epoch, 0, SEED, LEAVES);
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.WrongStatus.selector, id, Status.Defaulted));
        market.prove(id, proof);
        assertEq(market.proveMany(_one(id), abi.encodePacked(uint16(proof.length / 32), proof)), 0);
        assertEq(lens.dealOf(id).proven, 0);
    }

    /// Restoring comes too late once the last miss has happened, settled or not.
    function testNoRestorationAfterTheDefault() public {
        vm.roll(first + 2 * PERIOD + WINDOW + 1);
        vm.prank(provider);
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.WrongStatus.selector, id, Status.Defaulted));
        market.restore(id, 1);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.WrongStatus.selector, id, Status.Defaulted));
        market.terminate(id);
    }

    // Selling

    /// The seller ends the deal, or lets it be extended, just before the sale: the buyer's price was for another deal.
    function testASellerCannotEmptyTheDealBeforeTheSale() public {
        bytes32 seen = market.stateHash(id);
        _terminate(client);
        bytes32 actual = market.stateHash(id);
        vm.prank(client);
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.StateChanged.selector, id, actual, seen));
        market.transferIf(id, other, seen);
    }

    /// Only the owner ends a deal: not an approved account, not the provider, not the payer of a gift.
    function testOnlyTheOwnerEnds() public {
        vm.prank(client);
        market.setApprovalForAll(other, true);
        address[3] memory senders = [other, provider, sponsor];
        for (uint256 i; i < 3; ++i) {
            vm.prank(senders[i]);
            vm.expectRevert(abi.encodeWithSelector(IMarketChanges.NotOwner.selector, id, senders[i]));
            market.terminate(id);
        }
    }

    /// Nobody's money is taken for a deal that they didn't sign for, though they trust the market with it.
    function testNobodyPaysForAnothersDeal() public {
        DealTerms memory terms = _standard();
        terms.salt = bytes32("unsigned");
        bytes memory signature = _sign(provider, market.dealIdOf(terms));
        uint256 had = _claims(client);
        vm.prank(other);
        uint256 gift = market.open(terms, "", signature);
        assertEq(_claims(client), had);
        assertEq(_claims(other), WEALTH - STAKE - 4 * price);
        assertTrue(lens.dealOf(gift).gift);
    }

    /// A wallet can't change anything while it is asked for its signature.
    function testAWalletCannotMeddleWhileItSigns() public {
        MeddlingWallet wallet = new MeddlingWallet();
        DealTerms memory terms = _standard();
        terms.client = address(wallet);
        wallet.arm(abi.encodeCall(market.cancel, (terms)));
        bytes memory signature = _sign(provider, market.dealIdOf(terms));
        vm.expectRevert(abi.encodeWithSelector(IStorageMarket.InvalidClientSignature.selector, address(wallet)));
        market.open(terms, "x", signature);
    }
}
