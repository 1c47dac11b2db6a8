// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC6909} from "@openzeppelin/contracts/token/ERC6909/ERC6909.sol";
import {IERC721Receiver} from "@openzeppelin/contracts/token/ERC721/IERC721Receiver.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {StorageMarket} from "../../../contracts/StorageMarket.sol";
import {IProviderRegistry} from "../../../contracts/interfaces/IProviderRegistry.sol";
import {IVault} from "../../../contracts/interfaces/IVault.sol";
import {Status, Totals} from "../../../contracts/libraries/DealLedger.sol";
import {DealTerms} from "../../../contracts/libraries/DealTerms.sol";
import {Reentrant} from "../../../contracts/mocks/Reentrant.sol";
import {AttackSetup} from "./AttackSetup.sol";

/// @dev Owns deals, and calls the market when it is given one.
contract GreedyReceiver is IERC721Receiver {
    bytes[] private _calls;
    uint256 public succeeded;

    function arm(bytes calldata data) external {
        _calls.push(data);
    }

    function onERC721Received(address, address, uint256, bytes calldata) external returns (bytes4) {
        for (uint256 i; i < _calls.length; ++i) {
            (bool ok, ) = msg.sender.call(_calls[i]);
            if (ok) ++succeeded;
        }
        return this.onERC721Received.selector;
    }
}

/// @title Attacks on the money, each with what it comes to
/// @notice After section 13 of the protocol.
contract Attacks is AttackSetup {
    // Slashing for profit

    /// The provider takes the bounties of its own misses: it gets 5 % of what it loses.
    function testSlashingOneselfIsALoss() public {
        uint256 before = _claims(provider);
        vm.roll(first + WINDOW + 1);
        market.settle(_one(id), provider);
        assertEq(_claims(provider) - before, share / 20);
        assertEq(lens.totalsOf(id).slashed, share);
        assertLe(20 * (_claims(provider) - before), share);
    }

    /// Provider, owner and keeper are one: any course of the deal costs them the fee, and brings nothing.
    function testFuzz_colludersEndWithNoMoreThanTheyPutIn(uint8 provenMask, uint8 settleMask, bool ends) public {
        uint256 before = _wealth(client) + _wealth(provider) + _wealth(keeper) + _inDeal();
        for (uint256 k = 1; k <= lens.dealOf(id).periods; ++k) {
            vm.roll(first + (k - 1) * PERIOD + 1);
            if ((provenMask >> k) & 1 == 1 && market.statusOf(id) != Status.Defaulted) _prove(id);
            if ((settleMask >> k) & 1 == 1) market.settle(_one(id), k % 2 == 0 ? keeper : provider);
            if (ends && k == 2 && market.statusOf(id) == Status.Open) _terminate(client);
        }
        vm.roll(first + 4 * PERIOD);
        market.settle(_one(id), keeper);
        uint256 rest = _wealth(client) + _wealth(provider) + _wealth(keeper);
        assertEq(rest + lens.totalsOf(id).fee, before, "the fee is all that leaves");
        assertEq(_inDeal(), 0);
    }

    /// A provider that is its own client pays the fee for nothing.
    function testADealWithOneselfOnlyCosts() public {
        DealTerms memory terms = _standard();
        terms.client = provider;
        uint256 before = _wealth(provider);
        uint256 own = _open(terms);
        vm.roll(first + 1);
        _prove(own);
        vm.roll(first + 4 * PERIOD);
        market.settle(_one(own), provider);
        assertEq(_wealth(provider), before - lens.totalsOf(own).fee);
        assertGt(lens.totalsOf(own).fee, 0);
    }

    // Odd receivers

    /// Payee, owner and receiver of bounties are contracts that refuse everything: nothing is held up.
    function testNoReceiverBlocksASettlement() public {
        address[4] memory odd = [address(market), address(vault), address(registry), address(plain)];
        for (uint256 i; i < odd.length; ++i) {
            DealTerms memory terms = _standard();
            terms.salt = bytes32(i + 1);
            terms.collateral = 3000;
            uint256 deal = _open(terms);
            vm.prank(client);
            market.transferFrom(client, address(plain), deal);
            vm.prank(provider);
            registry.setPayee(odd[i]);
            (uint256 start, ) = lens.windowOf(deal, 1);
            vm.roll(start + 1);
            _prove(deal);
            vm.roll(start + 4 * PERIOD);
            uint256 had = _claims(address(plain));
            market.settle(_one(deal), odd[(i + 1) % 4]);
            Totals memory t = lens.totalsOf(deal);
            assertEq(uint256(market.statusOf(deal)), uint256(Status.Defaulted));
            assertEq(t.escrow + t.stake, 0);
            assertGe(_claims(address(plain)), had + t.compensation + t.refunded);
        }
    }

    /// Claims given to the market are no escrow: nobody can open on them, and no deal pays them out.
    function testADonationIsNobodysEscrow() public {
        vm.prank(client);
        vault.transfer(address(market), uint160(address(plain)), 1_000_000);
        uint256 escrow = vault.escrowOf(address(market), address(plain));
        assertEq(escrow, lens.totalsOf(id).escrow);
        DealTerms memory terms = _standard();
        terms.client = address(0xbeef);
        bytes memory signature = _sign(provider, market.dealIdOf(terms));
        vm.startPrank(address(0xbeef));
        vault.setOperator(address(market), true);
        vm.expectPartialRevert(ERC6909.ERC6909InsufficientBalance.selector);
        market.open(terms, "", signature);
        vm.stopPrank();
        vm.roll(first + 4 * PERIOD);
        market.settle(_one(id), keeper);
        assertEq(_claims(address(market)), 1_000_000);
        assertEq(vault.escrowOf(address(market), address(plain)), 0);
    }

    // Stake

    function testStakeCannotBackTwoDeals() public {
        DealTerms memory terms = _standard();
        (uint256 free, uint256 locked) = registry.provisionOf(provider, address(market), address(plain));
        assertEq(locked, terms.collateral);
        terms.salt = bytes32("second");
        terms.collateral = uint128(free + 1);
        bytes memory signature = _sign(provider, market.dealIdOf(terms));
        vm.prank(client);
        vm.expectRevert(
            abi.encodeWithSelector(
                IProviderRegistry.InsufficientStake.selector,
                provider,
                address(market),
                address(plain),
                free,
                free + 1
            )
        );
        market.open(terms, "", signature);
    }

    /// A miss is slashed however late it is settled: the stake can't leave in between.
    function testStakeCannotLeaveBeforeTheSlash() public {
        vm.roll(first + WINDOW + 1);
        (uint256 free, ) = registry.provisionOf(provider, address(market), address(plain));
        vm.startPrank(provider);
        registry.unprovision(address(market), address(plain), free);
        vm.expectPartialRevert(IProviderRegistry.InsufficientStake.selector);
        registry.unprovision(address(market), address(plain), 1);
        vm.stopPrank();
        market.settle(_one(id), keeper);
        assertEq(lens.totalsOf(id).slashed, share);
    }

    /// A contract that calls itself a market reaches nothing but what was provisioned to it.
    function testAForeignMarketReachesNothing() public {
        StorageMarket foreign = _newMarket();
        vm.startPrank(address(foreign));
        vm.expectRevert(
            abi.encodeWithSelector(
                IProviderRegistry.InsufficientLocked.selector,
                provider,
                address(foreign),
                address(plain),
                0,
                1
            )
        );
        registry.slash(provider, address(plain), keeper, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IVault.InsufficientEscrow.selector, address(foreign), address(plain), 0, 1)
        );
        vault.pay(keeper, address(plain), 1);
        vm.stopPrank();
    }

    // Re-entry

    /// A receiver that ends, sells back and settles the deal while it is handed over gets what any owner gets, once.
    function testAReceiverGainsNothingByReentering() public {
        GreedyReceiver receiver = new GreedyReceiver();
        receiver.arm(abi.encodeCall(market.terminate, (id)));
        receiver.arm(abi.encodeCall(market.terminate, (id)));
        receiver.arm(abi.encodeCall(market.settle, (_one(id), address(receiver))));
        receiver.arm(abi.encodeCall(market.transferFrom, (address(receiver), other, id)));
        vm.roll(first + WINDOW + 1);
        vm.prank(client);
        market.safeTransferFrom(client, address(receiver), id);
        assertEq(receiver.succeeded(), 3, "the second ending is refused");
        assertEq(market.ownerOf(id), other);
        // The miss before the sale is the seller's; the refund of the ending the receiver's.
        assertEq(_claims(address(receiver)), 2 * price);
        assertEq(lens.totalsOf(id).refunded, 2 * price);
        assertEq(_claims(client), WEALTH - 4 * price + share - share / 20 + share / 20);
    }

    /// A withdrawal of coins hands over control: the books are right by then, and the vault is locked.
    function testAWithdrawalCannotBeReentered() public {
        Reentrant thief = new Reentrant();
        vm.deal(address(thief), 100);
        thief.execute{value: 0}(address(vault), abi.encodeCall(vault.setOperator, (address(market), true)));
        vm.prank(client);
        vault.transfer(address(thief), 0, 100);
        thief.arm(address(vault), abi.encodeCall(vault.withdraw, (NATIVE, address(thief), 100)));
        thief.execute(address(vault), abi.encodeCall(vault.withdraw, (NATIVE, address(thief), 100)));
        assertTrue(thief.fired());
        assertFalse(thief.succeeded());
        assertEq(bytes4(thief.answer()), ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector);
        assertEq(address(thief).balance, 200);
    }
}
