"""Embeddings that training needs: of some weeks of some panels, not of every session.

What belongs here: drawing spans of time and embedding their decision sessions. What does not: the encoder
(``ml/encoder``), which is met only through :class:`Embedder`.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ml.encoder.dataset import ChronosBranch, chronos_for
from ml.features.panel import FeaturePanel
from ml.policy.config import TrainConfig
from ml.policy.market_window import MarketWindow
from ml.policy.windows import decision_sessions, join_windows, make_windows, possible_starts


class Embedder(Protocol):
    """What training asks of an encoder; :class:`ml.encoder.embed.EncoderServer` is one."""

    compatibility_id: str

    def check_chronos(self, model_id: str) -> None:
        """Refuse the embeddings of another Chronos model."""
        ...

    def embed_panel(
        self,
        panel: FeaturePanel,
        sessions: np.ndarray,
        chronos: np.ndarray | None = None,
        has_chronos: np.ndarray | None = None,
    ) -> np.ndarray:
        """Embeddings (d, N, 64) of the assets at some sessions, 0 where not present."""
        ...


def draw_windows(
    panels: Sequence[FeaturePanel],
    encoder: Embedder,
    config: TrainConfig,
    *,
    seed: int,
    chronos: ChronosBranch | None = None,
) -> MarketWindow:
    """Draw spans of time over all panels, embed them and cut universes from each.

    Parameters
    ----------
    panels : sequence of FeaturePanel
        Spans are dealt to them in turn.
    encoder : Embedder
    config : TrainConfig
        ``ranges``, ``universes_per_range``, ``weeks``, ``assets``.
    seed : int
    chronos : ChronosBranch, optional
        Without it the encoder is asked without that branch.

    Returns
    -------
    MarketWindow
        ``ranges * universes_per_range`` universes.
    """
    if chronos is not None:
        encoder.check_chronos(chronos.model_id)
    rng = np.random.default_rng([seed, 0])
    windows = []
    for number in range(config.ranges):
        panel = panels[number % len(panels)]
        start = int(rng.choice(possible_starts(panel, config.weeks)))
        sessions = decision_sessions(panel.dates)[start : start + config.weeks + 1]
        inputs = (None, None) if chronos is None else chronos_for(panel, sessions, chronos)
        windows.append(
            make_windows(
                panel,
                encoder.embed_panel(panel, sessions, *inputs),
                groups=config.universes_per_range,
                weeks=config.weeks,
                assets=config.assets,
                seed=int(rng.integers(2**31)),
                sessions=sessions,
            )
        )
    return join_windows(windows)
