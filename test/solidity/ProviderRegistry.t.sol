// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {ProviderRegistry} from "../../contracts/ProviderRegistry.sol";
import {Vault} from "../../contracts/Vault.sol";
import {IProviderRegistry, Profile} from "../../contracts/interfaces/IProviderRegistry.sol";
import {TestToken} from "../../contracts/mocks/TestToken.sol";

/// @notice Providers and markets that act on a registry at random, and a model of the stake.
contract RegistryHandler is Test {
    struct Stake {
        uint256 free;
        uint256 locked;
    }

    Vault public immutable vault;
    ProviderRegistry public immutable registry;
    address[] public providers;
    address[] public markets;
    address[] public tokens;

    mapping(address provider => mapping(address market => mapping(address token => Stake))) public stakes;
    mapping(address account => mapping(address token => uint256)) public claims;
    mapping(string action => uint256) public done;
    mapping(string action => uint256) public refused;

    constructor() {
        vault = new Vault();
        registry = new ProviderRegistry(vault);
        for (uint256 i = 0; i < 2; ++i) {
            markets.push(vm.addr(i + 1));
            tokens.push(address(new TestToken("Plain", "PLN", 6)));
        }
        for (uint256 i = 0; i < 3; ++i) {
            address provider = vm.addr(i + 100);
            providers.push(provider);
            vm.startPrank(provider);
            registry.register(Profile("", "", "", "", 1, ""));
            vault.setOperator(address(registry), true);
            vm.stopPrank();
        }
    }

    function deposit(uint256 who, uint256 which, uint120 amount) external {
        (address provider, address token) = (_provider(who), _token(which));
        _fund(provider, token, amount);
        claims[provider][token] += amount;
        ++done["deposit"];
    }

    /// @notice Claims that somebody sends to the registry are no stake.
    function donate(uint256 which, uint120 amount) external {
        _fund(address(registry), _token(which), amount);
        claims[address(registry)][_token(which)] += amount;
        ++done["donate"];
    }

    function provision(uint256 who, uint256 where, uint256 which, uint256 amount) external {
        (address provider, address market, address token) = (_provider(who), _market(where), _token(which));
        Stake storage stake = stakes[provider][market][token];
        amount = _amount(amount, claims[provider][token]);
        bool fits = stake.free + stake.locked + amount <= type(uint128).max;
        bool fine = amount != 0 && amount <= claims[provider][token] && fits;
        vm.prank(provider);
        try registry.provision(market, token, amount) {
            claims[provider][token] -= amount;
            stake.free += amount;
            _count("provision", fine, true);
        } catch {
            _count("provision", fine, false);
        }
    }

    function unprovision(uint256 who, uint256 where, uint256 which, uint256 amount) external {
        (address provider, address market, address token) = (_provider(who), _market(where), _token(which));
        Stake storage stake = stakes[provider][market][token];
        amount = _amount(amount, stake.free);
        bool fine = amount != 0 && amount <= stake.free;
        vm.prank(provider);
        try registry.unprovision(market, token, amount) {
            claims[provider][token] += amount;
            stake.free -= amount;
            _count("unprovision", fine, true);
        } catch {
            _count("unprovision", fine, false);
        }
    }

    function lock(uint256 who, uint256 where, uint256 which, uint256 amount) external {
        (address provider, address market, address token) = (_provider(who), _market(where), _token(which));
        Stake storage stake = stakes[provider][market][token];
        amount = _amount(amount, stake.free);
        bool fine = amount <= stake.free;
        vm.prank(market);
        try registry.lock(provider, token, amount) {
            stake.free -= amount;
            stake.locked += amount;
            _count("lock", fine, true);
        } catch {
            _count("lock", fine, false);
        }
    }

    function release(uint256 who, uint256 where, uint256 which, uint256 amount) external {
        (address provider, address market, address token) = (_provider(who), _market(where), _token(which));
        Stake storage stake = stakes[provider][market][token];
        amount = _amount(amount, stake.locked);
        bool fine = amount <= stake.locked;
        vm.prank(market);
        try registry.release(provider, token, amount) {
            stake.locked -= amount;
            stake.free += amount;
            _count("release", fine, true);
        } catch {
            _count("release", fine, false);
        }
    }

    function slash(uint256 who, uint256 where, uint256 which, uint256 amount, uint256 to) external {
        (address provider, address market, address token) = (_provider(who), _market(where), _token(which));
        address receiver = to % 2 == 0 ? _provider(to / 2) : _market(to / 2);
        Stake storage stake = stakes[provider][market][token];
        amount = _amount(amount, stake.locked);
        bool fine = amount <= stake.locked;
        vm.prank(market);
        try registry.slash(provider, token, receiver, amount) {
            stake.locked -= amount;
            claims[receiver][token] += amount;
            _count("slash", fine, true);
        } catch {
            _count("slash", fine, false);
        }
    }

    function providerCount() external view returns (uint256) {
        return providers.length;
    }

    function marketCount() external view returns (uint256) {
        return markets.length;
    }

    function tokenCount() external view returns (uint256) {
        return tokens.length;
    }

    function _fund(address account, address token, uint120 amount) private {
        if (amount == 0) return;
        TestToken(token).mint(address(this), amount);
        TestToken(token).approve(address(vault), amount);
        vault.deposit(token, account, amount);
    }

    function _count(string memory action, bool foretold, bool passed) private {
        assertEq(passed, foretold, action);
        if (passed) ++done[action];
        else ++refused[action];
    }

    function _provider(uint256 seed) private view returns (address) {
        return providers[seed % providers.length];
    }

    function _market(uint256 seed) private view returns (address) {
        return markets[seed % markets.length];
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
        return (seed / 16) % (most / 2 + 1);
    }
}

contract ProviderRegistryInvariantTest is Test {
    RegistryHandler private handler;
    ProviderRegistry private registry;
    Vault private vault;

    function setUp() public {
        handler = new RegistryHandler();
        (registry, vault) = (handler.registry(), handler.vault());
        targetContract(address(handler));
        bytes4[] memory selectors = new bytes4[](7);
        selectors[0] = RegistryHandler.deposit.selector;
        selectors[1] = RegistryHandler.donate.selector;
        selectors[2] = RegistryHandler.provision.selector;
        selectors[3] = RegistryHandler.unprovision.selector;
        selectors[4] = RegistryHandler.lock.selector;
        selectors[5] = RegistryHandler.release.selector;
        selectors[6] = RegistryHandler.slash.selector;
        targetSelector(FuzzSelector(address(handler), selectors));
    }

    /// @notice The registry's escrow is the sum of all stake to the unit, and each stake is what its own acts made it.
    /// forge-config: default.invariant.runs = 16
    /// forge-config: default.invariant.depth = 400
    /// forge-config: default.invariant.fail-on-revert = true
    function invariant_escrowIsTheSumOfAllStake() public view {
        for (uint256 t = 0; t < handler.tokenCount(); ++t) {
            address token = handler.tokens(t);
            uint256 sum = 0;
            for (uint256 p = 0; p < handler.providerCount(); ++p) {
                for (uint256 m = 0; m < handler.marketCount(); ++m) {
                    sum += _checkedStake(handler.providers(p), handler.markets(m), token);
                }
                address provider = handler.providers(p);
                assertEq(vault.balanceOf(provider, uint160(token)), handler.claims(provider, token));
            }
            for (uint256 m = 0; m < handler.marketCount(); ++m) {
                address market = handler.markets(m);
                assertEq(vault.balanceOf(market, uint160(token)), handler.claims(market, token));
            }
            assertEq(vault.escrowOf(address(registry), token), sum);
            assertEq(vault.balanceOf(address(registry), uint160(token)), handler.claims(address(registry), token));
        }
    }

    /// @dev A run that did nothing proves nothing.
    function afterInvariant() public view {
        string[5] memory passed = ["provision", "unprovision", "lock", "release", "slash"];
        for (uint256 i = 0; i < passed.length; ++i) {
            assertGt(handler.done(passed[i]), 2, passed[i]);
        }
    }

    function _checkedStake(address provider, address market, address token) private view returns (uint256) {
        (uint256 free, uint256 locked) = registry.provisionOf(provider, market, token);
        (uint256 modelFree, uint256 modelLocked) = handler.stakes(provider, market, token);
        assertEq(free, modelFree);
        assertEq(locked, modelLocked);
        return free + locked;
    }
}

contract ProviderRegistryFuzzTest is Test {
    ProviderRegistry private registry = new ProviderRegistry(new Vault());

    /// @notice Against a second, plainer reading of the rule, over random bytes and over near misses.
    function testFuzz_region(bytes6 region, uint256 seed) public {
        _checkRegion(region);
        bytes memory alphabet = "AZ@[09/:-\x00az ";
        bytes memory near = new bytes(6);
        for (uint256 i = 0; i < 6; ++i) {
            near[i] = alphabet[(seed >> (16 * i)) % (i == 2 || seed >> 255 == 0 ? alphabet.length : 2)];
        }
        _checkRegion(bytes6(near));
    }

    function testFuzz_pages(uint8 count, uint256 offset, uint256 limit) public {
        uint256 n = bound(count, 0, 20);
        for (uint256 i = 0; i < n; ++i) {
            vm.prank(vm.addr(i + 1));
            registry.register(Profile("", "", "", "", 0, ""));
        }
        offset = offset % 4 == 0 ? offset : offset % 24;
        limit = limit % 4 == 0 ? limit : limit % 24;
        address[] memory page = registry.providers(offset, limit);
        uint256 left = offset < n ? n - offset : 0;
        assertEq(page.length, limit < left ? limit : left);
        for (uint256 i = 0; i < page.length; ++i) assertEq(page[i], vm.addr(offset + i + 1));
    }

    function _checkRegion(bytes6 region) private {
        address provider = vm.addr(uint256(keccak256(abi.encode(region))) >> 8);
        if (registry.isRegistered(provider)) return;
        if (!_isRegion(region))
            vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.InvalidRegion.selector, region));
        vm.prank(provider);
        registry.register(Profile("", "", "", region, 0, ""));
    }

    function _isRegion(bytes6 region) private pure returns (bool) {
        uint256 length = 6;
        while (length > 0 && region[length - 1] == 0) --length;
        if (length == 0) return true;
        if (length == 1 || length == 3) return false;
        for (uint256 i = 0; i < length; ++i) {
            bool capital = region[i] >= "A" && region[i] <= "Z";
            bool digit = region[i] >= "0" && region[i] <= "9";
            if (i < 2 && !capital) return false;
            if (i == 2 && region[i] != "-") return false;
            if (i > 2 && !capital && !digit) return false;
        }
        return true;
    }
}
