// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/interfaces/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {ERC6909} from "@openzeppelin/contracts/token/ERC6909/ERC6909.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {IVault} from "./interfaces/IVault.sol";
import {FilecoinAddress} from "./libraries/FilecoinAddress.sol";

/// @title The vault
/// @dev Only functions that move tokens are guarded against re-entry: what a token or receiver can call meanwhile is
/// arithmetic on books that are already right. `multicall` takes no coin, so no value is counted twice.
contract Vault is IVault, ERC6909, EIP712, Nonces, Multicall, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    bytes32 private constant SET_OPERATOR_TYPEHASH = keccak256(
        "SetOperator(address owner,address operator,bool approved,uint256 nonce,uint256 deadline)"
    );

    /// @dev A struct of one word: a pointer to it is computed once, for reading and writing.
    struct Escrow {
        uint256 amount;
    }

    mapping(address holder => mapping(address token => Escrow)) private _escrow;

    constructor() EIP712("Holdfast Vault", "1") {}

    /// @inheritdoc IVault
    function deposit(
        address token,
        address to,
        uint256 amount
    ) external payable nonReentrant returns (uint256 credited) {
        return _deposit(token, to, amount);
    }

    /// @inheritdoc IVault
    function depositAndApprove(
        address token,
        uint256 amount,
        address operator
    ) external payable nonReentrant returns (uint256 credited) {
        _setOperator(msg.sender, operator, true);
        return _deposit(token, msg.sender, amount);
    }

    /// @inheritdoc IVault
    function depositWithPermit(
        address token,
        address owner,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external nonReentrant returns (uint256 credited) {
        uint256 balance = _before(token, owner);
        _permit(token, owner, amount, deadline, v, r, s);
        IERC20(token).safeTransferFrom(owner, address(this), amount);
        return _credit(token, owner, owner, balance);
    }

    /// @inheritdoc IVault
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
    ) external nonReentrant returns (uint256 credited) {
        uint256 balance = _before(token, from);
        IERC3009(token).receiveWithAuthorization(from, address(this), amount, validAfter, validBefore, nonce, v, r, s);
        return _credit(token, from, from, balance);
    }

    /// @inheritdoc IVault
    function withdraw(address token, address to, uint256 amount) external nonReentrant {
        _requireAccount(to);
        if (amount == 0) revert ZeroAmount();
        _burn(msg.sender, _id(token), amount);
        emit Withdrawn(token, msg.sender, to, amount);
        if (token == address(0)) Address.sendValue(payable(to), amount);
        else IERC20(token).safeTransfer(to, amount);
    }

    /// @inheritdoc IVault
    function setOperatorWithSignature(
        address owner,
        address operator,
        bool approved,
        uint256 nonce,
        uint256 deadline,
        bytes calldata signature
    ) external {
        if (nonce < nonces(owner) && isOperator(owner, operator) == approved) return;
        if (block.timestamp > deadline) revert SignatureExpired(deadline);
        _useCheckedNonce(owner, nonce);
        bytes32 digest = _hashTypedDataV4(
            keccak256(abi.encode(SET_OPERATOR_TYPEHASH, owner, operator, approved, nonce, deadline))
        );
        if (!SignatureChecker.isValidSignatureNowCalldata(owner, digest, signature)) revert InvalidSignature(owner);
        emit NonceUsed(owner, nonce);
        _setOperator(owner, operator, approved);
    }

    /// @inheritdoc IVault
    function useNonce() external {
        emit NonceUsed(msg.sender, _useNonce(msg.sender));
    }

    /// @inheritdoc IVault
    function hold(address from, address token, uint256 amount) external {
        uint256 id = _id(token);
        if (from != msg.sender && !isOperator(from, msg.sender)) _spendAllowance(from, msg.sender, id, amount);
        _burn(from, id, amount);
        unchecked {
            // Deposits are at most 2^128 each, so it would take 2^128 of them to overflow a sum of claims.
            _escrow[msg.sender][token].amount += amount;
        }
    }

    /// @inheritdoc IVault
    function pay(address to, address token, uint256 amount) external {
        Escrow storage escrow = _escrow[msg.sender][token];
        uint256 held = escrow.amount;
        if (held < amount) revert InsufficientEscrow(msg.sender, token, held, amount);
        unchecked {
            // amount <= held
            escrow.amount = held - amount;
        }
        _mint(to, _id(token), amount);
    }

    /// @inheritdoc IVault
    function escrowOf(address holder, address token) external view returns (uint256) {
        return _escrow[holder][token].amount;
    }

    /// @inheritdoc IVault
    function nonces(address owner) public view override(IVault, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    /// @inheritdoc IVault
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @dev Claims go to nobody who could not sign for them. Zero is ERC-6909's burning and checked there.
    function _update(address from, address to, uint256 id, uint256 amount) internal override {
        if (FilecoinAddress.isIdAlias(to)) revert InvalidAccount(to);
        super._update(from, to, id, amount);
    }

    function _deposit(address token, address to, uint256 amount) private returns (uint256 credited) {
        if (token == address(0)) {
            _requireAccount(to);
            if (msg.value != amount) revert WrongValue(msg.value, amount);
            return _creditAmount(token, msg.sender, to, amount);
        }
        if (msg.value != 0) revert WrongValue(msg.value, 0);
        uint256 balance = _before(token, to);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        return _credit(token, msg.sender, to, balance);
    }

    /// @dev What the vault has before tokens arrive for `to`, once both are found fit.
    function _before(address token, address to) private view returns (uint256 balance) {
        _requireAccount(to);
        // Under a Filecoin id alias the token's own code answers: it would have two books.
        if (token.code.length == 0 || FilecoinAddress.isIdAlias(token)) revert NotAToken(token);
        return IERC20(token).balanceOf(address(this));
    }

    function _credit(address token, address from, address to, uint256 balance) private returns (uint256 credited) {
        uint256 balanceNow = IERC20(token).balanceOf(address(this));
        return _creditAmount(token, from, to, balanceNow > balance ? balanceNow - balance : 0);
    }

    function _creditAmount(address token, address from, address to, uint256 amount) private returns (uint256) {
        if (amount == 0) revert ZeroAmount();
        if (amount > type(uint128).max) revert AmountTooLarge(amount);
        _mint(to, _id(token), amount);
        emit Deposited(token, from, to, amount);
        return amount;
    }

    function _permit(
        address token,
        address owner,
        uint256 amount,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) private {
        bool own = owner == msg.sender;
        uint256 nonce = own ? 0 : _permitNonce(token, owner);
        try IERC20Permit(token).permit(owner, address(this), amount, deadline, v, r, s) {
            if (own || _permitNonce(token, owner) == nonce + 1) return;
        } catch {
            if (own) return;
        }
        revert PermitRefused(owner, token);
    }

    /// @dev The token's permit nonce of `owner`; a low-level call, since a token without one answers with anything.
    function _permitNonce(address token, address owner) private view returns (uint256) {
        (bool success, bytes memory answer) = token.staticcall(abi.encodeCall(IERC20Permit.nonces, (owner)));
        if (!success || answer.length < 32) revert PermitRefused(owner, token);
        return abi.decode(answer, (uint256));
    }

    function _requireAccount(address account) private view {
        if (!FilecoinAddress.isAccount(account) || account == address(this)) revert InvalidAccount(account);
    }

    function _id(address token) private pure returns (uint256) {
        return uint160(token);
    }
}
