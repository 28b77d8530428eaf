"""What a policy trains on: spans of time of some panels, embedded, with universes cut from them.

Only the decision sessions of the spans are embedded. Spans can be packed into one small file, for a machine that has
neither markets nor Chronos. What does not belong here: universes (``windows.py``), the encoder (``ml/encoder``), which
is met only through :class:`Embedder`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from ml.encoder.dataset import ChronosBranch, chronos_for
from ml.features.compact_panels import pack_panel, unpack_panel
from ml.features.panel import FeaturePanel, PanelError
from ml.policy.config import TrainConfig, is_left_out
from ml.policy.dividends import dividend_ratio
from ml.policy.market_window import MarketWindow
from ml.policy.windows import decision_sessions, join_windows, make_windows, possible_starts

_HISTORY: Final = 260
"""Sessions before a span that experts and regimes read."""
_AFTER: Final = 15
"""Sessions after it, from which a delisting is told."""


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


@dataclass(frozen=True)
class Span:
    """Some weeks of a panel.

    Attributes
    ----------
    panel : FeaturePanel
        The sessions around the span.
    sessions : ndarray of shape (weeks + 1,)
        Positions of the decisions.
    embeddings : ndarray of shape (weeks + 1, N, 64)
        float32.
    seed : int
        Draws the span's universes.
    dividends : ndarray of shape (D, N)
        Paid at each session, as a share of its close.
    """

    panel: FeaturePanel
    sessions: np.ndarray
    embeddings: np.ndarray
    seed: int
    dividends: np.ndarray


def draw_spans(
    panels: Sequence[FeaturePanel],
    encoder: Embedder,
    config: TrainConfig,
    *,
    seed: int,
    chronos: ChronosBranch | None = None,
) -> list[Span]:
    """Draw ``config.ranges`` spans of ``config.weeks`` over all panels, dealt to them in turn, and embed them.

    Parameters
    ----------
    panels : sequence of FeaturePanel
    encoder : Embedder
    config : TrainConfig
    seed : int
    chronos : ChronosBranch, optional
        Without it the encoder is asked without that branch.
    """
    if chronos is not None:
        encoder.check_chronos(chronos.model_id)
    rng = np.random.default_rng([seed, 0])
    spans = []
    for number, start in enumerate(_starts(panels, config, rng)):
        panel = panels[number % len(panels)]
        sessions = decision_sessions(panel.dates)[start : start + config.weeks + 1]
        inputs = (None, None) if chronos is None else chronos_for(panel, sessions, chronos)
        embeddings = encoder.embed_panel(panel, sessions, *inputs)
        spans.append(Span(panel, sessions, embeddings, int(rng.integers(2**31)), dividend_ratio(panel)))
    return spans


def _starts(panels: Sequence[FeaturePanel], config: TrainConfig, rng: np.random.Generator) -> list[int]:
    """First week of each span; no span shares a week of its panel with one that validation leaves out.

    Where a panel is too short for that, its spans may lie anywhere.
    """
    is_out = is_left_out(config.ranges)
    found: dict[int, int] = {}
    for number in sorted(range(config.ranges), key=lambda n: not is_out[n]):
        possible = possible_starts(panels[number % len(panels)], config.weeks)
        taken = [found[n] for n in found if is_out[n] and (n - number) % len(panels) == 0 and n != number]
        apart = possible[[all(abs(s - t) > config.weeks for t in taken) for s in possible]]
        found[number] = int(rng.choice(apart if len(apart) and not is_out[number] else possible))
    return [found[number] for number in range(config.ranges)]


def cut_windows(spans: Sequence[Span], config: TrainConfig) -> MarketWindow:
    """Cut ``config.universes_per_range`` universes of ``config.assets`` from every span."""
    return join_windows(
        [
            make_windows(
                span.panel,
                span.embeddings,
                groups=config.universes_per_range,
                weeks=config.weeks,
                assets=config.assets,
                seed=span.seed,
                sessions=span.sessions,
                dividends=span.dividends,
            )
            for span in spans
        ]
    )


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
    return cut_windows(draw_spans(panels, encoder, config, seed=seed, chronos=chronos), config)


def save_spans(spans: Sequence[Span], file: Path, encoder_compatibility_id: str) -> None:
    """Write spans in half precision, features at the decisions alone.

    Parameters
    ----------
    spans : sequence of Span
    file : pathlib.Path
        ``.npz``.
    encoder_compatibility_id : str
        Of the encoder that embedded them.
    """
    arrays: dict[str, np.ndarray] = {
        "count": np.array(len(spans)),
        "encoder": np.array(encoder_compatibility_id),
    }
    for i, span in enumerate(spans):
        first = max(0, int(span.sessions[0]) - _HISTORY)
        last = min(len(span.panel.dates), int(span.sessions[-1]) + _AFTER)
        panel, sessions = span.panel.take(slice(first, last)), span.sessions - first
        is_read = np.zeros((len(panel.dates), 1), bool)
        is_read[sessions] = True
        arrays |= {
            f"{i}.{name}": value
            for name, value in pack_panel(replace(panel, is_present=panel.is_present & is_read)).items()
        }
        arrays |= {
            f"{i}.sessions": sessions.astype(np.int32),
            f"{i}.embeddings": span.embeddings.astype(np.float16),
            f"{i}.seed": np.array(span.seed),
            f"{i}.dividends": span.dividends[first:last].astype(np.float16),
        }
    np.savez_compressed(file, allow_pickle=False, **arrays)


def load_spans(file: Path) -> tuple[list[Span], str]:
    """Read :func:`save_spans`'s file: the spans and the encoder's compatibility id.

    Raises
    ------
    PanelError
        The file holds no spans.
    """
    with np.load(file) as stored:
        if "encoder" not in stored.files:
            raise PanelError(f"{file} holds no spans: write it with python -m ml.policy --write-spans")
        spans = [
            Span(
                unpack_panel(stored, f"{i}."),
                stored[f"{i}.sessions"].astype(np.int64),
                stored[f"{i}.embeddings"].astype(np.float32),
                int(stored[f"{i}.seed"]),
                stored[f"{i}.dividends"].astype(np.float64),
            )
            for i in range(int(stored["count"]))
        ]
        return spans, str(stored["encoder"])
