// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

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
    event Registered(address indexed provider, Profile profile);
    event ProfileUpdated(address indexed provider, Profile profile);
    event PayeeSet(address indexed provider, address indexed payee);
    event SignerSet(address indexed provider, address indexed signer);
    event Provisioned(address indexed provider, address indexed market, address indexed token, uint256 amount);
    event Unprovisioned(address indexed provider, address indexed market, address indexed token, uint256 amount);
    event Locked(address indexed provider, address indexed market, address indexed token, uint256 amount);
    event Released(address indexed provider, address indexed market, address indexed token, uint256 amount);
    event Slashed(
        address indexed provider,
        address indexed market,
        address indexed token,
        address to,
        uint256 amount
    );

    error AlreadyRegistered(address provider);
    error NotRegistered(address provider);
    /// @notice A text of the profile is longer than it may be.
    error TextTooLong(uint256 length, uint256 most);
    /// @notice Neither empty nor two capital letters, optionally with a subdivision.
    error InvalidRegion(bytes6 region);
    /// @notice The account is zero, or an alias of a Filecoin id address.
    error InvalidAccount(address account);
    /// @notice A signer that was replaced can't come back: what it signed stays void.
    error SignerRetired(address provider, address signer);
    error ZeroAmount();
    error InsufficientStake(address provider, address market, address token, uint256 free, uint256 needed);
    /// @notice A market asks back more than it locked.
    error InsufficientLocked(address provider, address market, address token, uint256 locked, uint256 needed);
    /// @notice The amounts of one provision must stay within 128 bits.
    error AmountTooLarge(uint256 amount);

    /// @notice Registers the sender. Payee is the sender, no signer.
    function register(Profile calldata profile) external;
    /// @notice Replaces the sender's profile.
    function updateProfile(Profile calldata profile) external;
    /// @notice Where the sender's earnings go, from now on.
    function setPayee(address payee) external;
    /// @notice The key that may accept deals for the sender; zero: none. It moves no money and changes no keys. The old
    /// one is retired for ever, and what it signed that nobody opened is void.
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
    function isRegistered(address provider) external view returns (bool);
    /// @notice The profile; reverts `NotRegistered`.
    function profileOf(address provider) external view returns (Profile memory);
    function providerCount() external view returns (uint256);
    /// @notice Registered providers in order of registration, at most `limit` of them from `offset`.
    function providers(uint256 offset, uint256 limit) external view returns (address[] memory);
}
