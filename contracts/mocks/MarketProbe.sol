// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/interfaces/IERC20.sol";
import {DealView, IMarketLens} from "../interfaces/IMarketLens.sol";
import {IProviderRegistry} from "../interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "../interfaces/IStorageMarket.sol";
import {IVault} from "../interfaces/IVault.sol";
import {Due, Totals} from "../libraries/DealLedger.sol";

/// @notice All that can be seen of a deal.
struct DealShot {
    DealView record;
    Totals booked;
    Totals settled;
    Due due;
    bool isProven;
    bytes32 stateHash;
    uint256 endedPeriods;
    uint256 endedRefund;
    uint256 extendLast;
    uint256 extendRoom;
    uint256 extendPrice;
    uint256 share;
    uint256 restoreRoom;
}

/// @notice All that can be seen of the money in a token. `claims` and `stake` are by account.
/// @param held What the vault really has.
struct TokenShot {
    uint256 held;
    uint256 marketEscrow;
    uint256 registryEscrow;
    uint256[] claims;
    uint256[] free;
    uint256[] locked;
}

/// @title Everything at one block in one call
/// @notice What tests compare with their model after each step.
contract MarketProbe {
    IMarketLens private immutable _lens;
    IStorageMarket private immutable _market;
    IProviderRegistry private immutable _registry;
    IVault private immutable _vault;

    constructor(IMarketLens lens) {
        _lens = lens;
        _market = lens.market();
        _registry = _market.registry();
        _vault = _market.vault();
    }

    function look(
        uint256[] calldata ids,
        address[] calldata accounts,
        address[] calldata tokens
    ) external view returns (uint256 number, DealShot[] memory deals, TokenShot[] memory money) {
        number = block.number;
        deals = new DealShot[](ids.length);
        for (uint256 i; i < ids.length; ++i) deals[i] = _deal(ids[i]);
        money = new TokenShot[](tokens.length);
        for (uint256 i; i < tokens.length; ++i) money[i] = _token(tokens[i], accounts);
    }

    function _deal(uint256 id) private view returns (DealShot memory shot) {
        shot.record = _lens.dealOf(id);
        shot.booked = _lens.totalsOf(id);
        shot.settled = _lens.totalsNow(id);
        shot.due = _lens.dueOf(id);
        shot.isProven = _market.isProven(id, _market.pieceIdOf(id));
        shot.stateHash = _market.stateHash(id);
        (shot.endedPeriods, shot.endedRefund) = _lens.terminationOf(id);
        (shot.extendLast, shot.extendRoom, shot.extendPrice) = _lens.extensionOf(id);
        (shot.share, shot.restoreRoom) = _lens.restorationOf(id);
    }

    function _token(address token, address[] calldata accounts) private view returns (TokenShot memory shot) {
        shot.held = token == address(0) ? address(_vault).balance : IERC20(token).balanceOf(address(_vault));
        shot.marketEscrow = _vault.escrowOf(address(_market), token);
        shot.registryEscrow = _vault.escrowOf(address(_registry), token);
        shot.claims = new uint256[](accounts.length);
        shot.free = new uint256[](accounts.length);
        shot.locked = new uint256[](accounts.length);
        for (uint256 i; i < accounts.length; ++i) {
            shot.claims[i] = _vault.balanceOf(accounts[i], uint160(token));
            (shot.free[i], shot.locked[i]) = _registry.provisionOf(accounts[i], address(_market), token);
        }
    }
}
