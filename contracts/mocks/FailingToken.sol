// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {TestToken} from "./TestToken.sol";

/// @title A token whose transfers fail on demand, by returning false or by reverting
contract FailingToken is TestToken {
    enum Mode {
        Works,
        ReturnsFalse,
        Reverts
    }

    error TransferFailed();

    Mode public mode;

    constructor() TestToken("Failing Token", "FAIL", 18) {}

    function setMode(Mode mode_) external {
        mode = mode_;
    }

    function transfer(address to, uint256 value) public override returns (bool) {
        return _works() && super.transfer(to, value);
    }

    function transferFrom(address from, address to, uint256 value) public override returns (bool) {
        return _works() && super.transferFrom(from, to, value);
    }

    function _works() private view returns (bool) {
        if (mode == Mode.Reverts) revert TransferFailed();
        return mode == Mode.Works;
    }
}
