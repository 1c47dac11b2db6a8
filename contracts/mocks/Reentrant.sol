// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ITokenHook} from "./HookToken.sol";

/// @title An account that makes one call of its owner's choice while it is paid
contract Reentrant is ITokenHook {
    address private _target;
    bytes private _data;

    /// @notice How the call ended.
    bool public fired;
    bool public succeeded;
    bytes public answer;

    receive() external payable {
        _fire();
    }

    /// @notice Sets the call to make at the next payment.
    function arm(address target, bytes calldata data) external {
        (_target, _data, fired) = (target, data, false);
    }

    /// @notice Calls `target` as this account; a failure is passed on.
    function execute(address target, bytes calldata data) external payable {
        (bool ok, bytes memory result) = target.call{value: msg.value}(data);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(result, 32), mload(result))
        }
    }

    function tokensMoved() external {
        _fire();
    }

    function _fire() private {
        if (_target == address(0) || fired) return;
        fired = true;
        (succeeded, answer) = _target.call(_data);
    }
}
