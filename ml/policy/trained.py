"""A trained policy and its checkpoint folder.

What belongs here: what is stored, under which names, and the identity of it. What does not: training,
serving.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from ml.models import ENCODER, POLICY, CompatibilityError
from ml.policy.config import PolicyConfig, TrainConfig
from ml.policy.model import MoEPolicy
from ml.policy.state import ACCOUNT_FEATURES, POSITION_FEATURES
from ml.types import EXPERTS, OBJECTIVES


@dataclass(frozen=True)
class TrainedPolicy:
    """What training returns.

    Attributes
    ----------
    model : MoEPolicy
        In evaluation mode, on the CPU.
    config : TrainConfig
    encoder_compatibility_id : str
        Of the encoder whose embeddings it was trained on.
    seed : int
    sources : tuple of str
        Of the training panels.
    history : list of dict
        Metrics rows.
    expert_load : list of list of float
        Mean share of each expert (4) by objective (6).
    summary : dict of str to float
        Of the last evaluation, with the warm start's beside it.
    """

    model: MoEPolicy
    config: TrainConfig
    encoder_compatibility_id: str
    seed: int
    sources: tuple[str, ...]
    history: list[dict[str, Any]] = field(default_factory=list)
    expert_load: list[list[float]] = field(default_factory=list)
    summary: dict[str, float] = field(default_factory=dict)

    @property
    def tensors(self) -> dict[str, np.ndarray]:
        """Weights and normalising statistics by name."""
        return {name: value.detach().cpu().numpy() for name, value in self.model.state_dict().items()}

    @property
    def compatibility_id(self) -> str:
        """What an adapter may rely on: equal ids give equal targets."""
        return policy_compatibility_id(
            self.tensors, self.config.policy.as_dict(), self.encoder_compatibility_id
        )

    def save(self, folder: Path, metrics: Mapping[str, Any] | None = None) -> str:
        """Write the checkpoint folder and return its digest.

        Parameters
        ----------
        folder : pathlib.Path
        metrics : mapping, optional
            JSON values kept beside the history.
        """
        config = {
            "kind": POLICY,
            "compatibility_id": self.compatibility_id,
            "requires": {ENCODER: self.encoder_compatibility_id},
            "profile": self.config.profile,
            "policy": self.config.policy.as_dict(),
            "train": self.config.as_dict(),
            "seed": self.seed,
            "sources": list(self.sources),
        }
        found = {"history": self.history, "expert_load": self.expert_load, "summary": self.summary}
        return save_checkpoint(folder, config, self.tensors, {**found, **(metrics or {})})


@dataclass(frozen=True)
class StoredPolicy:
    """What serving reads from a checkpoint folder."""

    model: MoEPolicy
    compatibility_id: str
    encoder_compatibility_id: str
    digest: str


def load_policy(folder: Path) -> StoredPolicy:
    """Read a checkpoint folder.

    Raises
    ------
    CheckpointError
        The folder is incomplete, altered, or holds no policy.
    CompatibilityError
        Its tensors are not those that its id names, or its inputs are of another version.
    """
    saved = load_checkpoint(folder)
    if saved.config.get("kind") != POLICY:
        raise CheckpointError(f"{folder} holds a model of kind {saved.config.get('kind')!r}, not {POLICY!r}")
    encoder_id = str(saved.config["requires"][ENCODER])
    found = policy_compatibility_id(saved.tensors, saved.config["policy"], encoder_id)
    if found != saved.config["compatibility_id"]:
        raise CompatibilityError(
            f"{folder} names the compatibility id {saved.config['compatibility_id'][:12]}, its contents and the "
            f"features of this version give {found[:12]}: restore it or train it anew (taxloom train --phase policy)"
        )
    model = MoEPolicy(PolicyConfig.from_dict(saved.config["policy"]))
    model.load_state_dict({name: torch.from_numpy(np.array(x)) for name, x in saved.tensors.items()})
    return StoredPolicy(model.eval().requires_grad_(False), found, encoder_id, saved.digest)


def policy_compatibility_id(
    tensors: Mapping[str, np.ndarray], sizes: Mapping[str, Any], encoder_compatibility_id: str
) -> str:
    """SHA-256 over encoder, input features, vocabularies, network sizes and tensors.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    facts = {
        "encoder": encoder_compatibility_id,
        "position": POSITION_FEATURES,
        "account": ACCOUNT_FEATURES,
        "objectives": OBJECTIVES,
        "experts": EXPERTS,
        "policy": dict(sizes),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        digest.update(f"{name}:{value.dtype.str}:{value.shape};".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
