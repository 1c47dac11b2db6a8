// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Challenge} from "../../../contracts/libraries/Challenge.sol";
import {PieceTree} from "../../../contracts/libraries/PieceTree.sol";

/// @title The libraries behind external functions, so that proofs arrive as calldata
contract PieceTreeHarness {
    function verify(
        bytes32 root,
        uint256 height,
        uint256[] memory indices,
        bytes calldata nodes
    ) external view returns (bool) {
        return PieceTree.verify(root, height, indices, nodes);
    }

    /// @dev The gas of `verify` alone: neither the call nor decoding the arguments is in it.
    function measure(
        bytes32 root,
        uint256 height,
        uint256[] memory indices,
        bytes calldata nodes
    ) external view returns (bool ok, uint256 gasUsed) {
        uint256 before = gasleft();
        ok = PieceTree.verify(root, height, indices, nodes);
        gasUsed = before - gasleft();
    }

    /// @dev `verify` over the first `length` bytes of the stream, with the others right behind in calldata.
    function verifyPrefix(
        bytes32 root,
        uint256 height,
        uint256[] memory indices,
        bytes calldata nodes,
        uint256 length
    ) external view returns (bool) {
        return PieceTree.verify(root, height, indices, nodes[:length]);
    }

    /// @dev Whether what was allocated before `verify` is unharmed by it.
    function verifyAndKeepMemory(
        bytes32 root,
        uint256 height,
        uint256[] memory indices,
        bytes calldata nodes
    ) external view returns (bool ok) {
        bytes32 hashOfIndices = keccak256(abi.encode(indices));
        bytes memory copy = bytes.concat(nodes);
        ok = PieceTree.verify(root, height, indices, nodes);
        ok = ok && keccak256(copy) == keccak256(nodes) && keccak256(abi.encode(indices)) == hashOfIndices;
    }

    function challenges(
        uint256 dealId,
        uint256 k,
        uint256 seed,
        uint256 count,
        uint256 leafCount
    ) external view returns (uint256[] memory leaves, uint256 gasUsed) {
        uint256 before = gasleft();
        leaves = Challenge.indices(address(this), dealId, k, seed, count, leafCount);
        gasUsed = before - gasleft();
    }
}
