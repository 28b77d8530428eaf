"""Serving: the policy's targets for the accounts of a night.

What belongs here: from the night's panels to observations, targets in chunks, the identity of the policy.
What does not: training, where embeddings come from, orders. No torch tensor crosses this border.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch

from ml.models import CompatibilityError
from ml.policy.account_state import AccountTax, check_shape, portfolio_state, rows_of, sum_lots
from ml.policy.market_window import EMBEDDING_SIZE, REGIME_FEATURES
from ml.policy.model import PolicyOutput
from ml.policy.observation import Observation, observe
from ml.policy.panels import AccountPanel, MarketPanel
from ml.policy.regime import regime_features
from ml.policy.state import PortfolioState
from ml.policy.trained import StoredPolicy, TrainedPolicy, load_policy
from ml.runtime import fixed_threads
from ml.types import ACTIONS, EXPERTS, OBJECTIVES

__all__ = ["AccountTax", "PolicyServer", "regime_features"]

_CELLS: Final = 32_768  # account-assets of one pass: bounds the memory


class PolicyServer:
    """Gives targets; holds no state between calls. Float32 on the CPU with a fixed number of threads.

    Attributes
    ----------
    model_id : str
        Digest of the checkpoint folder; of a policy without one, its compatibility id.
    compatibility_id : str
        What an adapter may rely on.
    encoder_compatibility_id : str
        The encoder whose embeddings it reads.
    """

    def __init__(self, stored: StoredPolicy, threads: int = 1) -> None:
        self._model, self._threads = stored.model, threads
        self.model_id = stored.digest
        self.compatibility_id = stored.compatibility_id
        self.encoder_compatibility_id = stored.encoder_compatibility_id

    @classmethod
    def load(
        cls, folder: Path, encoder_compatibility_id: str | None = None, threads: int = 1
    ) -> "PolicyServer":
        """Read a checkpoint folder.

        Parameters
        ----------
        folder : pathlib.Path
        encoder_compatibility_id : str, optional
            Of the encoder in use; checked where given.
        threads : int
            Of each pass: the last bits of a result may depend on it.

        Raises
        ------
        CheckpointError
            The folder is incomplete, altered, or holds no policy.
        CompatibilityError
            The policy was trained on another encoder.
        """
        server = cls(load_policy(folder), threads)
        if encoder_compatibility_id is not None:
            server.require_encoder(encoder_compatibility_id)
        return server

    @classmethod
    def of(cls, trained: TrainedPolicy, threads: int = 1) -> "PolicyServer":
        """Serve what training returned, without a folder."""
        identity = trained.compatibility_id
        return cls(StoredPolicy(trained.model, identity, trained.encoder_compatibility_id, identity), threads)

    def require_encoder(self, compatibility_id: str) -> None:
        """Refuse the embeddings of another encoder.

        Raises
        ------
        CompatibilityError
        """
        if compatibility_id != self.encoder_compatibility_id:
            raise CompatibilityError(
                f"policy {self.model_id[:12]} was trained on the encoder with compatibility id "
                f"{self.encoder_compatibility_id[:12]}, in use is {compatibility_id[:12]}: train it anew "
                "(`taxloom train --phase policy`) or promote the encoder it was trained on"
            )

    def targets(
        self,
        market: MarketPanel,
        embeddings: np.ndarray,
        regime: np.ndarray,
        accounts: AccountPanel,
        tax: AccountTax,
        mix: np.ndarray,
        no_short_gains: np.ndarray,
        *,
        cells: int = _CELLS,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Target weights of A accounts.

        Parameters
        ----------
        market : MarketPanel
            N assets.
        embeddings : ndarray of shape (N, 64)
            Zeros where an asset has none.
        regime : ndarray of shape (5,)
            From :func:`regime_features`.
        accounts : AccountPanel
        tax : AccountTax
        mix : ndarray of shape (A, 6)
            Weights of the objectives, rows summing to 1.
        no_short_gains : ndarray of shape (A,)
            bool: the target sells no lot whose sale would realise a short-term gain.
        cells : int
            Account-assets of one pass; results depend on it in the last bits only.

        Returns
        -------
        targets : ndarray of shape (A, N + 1)
            float64, cash last, >= 0, rows summing to 1. Untradeable assets keep their weight.
        experts : ndarray of shape (A, 4)
            Share of each expert.

        Raises
        ------
        ValueError
            Arrays that do not fit together, or a mix that is no mix.
        """
        state = portfolio_state(market.tradeable, accounts, tax)
        targets = np.empty((len(mix), len(market.asset_ids) + 1))
        experts = np.empty((len(mix), len(EXPERTS)))
        for rows, output, seen in self._passes(market, embeddings, regime, state, mix, cells):
            weights = self._model.mean_action(output, seen).double()
            targets[rows] = (weights / weights.sum(1, keepdim=True)).numpy()
            experts[rows] = output.experts.double().numpy()
        masked = np.asarray(no_short_gains, dtype=bool) & ~accounts.is_tax_deferred
        if masked.any():
            floor = _short_gain_weight(accounts, len(market.asset_ids))[masked]
            targets[masked] = _raised_to(targets[masked], floor)
        return targets, experts / experts.sum(1, keepdims=True)

    def action_logits(
        self,
        market: MarketPanel,
        embeddings: np.ndarray,
        regime: np.ndarray,
        accounts: AccountPanel,
        tax: AccountTax,
        mix: np.ndarray,
        *,
        cells: int = _CELLS,
    ) -> np.ndarray:
        """Logits of buy, hold and sell per account and asset, as :meth:`targets` but (A, N, 3) float32.

        With a mix of one objective they say what the policy does under it.
        """
        state = portfolio_state(market.tradeable, accounts, tax)
        logits = np.empty((len(mix), len(market.asset_ids), len(ACTIONS)), np.float32)
        for rows, output, _ in self._passes(market, embeddings, regime, state, mix, cells):
            logits[rows] = output.logits.numpy()
        return logits

    def _passes(
        self,
        market: MarketPanel,
        embeddings: np.ndarray,
        regime: np.ndarray,
        state: PortfolioState,
        mix: np.ndarray,
        cells: int,
    ) -> Iterator[tuple[slice, PolicyOutput, Observation]]:
        """Run the network over chunks of accounts."""
        count, assets = state.weight.shape
        check_shape("embeddings", embeddings, (assets, EMBEDDING_SIZE))
        check_shape("regime", regime, (len(REGIME_FEATURES),))
        check_shape("mix", mix, (count, len(OBJECTIVES)))
        bad = ~((mix >= 0).all(axis=1) & (np.abs(mix.sum(axis=1) - 1) <= 1e-6))
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise ValueError(f"mix row {row} is {mix[row].tolist()}: entries must be >= 0 and sum to 1")
        for name, values in (("embeddings", embeddings), ("regime", regime)):
            if not np.isfinite(values).all():
                raise ValueError(f"{name} of {market.as_of_date} are not finite: embed the session anew")
        vectors = torch.from_numpy(np.ascontiguousarray(embeddings, np.float32))[None]
        world = torch.from_numpy(np.asarray(regime, np.float32))
        chunk = max(1, cells // max(assets, 1))
        with torch.inference_mode(), fixed_threads(self._threads):
            for start in range(0, count, chunk):
                rows = slice(start, min(start + chunk, count))
                part = rows_of(state, rows)
                wanted = torch.from_numpy(np.asarray(mix[rows], np.float32))
                seen = observe(part, vectors, world.expand(len(wanted), -1), wanted)
                yield rows, self._model(seen), seen


def _short_gain_weight(accounts: AccountPanel, assets: int) -> np.ndarray:
    """Weight in lots whose sale would realise a short-term gain, (A, N)."""
    ratio = np.asarray(accounts.lot_gain_ratio, dtype=np.float64)
    bound = ~np.asarray(accounts.lot_is_long_term, dtype=bool) & ~(ratio <= 0)
    total = sum_lots(accounts, np.asarray(accounts.lot_weight, dtype=np.float64) * bound, assets)
    return np.minimum(total, accounts.current_weights[:, :-1])


def _raised_to(targets: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Raise targets (A, N + 1) to a floor (A, N), and scale what lies above it to keep the sum at 1."""
    floor = np.concatenate([floor, np.zeros((len(floor), 1))], axis=1)
    above = np.maximum(targets - floor, 0.0)
    total, left = above.sum(axis=1, keepdims=True), 1.0 - floor.sum(axis=1, keepdims=True)
    # Nothing above the floor: what is left is cash.
    above[:, -1] += np.where(total[:, 0] > 0, 0.0, 1.0)
    scaled = floor + np.maximum(left, 0.0) * above / np.where(total > 0, total, 1.0)
    return scaled / scaled.sum(axis=1, keepdims=True)
