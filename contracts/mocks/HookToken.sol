// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {TestToken} from "./TestToken.sol";

/// @title Receives word of every movement of a HookToken from or to itself
interface ITokenHook {
    function tokensMoved() external;
}

/// @title A token that calls the sender before and the receiver after a transfer, as ERC-777 does
contract HookToken is TestToken {
    constructor() TestToken("Hook Token", "HOOK", 18) {}

    mapping(address account => bool) public hooked;

    /// @notice Has the sender of this call told of its transfers from now on.
    function setHook(bool on) external {
        hooked[msg.sender] = on;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (hooked[from]) ITokenHook(from).tokensMoved();
        super._update(from, to, value);
        if (hooked[to]) ITokenHook(to).tokensMoved();
    }
}
