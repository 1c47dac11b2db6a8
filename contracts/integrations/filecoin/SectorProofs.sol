// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {IChainProofs} from "../../interfaces/IChainProofs.sol";
import {IStorageMarket} from "../../interfaces/IStorageMarket.sol";
import {FilecoinAddress} from "../../libraries/FilecoinAddress.sol";
import {PieceTree} from "../../libraries/PieceTree.sol";
import {Cbor} from "./Cbor.sol";
import {FilecoinActors} from "./FilecoinActors.sol";
import {ISectorProofs, Opening} from "./ISectorProofs.sol";
import {SectorNotice} from "./SectorNotice.sol";
import {Sectors} from "./Sectors.sol";

/// @title Storage that Filecoin proves
/// @notice See `ISectorProofs`, and docs/filecoin.md for what it rests on.
contract SectorProofs is ISectorProofs {
    uint64 private constant SECTOR_CONTENT_CHANGED = 2034386435;
    uint256 private constant LEAF_BYTES = 32;

    /// @inheritdoc ISectorProofs
    mapping(address provider => mapping(uint64 miner => bool)) public isBound;
    /// @dev By the hash of (provider, miner, sector, root, size). For ever: a miner never uses a sector number twice,
    /// and never puts other data into a sector that holds some.
    mapping(bytes32 fact => bool) private _sealed;

    /// @notice Reverts on any chain but Filecoin: nothing could be proven there.
    constructor() {
        if (!Sectors.areThere()) revert NotFilecoin();
    }

    /// @inheritdoc ISectorProofs
    function bind(uint64 miner) external {
        if (!Sectors.isMiner(miner)) revert NotAMiner(miner);
        isBound[msg.sender][miner] = true;
        emit Bound(msg.sender, miner);
    }

    /// @inheritdoc ISectorProofs
    function unbind(uint64 miner) external {
        isBound[msg.sender][miner] = false;
        emit Unbound(msg.sender, miner);
    }

    // What miners say

    /// @inheritdoc ISectorProofs
    // solhint-disable-next-line func-name-mixedcase
    function handle_filecoin_method(
        uint64 method,
        uint64 codec,
        bytes calldata params
    ) external returns (uint32 exitCode, uint64 returnCodec, bytes memory answer) {
        if (method != SECTOR_CONTENT_CHANGED || codec != FilecoinActors.CBOR) revert UnknownMethod(method, codec);
        uint64 miner = _callingMiner();
        (uint256 sectors, uint256 at) = Cbor.readArray(params, 0);
        answer = Cbor.arrayOf(sectors);
        for (uint256 i; i < sectors; ++i) {
            bytes memory row;
            (row, at) = _takeSector(miner, params, at);
            answer = bytes.concat(answer, row);
        }
        if (at != params.length) revert Cbor.MalformedCbor(at);
        return (0, FilecoinActors.CBOR, answer);
    }

    /// @dev Takes the pieces of a sector; returns what is answered for it.
    function _takeSector(
        uint64 miner,
        bytes calldata params,
        uint256 at
    ) private returns (bytes memory answer, uint256 next) {
        (uint64 sector, int64 until, uint256 count, uint256 start) = SectorNotice.readSector(params, at);
        bytes memory row = new bytes(count);
        for (uint256 i; i < count; ++i) {
            (, , , next) = SectorNotice.readPiece(params, start);
            // A call of its own, so that a payload that can't be read sinks its piece alone.
            try this.take(miner, sector, until, params[start:next]) returns (bool taken) {
                row[i] = taken ? Cbor.TRUE : Cbor.FALSE;
            } catch {
                row[i] = Cbor.FALSE;
            }
            start = next;
        }
        return (bytes.concat(Cbor.arrayOf(count), row), start);
    }

    /// @dev A miner has no Ethereum address but its alias. Accounts and multisigs have one too, and could send this
    /// method: the power actor knows which are miners, and a miner sends it for proven sectors alone.
    function _callingMiner() private view returns (uint64 miner) {
        if (!FilecoinAddress.isIdAlias(msg.sender)) revert NotAnActor(msg.sender);
        miner = uint64(uint160(msg.sender));
        if (!Sectors.isMiner(miner)) revert NotAMiner(miner);
    }

    /// @notice Takes one piece of a notification. For this contract alone.
    /// @return Whether it is accepted.
    function take(uint64 miner, uint64 sector, int64 until, bytes calldata piece) external returns (bool) {
        if (msg.sender != address(this)) revert OnlySelf();
        (bytes32 root, uint64 size, address provider, bytes memory opening) = _read(piece);
        if (root == 0 || !isBound[provider][miner]) return false;
        _sealed[_fact(provider, miner, sector, root, size)] = true;
        emit Sealed(provider, miner, root, sector, size, until);
        return opening.length == 0 || _open(abi.decode(opening, (Opening)), provider, root, size);
    }

    function _read(
        bytes calldata piece
    ) private pure returns (bytes32 root, uint64 size, address provider, bytes memory opening) {
        bytes calldata payload;
        (root, size, payload, ) = SectorNotice.readPiece(piece, 0);
        (provider, opening) = abi.decode(payload, (address, bytes));
    }

    /// @dev The market checks the rest, signatures first. That the fact stays where the deal does not open is right:
    /// the piece lies in the sector all the same.
    function _open(Opening memory o, address provider, bytes32 root, uint256 size) private returns (bool) {
        bool same = o.terms.provider == provider && o.terms.root == root && _sizeOf(o.terms.leafCount) == size;
        if (!same || address(o.market).code.length == 0) return false;
        try o.market.open(o.terms, o.clientSignature, o.providerSignature) returns (uint256) {
            return true;
        } catch {
            return false;
        }
    }

    // What markets ask

    /// @inheritdoc IChainProofs
    /// @param evidence `abi.encode(uint64 miner, uint64 sector, bytes location)`.
    function isStored(
        address provider,
        bytes32 root,
        uint256 leafCount,
        bytes calldata evidence
    ) external view returns (bool) {
        (uint64 miner, uint64 sector, bytes memory location) = abi.decode(evidence, (uint64, uint64, bytes));
        if (!isBound[provider][miner]) return false;
        if (!_sealed[_fact(provider, miner, sector, root, _sizeOf(leafCount))]) return false;
        return Sectors.isActive(miner, sector, location);
    }

    /// @inheritdoc ISectorProofs
    function wasSealed(
        address provider,
        uint64 miner,
        uint64 sector,
        bytes32 root,
        uint256 size
    ) external view returns (bool) {
        return _sealed[_fact(provider, miner, sector, root, size)];
    }

    /// @inheritdoc ISectorProofs
    function locate(uint64 miner, uint64 sector) external view returns (uint64 status, bytes memory location) {
        bytes memory answer = Sectors.locate(miner, sector);
        if (answer.length == 0) revert UnknownSector(miner, sector);
        return this.readLocation(answer);
    }

    /// @inheritdoc ISectorProofs
    function readLocation(bytes calldata answer) external pure returns (uint64 status, bytes memory location) {
        uint256 at = Cbor.readTuple(answer, 0, 2);
        (status, at) = Cbor.readUint(answer, at);
        (location, at) = Cbor.readBytes(answer, at);
    }

    /// @inheritdoc ISectorProofs
    function proveAndSettle(
        IStorageMarket market,
        uint256[] calldata ids,
        bytes[] calldata evidence,
        address bountyTo
    ) external returns (uint256 proven) {
        if (evidence.length != ids.length) revert LengthMismatch();
        for (uint256 i; i < ids.length; ++i) {
            if (evidence[i].length == 0) continue;
            uint256 share = gasleft() / (ids.length - i + 1);
            try market.proveByChain{gas: share}(ids[i], evidence[i]) {
                ++proven;
            } catch (bytes memory reason) {
                emit NotProven(market, ids[i], reason);
            }
        }
        market.settle(ids, bountyTo);
    }

    function _fact(
        address provider,
        uint64 miner,
        uint64 sector,
        bytes32 root,
        uint256 size
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(provider, miner, sector, root, size));
    }

    /// @dev Bytes of the padded piece that a commitment's tree spans. A sector's proofs are about all of it, so it does
    /// not matter how many of its leaves the payload touches.
    function _sizeOf(uint256 leafCount) private pure returns (uint256) {
        return LEAF_BYTES << PieceTree.height(leafCount);
    }
}
