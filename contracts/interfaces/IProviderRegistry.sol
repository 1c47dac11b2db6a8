// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IVault} from "./IVault.sol";

/// @notice What a provider tells about itself. Nothing in it is checked by the chain.
/// @param name Display name, at most 64 bytes.
/// @param url Base URL of its HTTP node, at most 256 bytes.
/// @param peerId libp2p peer id, may be empty, at most 64 bytes.
/// @param region ISO 3166-1 alpha-2 code as two ASCII bytes ("DE"), or a 3166-2 code of up to six ("US-CA").
/// @param tiers Bit i is set where it serves tier i; zero: it takes no deals now.
/// @param offerUri Where its signed offers are, at most 256 bytes; empty: `url` + "/offers".
struct Profile {
    string name;
    string url;
    string peerId;
    bytes6 region;
    uint8 tiers;
    string offerUri;
}

/// @title Providers and their stake
/// @notice Who stores, where to reach them, and what they stand for it with. A provider provisions stake to a market;
/// the market's own address is the key, so a market can lock, release and slash only what was provisioned to it, and
/// no contract has a privilege over others.
interface IProviderRegistry {
    /// @notice `provider` registered.
    event Registered(address indexed provider, Profile profile);
    /// @notice `provider` replaced its profile.
    event ProfileUpdated(address indexed provider, Profile profile);
    /// @notice Earnings of `provider` go to `payee` from now on.
    event PayeeSet(address indexed provider, address indexed payee);
    /// @notice `signer` accepts deals for `provider` from now on; the one before it is retired.
    event SignerSet(address indexed provider, address indexed signer);
    /// @notice `provider` put `amount` of stake within reach of `market`: it is free there.
    event Provisioned(address indexed provider, address indexed market, address indexed token, uint256 amount);
    /// @notice `provider` took `amount` of free stake back.
    event Unprovisioned(address indexed provider, address indexed market, address indexed token, uint256 amount);
    /// @notice `market` locked `amount` of free stake.
    event Locked(address indexed provider, address indexed market, address indexed token, uint256 amount);
    /// @notice `market` set `amount` of locked stake free.
    event Released(address indexed provider, address indexed market, address indexed token, uint256 amount);
    /// @notice `market` paid `amount` of locked stake to `to`.
    event Slashed(address indexed provider, address indexed market, address indexed token, address to, uint256 amount);

    /// @notice The provider is registered; `updateProfile` changes its profile.
    error AlreadyRegistered(address provider);
    /// @notice Only a registered provider can do this, or be asked for.
    error NotRegistered(address provider);
    /// @notice A text of the profile is longer than it may be.
    error TextTooLong(uint256 length, uint256 most);
    /// @notice Neither empty nor two capital letters, optionally with a subdivision.
    error InvalidRegion(bytes6 region);
    /// @notice The account is zero or an alias of a Filecoin id address, or can't be what it is to be.
    error InvalidAccount(address account);
    /// @notice A signer that was replaced can't come back: what it signed stays void.
    error SignerRetired(address provider, address signer);
    /// @notice Nothing was asked for.
    error ZeroAmount();
    /// @notice The provider has less free stake with the market.
    error InsufficientStake(address provider, address market, address token, uint256 free, uint256 needed);
    /// @notice A market asks back more than it locked.
    error InsufficientLocked(address provider, address market, address token, uint256 locked, uint256 needed);
    /// @notice Free and locked stake of one provision together must stay within 128 bits.
    error AmountTooLarge(uint256 amount);

    /// @notice Registers the sender. Payee is the sender, no signer.
    function register(Profile calldata profile) external;
    /// @notice Replaces the sender's profile.
    function updateProfile(Profile calldata profile) external;
    /// @notice Where the sender's earnings go, from now on.
    function setPayee(address payee) external;
    /// @notice The key that may accept deals for the sender; zero: none. It moves no money and changes no keys. The old
    /// one is retired for ever, and what it signed that nobody opened is void. The provider itself can't be its signer,
    /// since it could then be retired.
    function setSigner(address signer) external;

    /// @notice Moves stake from the sender's account in the vault to a market's reach. The registry must be an
    /// operator of the sender there.
    function provision(address market, address token, uint256 amount) external;
    /// @notice Takes free stake back into the sender's account in the vault.
    function unprovision(address market, address token, uint256 amount) external;

    /// @notice For a market: free stake provisioned to it becomes locked.
    function lock(address provider, address token, uint256 amount) external;
    /// @notice For a market: locked stake becomes free again.
    function release(address provider, address token, uint256 amount) external;
    /// @notice For a market: locked stake is paid to `to`'s account in the vault.
    function slash(address provider, address token, address to, uint256 amount) external;

    /// @notice The vault that the stake lies in. The registry's escrow there is the sum of all provisions.
    function vault() external view returns (IVault);
    /// @notice What `provider` has provisioned to `market`, in base units.
    function provisionOf(
        address provider,
        address market,
        address token
    ) external view returns (uint256 free, uint256 locked);
    /// @notice Where earnings go: never zero, the provider itself where it set nothing.
    function payeeOf(address provider) external view returns (address);
    /// @notice The registered signer, zero where there is none.
    function signerOf(address provider) external view returns (address);
    /// @notice Whether `signer` was once a signer of `provider` and was replaced.
    function isRetired(address provider, address signer) external view returns (bool);
    /// @notice Whether it ever registered: nobody is struck off.
    function isRegistered(address provider) external view returns (bool);
    /// @notice The profile; reverts `NotRegistered`.
    function profileOf(address provider) external view returns (Profile memory);
    /// @notice The region of its profile, zero where it names none or is not registered: one word read, for contracts.
    function regionOf(address provider) external view returns (bytes6);
    /// @notice How many have registered.
    function providerCount() external view returns (uint256);
    /// @notice Registered providers in order of registration, at most `limit` of them from `offset`.
    function providers(uint256 offset, uint256 limit) external view returns (address[] memory);
}
