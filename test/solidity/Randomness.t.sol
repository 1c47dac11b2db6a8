// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Test} from "forge-std/Test.sol";
import {BlockHeader} from "@openzeppelin/contracts/utils/BlockHeader.sol";
import {Memory} from "@openzeppelin/contracts/utils/Memory.sol";
import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {DrandPrecompile} from "../../contracts/mocks/DrandPrecompile.sol";
import {BlockhashRandomness} from "../../contracts/randomness/BlockhashRandomness.sol";
import {DrandRandomness} from "../../contracts/randomness/DrandRandomness.sol";
import {HeaderRLP} from "../../contracts/randomness/HeaderRLP.sol";
import {IRandaoRandomness} from "../../contracts/randomness/IRandaoRandomness.sol";
import {IRandomness} from "../../contracts/randomness/IRandomness.sol";
import {RandaoRandomness} from "../../contracts/randomness/RandaoRandomness.sol";

/// @dev The library and its twin behind calls, so that a revert of either can be caught.
contract Readers {
    function read(bytes calldata header) external pure returns (bool ok, uint256 number, uint256 mixHash) {
        return HeaderRLP.numberAndMixHash(header);
    }

    function twin(bytes memory header) external pure returns (uint256 number, uint256 mixHash) {
        Memory.Slice[] memory fields = BlockHeader.parseHeader(header);
        require(Memory.length(fields[13]) == 33);
        return (BlockHeader.getNumber(fields), uint256(BlockHeader.getPrevRandao(fields)));
    }
}

contract RandomnessTest is Test {
    address internal constant HISTORY = 0x0000F90827F1C53a10cb7A02335B175320002935;
    /// @dev EIP-2935's own code: the Hardhat network has a stub in its place.
    bytes internal constant HISTORY_CODE =
        // solhint-disable-next-line max-line-length
        hex"3373fffffffffffffffffffffffffffffffffffffffe14604657602036036042575f35600143038111604257611fff81430311604257611fff9006545f5260205ff35b5f5ffd5b5f35611fff60014303065500";
    uint256 internal constant NOW = 1_000_000;

    Readers internal readers;
    RandaoRandomness internal randao;
    BlockhashRandomness internal blockhashes;
    DrandRandomness internal drand;

    function setUp() public {
        vm.roll(NOW);
        vm.etch(HISTORY, HISTORY_CODE);
        readers = new Readers();
        randao = new RandaoRandomness();
        blockhashes = new BlockhashRandomness();
        address precompile = 0xfE00000000000000000000000000000000000006;
        vm.etch(precompile, address(new DrandPrecompile()).code);
        drand = new DrandRandomness();
    }

    /// A header made of any fields is read as it was written, and its checkpoint holds for ever.
    function testFuzz_checkpointStoresTheMixHash(
        uint256 back,
        uint256 mixHash,
        uint64[3] calldata numbers,
        bytes calldata extraData,
        uint8 laterFields,
        uint32 wait
    ) public {
        uint256 epoch = NOW - bound(back, 257, 8191);
        vm.assume(mixHash != 0);
        bytes memory header = _header(epoch, mixHash, numbers, extraData, laterFields % 10);
        _vouch(epoch, keccak256(header));

        assertTrue(randao.checkpointable(epoch));
        randao.checkpoint(epoch, header);
        assertFalse(randao.checkpointable(epoch));
        assertEq(randao.seed(epoch), mixHash);
        assertEq(blockhashes.seed(epoch), uint256(keccak256(header)));

        vm.roll(NOW + wait);
        randao.checkpoint(epoch, "");
        assertEq(randao.seed(epoch), mixHash);
        _assertSameOrUnavailable(blockhashes, epoch, uint256(keccak256(header)));
    }

    /// One flipped bit, a cut or an added tail: never accepted, at a cost bounded by the length.
    function testFuzz_mutatedHeaderIsRefused(uint256 mixHash, uint256 bit, uint8 cut, bytes calldata tail) public {
        uint256 epoch = NOW - 300;
        bytes memory header = _header(epoch, mixHash | 1, [uint64(1), 2, 3], "", 6);
        bytes32 expected = keccak256(header);
        _vouch(epoch, expected);

        bytes memory mutant = bytes.concat(header, tail);
        if (tail.length == 0) {
            bit = bound(bit, 0, 8 * header.length - 1);
            mutant[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
            uint256 length = mutant.length - cut;
            assembly ("memory-safe") {
                mstore(mutant, length)
            }
        }
        vm.expectRevert(
            abi.encodeWithSelector(IRandaoRandomness.HeaderMismatch.selector, epoch, expected, keccak256(mutant))
        );
        randao.checkpoint(epoch, mutant);
    }

    /// Any bytes at all, with the chain's blessing: a seed that the twin reads as well, or a named error; no panic,
    /// little gas.
    function testFuzz_anyBytesAreReadOrRefusedForLittleGas(bytes calldata body, bool asList) public view {
        bytes memory header = asList ? bytes.concat(hex"f9", bytes2(uint16(body.length)), body) : body;
        uint256 gasBefore = gasleft();
        (bool ok, uint256 number, uint256 mixHash) = readers.read(header);
        assertLt(gasBefore - gasleft(), 30_000 + 100 * header.length);
        if (ok) _assertTwinAgrees(header, number, mixHash);
    }

    /// Damaged headers, where most of the structure survives: read like the twin, or refused.
    function testFuzz_damagedHeaderIsReadLikeTheTwinOrRefused(uint256 mixHash, uint256 at, uint8 value) public view {
        bytes memory header = _header(NOW - 300, mixHash, [uint64(1 << 40), 2, 3], hex"abcd", 6);
        header[bound(at, 0, header.length - 1)] = bytes1(value);
        (bool ok, uint256 number, uint256 mix) = readers.read(header);
        if (ok) _assertTwinAgrees(header, number, mix);
    }

    function testFuzz_drandSeedIsTheBeaconOfAnyPastEpoch(uint256 epoch, uint24 later) public {
        epoch = bound(epoch, 0, NOW - 1);
        uint256 value = drand.seed(epoch);
        assertEq(value, uint256(keccak256(abi.encode("drand", epoch))));
        vm.roll(NOW + later);
        assertEq(drand.seed(epoch), value);
    }

    /// An epoch that isn't past is refused by every source, for next to no gas.
    function testFuzz_noSeedOfTheFuture(uint256 epoch) public view {
        epoch = bound(epoch, NOW, type(uint256).max);
        IRandomness[3] memory sources = [IRandomness(drand), randao, blockhashes];
        for (uint256 i; i < sources.length; ++i) {
            uint256 gasBefore = gasleft();
            (bool ok, bytes memory answer) = address(sources[i]).staticcall(abi.encodeCall(IRandomness.seed, (epoch)));
            assertLt(gasBefore - gasleft(), 10_000);
            assertFalse(ok);
            assertEq(answer, abi.encodeWithSelector(IRandomness.SeedUnavailable.selector, epoch));
        }
        assertFalse(randao.checkpointable(epoch));
    }

    /// @dev The twin may fail where the library doesn't: it decodes what follows mixHash as well.
    function _assertTwinAgrees(bytes memory header, uint256 number, uint256 mixHash) internal view {
        try readers.twin(header) returns (uint256 twinNumber, uint256 twinMix) {
            assertEq(number, twinNumber);
            assertEq(mixHash, twinMix);
        } catch {}
    }

    function _assertSameOrUnavailable(IRandomness source, uint256 epoch, uint256 value) internal view {
        try source.seed(epoch) returns (uint256 again) {
            assertEq(again, value);
        } catch (bytes memory error) {
            assertEq(error, abi.encodeWithSelector(IRandomness.SeedUnavailable.selector, epoch));
        }
    }

    /// @dev Makes the chain serve `hash` as that of `epoch`.
    function _vouch(uint256 epoch, bytes32 hash) internal {
        vm.store(HISTORY, bytes32(epoch % 8191), hash);
    }

    function _header(
        uint256 number,
        uint256 mixHash,
        uint64[3] memory numbers,
        bytes memory extraData,
        uint256 laterFields
    ) internal pure returns (bytes memory) {
        bytes[] memory fields = new bytes[](15 + laterFields);
        for (uint256 i; i < fields.length; ++i) {
            fields[i] = RLP.encode(keccak256(abi.encode(number, mixHash, i)));
        }
        fields[2] = RLP.encode(abi.encodePacked(uint160(mixHash)));
        fields[6] = RLP.encode(new bytes(256));
        fields[7] = RLP.encode(uint256(0));
        fields[8] = RLP.encode(number);
        for (uint256 i; i < 3; ++i) fields[9 + i] = RLP.encode(uint256(numbers[i]));
        fields[12] = RLP.encode(extraData);
        fields[13] = RLP.encode(abi.encode(mixHash));
        fields[14] = RLP.encode(abi.encodePacked(bytes8(0)));
        return RLP.encode(fields);
    }
}
