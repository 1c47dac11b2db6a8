// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ProvenanceRegistry} from "../../../contracts/ProvenanceRegistry.sol";
import {IProvenanceRegistry} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {Record} from "../../../contracts/libraries/Records.sol";
import {Wallet1271} from "../../../contracts/mocks/Wallet1271.sol";
import {ProvenanceAttackSetup} from "./ProvenanceAttackSetup.sol";
import {RecordsTwin} from "./RecordsTwin.sol";

/// @dev A wallet that does what it likes when it is asked for a signature, and answers with as much as it likes.
contract HostileWallet is IERC1271 {
    address private _target;
    bytes private _data;
    uint256 private _answer;

    function arm(address target, bytes calldata data, uint256 answer) external {
        (_target, _data, _answer) = (target, data, answer);
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        (bool ok, ) = _target.staticcall(_data);
        if (!ok) return bytes4(0);
        // The right answer, and a heap of nothing behind it.
        uint256 length = 32 + _answer;
        bytes4 magic = IERC1271.isValidSignature.selector;
        assembly ("memory-safe") {
            let p := mload(0x40)
            mstore(p, magic)
            return(p, length)
        }
    }
}

/// @title Attacks on consent: forged, replayed, torn apart, and asked of hostile wallets
contract ProvenanceAttacks is ProvenanceAttackSetup {
    // Consent

    /// What was signed as one goes in as one: no part of it, no other order, nothing twice, nothing added.
    function testNobodyRelaysPartOfABatch() public {
        Record[] memory batch = _batch(3);
        bytes memory signature = _consent(alice, batch, FOREVER);
        Record[] memory wrong = _batch(2);
        _refuseRelay(wrong, FOREVER, signature);
        wrong = _batch(4);
        _refuseRelay(wrong, FOREVER, signature);
        wrong = _batch(3);
        (wrong[0], wrong[2]) = (wrong[2], wrong[0]);
        _refuseRelay(wrong, FOREVER, signature);
        wrong = _batch(3);
        wrong[2] = wrong[1];
        _refuseRelay(wrong, FOREVER, signature);
        wrong = _batch(3);
        wrong[1].license = "MIT";
        _refuseRelay(wrong, FOREVER, signature);
        _refuseRelay(batch, FOREVER - 1, signature);
        vm.prank(mallory);
        records.registerFor(batch, FOREVER, signature);
    }

    /// A relayed batch is the registrant's, whoever relays it, and goes in once.
    function testARelayedBatchGoesInOnce() public {
        Record[] memory batch = _batch(3);
        bytes memory signature = _consent(alice, batch, FOREVER);
        vm.prank(mallory);
        bytes32[] memory ids = records.registerFor(batch, FOREVER, signature);
        assertEq(records.stateOf(ids[2]).registrant, alice);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.RecordExists.selector, ids[0]));
        records.registerFor(batch, FOREVER, signature);
        vm.prank(alice);
        records.withdraw(ids[0], "");
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.RecordExists.selector, ids[0]));
        records.registerFor(batch, FOREVER, signature);
        assertTrue(records.stateOf(ids[0]).withdrawn, "withdrawn for good");
    }

    /// Neither in another registry nor on another chain: not even after a split of the chain itself.
    function testConsentIsForOneRegistryOnOneChain() public {
        Record[] memory batch = _batch(1);
        bytes memory signature = _consent(alice, batch, FOREVER);
        bytes memory error = abi.encodeWithSelector(IProvenanceRegistry.InvalidSignature.selector, alice);
        ProvenanceRegistry foreign = new ProvenanceRegistry(lens);
        vm.expectRevert(error);
        foreign.registerFor(batch, FOREVER, signature);
        bytes32 id = records.recordIdOf(batch[0]);
        assertNotEq(foreign.recordIdOf(batch[0]), id);
        vm.chainId(block.chainid + 1);
        vm.expectRevert(error);
        records.registerFor(batch, FOREVER, signature);
        assertNotEq(records.recordIdOf(batch[0]), id);
    }

    /// Consent counts in the second that it names, and in none after.
    function testConsentExpires() public {
        Record[] memory batch = _batch(1);
        uint64 until = uint64(vm.getBlockTimestamp() + 10);
        bytes memory signature = _consent(alice, batch, until);
        vm.warp(until + 1);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.SignatureExpired.selector, until));
        records.registerFor(batch, until, signature);
        vm.warp(until);
        records.registerFor(batch, until, signature);
    }

    /// The same signature in another form is none: the other s, the short form of EIP-2098, a byte too many.
    function testSignaturesHaveOneForm() public {
        Record[] memory batch = _batch(1);
        bytes32 digest = RecordsTwin.digest(records.DOMAIN_SEPARATOR(), RecordsTwin.registration(batch, FOREVER));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf[alice], digest);
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        _refuseRelay(batch, FOREVER, abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? uint8(28) : uint8(27)));
        _refuseRelay(batch, FOREVER, abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255))));
        _refuseRelay(batch, FOREVER, abi.encodePacked(r, s, v, uint8(0)));
        _refuseRelay(batch, FOREVER, "");
        records.registerFor(batch, FOREVER, abi.encodePacked(r, s, v));
    }

    /// Who signs answers for its own: not for those of another that it puts among them.
    function testNobodySignsForAnother() public {
        Record[] memory batch = _batch(2);
        batch[0].registrant = mallory;
        bytes memory signature = _consent(mallory, batch, FOREVER);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.NotRegistrant.selector, alice, mallory));
        records.registerFor(batch, FOREVER, signature);
        batch[0].registrant = alice;
        signature = _consent(mallory, batch, FOREVER);
        _refuseRelay(batch, FOREVER, signature);
    }

    // Wallets

    /// A wallet can change nothing while it is asked, neither here nor anywhere.
    function testAWalletCannotReenter() public {
        HostileWallet wallet = new HostileWallet();
        Record[] memory batch = _batch(1);
        batch[0].registrant = address(wallet);
        wallet.arm(address(records), abi.encodeCall(records.register, (batch[0])), 0);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.InvalidSignature.selector, address(wallet)));
        records.registerFor(batch, FOREVER, "");
        // Reading is all that it can do.
        wallet.arm(address(records), abi.encodeCall(records.stateOf, (0)), 0);
        records.registerFor(batch, FOREVER, "");
    }

    /// A long answer costs the wallet's gas, and is not copied: only its first word is read.
    function testALongAnswerIsNotCopiedForGas() public {
        HostileWallet wallet = new HostileWallet();
        Record[] memory batch = _batch(1);
        batch[0].registrant = address(wallet);
        wallet.arm(address(records), abi.encodeCall(records.stateOf, (0)), 100_000);
        uint256 gas = gasleft();
        records.registerFor(batch, FOREVER, "");
        assertLt(gas - gasleft(), 250_000);
    }

    /// A wallet that changed its keys takes back what it has signed and nobody has relayed.
    function testAWalletTakesBackWhatItSigned() public {
        address wallet = _newWallet();
        Record[] memory batch = _batch(1);
        batch[0].registrant = wallet;
        bytes memory signature = _consent(wallet, batch, FOREVER);
        Wallet1271(payable(wallet)).setRejects(true);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.InvalidSignature.selector, wallet));
        records.registerFor(batch, FOREVER, signature);
        Wallet1271(payable(wallet)).setRejects(false);
        records.registerFor(batch, FOREVER, signature);
    }

    /// No signature makes a registrant of nobody, of an alias, or of a contract that signs nothing.
    function testNoRegistrantWhoCannotSign() public {
        address[4] memory registrants = [address(0), ALIAS, address(market), address(records)];
        for (uint256 i; i < 4; ++i) {
            Record[] memory batch = _batch(1);
            batch[0].registrant = registrants[i];
            bytes memory signature = _consent(mallory, batch, FOREVER);
            vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.InvalidSignature.selector, registrants[i]));
            records.registerFor(batch, FOREVER, signature);
        }
    }
}
