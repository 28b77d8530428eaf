"""Serving: embeddings of the assets of one session, or of a panel's sessions.

What belongs here: from raw arrays to whitened embeddings. What does not: reading panels, running Chronos
(``dataset.chronos_for``), storing embeddings.
"""

from pathlib import Path

import numpy as np
import torch

from ml.encoder.config import EMBEDDING_SIZE, WINDOW
from ml.encoder.dataset import EncoderDataError, pad_channels
from ml.encoder.model import EncoderInput, EncoderOutput
from ml.encoder.normalize import normalize_channels
from ml.encoder.trained import StoredEncoder, TrainedEncoder, load_encoder
from ml.features.panel import CHANNELS, N_FEATURES, FeaturePanel
from ml.models import CompatibilityError

_CELLS = 8192
"""Cells of one pass, but at least one session: bounds the memory."""


class EncoderServer:
    """Gives embeddings; holds no state between calls.

    Attributes
    ----------
    compatibility_id : str
        What a policy may rely on.
    chronos_model_id : str
        The Chronos model whose embeddings it reads.
    """

    def __init__(self, stored: StoredEncoder, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._model = stored.model.to(self.device).eval()
        self._normalizer = stored.normalizer.to(self.device)
        self._statistics = stored.statistics.to(self.device)
        self.compatibility_id = stored.compatibility_id
        self.chronos_model_id = stored.chronos_model_id

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> "EncoderServer":
        """Read a checkpoint folder.

        Raises
        ------
        CheckpointError, CompatibilityError
            As :func:`ml.encoder.trained.load_encoder`.
        """
        return cls(load_encoder(folder), device)

    @classmethod
    def of(cls, trained: TrainedEncoder, device: torch.device | str = "cpu") -> "EncoderServer":
        """Serve what training returned, without a folder."""
        stored = StoredEncoder(
            trained.model,
            trained.normalizer,
            trained.statistics,
            trained.chronos_model_id,
            trained.compatibility_id,
            "",
        )
        return cls(stored, device)

    @property
    def chronos_size(self) -> int:
        """Length of the Chronos embeddings that it reads."""
        return self._model.config.chronos_size

    def check_chronos(self, model_id: str) -> None:
        """Refuse the embeddings of another Chronos model.

        Raises
        ------
        CompatibilityError
        """
        if model_id != self.chronos_model_id:
            raise CompatibilityError(
                f"Chronos embeddings are of model {model_id[:12]!r}, the encoder was trained on those of "
                f"{self.chronos_model_id[:12]!r}: embed with that model (TAXLOOM_CHRONOS), or train encoder and "
                "policy on this one (taxloom train --phase encoder, then --phase policy)"
            )

    def embed(
        self,
        channels: np.ndarray,
        features: np.ndarray,
        chronos: np.ndarray | None = None,
        has_chronos: np.ndarray | None = None,
        is_asset: np.ndarray | None = None,
    ) -> np.ndarray:
        """Embeddings of the assets of one session.

        Parameters
        ----------
        channels : ndarray of shape (N, W, 5)
            Raw channels up to the session, oldest first; the last 64 are read, fewer are enough; nan =
            missing.
        features : ndarray of shape (N, 50)
            Raw values in catalog order.
        chronos : ndarray of shape (N, 128), optional
            Whitened Chronos embeddings; nan or all zeros = none.
        has_chronos : ndarray of shape (N,), optional
            bool; by default the rows of `chronos` that are finite and not all zeros.
        is_asset : ndarray of shape (N,), optional
            bool; False: padding. By default all.

        Returns
        -------
        ndarray of shape (N, 64)
            float32; 0 where `is_asset` is False.

        Raises
        ------
        EncoderDataError
            Arrays that do not fit together.
        """
        n = len(channels)
        present = np.ones(n, bool) if is_asset is None else is_asset
        short = WINDOW - channels.shape[1]
        if short > 0:
            before = np.full((n, short, channels.shape[2]), np.nan, np.float32)
            channels = np.concatenate([before, channels], axis=1)
        extra = None if chronos is None else chronos[None]
        flags = None if has_chronos is None else has_chronos[None]
        inputs = self.inputs(channels[None, :, -WINDOW:], features[None], extra, flags, present[None])
        return self._served(inputs)[0]

    def embed_panel(
        self,
        panel: FeaturePanel,
        sessions: np.ndarray,
        chronos: np.ndarray | None = None,
        has_chronos: np.ndarray | None = None,
    ) -> np.ndarray:
        """Embeddings of many sessions.

        Parameters
        ----------
        panel : FeaturePanel
        sessions : ndarray of shape (d,)
            Positions.
        chronos, has_chronos : ndarray of shape (d, N, 128) and (d, N), optional
            As :func:`ml.encoder.dataset.chronos_for` gives them.

        Returns
        -------
        ndarray of shape (d, N, 64)
            float32; 0 where an asset is not present.
        """
        padded = pad_channels(panel.channels)
        days = np.arange(WINDOW)
        step = max(1, _CELLS // max(len(panel.asset_ids), 1))
        out = np.zeros((len(sessions), len(panel.asset_ids), EMBEDDING_SIZE), np.float32)
        for begin in range(0, len(sessions), step):
            part = slice(begin, begin + step)
            rows = np.asarray(sessions[part])
            inputs = self.inputs(
                padded[rows[:, None] + days].swapaxes(1, 2),
                panel.features[rows],
                None if chronos is None else chronos[part],
                None if has_chronos is None else has_chronos[part],
                panel.is_present[rows],
            )
            out[part] = self._served(inputs)
        return out

    def inputs(
        self,
        channels: np.ndarray,
        features: np.ndarray,
        chronos: np.ndarray | None,
        has_chronos: np.ndarray | None,
        is_asset: np.ndarray,
    ) -> EncoderInput:
        """Normalised network inputs of raw arrays (d, N, 64, 5), (d, N, 50), (d, N, 128), (d, N), (d, N)."""
        size = self._model.config.chronos_size
        shape = is_asset.shape
        if chronos is None:
            chronos, has_chronos = np.zeros((*shape, size), np.float32), np.zeros(shape, bool)
        finite = np.isfinite(chronos).all(-1) & (chronos != 0).any(-1)
        has_chronos = finite if has_chronos is None else has_chronos & finite
        wanted = {
            "channels": (channels, (*shape, WINDOW, len(CHANNELS))),
            "features": (features, (*shape, N_FEATURES)),
            "chronos": (chronos, (*shape, size)),
            "has_chronos": (has_chronos, shape),
        }
        for name, (found, expected) in wanted.items():
            if found.shape != expected:
                raise EncoderDataError(f"{name} has shape {found.shape}, expected {expected}: see embed()")
        mask = torch.from_numpy(is_asset).to(self.device)
        raw = torch.from_numpy(np.ascontiguousarray(channels, np.float32)).to(self.device)
        scores = self._normalizer(
            torch.from_numpy(np.ascontiguousarray(features, np.float32)).to(self.device)
        )
        return EncoderInput(
            normalize_channels(torch.where(mask[..., None, None], raw, torch.nan)),
            torch.where(mask[..., None], scores, 0.0),
            torch.from_numpy(np.where(finite[..., None], chronos, 0).astype(np.float32)).to(self.device),
            torch.from_numpy(has_chronos).to(self.device) & mask,
            mask,
        )

    @torch.inference_mode()
    def forward(self, inputs: EncoderInput) -> tuple[torch.Tensor, EncoderOutput]:
        """Embeddings as served (d, N, 64), and what they were made of."""
        out = self._model(inputs)
        return self._statistics.apply(out.z, inputs.is_asset), out

    @torch.inference_mode()
    def facts(self, inputs: EncoderInput) -> torch.Tensor:
        """What the network reads apart from days and Chronos, (d, N, facts): a plain rival of it."""
        return self._model.facts(inputs)

    def _served(self, inputs: EncoderInput) -> np.ndarray:
        return self.forward(inputs)[0].float().cpu().numpy()
