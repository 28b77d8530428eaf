"""Which Chronos model an installation embeds with, and the whitening that belongs to it.

Any model that ``chronos`` loads will do (T5, Bolt, Chronos-2). The first step that meets one without a
whitening fits it on the simulated training corpus and keeps it under ``<home>/artifacts/chronos``. Not an
asset. What does not belong here: embedding (``ml/chronos/embed.py``).
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from dagster_project.settings import Settings

if TYPE_CHECKING:
    from ml.chronos.embed import Whitening
    from ml.encoder.dataset import ChronosBranch

# Windows that the whitening of a model without one is fitted on: many more than any Chronos is wide.
WHITENING_WINDOWS = 12_000


def chronos_field() -> str:
    """The run configuration's choice, the same for every step that embeds prices."""
    return Field(
        default="",
        description="folder or hub id of a Chronos model (T5, Bolt, Chronos-2); empty: TAXLOOM_CHRONOS, "
        "and without that the packaged one",
    )


def open_chronos(settings: Settings, choice: str, log: Callable[[str], None]) -> tuple[Path, "Whitening"]:
    """Find the model and its whitening; no model is loaded unless a whitening must be fitted.

    Parameters
    ----------
    settings : Settings
        Names the model if ``choice`` does not, and where a fitted whitening is kept.
    choice : str
        Folder or hub id from the run configuration, or empty.
    log : callable
        Told of a fit, which takes seconds to minutes.

    Returns
    -------
    folder : pathlib.Path
        The model's.
    whitening : Whitening

    Raises
    ------
    EmbeddingError
        No such model, or its whitening was fitted on other weights.
    CheckpointError
        The model has no safetensors, or the whitening was altered.
    """
    from ml.checkpoint import weights_digest
    from ml.chronos.embed import DEFAULT_MODEL
    from ml.chronos.model import find_chronos, has_whitening, open_whitening, whitening_folder

    folder = find_chronos(choice or settings.chronos or DEFAULT_MODEL)
    if has_whitening(whitening_folder(folder)):
        return folder, open_whitening(folder)
    weights = weights_digest(folder)
    place = settings.home / "artifacts" / "chronos" / weights[:16]
    if not has_whitening(place):
        _fit(folder, weights, place, log)
    return folder, open_whitening(folder, place)


def load_branch(
    settings: Settings, choice: str, log: Callable[[str], None], device: str = "cpu"
) -> "ChronosBranch":
    """Load the model, for a training that embeds as it goes; errors as :func:`open_chronos`."""
    from ml.chronos.embed import load_pipeline
    from ml.encoder.dataset import ChronosBranch

    folder, whitening = open_chronos(settings, choice, log)
    return ChronosBranch(load_pipeline(folder, device), whitening)


def _fit(folder: Path, weights: str, place: Path, log: Callable[[str], None]) -> None:
    from ml.chronos.embed import load_pipeline
    from ml.chronos.whiten import fit_corpus_whitening

    log(f"progress: {folder} has no whitening: fitting one on {WHITENING_WINDOWS:,} simulated windows")
    began = time.monotonic()
    whitening, metrics = fit_corpus_whitening(
        load_pipeline(folder),
        weights,
        windows=WHITENING_WINDOWS,
        on_progress=lambda done, total: log(f"progress: embedded {done:,} of {total:,} windows"),
    )
    whitening.save(place, metrics)
    log(
        f"wrote {place} in {time.monotonic() - began:.0f} s: mean cosine of unrelated assets "
        f"{metrics['mean_cosine_raw']} raw, {metrics['mean_cosine_whitened']} whitened"
    )
