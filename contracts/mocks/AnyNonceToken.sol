// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {AnyCallToken} from "./AnyCallToken.sol";

/// @title As AnyCallToken, with permit nonces that never move
contract AnyNonceToken is AnyCallToken {
    mapping(address owner => uint256) public nonces;
}
