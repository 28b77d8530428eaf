"""How an encoder is judged on one panel: which assets and years probes are fitted on and scored on.

What belongs here: the split and the measures of one panel as JSON values. What does not: the measures
(``evaluate.py``), several encoders side by side (``study.py``), Markdown (``card.py``).
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ml.encoder.dataset import MIN_ASSETS, ChronosBranch, EncoderDataError, chronos_for
from ml.encoder.embed import EncoderServer
from ml.encoder.evaluate import (
    BETA_SESSIONS,
    FORWARD_TARGETS,
    LABEL_TARGETS,
    collapse_measures,
    gate_rows,
    pair_cosines,
    probe_rows,
    sample_panel,
)
from ml.features.panel import FeaturePanel

SESSIONS: Final = 50
"""Sessions sampled from each of the earlier and the later years."""
_EARLIER_SHARE: Final = 0.55
_COSINE_EDGES: Final = np.linspace(-1, 1, 41)


@dataclass(frozen=True)
class Split:
    """What probes of one panel are fitted on and scored on.

    Attributes
    ----------
    name : str
    panel : FeaturePanel
    earlier, later : ndarray
        Positions of sessions; nothing that the earlier ones are fitted to reaches into the later ones.
    folds : tuple of (ndarray, ndarray)
        bool over assets: fitted on, scored on.
    is_hidden : ndarray of shape (N,)
        Whose class and sector flags nobody sees where labels are asked for.
    """

    name: str
    panel: FeaturePanel
    earlier: np.ndarray
    later: np.ndarray
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]
    is_hidden: np.ndarray


def split_panel(
    name: str,
    panel: FeaturePanel,
    *,
    window: int,
    cut: np.datetime64 | None = None,
    is_held_out: np.ndarray | None = None,
    sessions: int = SESSIONS,
    seed: int = 0,
) -> Split:
    """Split a panel in time and by assets.

    Parameters
    ----------
    name : str
    panel : FeaturePanel
    window : int
        Returns that a Chronos embedding reads.
    cut : numpy.datetime64, optional
        Last day of the earlier years; by default 55 % of the usable sessions are earlier.
    is_held_out : ndarray of shape (N,), optional
        bool; scored are these alone, fitted on are the others. By default each random half is scored with
        probes fitted on the other.
    sessions : int
        Sampled, evenly, from the earlier and from the later years.
    seed : int
        Of the halves and of whose flags are hidden.

    Raises
    ------
    EncoderDataError
        Too few sessions on either side of the cut.
    """
    rng = np.random.default_rng(seed)
    n = len(panel.asset_ids)
    half = rng.permutation(n) % 2 == 0
    is_hidden = rng.permutation(n) % 2 == 0
    folds = ((half, ~half), (~half, half))
    if is_held_out is not None:
        folds, is_hidden = ((~is_held_out, is_held_out),), is_hidden | is_held_out
    counts = np.cumsum(np.isfinite(panel.total_return_log), axis=0)
    usable = np.flatnonzero(((counts >= window) & panel.is_present).sum(1) >= MIN_ASSETS)
    usable = usable[usable < len(panel.dates) - BETA_SESSIONS]
    if len(usable) < 2:
        raise EncoderDataError(
            f"panel {panel.source!r} has {len(usable)} sessions to evaluate: give a longer one"
        )
    if cut is None:
        first = int(usable[int(_EARLIER_SHARE * len(usable))])
    else:
        first = int(np.searchsorted(panel.dates, cut, side="right"))
    earlier, later = usable[usable < first - BETA_SESSIONS], usable[usable >= first]
    if not (len(earlier) and len(later)):
        raise EncoderDataError(
            f"panel {panel.source!r} has {len(earlier)} usable sessions before {panel.dates[first]} and "
            f"{len(later)} from then on: cut it elsewhere"
        )
    return Split(name, panel, _evenly(earlier, sessions), _evenly(later, sessions), folds, is_hidden)


def split_embeddings(split: Split, branch: ChronosBranch) -> tuple[np.ndarray, np.ndarray]:
    """Chronos embeddings of the earlier, then the later sessions, as :func:`chronos_for` gives them."""
    return chronos_for(split.panel, np.concatenate([split.earlier, split.later]), branch)


def judge(server: EncoderServer, split: Split, chronos: np.ndarray, has: np.ndarray) -> dict[str, Any]:
    """Measures of one encoder on one panel, as JSON values.

    Parameters
    ----------
    server : EncoderServer
    split : Split
    chronos, has : ndarray
        As :func:`split_embeddings` gives them.

    Returns
    -------
    dict
        name; collapse, gates and cosines (counts in 40 bins from -1 to 1) on the later sessions; probes.
    """
    first = len(split.earlier)
    probes = []
    later = None
    for is_hidden, targets in ((None, FORWARD_TARGETS), (split.is_hidden, LABEL_TARGETS)):
        samples = [
            sample_panel(server, split.panel, sessions, (chronos[part], has[part]), is_hidden)
            for sessions, part in ((split.earlier, slice(0, first)), (split.later, slice(first, None)))
        ]
        pairs = [
            (samples[0].where(fit[samples[0].asset]), samples[1].where(test[samples[1].asset]))
            for fit, test in split.folds
        ]
        probes += probe_rows(pairs, targets)
        later = later or samples[1]
    assert later is not None
    return {
        "name": split.name,
        "collapse": collapse_measures(later),
        "gates": gate_rows(later),
        "cosines": np.histogram(pair_cosines(later), _COSINE_EDGES)[0].tolist(),
        "probes": probes,
    }


def _evenly(positions: np.ndarray, count: int) -> np.ndarray:
    return positions[np.unique(np.linspace(0, len(positions) - 1, count).astype(int))]
