// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {TestToken} from "./TestToken.sol";

/// @title A token that refuses listed accounts, as USD Coin does
contract BlocklistToken is TestToken {
    error Blocked(address account);

    mapping(address account => bool) public blocked;

    constructor() TestToken("Blocklist Token", "BLOCK", 6) {}

    function setBlocked(address account, bool on) external {
        blocked[account] = on;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (blocked[from]) revert Blocked(from);
        if (blocked[to]) revert Blocked(to);
        super._update(from, to, value);
    }
}
