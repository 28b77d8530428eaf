"""What a trained model says of itself, and which models fit together.

What belongs here: reading the identity of a checkpoint folder and checking that a policy meets the
encoder it was trained on. What does not: weights (``checkpoint.py``), where folders lie and which is
promoted (``dagster_project``).

Every model's ``config.json`` holds ``kind``, ``compatibility_id``, ``requires`` (kind of another model ->
its compatibility id) and ``profile``. The compatibility id names what others may rely on: two encoders
with one id give the same embeddings.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ml.checkpoint import CheckpointError, load_checkpoint

ENCODER: Final = "encoder"
POLICY: Final = "policy"
PERSONALIZATION: Final = "personalization"
KINDS: Final = (ENCODER, POLICY, PERSONALIZATION)
WEIGHTS: Final = Path(__file__).parent / "weights"


class CompatibilityError(ValueError):
    """Models that were not trained for each other; the message names both and the remedy."""


@dataclass(frozen=True, slots=True)
class ModelRef:
    """One checkpoint folder's identity.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    model_id : str
        Digest of the folder's contents, 64 hex digits.
    compatibility_id : str
        What models that build on this one may rely on.
    requires : mapping of str to str
        Kind -> compatibility id of the model this one was trained on.
    profile : str
        Training profile, ``quick`` or ``full``.
    folder : pathlib.Path
        Where it lies.
    """

    kind: str
    model_id: str
    compatibility_id: str
    requires: Mapping[str, str]
    profile: str
    folder: Path


def describe_model(folder: Path, kind: str) -> ModelRef:
    """Read the identity of a checkpoint folder.

    Raises
    ------
    CheckpointError
        The folder is incomplete, altered, or holds a model of another kind.
    """
    saved = load_checkpoint(folder)
    missing = [key for key in ("kind", "compatibility_id", "requires", "profile") if key not in saved.config]
    if missing:
        raise CheckpointError(f"{folder}/config.json lacks {', '.join(missing)}: train the {kind} anew")
    if saved.config["kind"] != kind:
        raise CheckpointError(f"{folder} holds a model of kind {saved.config['kind']!r}, not {kind!r}")
    return ModelRef(
        kind,
        saved.digest,
        str(saved.config["compatibility_id"]),
        dict(saved.config["requires"]),
        str(saved.config["profile"]),
        folder,
    )


def packaged_model(kind: str) -> ModelRef:
    """The model of a kind that ships with the project."""
    return describe_model(WEIGHTS / kind, kind)


def require_compatible(models: Mapping[str, ModelRef]) -> None:
    """Refuse a set of models that were not trained for each other.

    Parameters
    ----------
    models : mapping of str to ModelRef
        By kind; what a model requires must be among them.

    Raises
    ------
    CompatibilityError
        A required model is missing or another one stands in its place.
    """
    for model in models.values():
        for kind, wanted in model.requires.items():
            found = models[kind].compatibility_id if kind in models else "none"
            if found != wanted:
                raise CompatibilityError(
                    f"{model.kind} {model.model_id[:12]} was trained on the {kind} with compatibility id "
                    f"{wanted[:12]}, in use is {found[:12]}: train it anew (`taxloom train --phase {model.kind}`) "
                    f"or promote the {kind} it was trained on (`taxloom models --promote ID`)"
                )
