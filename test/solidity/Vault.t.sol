// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {Vault} from "../../contracts/Vault.sol";
import {IVault} from "../../contracts/interfaces/IVault.sol";
import {FilecoinAddress} from "../../contracts/libraries/FilecoinAddress.sol";
import {FeeToken} from "../../contracts/mocks/FeeToken.sol";
import {TestToken} from "../../contracts/mocks/TestToken.sol";

/// @notice Acts on a vault at random and keeps a model of what its books must say. Every call's success is foretold by
/// the model, so a call that passes or fails out of turn fails the test.
contract VaultHandler is Test {
    Vault public immutable vault;
    address[] public accounts;
    address[] public tokens;

    mapping(address account => mapping(address token => uint256)) public claims;
    mapping(address account => mapping(address token => uint256)) public escrow;
    mapping(address token => uint256) public donated;
    mapping(address owner => mapping(address spender => mapping(address token => uint256))) private _allowances;
    mapping(address owner => mapping(address spender => bool)) private _operators;

    mapping(string action => uint256) public done;
    mapping(string action => uint256) public refused;

    constructor() {
        vault = new Vault();
        tokens = [address(0), address(new TestToken("Plain", "PLN", 6)), address(new FeeToken())];
        for (uint256 i = 0; i < 6; ++i) accounts.push(vm.addr(i + 1));
    }

    function deposit(uint256 who, uint256 to, uint256 which, uint128 amount) external {
        (address from, address receiver, address token) = (_account(who), _account(to), _token(which));
        uint256 arrives = token == tokens[2] ? amount - amount / 100 : amount;
        bool fine = arrives != 0;
        if (token == address(0)) {
            vm.deal(from, amount);
        } else {
            TestToken(token).mint(from, amount);
            vm.prank(from);
            TestToken(token).approve(address(vault), amount);
        }
        vm.prank(from);
        try vault.deposit{value: token == address(0) ? amount : 0}(token, receiver, amount) returns (uint256 credited) {
            assertEq(credited, arrives);
            claims[receiver][token] += credited;
            _count("deposit", fine, true);
        } catch {
            _count("deposit", fine, false);
        }
    }

    function withdraw(uint256 who, uint256 to, uint256 which, uint256 amount) external {
        (address from, address receiver, address token) = (_account(who), _account(to), _token(which));
        amount = _amount(amount, claims[from][token]);
        bool fine = amount != 0 && amount <= claims[from][token];
        vm.prank(from);
        try vault.withdraw(token, receiver, amount) {
            claims[from][token] -= amount;
            _count("withdraw", fine, true);
        } catch {
            _count("withdraw", fine, false);
        }
    }

    function transfer(uint256 who, uint256 to, uint256 which, uint256 amount) external {
        (address from, address receiver, address token) = (_account(who), _account(to), _token(which));
        amount = _amount(amount, claims[from][token]);
        bool fine = amount <= claims[from][token];
        vm.prank(from);
        try vault.transfer(receiver, uint160(token), amount) {
            claims[from][token] -= amount;
            claims[receiver][token] += amount;
            _count("transfer", fine, true);
        } catch {
            _count("transfer", fine, false);
        }
    }

    function transferFrom(uint256 who, uint256 of_, uint256 to, uint256 which, uint256 amount) external {
        (address spender, address from, address token) = (_account(who), _account(of_), _token(which));
        address receiver = _account(to);
        amount = _amount(amount, claims[from][token]);
        bool fine = _mayTake(spender, from, token, amount) && amount <= claims[from][token];
        vm.prank(spender);
        try vault.transferFrom(from, receiver, uint160(token), amount) {
            _spend(spender, from, token, amount);
            claims[from][token] -= amount;
            claims[receiver][token] += amount;
            _count("transferFrom", fine, true);
        } catch {
            _count("transferFrom", fine, false);
        }
    }

    function hold(uint256 who, uint256 of_, uint256 which, uint256 amount) external {
        (address holder, address from, address token) = (_account(who), _account(of_), _token(which));
        amount = _amount(amount, claims[from][token]);
        bool fine = _mayTake(holder, from, token, amount) && amount <= claims[from][token];
        vm.prank(holder);
        try vault.hold(from, token, amount) {
            _spend(holder, from, token, amount);
            claims[from][token] -= amount;
            escrow[holder][token] += amount;
            _count("hold", fine, true);
        } catch {
            _count("hold", fine, false);
        }
    }

    function pay(uint256 who, uint256 to, uint256 which, uint256 amount) external {
        (address holder, address receiver, address token) = (_account(who), _account(to), _token(which));
        amount = _amount(amount, escrow[holder][token]);
        bool fine = amount <= escrow[holder][token];
        vm.prank(holder);
        try vault.pay(receiver, token, amount) {
            escrow[holder][token] -= amount;
            claims[receiver][token] += amount;
            _count("pay", fine, true);
        } catch {
            _count("pay", fine, false);
        }
    }

    function setOperator(uint256 who, uint256 spender, bool approved) external {
        (address owner, address operator) = (_account(who), _account(spender));
        vm.prank(owner);
        vault.setOperator(operator, approved);
        _operators[owner][operator] = approved;
        _count("setOperator", true, true);
    }

    function approve(uint256 who, uint256 spender, uint256 which, uint256 amount) external {
        (address owner, address operator, address token) = (_account(who), _account(spender), _token(which));
        amount = _amount(amount, claims[owner][token]);
        vm.prank(owner);
        vault.approve(operator, uint160(token), amount);
        _allowances[owner][operator][token] = amount;
        _count("approve", true, true);
    }

    /// @notice Tokens sent to the vault past its books belong to nobody.
    function donate(uint256 which, uint128 amount) external {
        address token = _token(which);
        if (token == address(0)) vm.deal(address(vault), address(vault).balance + amount);
        else TestToken(token).mint(address(vault), amount);
        donated[token] += amount;
        _count("donate", true, true);
    }

    function accountCount() external view returns (uint256) {
        return accounts.length;
    }

    function tokenCount() external view returns (uint256) {
        return tokens.length;
    }

    /// @notice What the vault has of a token.
    function balance(address token) external view returns (uint256) {
        return token == address(0) ? address(vault).balance : TestToken(token).balanceOf(address(vault));
    }

    function allowanceIsRight(uint256 owner, uint256 spender, uint256 which) external view returns (bool) {
        (address a, address b, address token) = (accounts[owner], accounts[spender], tokens[which]);
        return vault.allowance(a, b, uint160(token)) == _allowances[a][b][token];
    }

    function _count(string memory action, bool foretold, bool passed) private {
        assertEq(passed, foretold, action);
        if (passed) ++done[action];
        else ++refused[action];
    }

    function _mayTake(address spender, address from, address token, uint256 amount) private view returns (bool) {
        return spender == from || _operators[from][spender] || amount <= _allowances[from][spender][token];
    }

    function _spend(address spender, address from, address token, uint256 amount) private {
        if (spender != from && !_operators[from][spender]) _allowances[from][spender][token] -= amount;
    }

    function _account(uint256 seed) private view returns (address) {
        return accounts[seed % accounts.length];
    }

    function _token(uint256 seed) private view returns (address) {
        return tokens[seed % tokens.length];
    }

    /// @dev Mostly within `most`, sometimes beyond, sometimes exactly all or nothing.
    function _amount(uint256 seed, uint256 most) private pure returns (uint256) {
        uint256 kind = seed % 16;
        if (kind == 0) return most;
        if (kind == 1) return most + 1;
        if (kind == 2) return 0;
        return (seed / 16) % (most / 4 + 1);
    }
}

contract VaultInvariantTest is Test {
    VaultHandler private handler;
    Vault private vault;

    function setUp() public {
        handler = new VaultHandler();
        vault = handler.vault();
        targetContract(address(handler));
        bytes4[] memory selectors = new bytes4[](9);
        selectors[0] = VaultHandler.deposit.selector;
        selectors[1] = VaultHandler.withdraw.selector;
        selectors[2] = VaultHandler.transfer.selector;
        selectors[3] = VaultHandler.transferFrom.selector;
        selectors[4] = VaultHandler.hold.selector;
        selectors[5] = VaultHandler.pay.selector;
        selectors[6] = VaultHandler.setOperator.selector;
        selectors[7] = VaultHandler.approve.selector;
        selectors[8] = VaultHandler.donate.selector;
        targetSelector(FuzzSelector(address(handler), selectors));
    }

    /// @notice Claims and escrow of each token are what the vault has of it, less what nobody owns: so never more.
    /// forge-config: default.invariant.runs = 16
    /// forge-config: default.invariant.depth = 400
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_booksAreBackedToTheUnit() public view {
        for (uint256 t = 0; t < handler.tokenCount(); ++t) {
            address token = handler.tokens(t);
            uint256 sum = handler.donated(token);
            for (uint256 i = 0; i < handler.accountCount(); ++i) {
                address account = handler.accounts(i);
                sum += vault.balanceOf(account, uint160(token)) + vault.escrowOf(account, token);
            }
            assertEq(sum, handler.balance(token));
        }
    }

    /// @notice Each account's claims and escrow are what its own acts, and those it allowed, made of them.
    /// forge-config: default.invariant.runs = 16
    /// forge-config: default.invariant.depth = 400
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_booksAreThoseOfTheModel() public view {
        for (uint256 t = 0; t < handler.tokenCount(); ++t) {
            address token = handler.tokens(t);
            for (uint256 i = 0; i < handler.accountCount(); ++i) {
                address account = handler.accounts(i);
                assertEq(vault.balanceOf(account, uint160(token)), handler.claims(account, token));
                assertEq(vault.escrowOf(account, token), handler.escrow(account, token));
                for (uint256 j = 0; j < handler.accountCount(); ++j) assertTrue(handler.allowanceIsRight(i, j, t));
            }
        }
    }

    /// @dev A run that did nothing proves nothing.
    function afterInvariant() public view {
        string[6] memory passed = ["deposit", "withdraw", "transfer", "transferFrom", "hold", "pay"];
        for (uint256 i = 0; i < passed.length; ++i) assertGt(handler.done(passed[i]), 2, passed[i]);
        assertGt(handler.refused("hold"), 0, "no hold was refused");
    }
}

contract VaultFuzzTest is Test {
    Vault private vault = new Vault();
    TestToken private token = new TestToken("Plain", "PLN", 6);

    bytes32 private constant SET_OPERATOR = keccak256(
        "SetOperator(address owner,address operator,bool approved,uint256 nonce,uint256 deadline)"
    );

    function testFuzz_isIdAlias(address account, uint64 actorId) public pure {
        bytes20 raw = bytes20(account);
        bool alias_ = raw[0] == 0xff;
        for (uint256 i = 1; i < 12; ++i) alias_ = alias_ && raw[i] == 0;
        assertEq(FilecoinAddress.isIdAlias(account), alias_);
        assertEq(FilecoinAddress.isAccount(account), !alias_ && account != address(0));

        address idAlias = address(bytes20(abi.encodePacked(hex"ff0000000000000000000000", actorId)));
        assertTrue(FilecoinAddress.isIdAlias(idAlias));
        assertFalse(FilecoinAddress.isAccount(idAlias));
        assertFalse(FilecoinAddress.isAccount(address(0)));
    }

    function testFuzz_whatGoesInComesOut(address owner, address to, uint128 amount, uint128 part) public {
        vm.assume(FilecoinAddress.isAccount(owner) && FilecoinAddress.isAccount(to));
        vm.assume(owner != address(vault) && to != address(vault) && to != owner);
        amount = uint128(bound(amount, 1, type(uint128).max));
        part = uint128(bound(part, 1, amount));
        token.mint(owner, amount);
        vm.startPrank(owner);
        token.approve(address(vault), amount);
        vault.deposit(address(token), owner, amount);
        vault.withdraw(address(token), to, part);
        vm.stopPrank();
        assertEq(token.balanceOf(to), part);
        assertEq(vault.balanceOf(owner, uint160(address(token))), amount - part);
        assertEq(token.balanceOf(address(vault)), amount - part);
    }

    function testFuzz_operatorBySignature(uint256 key, address operator, uint256 deadline, uint256 flip) public {
        key = bound(key, 1, 2 ** 250);
        vm.assume(operator != address(0));
        deadline = bound(deadline, block.timestamp, type(uint256).max);
        address owner = vm.addr(key);
        bytes32 struct_ = keccak256(abi.encode(SET_OPERATOR, owner, operator, true, 0, deadline));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", vault.DOMAIN_SEPARATOR(), struct_));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        bytes memory signature = abi.encodePacked(r, s, v);

        flip = bound(flip, 0, 65 * 8 - 1);
        bytes memory bad = abi.encodePacked(signature);
        bad[flip / 8] ^= bytes1(uint8(1 << (flip % 8)));
        vm.expectRevert(abi.encodeWithSelector(IVault.InvalidSignature.selector, owner));
        vault.setOperatorWithSignature(owner, operator, true, 0, deadline, bad);

        vault.setOperatorWithSignature(owner, operator, true, 0, deadline, signature);
        assertTrue(vault.isOperator(owner, operator));
        assertEq(vault.nonces(owner), 1);
    }
}
