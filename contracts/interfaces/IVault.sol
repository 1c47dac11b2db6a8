// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IERC6909} from "@openzeppelin/contracts/interfaces/IERC6909.sol";

/// @title The vault: where all money of the protocol lies
/// @notice Holds tokens and keeps two books on them. Accounts are ERC-6909 claims (id = token address, the native coin
/// is id 0) that their holder can withdraw at any time. Escrow is what contracts hold for others: it is entered only by
/// the contract that keeps it, so nobody can add to it from outside and a contract's escrow always equals its
/// liabilities. Tokens move at deposit and at withdrawal only; between these, money is arithmetic, and no token,
/// blocklist or receiver hook can stop a payment.
/// @dev Moving a claim into escrow burns it and paying from escrow mints it, in ERC-6909 terms: the Transfer events
/// add up to the balances at any time. The escrow follows from them as well, so `hold` and `pay` have no events of
/// their own: a Transfer to zero that is not followed at once by `Withdrawn` adds to the escrow of its caller, one from
/// zero that is not followed at once by `Deposited` is paid out of it. Tokens whose balances shrink by themselves are
/// not supported: their own holders bear it, no other token does.
interface IVault is IERC6909 {
    /// @notice `amount` of `token` arrived from `from` and was credited to `to`.
    event Deposited(address indexed token, address indexed from, address indexed to, uint256 amount);
    /// @notice `amount` of `token` left the claims of `from` and was sent to `to`.
    event Withdrawn(address indexed token, address indexed from, address indexed to, uint256 amount);
    /// @notice `owner` used up `nonce`: what it signed with it is void.
    event NonceUsed(address indexed owner, uint256 nonce);

    /// @notice The coin sent along is not the amount named (zero for a token).
    error WrongValue(uint256 sent, uint256 expected);
    /// @notice Nothing arrived, or nothing was asked for.
    error ZeroAmount();
    /// @notice More than 128 bits at once. So no sum in the books can overflow, whatever a token says of itself, and no
    /// payment can fail on it.
    error AmountTooLarge(uint256 amount);
    /// @notice The account is zero, the vault, or an alias of a Filecoin id address, and could never withdraw.
    error InvalidAccount(address account);
    /// @notice The token has no code, or is named by an alias of a Filecoin id address: a token has one book.
    error NotAToken(address token);
    /// @notice The token refused the permit or did not use it, and the sender is not the owner, who needs none.
    error PermitRefused(address owner, address token);
    /// @notice The signature's time is over.
    error SignatureExpired(uint256 deadline);
    /// @notice The signature is not one of `owner` over this approval.
    error InvalidSignature(address owner);
    /// @notice `holder` holds less than this in escrow.
    error InsufficientEscrow(address holder, address token, uint256 held, uint256 needed);

    /// @notice Deposits tokens of the sender, or the coin sent along (`token` zero), into the account of `to`.
    /// @return credited What arrived, in base units: less than `amount` where the token takes a fee.
    function deposit(address token, address to, uint256 amount) external payable returns (uint256 credited);

    /// @notice As `deposit` into the sender's own account, and approves `operator` (a market, say) in the same call.
    function depositAndApprove(
        address token,
        uint256 amount,
        address operator
    ) external payable returns (uint256 credited);

    /// @notice Deposits tokens of `owner` into the account of `owner`, by ERC-2612 permit, whoever submits it.
    /// @dev A permit that somebody else has already submitted fails in the token: the deposit goes on where the sender
    /// is the owner, and reverts `PermitRefused` otherwise, so that a standing allowance is nobody else's to use. For
    /// others the token's `nonces(owner)` must move, too: some tokens answer any call (WETH9) and check nothing.
    function depositWithPermit(
        address token,
        address owner,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256 credited);

    /// @notice Deposits tokens of `from` into the account of `from`, by EIP-3009 `receiveWithAuthorization`.
    /// @dev Whoever submits it first, `from` is credited; the second fails in the token.
    function depositWithAuthorization(
        address token,
        address from,
        uint256 amount,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint256 credited);

    /// @notice Withdraws from the sender's account: tokens, or the coin where `token` is zero, are sent to `to`.
    function withdraw(address token, address to, uint256 amount) external;

    /// @notice Sets or takes back an operator by the owner's EIP-712 signature (ERC-1271 accounts as well) over
    /// `SetOperator(address owner,address operator,bool approved,uint256 nonce,uint256 deadline)`, submitted by anyone.
    /// @dev Where the nonce is used and the state is as wished (somebody submitted it first), nothing happens.
    function setOperatorWithSignature(
        address owner,
        address operator,
        bool approved,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external;

    /// @notice Uses up the sender's nonce, so that what it signed with it can't be submitted any more.
    function useNonce() external;

    /// @notice Takes claims of `from` into the sender's escrow: the sender is `from`, its operator, or has its
    /// allowance.
    function hold(address from, address token, uint256 amount) external;

    /// @notice Pays out of the sender's escrow into the account of `to`.
    /// @dev With enough in escrow it fails for two receivers only, zero and an alias of a Filecoin id address: a caller
    /// that must not fail checks these when it learns of the receiver.
    function pay(address to, address token, uint256 amount) external;

    /// @notice What `holder` holds in escrow, in base units.
    function escrowOf(address holder, address token) external view returns (uint256);

    /// @notice The next nonce for `setOperatorWithSignature` of `owner`.
    function nonces(address owner) external view returns (uint256);

    /// @notice EIP-712 domain separator.
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32);
}
