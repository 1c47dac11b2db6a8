// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IStorageMarket} from "./interfaces/IStorageMarket.sol";
import {IVault} from "./interfaces/IVault.sol";
import {Amendment} from "./libraries/Amendments.sol";
import {DealTerms, DealTermsLib} from "./libraries/DealTerms.sol";
import {TermsRules} from "./libraries/TermsRules.sol";

/// @title What a market asks of terms before it opens them, and of their changes
/// @notice The part that only reads: whether terms or changes are possible, and whether both parties agreed to them.
/// The market deploys it in its constructor and holds no other; it has no state, and nobody needs to trust it with
/// anything. Its errors are the market's.
/// @dev A contract of its own because of the limit on code size.
contract TermsChecker {
    address private immutable _market;
    IVault private immutable _vault;
    IProviderRegistry private immutable _registry;
    address private immutable _stakeToken;
    uint256 private immutable _minStake;

    /// @notice For the market that deploys it.
    constructor(IVault vault, IProviderRegistry registry, address stakeToken, uint256 minStake) {
        _market = msg.sender;
        _vault = vault;
        _registry = registry;
        _stakeToken = stakeToken;
        _minStake = minStake;
    }

    /// @notice Reverts unless `sender` may open these terms with these signatures, either of which may be empty.
    /// @param id Their EIP-712 digest.
    /// @param maxMisses Of the tier that they name.
    /// @return gift Whether the client did not sign, so that the sender pays.
    function check(
        DealTerms memory terms,
        uint256 id,
        uint256 maxMisses,
        address sender,
        bytes calldata clientSignature,
        bytes calldata providerSignature
    ) external view returns (bool gift) {
        _requirePossible(terms, maxMisses);
        gift = clientSignature.length == 0 && sender != terms.client;
        if (!gift) _requireClient(terms.client, id, sender, clientSignature);
        _requireProvider(terms.provider, id, sender, providerSignature);
        _requireMinStake(terms.provider);
    }

    /// @notice Reverts unless `sender` may move a deal to these terms with these signatures.
    /// @param id The EIP-712 digest of the terms.
    /// @param consent That of the owner's consent.
    /// @param maxMisses Of the tier that they name.
    function checkMigration(
        DealTerms memory terms,
        uint256 id,
        uint256 consent,
        uint256 maxMisses,
        address sender,
        bytes calldata ownerSignature,
        bytes calldata providerSignature
    ) external view {
        _requirePossible(terms, maxMisses);
        _requireClient(terms.client, consent, sender, ownerSignature);
        _requireProvider(terms.provider, id, sender, providerSignature);
        _requireMinStake(terms.provider);
    }

    /// @notice Reverts unless `sender` may amend a deal like this with these signatures.
    /// @param id The EIP-712 digest of the amendment.
    /// @param maxPeriods Of the deal, as are the next two.
    function checkAmendment(
        Amendment calldata amendment,
        uint256 id,
        uint256 maxPeriods,
        address owner,
        address provider,
        address sender,
        bytes calldata ownerSignature,
        bytes calldata providerSignature
    ) external view {
        TermsRules.requirePiece(amendment.root, amendment.leafCount);
        TermsRules.requirePrice(amendment.pricePerPeriod, maxPeriods);
        _requireClient(owner, id, sender, ownerSignature);
        _requireProvider(provider, id, sender, providerSignature);
    }

    function _requirePossible(DealTerms memory terms, uint256 maxMisses) private view {
        _requireReceiver(terms.client);
        _requireReceiver(terms.provider);
        TermsRules.requirePiece(terms.root, terms.leafCount);
        TermsRules.requireNumbers(terms.periods, terms.maxPeriods, terms.pricePerPeriod, terms.collateral, maxMisses);
    }

    function _requireClient(address client, uint256 id, address sender, bytes calldata signature) private view {
        if (sender == client || _signed(client, id, signature)) return;
        revert IStorageMarket.InvalidClientSignature(client);
    }

    function _requireReceiver(address account) private view {
        bool fit = DealTermsLib.isReceiver(account, address(_vault), address(_registry), _market);
        if (!fit) revert IStorageMarket.InvalidAccount(account);
    }

    function _requireProvider(address provider, uint256 id, address sender, bytes calldata signature) private view {
        if (sender == provider) return;
        address signer = _registry.signerOf(provider);
        if (sender == signer || _signed(signer, id, signature) || _signed(provider, id, signature)) return;
        revert IStorageMarket.InvalidProviderSignature(provider);
    }

    /// @dev No account can sign for the zero address: nothing recovers to it.
    function _signed(address account, uint256 id, bytes calldata signature) private view returns (bool) {
        return account != address(0) && SignatureChecker.isValidSignatureNowCalldata(account, bytes32(id), signature);
    }

    /// @dev What is free now is what `collateral` is locked from: the sum is the same before and after.
    function _requireMinStake(address provider) private view {
        if (_minStake == 0) return;
        (uint256 free, uint256 locked) = _registry.provisionOf(provider, _market, _stakeToken);
        uint256 stake = free + locked;
        if (stake < _minStake) revert IStorageMarket.StakeBelowMinimum(provider, stake, _minStake);
    }
}
