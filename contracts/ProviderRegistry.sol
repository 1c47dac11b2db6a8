// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IProviderRegistry, Profile} from "./interfaces/IProviderRegistry.sol";
import {IVault} from "./interfaces/IVault.sol";
import {FilecoinAddress} from "./libraries/FilecoinAddress.sol";

/// @title Providers and their stake
/// @dev The registry's escrow in the vault is the sum of all provisions, free and locked, to the wei.
contract ProviderRegistry is IProviderRegistry {
    uint256 private constant MAX_NAME = 64;
    uint256 private constant MAX_PEER_ID = 64;
    uint256 private constant MAX_URL = 256;

    /// @dev A payee of zero: the provider itself.
    struct Provider {
        address payee;
        bool registered;
        address signer;
        Profile profile;
    }

    /// @dev free + locked fits in 128 bits, so that no release can overflow.
    struct Provision {
        uint128 free;
        uint128 locked;
    }

    /// @inheritdoc IProviderRegistry
    IVault public immutable vault;

    mapping(address provider => Provider) private _providers;
    mapping(address provider => mapping(address signer => bool)) private _retired;
    mapping(address provider => mapping(address market => mapping(address token => Provision))) private _provisions;
    address[] private _list;

    modifier onlyRegistered() {
        if (!_providers[msg.sender].registered) revert NotRegistered(msg.sender);
        _;
    }

    constructor(IVault vault_) {
        if (address(vault_).code.length == 0) revert InvalidAccount(address(vault_));
        vault = vault_;
    }

    /// @inheritdoc IProviderRegistry
    function register(Profile calldata profile) external {
        if (FilecoinAddress.isIdAlias(msg.sender)) revert InvalidAccount(msg.sender);
        Provider storage provider = _providers[msg.sender];
        if (provider.registered) revert AlreadyRegistered(msg.sender);
        _check(profile);
        provider.registered = true;
        provider.profile = profile;
        _list.push(msg.sender);
        emit Registered(msg.sender, profile);
    }

    /// @inheritdoc IProviderRegistry
    function updateProfile(Profile calldata profile) external onlyRegistered {
        _check(profile);
        _providers[msg.sender].profile = profile;
        emit ProfileUpdated(msg.sender, profile);
    }

    /// @inheritdoc IProviderRegistry
    function setPayee(address payee) external onlyRegistered {
        if (!FilecoinAddress.isAccount(payee)) revert InvalidAccount(payee);
        _providers[msg.sender].payee = payee;
        emit PayeeSet(msg.sender, payee);
    }

    /// @inheritdoc IProviderRegistry
    function setSigner(address signer) external onlyRegistered {
        if (signer == msg.sender || FilecoinAddress.isIdAlias(signer)) revert InvalidAccount(signer);
        Provider storage provider = _providers[msg.sender];
        address old = provider.signer;
        if (signer == old) return;
        if (_retired[msg.sender][signer]) revert SignerRetired(msg.sender, signer);
        if (old != address(0)) _retired[msg.sender][old] = true;
        provider.signer = signer;
        emit SignerSet(msg.sender, signer);
    }

    /// @inheritdoc IProviderRegistry
    function provision(address market, address token, uint256 amount) external onlyRegistered {
        if (!FilecoinAddress.isAccount(market)) revert InvalidAccount(market);
        if (amount == 0) revert ZeroAmount();
        Provision storage stake = _provisions[msg.sender][market][token];
        uint256 room = type(uint128).max - stake.free - stake.locked;
        if (amount > room) revert AmountTooLarge(amount);
        unchecked {
            // amount <= room
            stake.free += uint128(amount);
        }
        emit Provisioned(msg.sender, market, token, amount);
        vault.hold(msg.sender, token, amount);
    }

    /// @inheritdoc IProviderRegistry
    function unprovision(address market, address token, uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        Provision storage stake = _provisions[msg.sender][market][token];
        uint256 free = stake.free;
        if (amount > free) revert InsufficientStake(msg.sender, market, token, free, amount);
        unchecked {
            // amount <= free
            stake.free = uint128(free - amount);
        }
        emit Unprovisioned(msg.sender, market, token, amount);
        vault.pay(msg.sender, token, amount);
    }

    /// @inheritdoc IProviderRegistry
    function lock(address provider, address token, uint256 amount) external {
        Provision storage stake = _provisions[provider][msg.sender][token];
        (uint256 free, uint256 locked) = (stake.free, stake.locked);
        if (amount > free) revert InsufficientStake(provider, msg.sender, token, free, amount);
        unchecked {
            // amount <= free, and free + locked fits in 128 bits
            (stake.free, stake.locked) = (uint128(free - amount), uint128(locked + amount));
        }
        emit Locked(provider, msg.sender, token, amount);
    }

    /// @inheritdoc IProviderRegistry
    function release(address provider, address token, uint256 amount) external {
        Provision storage stake = _provisions[provider][msg.sender][token];
        (uint256 free, uint256 locked) = (stake.free, stake.locked);
        if (amount > locked) revert InsufficientLocked(provider, msg.sender, token, locked, amount);
        unchecked {
            // amount <= locked, and free + locked fits in 128 bits
            (stake.free, stake.locked) = (uint128(free + amount), uint128(locked - amount));
        }
        emit Released(provider, msg.sender, token, amount);
    }

    /// @inheritdoc IProviderRegistry
    function slash(address provider, address token, address to, uint256 amount) external {
        Provision storage stake = _provisions[provider][msg.sender][token];
        uint256 locked = stake.locked;
        if (amount > locked) revert InsufficientLocked(provider, msg.sender, token, locked, amount);
        unchecked {
            // amount <= locked
            stake.locked = uint128(locked - amount);
        }
        emit Slashed(provider, msg.sender, token, to, amount);
        vault.pay(to, token, amount);
    }

    /// @inheritdoc IProviderRegistry
    function provisionOf(
        address provider,
        address market,
        address token
    ) external view returns (uint256 free, uint256 locked) {
        Provision storage stake = _provisions[provider][market][token];
        return (stake.free, stake.locked);
    }

    /// @inheritdoc IProviderRegistry
    function payeeOf(address provider) external view returns (address) {
        address payee = _providers[provider].payee;
        return payee == address(0) ? provider : payee;
    }

    /// @inheritdoc IProviderRegistry
    function signerOf(address provider) external view returns (address) {
        return _providers[provider].signer;
    }

    /// @inheritdoc IProviderRegistry
    function isRetired(address provider, address signer) external view returns (bool) {
        return _retired[provider][signer];
    }

    /// @inheritdoc IProviderRegistry
    function isRegistered(address provider) external view returns (bool) {
        return _providers[provider].registered;
    }

    /// @inheritdoc IProviderRegistry
    function profileOf(address provider) external view returns (Profile memory) {
        if (!_providers[provider].registered) revert NotRegistered(provider);
        return _providers[provider].profile;
    }

    /// @inheritdoc IProviderRegistry
    function regionOf(address provider) external view returns (bytes6) {
        return _providers[provider].profile.region;
    }

    /// @inheritdoc IProviderRegistry
    function providerCount() external view returns (uint256) {
        return _list.length;
    }

    /// @inheritdoc IProviderRegistry
    function providers(uint256 offset, uint256 limit) external view returns (address[] memory page) {
        uint256 count = _list.length;
        if (offset >= count) return page;
        uint256 left = count - offset;
        page = new address[](limit < left ? limit : left);
        for (uint256 i = 0; i < page.length; ++i) page[i] = _list[offset + i];
    }

    function _check(Profile calldata profile) private pure {
        _checkLength(profile.name, MAX_NAME);
        _checkLength(profile.url, MAX_URL);
        _checkLength(profile.peerId, MAX_PEER_ID);
        _checkLength(profile.offerUri, MAX_URL);
        if (!_isRegion(profile.region)) revert InvalidRegion(profile.region);
    }

    function _checkLength(string calldata text, uint256 most) private pure {
        if (bytes(text).length > most) revert TextTooLong(bytes(text).length, most);
    }

    /// @dev Empty, two capital letters ("DE"), or these with a hyphen and one to three capitals or digits ("US-CA").
    function _isRegion(bytes6 region) private pure returns (bool) {
        if (region == 0) return true;
        if (!_isCapital(region[0]) || !_isCapital(region[1])) return false;
        if (region[2] == 0) return bytes6(region << 16) == 0;
        if (region[2] != "-" || region[3] == 0) return false;
        uint256 i = 3;
        while (i < 6 && (_isCapital(region[i]) || (region[i] >= "0" && region[i] <= "9"))) ++i;
        return i == 6 || bytes6(region << (8 * i)) == 0;
    }

    function _isCapital(bytes1 letter) private pure returns (bool) {
        return letter >= "A" && letter <= "Z";
    }
}
