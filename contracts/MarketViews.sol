// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {Course, DealLedger, Money, Revision, Stage, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {DealTerms} from "./libraries/DealTerms.sol";
import {PieceTree} from "./libraries/PieceTree.sol";
import {Revisions, Step} from "./libraries/Revisions.sol";
import {RevisionStore, StoredRevision} from "./libraries/RevisionStore.sol";
import {Tier} from "./libraries/Schedule.sol";
import {MarketCore} from "./MarketCore.sol";

/// @title What the market tells
/// @notice All views but those of the deployment's choices.
abstract contract MarketViews is IStorageMarket, MarketCore {
    using DealLedger for Course;
    using DealStore for StoredDeal;
    using Revisions for Revision;
    using RevisionStore for StoredRevision;

    // Names, in code: what the base contracts keep for texts of any length is not needed

    /// @notice Name of the token that each deal is.
    function name() public pure override returns (string memory) {
        return "Holdfast Deal";
    }

    /// @notice Its symbol.
    function symbol() public pure override returns (string memory) {
        return "HOLD";
    }

    /// @notice The EIP-712 domain, as ERC-5267 has it.
    function eip712Domain()
        public
        view
        override
        returns (
            bytes1 fields,
            string memory domainName,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        (fields, domainName, version) = (hex"0f", DOMAIN_NAME, DOMAIN_VERSION);
        (chainId, verifyingContract) = (block.chainid, address(this));
        return (fields, domainName, version, chainId, verifyingContract, salt, extensions);
    }

    // Terms and table

    /// @inheritdoc IStorageMarket
    function dealIdOf(DealTerms memory terms) external view returns (uint256) {
        return _dealIdOf(terms);
    }

    /// @inheritdoc IStorageMarket
    function isCancelled(uint256 id) external view returns (bool) {
        return _deals[id].stageOf() == Stage.Cancelled;
    }

    /// @inheritdoc IStorageMarket
    function tierAt(uint8 tier) external view returns (Tier memory row) {
        if (tier >= tierCount) revert UnknownTier(tier);
        _loadTier(row, tier);
    }

    /// @inheritdoc IStorageMarket
    // solhint-disable-next-line func-name-mixedcase
    function DOMAIN_SEPARATOR() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // Deals

    /// @inheritdoc IStorageMarket
    function recordOf(uint256 id) external view returns (bytes32 root, Course memory course, Money memory money) {
        StoredDeal storage deal = _deals[id];
        root = deal.root;
        deal.load(course);
        deal.loadPay(money);
        deal.loadBond(money);
    }

    /// @inheritdoc IStorageMarket
    function revisionOf(uint256 id) external view returns (Revision memory revision) {
        _revisions[id].loadHead(revision);
        _revisions[id].loadRest(revision);
    }

    /// @inheritdoc IStorageMarket
    function successorOf(uint256 id) external view returns (uint256) {
        return _successors[id];
    }

    /// @inheritdoc IStorageMarket
    function statusOf(uint256 id) external view returns (Status) {
        return _tryRead(id).standing.status;
    }

    /// @inheritdoc IStorageMarket
    function pieceIdOf(uint256 id) external view returns (bytes32) {
        (Reading memory r, bytes32 root) = _current(id);
        return PieceTree.pieceId(root, r.course.leafCount);
    }

    /// @inheritdoc IStorageMarket
    function isProven(uint256 id, bytes32 pieceId) external view returns (bool) {
        (Reading memory r, bytes32 root) = _current(id);
        bool live = r.standing.status == Status.Open || r.standing.status == Status.Ending;
        if (!live || !r.course.lastClosedProven(r.revision, r.standing)) return false;
        return PieceTree.pieceId(root, r.course.leafCount) == pieceId;
    }

    /// @inheritdoc IStorageMarket
    function stateHash(uint256 id) public view returns (bytes32) {
        (Reading memory r, bytes32 root) = _current(id);
        Course memory c = r.course;
        Money memory m = r.money;
        Revision memory v = r.revision;
        if (r.standing.status == Status.None) revert UnknownDeal(id);
        _deals[id].loadPay(m);
        _deals[id].loadBond(m);
        if (c.amended) _revisions[id].loadRest(v);
        // What was agreed on last, in force or not: it does not matter when it comes into force.
        if (v.from != 0) (root, c.leafCount, m.price) = (v.root, v.leafCount, v.price);
        bytes32 piece = PieceTree.pieceId(root, c.leafCount);
        bytes32 fixedPart = keccak256(abi.encode(id, piece, m.token, m.price, m.collateral, m.maxPeriods, v.nonce));
        return keccak256(abi.encode(fixedPart, c.periods, c.restored, r.standing.missed, r.standing.status));
    }

    /// @dev The deal and its root with the step taken that the clock asks for, as far as commitment and periods go. Of
    /// status None where there is no such deal.
    function _current(uint256 id) private view returns (Reading memory r, bytes32 root) {
        r = _tryRead(id);
        root = _deals[id].root;
        Revision memory v = r.revision;
        Step step = v.stepOf(r.course, r.standing);
        if (step == Step.Turn) {
            v.since = v.from - 1;
            (root, r.course.leafCount) = (_revisions[id].root, v.leafCount);
        } else if (step == Step.Drop) {
            (r.course.periods, v.from) = (v.from - 1, 0);
        }
    }
}
