// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {Due, Revision, Stage, Standing, Totals} from "../libraries/DealLedger.sol";
import {IStorageMarket} from "./IStorageMarket.sol";

/// @notice A deal as it is now, where it stands, and who owns it. An amendment whose time has come counts, whether or
/// not anybody has settled.
/// @param revision The amendment that waits (`from` is 0 where none does), and the books of those before.
/// @param successor The deal that this one was moved to, 0: none.
struct DealView {
    address owner;
    address provider;
    bytes32 root;
    uint64 leafCount;
    uint8 tier;
    address token;
    uint256 price;
    uint256 collateral;
    uint256 firstEpoch;
    uint256 periods;
    uint256 maxPeriods;
    uint256 fundedPeriods;
    uint256 proven;
    uint256 lastProven;
    uint256 restored;
    uint256 demandMisses;
    uint256 paidWindows;
    uint256 slashedMisses;
    bool gift;
    Stage stage;
    Standing standing;
    Revision revision;
    uint256 successor;
}

/// @title Reading a market
/// @notice Everything that can be known of a deal at this block, worked out from the market's own records by the
/// market's own libraries. It stores nothing and decides nothing; anybody may deploy another.
/// @dev Kept out of the market to keep that small. All functions revert `UnknownDeal` where there is no such deal.
interface IMarketLens {
    error UnknownDeal(uint256 id);
    /// @notice The deal has no such window.
    error NoSuchWindow(uint256 id, uint256 k);
    /// @notice No window is open that could be proven.
    error NoOpenWindow(uint256 id);

    function market() external view returns (IStorageMarket);
    function dealOf(uint256 id) external view returns (DealView memory);
    /// @notice Several deals at once, for pages; deals that do not exist come back with stage None.
    function dealsOf(uint256[] calldata ids) external view returns (DealView[] memory);
    function standingOf(uint256 id) external view returns (Standing memory);
    /// @notice What `settle` would move now; all zero where nothing would.
    function dueOf(uint256 id) external view returns (Due memory);
    /// @notice Cumulative totals as booked; they stay readable after the end.
    function totalsOf(uint256 id) external view returns (Totals memory);
    /// @notice Totals as they would be if the deal were settled now.
    function totalsNow(uint256 id) external view returns (Totals memory);
    /// @notice e_k of the deal, 1 ≤ k ≤ N, and the last block of the window that follows.
    function windowOf(uint256 id, uint256 k) external view returns (uint256 epoch, uint256 lastBlock);
    /// @notice The open window, its challenge epoch, and the distinct leaves asked for, ascending.
    /// @dev Reverts `SeedUnavailable` where the seed can't be read yet.
    function challengeOf(uint256 id) external view returns (uint256 window, uint256 epoch, uint256[] memory leaves);
    /// @notice What the owner's ending the deal now would leave, in periods, and give back at once.
    function terminationOf(uint256 id) external view returns (uint256 periods, uint256 refund);
    /// @notice The last block at which the deal can be extended (0: not now), the periods that still fit, and the
    /// price of each.
    function extensionOf(uint256 id) external view returns (uint256 lastBlock, uint256 room, uint256 price);
    /// @notice What one share costs to restore, and how many still fit; zero, zero if it can't be restored now.
    function restorationOf(uint256 id) external view returns (uint256 share, uint256 room);
}
