// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {StorageRequests} from "../../../contracts/StorageRequests.sol";
import {StorageRequest} from "../../../contracts/interfaces/IStorageRequests.sol";
import {Status, Totals} from "../../../contracts/libraries/DealLedger.sol";
import {MarketWorld} from "../market/MarketWorld.sol";

/// @title What requests must have come to, kept beside the contract
/// @notice Counts replicas and money with nothing of `StorageRequests` but its address. What deals are worth is read
/// from the market's lens, which campaigns of its own test.
abstract contract RequestsModel is MarketWorld {
    /// @dev A request as posted, and what is left of it.
    struct Posting {
        StorageRequest request;
        uint256 id;
        uint256 seed;
        uint256 epoch;
        uint256 time;
        uint256 unfilled;
        uint256 lastEpoch;
    }

    /// @dev A replica that was posted again; `gone` once it is filled or refunded.
    struct Again {
        uint256 posting;
        uint256 slot;
        uint256 epoch;
        uint256 expires;
        uint256 periods;
        uint256 maxPrice;
        bool gone;
    }

    /// @dev A deal that filled a replica. `back` and `bounty` are its totals as last seen.
    struct Replica {
        uint256 posting;
        uint256 id;
        address provider;
        uint256 back;
        uint256 bounty;
        uint256 collected;
        bool closed;
        bool released;
        bool ended;
        bool locked;
    }

    StorageRequests public requests;
    address[] internal clients;
    address[] internal providers;
    Posting[] internal postings;
    Again[] internal agains;
    Replica[] internal replicas;
    mapping(uint256 id => mapping(address provider => bool)) internal has;
    /// @dev Claims of clients, as they must be.
    mapping(address account => mapping(address token => uint256)) internal money;
    /// @dev All that a client ever locked.
    mapping(address account => mapping(address token => uint256)) internal funded;
    /// @dev Claims of the contract that belong to nobody: gifts, and bounties that the market gave to the owner.
    mapping(address token => uint256) internal stray;

    function _now() internal view returns (uint256) {
        return vm.getBlockNumber();
    }

    function _time() internal view returns (uint256) {
        return vm.getBlockTimestamp();
    }

    function _twoTokens() internal view returns (address[2] memory) {
        return [address(plain), NATIVE];
    }

    function _clientOf(Replica storage r) internal view returns (address) {
        return postings[r.posting].request.client;
    }

    /// @dev Whether the contract owns the deal.
    function _held(Replica storage r) internal view returns (bool) {
        return postings[r.posting].request.repair && !r.released;
    }

    /// @dev Whether anything can still be done about the replica through the contract.
    function _manageable(Replica storage r) internal view returns (bool) {
        return postings[r.posting].request.repair && !r.closed;
    }

    function _cancelled(uint256 posting) internal view returns (bool) {
        return postings[posting].lastEpoch != 0;
    }

    /// @dev Whether nothing with this expiry can be filled any more.
    function _over(uint256 posting, uint256 expires) internal view returns (bool) {
        return _time() > expires || (_cancelled(posting) && _now() > postings[posting].lastEpoch);
    }

    /// @dev The price at this block, by the sentence of the specification.
    function _price(StorageRequest memory request, uint256 epoch, uint256 maxPrice) internal view returns (uint256) {
        uint256 start = request.startPrice < maxPrice ? request.startPrice : maxPrice;
        uint256 elapsed = _now() - epoch;
        if (elapsed > request.rampEpochs) elapsed = request.rampEpochs;
        return start + ((maxPrice - start) * elapsed) / request.rampEpochs;
    }

    /// @dev Sees what the market has booked for a deal since the last time: to its owner, and to who got the bounties.
    /// @param bountyTo Zero: the owner.
    function _sync(uint256 at, address bountyTo) internal {
        Replica storage r = replicas[at];
        Totals memory t = lens.totalsOf(r.id);
        address token = postings[r.posting].request.token;
        address owner = _held(r) ? address(requests) : _clientOf(r);
        uint256 back = t.refunded + t.compensation;
        assertGe(back, r.back, "totals only grow");
        if (owner != address(requests)) money[owner][token] += back - r.back;
        if (bountyTo == address(0)) bountyTo = owner;
        if (bountyTo == address(requests)) stray[token] += t.bounty - r.bounty;
        else money[bountyTo][token] += t.bounty - r.bounty;
        (r.back, r.bounty) = (back, t.bounty);
    }

    /// @dev Notes that all but `kept` of what a deal gave back is collected, and says what was due by that.
    function _collect(Replica storage r, uint256 kept) internal returns (uint256 due) {
        due = r.back - kept - r.collected;
        r.collected = r.back - kept;
    }

    function _owed(address token) internal view returns (uint256 sum) {
        for (uint256 i; i < postings.length; ++i) {
            StorageRequest storage r = postings[i].request;
            if (r.token == token) sum += uint256(r.maxPrice) * r.periods * postings[i].unfilled;
        }
        for (uint256 i; i < agains.length; ++i) {
            Again storage a = agains[i];
            if (!a.gone && postings[a.posting].request.token == token) sum += a.maxPrice * a.periods;
        }
    }

    // Checks

    /// @notice The escrow in the vault is what unfilled replicas are locked with, to the unit.
    function checkEscrow() external view {
        address[2] memory tokens = _twoTokens();
        for (uint256 i; i < 2; ++i) {
            assertEq(vault.escrowOf(address(requests), tokens[i]), _owed(tokens[i]), "escrow");
        }
    }

    /// @notice The contract's claims are what its deals gave back and is not passed on, and what is nobody's.
    function checkClaims() external view {
        address[2] memory tokens = _twoTokens();
        for (uint256 i; i < 2; ++i) {
            uint256 sum = stray[tokens[i]];
            for (uint256 j; j < replicas.length; ++j) {
                Replica storage r = replicas[j];
                bool counts = _held(r) && postings[r.posting].request.token == tokens[i];
                if (counts) sum += r.back - r.collected;
            }
            assertEq(vault.balanceOf(address(requests), uint160(tokens[i])), sum, "claims");
        }
    }

    /// @notice Clients have what they must have, and none has lost more than it has locked.
    function checkClients() external view {
        address[2] memory tokens = _twoTokens();
        for (uint256 i; i < clients.length; ++i) {
            for (uint256 j; j < 2; ++j) {
                uint256 actual = vault.balanceOf(clients[i], uint160(tokens[j]));
                assertEq(actual, money[clients[i]][tokens[j]], "money");
                assertGe(actual + funded[clients[i]][tokens[j]], WEALTH, "lost more than it locked");
            }
        }
    }

    /// @notice What is locked of a provider's stake is the sum of what its replicas lock.
    function checkStake() external view {
        address[2] memory tokens = _twoTokens();
        for (uint256 i; i < providers.length; ++i) {
            for (uint256 j; j < 2; ++j) {
                uint256 sum;
                for (uint256 k; k < replicas.length; ++k) {
                    Replica storage r = replicas[k];
                    StorageRequest storage request = postings[r.posting].request;
                    bool counts = r.locked && r.provider == providers[i] && request.token == tokens[j];
                    if (counts) sum += request.minStake;
                }
                (, uint256 locked) = registry.provisionOf(providers[i], address(requests), tokens[j]);
                assertEq(locked, sum, "stake");
            }
        }
    }

    /// @notice Who owns each deal, and which one the contract knows of each provider.
    function checkOwners() external view {
        for (uint256 i; i < replicas.length; ++i) {
            Replica storage r = replicas[i];
            assertEq(market.ownerOf(r.id), _held(r) ? address(requests) : _clientOf(r), "owner");
            assertEq(requests.dealOf(postings[r.posting].id, r.provider), r.id, "one replica a provider");
        }
    }

    function _isLive(uint256 id) internal view returns (bool) {
        Status status = market.statusOf(id);
        return status == Status.Open || status == Status.Ending;
    }
}
