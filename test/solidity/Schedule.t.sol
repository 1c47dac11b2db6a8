// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {Schedule, Tier} from "../../contracts/libraries/Schedule.sol";

/// @title The schedule against its definitions, counted one by one
contract ScheduleTest is Test {
    function testFuzz_aPhaseIsASixteenthOfThePeriod(address provider, uint8 tier, uint256 period) public pure {
        period = bound(period, 16, type(uint32).max);
        uint256 phase = Schedule.phase(provider, tier, period);
        assertLt(phase, period);
        assertEq(phase % (period / 16), 0);
        assertEq(phase / (period / 16), uint256(keccak256(abi.encode(provider, tier))) % 16);
    }

    function testFuzz_theFirstEpochIsTheLeastThatFits(uint256 earliest, uint256 phase, uint256 period) public pure {
        period = bound(period, 16, 200);
        phase = bound(phase, 0, 15) * (period / 16);
        earliest = bound(earliest, 1, type(uint48).max);
        uint256 expected = earliest;
        while (expected % period != phase) ++expected;
        assertEq(Schedule.firstEpoch(earliest, phase, period), expected);
    }

    /// Windows that have started, have closed and are open: counted.
    function testFuzz_countersCount(
        uint256 first,
        uint32 period,
        uint32 window,
        uint256 periods,
        uint256 at
    ) public pure {
        Tier memory tier = Tier(uint32(bound(period, 16, 60)), 0, 1, 1);
        tier.window = uint32(bound(window, 1, tier.period - 1));
        first = bound(first, 1, 1000);
        periods = bound(periods, 1, 12);
        at = bound(at, 0, first + (periods + 3) * tier.period);
        uint256 started;
        uint256 closed;
        uint256 open;
        for (uint256 k = 1; k <= periods + 4; ++k) {
            uint256 epoch = first + (k - 1) * tier.period;
            assertEq(Schedule.epochOf(first, tier.period, k), epoch);
            if (epoch < at) ++started;
            if (k > periods) continue;
            if (epoch + tier.window < at) ++closed;
            if (epoch < at && at <= epoch + tier.window) open = k;
        }
        assertEq(Schedule.startedAt(first, tier.period, at), started, "started");
        (uint256 closedAt, uint256 openAt) = Schedule.windowsAt(first, tier, periods, at);
        assertEq(closedAt, closed, "closed");
        assertEq(openAt, open, "open");
    }
}
