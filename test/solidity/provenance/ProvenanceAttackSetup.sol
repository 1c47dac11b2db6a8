// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {ProvenanceRegistry} from "../../../contracts/ProvenanceRegistry.sol";
import {IProvenanceRegistry} from "../../../contracts/interfaces/IProvenanceRegistry.sol";
import {Anchor, Record} from "../../../contracts/libraries/Records.sol";
import {MarketWorld} from "../market/MarketWorld.sol";
import {AnchorTreeTwin} from "./AnchorTreeTwin.sol";
import {RecordsTwin} from "./RecordsTwin.sol";

/// @title A registry to attack
/// @notice Alice registers, Mallory attacks.
abstract contract ProvenanceAttackSetup is MarketWorld, Test {
    using AnchorTreeTwin for bytes32[][];

    uint64 internal constant FOREVER = type(uint64).max;

    ProvenanceRegistry internal records;
    address internal alice;
    address internal mallory;

    function setUp() public virtual {
        vm.warp(1_800_000_000);
        _deploy();
        records = new ProvenanceRegistry(lens);
        alice = _newKey();
        mallory = _newKey();
    }

    /// @dev Alice's record number n.
    function _record(uint256 n) internal view returns (Record memory r) {
        (r.registrant, r.contentHash, r.size) = (alice, keccak256(abi.encode("content", n)), 1000);
        r.license = "CC-BY-4.0";
    }

    function _batch(uint256 count) internal view returns (Record[] memory batch) {
        batch = new Record[](count);
        for (uint256 i; i < count; ++i) batch[i] = _record(i);
    }

    function _enter(address registrant, uint256 n) internal returns (bytes32) {
        Record memory r = _record(n);
        r.registrant = registrant;
        vm.prank(registrant);
        return records.register(r);
    }

    function _set(address registrant, bytes32 root, uint64 count) internal pure returns (Anchor memory set) {
        (set.registrant, set.root, set.count) = (registrant, root, count);
    }

    /// @dev Anchors a set of Alice's records 0 to count - 1.
    function _anchor(address registrant, uint64 count) internal returns (Anchor memory set, bytes32[][] memory levels) {
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i; i < count; ++i) leaves[i] = records.recordIdOf(_record(i));
        levels = AnchorTreeTwin.build(leaves);
        set = _set(registrant, levels.root(), count);
        vm.prank(registrant);
        records.anchor(set);
    }

    function _consent(address signer, Record[] memory batch, uint64 validUntil) internal view returns (bytes memory) {
        bytes32 hash = RecordsTwin.registration(batch, validUntil);
        return _sign(signer, uint256(RecordsTwin.digest(records.DOMAIN_SEPARATOR(), hash)));
    }

    function _refuseRelay(Record[] memory batch, uint64 validUntil, bytes memory signature) internal {
        vm.prank(mallory);
        vm.expectRevert(abi.encodeWithSelector(IProvenanceRegistry.InvalidSignature.selector, alice));
        records.registerFor(batch, validUntil, signature);
    }
}
