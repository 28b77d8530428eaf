"""A trained encoder and its checkpoint folder.

What belongs here: what is stored, under which names, and the identity of it. What does not: training,
serving.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from ml.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from ml.encoder.config import PROFILES, EncoderConfig, TrainConfig
from ml.encoder.model import CrossAssetEncoder
from ml.encoder.normalize import FeatureNormalizer
from ml.encoder.statistics import EmbeddingStatistics
from ml.features.catalog import catalog_hash
from ml.models import ENCODER, CompatibilityError

_MODEL: Final = "model."
_HEADS: Final = "model.heads."


@dataclass(frozen=True)
class TrainedEncoder:
    """What training returns.

    Attributes
    ----------
    model : CrossAssetEncoder
        In evaluation mode, on the CPU.
    normalizer : FeatureNormalizer
    statistics : EmbeddingStatistics
    config : TrainConfig
    chronos_model_id : str
        The Chronos model whose embeddings it reads.
    seed : int
    sources : tuple of str
        Of the training panels.
    history : list of dict
        Metrics rows.
    """

    model: CrossAssetEncoder
    normalizer: FeatureNormalizer
    statistics: EmbeddingStatistics
    config: TrainConfig
    chronos_model_id: str
    seed: int
    sources: tuple[str, ...]
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """All that serving needs, by name; the heads of training are left out."""
        named = {f"{_MODEL}{name}": value for name, value in self.model.state_dict().items()}
        kept = {name: value for name, value in named.items() if not name.startswith(_HEADS)}
        kept |= {"features.knots": self.normalizer.knots, "features.scores": self.normalizer.scores}
        kept |= {"statistics.mean": self.statistics.mean, "statistics.matrix": self.statistics.matrix}
        return {name: value.detach().cpu().numpy() for name, value in kept.items()}

    @property
    def compatibility_id(self) -> str:
        """What a policy may rely on: equal ids give equal embeddings."""
        sizes = self.config.encoder.as_dict()
        return encoder_compatibility_id(self.tensors, sizes, self.chronos_model_id)

    def save(self, folder: Path, metrics: Mapping[str, Any] | None = None) -> str:
        """Write the checkpoint folder and return its digest.

        Parameters
        ----------
        folder : pathlib.Path
        metrics : mapping, optional
            JSON values kept beside the history (an evaluation).
        """
        config = {
            "kind": ENCODER,
            "compatibility_id": self.compatibility_id,
            "requires": {},
            "profile": self.config.profile,
            "catalog_hash": catalog_hash(),
            "chronos_model_id": self.chronos_model_id,
            "encoder": self.config.encoder.as_dict(),
            "train": self.config.as_dict(),
            "seed": self.seed,
            "sources": list(self.sources),
        }
        return save_checkpoint(folder, config, self.tensors, {"history": self.history, **(metrics or {})})


@dataclass(frozen=True)
class StoredEncoder:
    """What serving reads from a checkpoint folder."""

    model: CrossAssetEncoder
    normalizer: FeatureNormalizer
    statistics: EmbeddingStatistics
    chronos_model_id: str
    compatibility_id: str
    digest: str


def load_encoder(folder: Path) -> StoredEncoder:
    """Read a checkpoint folder.

    Raises
    ------
    CheckpointError
        The folder is incomplete, altered, or holds no encoder.
    CompatibilityError
        The features of the catalog are not those it was trained on, or its tensors are not those that its
        id names.
    """
    saved = load_checkpoint(folder)
    if saved.config.get("kind") != ENCODER:
        raise CheckpointError(f"{folder} holds a model of kind {saved.config.get('kind')!r}, not {ENCODER!r}")
    if saved.config["catalog_hash"] != catalog_hash():
        raise CompatibilityError(
            f"{folder} was trained on the feature catalog {saved.config['catalog_hash'][:12]}, this one is "
            f"{catalog_hash()[:12]}: train the encoder anew (taxloom train --phase encoder)"
        )
    sizes, chronos_model_id = saved.config["encoder"], str(saved.config["chronos_model_id"])
    found = encoder_compatibility_id(saved.tensors, sizes, chronos_model_id)
    if found != saved.config["compatibility_id"]:
        raise CompatibilityError(
            f"{folder} names the compatibility id {saved.config['compatibility_id'][:12]}, its contents give "
            f"{found[:12]}: restore or train it anew (taxloom train --phase encoder)"
        )
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in saved.tensors.items()}
    model = CrossAssetEncoder(EncoderConfig.from_dict(sizes))
    state = {name.removeprefix(_MODEL): value for name, value in tensors.items() if name.startswith(_MODEL)}
    missing, unknown = model.load_state_dict(state, strict=False)
    lost = [name for name in missing if not f"{_MODEL}{name}".startswith(_HEADS)]
    if lost or unknown:
        raise CheckpointError(f"{folder} lacks {lost} or has the unknown {unknown}: train the encoder anew")
    return StoredEncoder(
        model.eval().requires_grad_(False),
        FeatureNormalizer(tensors["features.knots"], tensors["features.scores"]),
        EmbeddingStatistics(tensors["statistics.mean"], tensors["statistics.matrix"]),
        chronos_model_id,
        found,
        saved.digest,
    )


def restore_trained(folder: Path) -> TrainedEncoder:
    """Read a checkpoint folder as what training returned, for evaluation; the heads are not stored.

    Raises
    ------
    CheckpointError, CompatibilityError
        As :func:`load_encoder`; an unknown profile too.
    """
    stored, saved = load_encoder(folder), load_checkpoint(folder)
    profile = str(saved.config["profile"])
    if profile not in PROFILES:
        raise CheckpointError(
            f"{folder} was trained with the profile {profile!r}, known are {sorted(PROFILES)}"
        )
    return TrainedEncoder(
        stored.model,
        stored.normalizer,
        stored.statistics,
        replace(PROFILES[profile], encoder=stored.model.config),
        stored.chronos_model_id,
        int(saved.config["seed"]),
        tuple(saved.config["sources"]),
        list(saved.metrics["history"]),
    )


def encoder_compatibility_id(
    tensors: Mapping[str, np.ndarray], sizes: Mapping[str, Any], chronos_model_id: str
) -> str:
    """SHA-256 over feature catalog, network sizes and tensors, embedding statistics and Chronos model.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    facts = {"catalog": catalog_hash(), "encoder": dict(sizes), "chronos": chronos_model_id}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}:{value.dtype.str}:{value.shape};".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
