// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

/// @title Stand-in for Filecoin's drand precompile (FIP-0095)
/// @notice Its runtime code goes to the precompile's address (`hardhat_setCode`, `anvil_setCode`, `vm.etch`). It
/// behaves as the precompile does: 32 bytes of big-endian epoch in, 32 bytes out, the same for ever; 146,200 + 75 gas
/// for each epoch of look-back (FIP-0075); an epoch that isn't past burns all gas; an epoch beyond 63 bits fails.
contract DrandPrecompile {
    error InvalidInput();

    /// @dev A short input reads as if zeros followed, a longer one as if it ended after 32 bytes, as in the EVM actor.
    fallback(bytes calldata) external returns (bytes memory) {
        uint256 epoch;
        assembly ("memory-safe") {
            epoch := calldataload(0)
        }
        if (epoch > uint64(type(int64).max)) revert InvalidInput();
        if (epoch >= block.number) _burnAll();
        _burn(146_200 + 75 * (block.number - epoch));
        return abi.encode(keccak256(abi.encode("drand", epoch)));
    }

    function _burn(uint256 amount) private view {
        uint256 left = gasleft();
        if (left < amount) _burnAll();
        while (left - gasleft() < amount) {}
    }

    function _burnAll() private pure {
        assembly ("memory-safe") {
            invalid()
        }
    }
}
