// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {Amendment} from "../../../contracts/libraries/Amendments.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {MarketHandler} from "./MarketHandler.sol";
import {MarketWorld} from "./MarketWorld.sol";

contract HistoryHandler is MarketHandler(30) {}

/// @title One long history, in which everything that can happen does
/// @notice The campaigns would pass on handlers that do nothing. Here each action must have succeeded, and been refused
/// where it can be, often enough to mean something.
contract MarketHistory is Test {
    /// @dev Enough, and no more: the runner traces every instruction of a test that failed, in memory.
    uint256 private constant STEPS = 304;

    HistoryHandler private handler;

    function setUp() public {
        handler = new HistoryHandler();
    }

    function testALongHistoryInWhichEverythingHappens() public {
        _run("a long history");
        _assertOften();
        handler.leave();
        handler.check08();
    }

    function _run(bytes32 seed) private {
        bytes4[] memory actions = handler.actions();
        for (uint256 i; i < STEPS; ++i) {
            uint256 x = uint256(keccak256(abi.encode(seed, i)));
            // Each round has every action once, each in another order: their number is a prime.
            uint256 which = (i * (1 + ((i / actions.length) % (actions.length - 1)))) % actions.length;
            (bool ok, bytes memory error) = address(handler).call(abi.encodeWithSelector(actions[which], x));
            assertTrue(ok, string.concat("action ", vm.toString(which), ": ", string(error)));
            if (i % 40 == 0) _checkAll();
        }
    }

    function _checkAll() private {
        handler.check01();
        handler.check02And03();
        handler.check04();
        handler.check05();
        handler.check06And07();
        handler.check08();
        handler.check09();
        handler.check10();
        handler.check12();
        handler.check13();
        handler.check14();
        handler.check15();
        handler.check17();
    }

    function _assertOften() private view {
        _assertDone(1, ["by client", "by provider", "by anybody", "gift", "by signer", "signer signs"]);
        _assertDone(3, ["cancel", "prove", "prove in a batch", "pay", "slash", "transfer"]);
        _assertDone(3, ["complete", "default", "terminate", "settle one", "settle many", "restore"]);
        _assertDone(3, ["pass", "deposit", "withdraw", "donate", "provision", "pass"]);
        _assertDone(3, ["setPayee", "setSigner", "open refused", "prove refused", "pass", "pass"]);
        _assertDone(3, ["pass", "extend refused", "restore refused", "terminate refused", "transfer refused", "pass"]);
        _assertDone(
            2,
            ["amend to a higher price", "amend to no higher price", "amend refused", "open", "pass", "prove"]
        );
        _assertDone(1, ["migrate", "migrate refused", "terminate and drop", "amend at once", "pass", "pass"]);
        _assertDone(
            2,
            [
                "cancel refused",
                "withdraw refused",
                "setSigner refused",
                "unprovision",
                "extend",
                "prove wrongly refused"
            ]
        );
    }

    function _assertDone(uint256 often, string[6] memory names) private view {
        for (uint256 i; i < 6; ++i) assertGe(handler.done(names[i]), often, names[i]);
    }
}

/// @title Invariant 6 on twins: the same history with and without settlements
contract SettlePatterns is MarketWorld, Test {
    uint256 private constant SEED = 77;
    uint256 private constant LEAVES = 9;

    address private client;
    address private provider;
    uint256[3] private twins;

    function setUp() public {
        vm.warp(1_800_000_000);
        _deploy();
        client = _newKey();
        provider = _newKey();
        _enrich(client);
        _enrich(provider);
        _register(provider, 2_000_000);
    }

    /// The first twin is settled at random, the second at every step, the third only by what is done to all.
    /// hardhat-config: fuzz.runs = 24
    function testFuzz_totalsDoNotDependOnWhoSettlesWhen(bytes32 seed) public {
        _openTwins(uint256(seed));
        for (uint256 i; i < 40; ++i) {
            uint256 x = uint256(keccak256(abi.encode(seed, i)));
            _step(x % 16, x >> 8);
            address bountyTo = [address(0), keeper, client, provider, address(market)][(x >> 64) % 5];
            if ((x >> 128) % 3 == 0) market.settle(_one(twins[0]), bountyTo);
            market.settle(_one(twins[1]), keeper);
            _assertEqual(false);
        }
        vm.roll(vm.getBlockNumber() + 600);
        for (uint256 i; i < 3; ++i) market.settle(_one(twins[i]), keeper);
        _assertEqual(true);
        (, uint256 locked) = registry.provisionOf(provider, address(market), address(plain));
        assertEq(locked, 0);
        assertEq(vault.escrowOf(address(market), address(plain)), 0);
    }

    function _openTwins(uint256 x) private {
        for (uint256 i; i < 3; ++i) {
            DealTerms memory t = _termsFor(client, provider, uint8(x % 3), SEED, LEAVES);
            t.salt = bytes32(i);
            twins[i] = _open(t);
        }
    }

    /// @dev The same call on each twin; it must go through on all of them or on none.
    function _step(uint256 what, uint256 x) private {
        if (what < 7) {
            vm.roll(vm.getBlockNumber() + 1 + (x % 12));
            return;
        }
        bool[3] memory ok;
        for (uint256 i; i < 3; ++i) {
            uint256 id = twins[i];
            if (what < 13) ok[i] = _prove(id);
            else if (what == 13) ok[i] = _call(provider, address(market), abi.encodeCall(market.restore, (id, 1)));
            else if (what == 14) ok[i] = _call(client, address(market), abi.encodeCall(market.extend, (id, 2, 1e9)));
            else if (x % 4 > 0) ok[i] = _reprice(id, x % 20_000);
            else ok[i] = _call(client, address(market), abi.encodeCall(market.terminate, (id)));
        }
        assertTrue(ok[0] == ok[1] && ok[1] == ok[2], "twins differ");
    }

    /// @dev An amendment of the price alone.
    function _reprice(uint256 id, uint256 price) private returns (bool) {
        Amendment memory a = Amendment({
            dealId: id,
            root: _rootOf(SEED, LEAVES),
            leafCount: uint64(LEAVES),
            pricePerPeriod: uint128(price),
            nonce: uint32(market.revisionOf(id).nonce),
            validUntil: type(uint64).max
        });
        bytes memory signature = _sign(provider, uint256(_amendmentDigest(a)));
        return _call(client, address(market), abi.encodeCall(market.amend, (a, "", signature)));
    }

    function _prove(uint256 id) private returns (bool) {
        try lens.challengeOf(id) {
            bytes memory proof = _proofOf(id, SEED, LEAVES);
            return _call(keeper, address(market), abi.encodeCall(market.prove, (id, proof)));
        } catch {
            return false;
        }
    }

    function _assertEqual(bool booked) private view {
        bytes32[3] memory hashes;
        for (uint256 i; i < 3; ++i) {
            hashes[i] = keccak256(abi.encode(booked ? lens.totalsOf(twins[i]) : lens.totalsNow(twins[i])));
        }
        assertEq(hashes[0], hashes[1], "totals of twins");
        assertEq(hashes[1], hashes[2], "totals of twins");
    }
}
