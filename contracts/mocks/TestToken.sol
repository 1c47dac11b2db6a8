// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title A token for tests and demos that anybody can mint
/// @dev ERC-2612 and EIP-3009, the latter with 65-byte signatures in two forms as USD Coin has them, since x402 clients
/// use either. Its EIP-712 domain is (name, "1").
contract TestToken is ERC20, ERC20Permit, ERC3009 {
    uint8 private immutable _decimals;

    constructor(string memory name_, string memory symbol_, uint8 decimals_) ERC20(name_, symbol_) ERC20Permit(name_) {
        _decimals = decimals_;
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    /// @notice As the form with v, r and s; accounts that are contracts sign by ERC-1271.
    function transferWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        bytes32 typeHash = TRANSFER_WITH_AUTHORIZATION_TYPEHASH;
        _checkSignature(from, abi.encode(typeHash, from, to, value, validAfter, validBefore, nonce), signature);
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    /// @notice As the form with v, r and s; accounts that are contracts sign by ERC-1271.
    function receiveWithAuthorization(
        address from,
        address to,
        uint256 value,
        uint256 validAfter,
        uint256 validBefore,
        bytes32 nonce,
        bytes calldata signature
    ) external {
        if (to != msg.sender) revert ERC20InvalidReceiver(to);
        bytes32 typeHash = RECEIVE_WITH_AUTHORIZATION_TYPEHASH;
        _checkSignature(from, abi.encode(typeHash, from, to, value, validAfter, validBefore, nonce), signature);
        _transferWithAuthorization(from, to, value, validAfter, validBefore, nonce);
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    function _checkSignature(address from, bytes memory message, bytes calldata signature) private view {
        bytes32 digest = _hashTypedDataV4(keccak256(message));
        if (!SignatureChecker.isValidSignatureNowCalldata(from, digest, signature)) revert ERC3009InvalidSignature();
    }
}
