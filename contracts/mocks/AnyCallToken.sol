// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A token that answers any call without doing anything, as WETH9 does
/// @dev Its "permit" succeeds whatever the signature.
contract AnyCallToken is ERC20("Any Call Token", "ANY") {
    fallback() external {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}
