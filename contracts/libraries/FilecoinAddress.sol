// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

/// @title Addresses on Filecoin
library FilecoinAddress {
    /// @notice Whether `account` is the alias of an actor id: 0xff, eleven zero bytes, the id (FIP-0054).
    /// @dev One actor has an Ethereum address and an alias, so an account under its alias would be a second account of
    /// it that it cannot sign for. Refused everywhere: on other chains nobody has such an address.
    function isIdAlias(address account) internal pure returns (bool) {
        return uint160(account) >> 64 == 0xff0000000000000000000000;
    }

    /// @notice Whether `account` can own anything in the protocol: neither zero nor an id alias.
    function isAccount(address account) internal pure returns (bool) {
        return account != address(0) && !isIdAlias(account);
    }
}
