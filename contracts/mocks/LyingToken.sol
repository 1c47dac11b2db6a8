// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title A token that says of any account the balance that it was told to say
contract LyingToken {
    uint256 private _now;
    uint256 private _afterTransfer;

    function setBalances(uint256 now_, uint256 afterTransfer) external {
        (_now, _afterTransfer) = (now_, afterTransfer);
    }

    function transferFrom(address, address, uint256) external returns (bool) {
        _now = _afterTransfer;
        return true;
    }

    function balanceOf(address) external view returns (uint256) {
        return _now;
    }
}
