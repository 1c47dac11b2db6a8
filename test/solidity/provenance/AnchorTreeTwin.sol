// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {AnchorTree} from "../../../contracts/libraries/AnchorTree.sol";

/// @title The whole tree over an anchored set, level by level
/// @notice The prover's side of the format, with nothing of the verifier: all leaves are laid out, padded to the next
/// power of two, and halved until one node is left.
library AnchorTreeTwin {
    /// @dev levels[0] are the leaves, the last level is the root alone.
    function build(bytes32[] memory ids) internal pure returns (bytes32[][] memory levels) {
        uint256 width = 1;
        uint256 depth;
        for (; width < ids.length; width *= 2) ++depth;
        levels = new bytes32[][](depth + 1);
        levels[0] = new bytes32[](width);
        for (uint256 i; i < ids.length; ++i) levels[0][i] = keccak256(abi.encodePacked(uint8(0), ids[i]));
        for (uint256 d = 1; d <= depth; ++d) {
            levels[d] = new bytes32[](width >> d);
            for (uint256 i; i < levels[d].length; ++i) {
                levels[d][i] = keccak256(abi.encodePacked(uint8(1), levels[d - 1][2 * i], levels[d - 1][2 * i + 1]));
            }
        }
    }

    function root(bytes32[][] memory levels) internal pure returns (bytes32) {
        return levels[levels.length - 1][0];
    }

    function prove(bytes32[][] memory levels, uint256 index) internal pure returns (bytes32[] memory proof) {
        proof = new bytes32[](levels.length - 1);
        for (uint256 d; d < proof.length; ++d) {
            uint256 at = index / 2 ** d;
            proof[d] = levels[d][at % 2 == 0 ? at + 1 : at - 1];
        }
    }

    /// @dev Distinct ids that follow from `seed`.
    function randomIds(uint256 seed, uint256 count) internal pure returns (bytes32[] memory ids) {
        ids = new bytes32[](count);
        for (uint256 i; i < count; ++i) ids[i] = keccak256(abi.encode("record", seed, i));
    }
}

/// @dev The library takes proofs from calldata.
contract AnchorTreeHarness {
    function includes(
        bytes32 root,
        uint64 count,
        bytes32 recordId,
        uint64 index,
        bytes32[] calldata proof
    ) external pure returns (bool) {
        return AnchorTree.includes(root, count, recordId, index, proof);
    }

    function depthOf(uint64 count) external pure returns (uint256) {
        return AnchorTree.depthOf(count);
    }
}
