// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {
    Course,
    DealLedger,
    Due,
    Money,
    Revision,
    Stage,
    Standing,
    Status,
    Totals
} from "../../contracts/libraries/DealLedger.sol";
import {Revisions, Step} from "../../contracts/libraries/Revisions.sol";
import {Tier} from "../../contracts/libraries/Schedule.sol";

/// @title The ledger of amended deals against a list of windows
/// @notice One deal, amended, extended, ended, proven and settled at random. The list has for each window its price,
/// the agreement that it is under and whether it was proven; what the deal must have paid follows from loops over it.
/// Of the records, one is settled at random and one only where a change needs it.
contract RevisionsTest is Test {
    using DealLedger for Course;
    using Revisions for Course;
    using Revisions for Revision;

    struct Record {
        Course c;
        Money m;
        Revision v;
        bytes32 root;
    }

    struct Window {
        uint256 price;
        uint256 agreement;
        bool proven;
    }

    struct Outlook {
        bool defaulted;
        bool over;
        uint256 closed;
        uint256 agreement;
    }

    uint256 private constant FIRST = 1000;
    uint256 private constant FEE_BPS = 73;
    uint256 private constant MAX_PERIODS = 30;
    uint256 private constant MOST = type(uint128).max / MAX_PERIODS;

    Window[] private windows;
    Tier private tier;
    uint256 private finality;
    uint256 private funded;
    uint256 private givenBack;
    uint256 private restored;
    uint256 private agreements;
    bool private ended;
    uint256 private _entropy;

    /// hardhat-config: fuzz.runs = 256
    function testFuzz_totalsAreThoseOfTheWindows(uint256 seed) public {
        Record memory eager = _start(seed);
        Record memory lazy = _copy(eager);
        vm.roll(FIRST - 25);
        for (uint256 i; i < 40; ++i) {
            _step(eager, lazy);
            _compare(eager, lazy);
        }
        vm.roll(FIRST + 2 * MAX_PERIODS * tier.period);
        _compare(eager, lazy);
        _settle(lazy);
        Totals memory t = lazy.c.totals(lazy.m, lazy.v, tier, FEE_BPS);
        assertEq(t.escrow, 0, "nothing is left");
        assertEq(t.stake, 0, "no stake is left");
    }

    function _start(uint256 seed) private returns (Record memory r) {
        _entropy = seed;
        uint32 period = uint32(16 + _draw(10));
        tier = Tier(period, uint32(1 + _draw(period - 1)), 1, uint32(1 + _draw(5)));
        finality = 1 + _draw(15);
        uint256 periods = tier.maxMisses + _draw(8);
        uint256 price = _price();
        for (uint256 i; i < periods; ++i) windows.push(Window(price, 0, false));
        funded = periods * price;
        r.c.firstEpoch = FIRST;
        r.c.periods = periods;
        r.c.stage = Stage.Open;
        r.m.maxPeriods = MAX_PERIODS;
        r.m.fundedPeriods = periods;
        r.m.price = price;
        r.m.collateral = _draw(type(uint128).max / (MAX_PERIODS + 1));
    }

    function _draw(uint256 n) private returns (uint256) {
        _entropy = uint256(keccak256(abi.encode(_entropy)));
        return _entropy % n;
    }

    function _price() private returns (uint256) {
        return [0, 1 + _draw(5), _draw(10_000), _draw(MOST), MOST][_draw(5)];
    }

    // What happens, to both records and to the list

    function _step(Record memory eager, Record memory lazy) private {
        uint256 what = _draw(16);
        if (what < 3) vm.roll(block.number + 1 + _draw(what == 0 ? 40 : 9));
        else if (what < 9) _prove(eager, lazy);
        else if (what < 11) _settle(eager);
        else if (what < 13) _amend(eager, lazy);
        else if (what == 13) _extend(eager, lazy);
        else if (what == 14) _restore(eager, lazy);
        else if (_draw(2) == 0) _end(eager, lazy);
    }

    /// @dev Mostly by going to a block of the next unproven window.
    function _prove(Record memory eager, Record memory lazy) private {
        uint256 k = 1;
        while (k < windows.length && (windows[k - 1].proven || _last(k) < block.number)) ++k;
        uint256 target = _epoch(k) + 1 + _draw(tier.window);
        if (target > block.number && _draw(8) > 0) vm.roll(target);
        Outlook memory o = _outlook();
        bool open = _epoch(k) < block.number && block.number <= _last(k);
        if (!open || o.defaulted || windows[k - 1].proven) return;
        windows[k - 1].proven = true;
        _take(eager, k);
        _take(lazy, k);
    }

    function _take(Record memory r, uint256 k) private view {
        _bring(r);
        r.c.provenBefore = r.c.lastProven + 1 == k;
        r.c.lastProven = k;
        ++r.c.proven;
    }

    function _amend(Record memory eager, Record memory lazy) private {
        uint256 from = 1;
        while (_epoch(from) < block.number + finality) ++from;
        assertEq(eager.c.firstAt(tier, block.number + finality), from, "first window");
        Outlook memory o = _outlook();
        bool waits = windows[windows.length - 1].agreement != o.agreement;
        if (o.over || ended || waits || from > windows.length) return;
        uint256 price = _price();
        (uint256 cost, uint256 refund) = _replace(from, price);
        _accept(eager, from, price, cost, refund);
        _accept(lazy, from, price, cost, refund);
    }

    function _accept(Record memory r, uint256 from, uint256 price, uint256 cost, uint256 refund) private view {
        _settle(r);
        (uint256 taken, uint256 returned) = r.v.amend(r.c, r.m, from, bytes32(agreements), 1, price);
        assertEq(taken, cost, "cost");
        assertEq(returned, refund, "refund");
    }

    function _replace(uint256 from, uint256 price) private returns (uint256 cost, uint256 refund) {
        ++agreements;
        for (uint256 k = from; k <= windows.length; ++k) {
            uint256 old = windows[k - 1].price;
            if (price > old) cost += price - old;
            else refund += old - price;
            windows[k - 1] = Window(price, agreements, false);
        }
        funded += cost;
        givenBack += refund;
    }

    function _extend(Record memory eager, Record memory lazy) private {
        uint256 n = 1 + _draw(3);
        if (_outlook().over || ended || block.number >= _epoch(windows.length)) return;
        if (windows.length + n > MAX_PERIODS) return;
        _settle(eager);
        _settle(lazy);
        uint256 cost = eager.v.extend(eager.c, eager.m, n);
        lazy.v.extend(lazy.c, lazy.m, n);
        Window memory last = windows[windows.length - 1];
        for (uint256 i; i < n; ++i) windows.push(last);
        funded += cost;
        assertEq(cost, n * last.price, "cost of an extension");
    }

    function _restore(Record memory eager, Record memory lazy) private {
        if (_outlook().over) return;
        _settle(eager);
        _settle(lazy);
        ++restored;
        ++eager.c.restored;
        ++lazy.c.restored;
    }

    function _end(Record memory eager, Record memory lazy) private {
        if (_outlook().over || ended) return;
        _settle(eager);
        _settle(lazy);
        uint256 left = 1;
        while (left < windows.length && _epoch(left) < block.number) ++left;
        uint256 freed;
        for (; windows.length > left; windows.pop()) freed += windows[windows.length - 1].price;
        givenBack += freed;
        ended = true;
        (uint256 refund, uint256 dropped) = eager.v.cut(eager.c, eager.m, left);
        lazy.v.cut(lazy.c, lazy.m, left);
        assertEq(refund + dropped, freed, "refund of an ending");
        (eager.c.stage, lazy.c.stage) = (Stage.Ending, Stage.Ending);
    }

    // The records

    /// @dev Brings a record to this block, as each entry point does first.
    function _bring(Record memory r) private view returns (Standing memory s, Due memory moved) {
        s = r.c.standing(tier, block.number);
        Step step;
        bytes32 root;
        (step, root, moved) = r.v.advance(r.c, r.m, tier, s, FEE_BPS, block.number);
        if (step == Step.Turn) r.root = root;
    }

    function _settle(Record memory r) private view returns (Due memory moved, Due memory d) {
        Standing memory s;
        (s, moved) = _bring(r);
        d = r.c.due(r.m, r.v, tier, s, FEE_BPS);
        r.c.book(d);
    }

    function _copy(Record memory r) private pure returns (Record memory) {
        return abi.decode(abi.encode(r), (Record));
    }

    function _compare(Record memory eager, Record memory lazy) private view {
        Totals memory expected = _expected();
        _compareOne(eager, expected);
        _compareOne(lazy, expected);
    }

    function _compareOne(Record memory stored, Totals memory expected) private view {
        Totals memory a = stored.c.totals(stored.m, stored.v, tier, FEE_BPS);
        assertEq(a.paid + a.fee + a.refunded + a.escrow, a.funded, "as booked");
        Record memory r = _copy(stored);
        (Due memory moved, Due memory d) = _settle(r);
        Totals memory b = r.c.totals(r.m, r.v, tier, FEE_BPS);
        assertEq(b.funded, expected.funded, "funded");
        assertEq(b.paid, expected.paid, "paid");
        assertEq(b.fee, expected.fee, "fee");
        assertEq(b.refunded, expected.refunded, "refunded");
        assertEq(b.escrow, expected.escrow, "escrow");
        assertEq(a.paid + moved.payment + d.payment, b.paid, "payment due");
        assertEq(a.fee + moved.fee + d.fee, b.fee, "fee due");
        assertEq(a.refunded + moved.refund + d.refund, b.refunded, "refund due");
        _compareCommitment(r);
    }

    function _compareCommitment(Record memory r) private view {
        Outlook memory o = _outlook();
        Standing memory s = r.c.standing(tier, block.number);
        Status live = ended ? Status.Ending : Status.Open;
        Status status = o.defaulted ? Status.Defaulted : (o.over ? Status.Completed : live);
        assertEq(uint256(s.status), uint256(status), "status");
        assertEq(r.root, bytes32(o.agreement), "commitment in force");
    }

    // The list

    function _epoch(uint256 k) private view returns (uint256) {
        return FIRST + (k - 1) * tier.period;
    }

    function _last(uint256 k) private view returns (uint256) {
        return _epoch(k) + tier.window;
    }

    /// @dev In force is what the first window is under that has not closed, but nothing new after a default.
    function _outlook() private view returns (Outlook memory o) {
        uint256 missed;
        for (uint256 k = 1; k <= windows.length && !o.defaulted; ++k) {
            o.agreement = windows[k - 1].agreement;
            if (_last(k) >= block.number) return o;
            ++o.closed;
            if (!windows[k - 1].proven) ++missed;
            o.defaulted = missed == tier.maxMisses + restored;
        }
        o.over = true;
    }

    function _expected() private view returns (Totals memory t) {
        Outlook memory o = _outlook();
        t.funded = funded;
        t.refunded = givenBack;
        for (uint256 k = 1; k <= windows.length; ++k) {
            Window storage w = windows[k - 1];
            if (w.proven && (k <= o.closed || o.defaulted)) {
                t.fee += (w.price * FEE_BPS) / 10_000;
                t.paid += w.price - (w.price * FEE_BPS) / 10_000;
            } else if (o.over || (k <= o.closed && w.agreement < o.agreement)) {
                t.refunded += w.price;
            }
        }
        t.escrow = funded - t.paid - t.fee - t.refunded;
    }
}
