// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.24;

import {IChainProofs} from "../../interfaces/IChainProofs.sol";
import {IStorageMarket} from "../../interfaces/IStorageMarket.sol";
import {DealTerms} from "../../libraries/DealTerms.sol";

/// @notice Terms to be opened by a notification.
struct Opening {
    IStorageMarket market;
    DealTerms terms;
    bytes clientSignature;
    bytes providerSignature;
}

/// @title Storage that Filecoin proves
/// @notice A miner notifies this contract of what it has sealed (FIP-0109), and for as long as the sector is active
/// (FIP-0112) anybody proves deals of that piece with it. Facts only: no money, no owner, nothing to configure, one for
/// all markets of a chain.
/// @dev A fact needs two: the provider has bound the miner actor, and the notification, which only whoever runs that
/// miner can write, names the provider. So nobody proves with sectors of a miner that does not work for them.
interface ISectorProofs is IChainProofs {
    event Bound(address indexed provider, uint64 indexed miner);
    event Unbound(address indexed provider, uint64 indexed miner);
    /// @notice The miner has sealed a piece for the provider.
    /// @param size Of the padded piece in bytes.
    /// @param until Epoch to which the sector is committed at least; it can be extended without another notification.
    event Sealed(
        address indexed provider,
        uint64 indexed miner,
        bytes32 indexed root,
        uint64 sector,
        uint64 size,
        int64 until
    );
    /// @notice An item of a batch was not proven; `reason` is what the market reverted with.
    event NotProven(IStorageMarket indexed market, uint256 indexed id, bytes reason);

    /// @notice This chain has no actors to ask: it is not Filecoin.
    error NotFilecoin();
    error NotAMiner(uint64 actor);
    /// @notice The caller is not an actor under its id.
    error NotAnActor(address caller);
    error UnknownMethod(uint64 method, uint64 codec);
    /// @notice The miner does not say where this sector is.
    error UnknownSector(uint64 miner, uint64 sector);
    error OnlySelf();
    error LengthMismatch();

    /// @notice Lets what `miner` says it has sealed for the caller count for the caller. For providers, once a miner.
    /// @param miner Id of the miner actor, the number in `f0…`.
    function bind(uint64 miner) external;

    /// @notice Takes that back; what it had sealed counts again if it is bound again.
    function unbind(uint64 miner) external;

    /// @notice FIP-0109's entry: the FVM calls it where an actor sends this contract a method. Only
    /// `SectorContentChanged`, only from miners.
    /// @dev A piece's payload is `abi.encode(address provider, bytes opening)`: whom it was sealed for, and, where it
    /// opens a deal, `abi.encode(Opening)`. Accepted is a piece whose provider has bound the miner, and whose deal, if
    /// any, is about this very piece and has been opened; one bad piece never sinks the others.
    /// @return exitCode 0.
    /// @return returnCodec CBOR.
    /// @return answer One boolean a piece.
    // solhint-disable-next-line func-name-mixedcase
    function handle_filecoin_method(
        uint64 method,
        uint64 codec,
        bytes calldata params
    ) external returns (uint32 exitCode, uint64 returnCodec, bytes memory answer);

    function isBound(address provider, uint64 miner) external view returns (bool);

    /// @notice Whether the miner has notified of this piece in this sector for this provider. Says nothing of today.
    /// @param size Of the padded piece in bytes.
    function wasSealed(
        address provider,
        uint64 miner,
        uint64 sector,
        bytes32 root,
        uint256 size
    ) external view returns (bool);

    /// @notice Where a sector is now and what became of it, to be called off chain: the miner searches all it has.
    /// @return status 0 dead, 1 active, 2 faulty.
    /// @return location For the evidence; FIP-0112's `aux_data`.
    function locate(uint64 miner, uint64 sector) external view returns (uint64 status, bytes memory location);

    /// @notice Reads what a miner answers to that question: `[status, location]` in CBOR.
    function readLocation(bytes calldata answer) external pure returns (uint64 status, bytes memory location);

    /// @notice Proves what can be proven and then settles all, whatever the actors do: each proof has at most an even
    /// share of the gas that is left, and so has the settlement.
    /// @param evidence One for each id: `abi.encode(uint64 miner, uint64 sector, bytes location)`; empty to settle
    /// only.
    /// @return proven How many proofs were accepted.
    function proveAndSettle(
        IStorageMarket market,
        uint256[] calldata ids,
        bytes[] calldata evidence,
        address bountyTo
    ) external returns (uint256 proven);
}
