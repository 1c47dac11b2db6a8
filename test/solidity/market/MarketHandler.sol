// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ChangeHandler} from "./ChangeHandler.sol";
import {MarketChecks} from "./MarketChecks.sol";

/// @title What anybody may do to a market: deals, money, stake and keys
abstract contract MarketHandler is ChangeHandler, MarketChecks {
    constructor(uint256 mostDeals_) ChangeHandler(mostDeals_) {}

    function deposit(uint256 x) external action(x) {
        address from = _account();
        address to = _draw(2) == 0 ? from : _account();
        address token = _tokens()[_draw(3)];
        uint256 amount = 1 + _draw(100_000);
        if (token == NATIVE) vm.deal(from, amount);
        else plain.mint(from, amount);
        if (token == address(taxed)) taxed.mint(from, amount);
        vm.startPrank(from);
        if (token == NATIVE) vault.deposit{value: amount}(token, to, amount);
        else vault.deposit(token, to, amount);
        vm.stopPrank();
        claims[to][token] += token == address(taxed) ? amount - amount / 100 : amount;
        ++done["deposit"];
    }

    function withdraw(uint256 x) external action(x) {
        address from = _account();
        address token = _tokens()[_draw(3)];
        uint256 has = claims[from][token];
        uint256 amount = _draw(4) == 0 ? has + 1 : 1 + _draw(1 + has / 50);
        bytes memory data = abi.encodeCall(vault.withdraw, (token, from, amount));
        if (_act("withdraw", from, address(vault), data, amount <= has)) claims[from][token] -= amount;
    }

    /// @dev Claims given to contracts of the protocol, and tokens sent past the books, change nothing for anybody else.
    function donate(uint256 x) external action(x) {
        address from = _account();
        address token = _tokens()[_draw(3)];
        address to = [address(market), address(registry), address(vault), keeper][_draw(4)];
        uint256 amount = 1 + _draw(1000);
        bytes memory data = abi.encodeCall(vault.transfer, (to, uint160(token), amount));
        if (_act("donate", from, address(vault), data, amount <= claims[from][token])) {
            claims[from][token] -= amount;
            claims[to][token] += amount;
        }
        plain.mint(to, amount);
    }

    function stake(uint256 x) external action(x) {
        address provider = providers[_draw(3)];
        address token = _tokens()[_draw(3)];
        bool into = _draw(3) > 0;
        uint256 has = into ? claims[provider][token] : free[provider][token];
        uint256 amount = _draw(5) == 0 ? has + 1 : 1 + _draw(has / (into ? 100 : 2) + 1);
        bytes memory data =
            into
                ? abi.encodeCall(registry.provision, (address(market), token, amount))
                : abi.encodeCall(registry.unprovision, (address(market), token, amount));
        if (!_act(into ? "provision" : "unprovision", provider, address(registry), data, amount <= has)) return;
        claims[provider][token] = into ? has - amount : claims[provider][token] + amount;
        free[provider][token] = into ? free[provider][token] + amount : has - amount;
    }

    function setPayee(uint256 x) external action(x) {
        address provider = providers[_draw(3)];
        address[6] memory odd = [provider, address(market), address(vault), address(registry), keeper, ALIAS];
        address payee = odd[_draw(6)];
        bytes memory data = abi.encodeCall(registry.setPayee, (payee));
        if (_act("setPayee", provider, address(registry), data, payee != ALIAS)) payees[provider] = payee;
    }

    function setSigner(uint256 x) external action(x) {
        address provider = providers[_draw(3)];
        address retired = retiredSigners[provider];
        bool again = retired != address(0) && _draw(3) == 0;
        address signer = again ? retired : _newKey();
        bytes memory data = abi.encodeCall(registry.setSigner, (signer));
        if (!_act("setSigner", provider, address(registry), data, !again)) return;
        if (signers[provider] != address(0)) retiredSigners[provider] = signers[provider];
        signers[provider] = signer;
    }

    /// @notice Every action, by selector.
    function actions() external pure returns (bytes4[] memory list) {
        bytes4[19] memory all = [
            this.open.selector,
            this.cancel.selector,
            this.pass.selector,
            this.prove.selector,
            this.proveBatch.selector,
            this.proveWrongly.selector,
            this.settle.selector,
            this.extend.selector,
            this.restore.selector,
            this.terminate.selector,
            this.amend.selector,
            this.migrate.selector,
            this.transfer.selector,
            this.deposit.selector,
            this.withdraw.selector,
            this.donate.selector,
            this.stake.selector,
            this.setPayee.selector,
            this.setSigner.selector
        ];
        list = new bytes4[](all.length);
        for (uint256 i; i < all.length; ++i) list[i] = all[i];
    }

    /// @notice 11. Whatever has happened: a settlement, taking back stake and a withdrawal give each party all of its
    /// own, from the block after the last window of its deals. Nothing is left in between.
    function leave() external {
        uint256 end = _now();
        for (uint256 i; i < ids.length; ++i) {
            uint256 last = _epoch(ids[i], windows[ids[i]].length) + _tierOf(ids[i]).window;
            if (last >= end) end = last + 1;
        }
        _begin(end);
        _advance(end);
        for (uint256 i; i < ids.length; ++i) {
            market.settle(_one(ids[i]), address(0));
            _book(ids[i], address(0));
            assertTrue(_isTerminal(market.statusOf(ids[i])), "terminal at the end");
        }
        address[3] memory tokens = _tokens();
        for (uint256 i; i < 3; ++i) _leave(tokens[i]);
    }

    function _leave(address token) private {
        uint256 stuck =
            vault.balanceOf(address(market), uint160(token)) + vault.balanceOf(address(vault), uint160(token));
        stuck += vault.balanceOf(address(registry), uint160(token));
        for (uint256 i; i < providers.length; ++i) {
            (uint256 free_, uint256 locked) = registry.provisionOf(providers[i], address(market), token);
            assertEq(locked, 0, "locked at the end");
            assertEq(free_, free[providers[i]][token], "free at the end");
            if (free_ == 0) continue;
            vm.prank(providers[i]);
            registry.unprovision(address(market), token, free_);
            claims[providers[i]][token] += free_;
        }
        assertEq(vault.escrowOf(address(market), token), 0, "escrow at the end");
        assertEq(vault.escrowOf(address(registry), token), 0, "stake at the end");
        uint256 before = token == NATIVE ? address(vault).balance : _balance(token, address(vault));
        uint256 left;
        for (uint256 i; i < accounts.length; ++i) {
            address account = accounts[i];
            uint256 has = claims[account][token];
            bool own = account == address(market) || account == address(vault) || account == address(registry);
            if (own || has == 0) continue;
            vm.prank(account);
            vault.withdraw(token, account, has);
            claims[account][token] = 0;
            left += has;
        }
        uint256 rest = token == NATIVE ? address(vault).balance : _balance(token, address(vault));
        assertEq(before - rest, left, "withdrawn");
        if (token != address(plain)) assertEq(rest, stuck, "what was given to contracts");
    }

    /// @dev An account with money of its own; the others are contracts of the protocol.
    function _account() private returns (address) {
        return accounts[5 + _draw(accounts.length - 5)];
    }
}
