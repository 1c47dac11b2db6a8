// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {Course, DealLedger, Money, Stage, Status} from "./libraries/DealLedger.sol";
import {DealStore, StoredDeal} from "./libraries/DealStore.sol";
import {DealTerms} from "./libraries/DealTerms.sol";
import {PieceTree} from "./libraries/PieceTree.sol";
import {Tier} from "./libraries/Schedule.sol";
import {MarketCore} from "./MarketCore.sol";

/// @title What the market tells
/// @notice All views but those of the deployment's choices.
abstract contract MarketViews is IStorageMarket, MarketCore {
    using DealLedger for Course;
    using DealStore for StoredDeal;

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
    function statusOf(uint256 id) external view returns (Status) {
        return _tryRead(id).standing.status;
    }

    /// @inheritdoc IStorageMarket
    function pieceIdOf(uint256 id) external view returns (bytes32) {
        return _pieceId(id, _tryRead(id).course);
    }

    /// @inheritdoc IStorageMarket
    function isProven(uint256 id, bytes32 pieceId) external view returns (bool) {
        Reading memory r = _tryRead(id);
        bool live = r.standing.status == Status.Open || r.standing.status == Status.Ending;
        return live && r.course.lastClosedProven(r.standing) && _pieceId(id, r.course) == pieceId;
    }

    /// @inheritdoc IStorageMarket
    function stateHash(uint256 id) public view returns (bytes32) {
        Reading memory r = _read(id);
        _deals[id].loadPay(r.money);
        _deals[id].loadBond(r.money);
        bytes32 fixedPart = keccak256(abi.encode(id, _pieceId(id, r.course), r.money));
        return
            keccak256(abi.encode(fixedPart, r.course.periods, r.course.restored, r.standing.missed, r.standing.status));
    }

    function _pieceId(uint256 id, Course memory c) private view returns (bytes32) {
        return PieceTree.pieceId(_deals[id].root, c.leafCount);
    }
}
