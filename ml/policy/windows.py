"""Random training windows of a market: universes, dates, prices, regimes and what the experts hold.

What belongs here: cutting a :class:`~ml.features.panel.FeaturePanel` into a
:class:`~ml.policy.market_window.MarketWindow`. What does not: the experts (``experts.py``), portfolios
(``start_portfolios.py``), which embeddings (``embeddings.py``).

Decisions are taken at the close of each week's first session and filled at the next session: at its open
where the panel knows it, else at its close.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import torch

from ml.features.catalog import FEATURE_COLUMNS
from ml.features.panel import CHANNELS, FeaturePanel
from ml.policy.dividends import dividend_ratio
from ml.policy.experts import plan_market
from ml.policy.market_window import EMBEDDING_SIZE, REGIME_FEATURES, MarketWindow
from ml.policy.panels import MarketPanel
from ml.policy.regime import SESSIONS_PER_YEAR, regime_features

MIN_HISTORY: Final = 126
"""Sessions before the first decision; the experts read up to 252."""
CASH_RATE_MAX_ANN: Final = 0.04
_GAP, _MARKET = CHANNELS.index("gap"), CHANNELS.index("market")
_ENDED_SESSIONS: Final = 10
"""A last price this long before the panel's end is a delisting."""


class WindowError(ValueError):
    """A panel too short or too thin for the windows asked for; the message names both."""


def decision_sessions(dates: np.ndarray) -> np.ndarray:
    """Positions of the first session of each calendar week (from Monday) that has a session after it.

    Parameters
    ----------
    dates : ndarray of shape (D,)
        datetime64[D], ascending.
    """
    week = (dates.astype("datetime64[D]").astype(np.int64) + 3) // 7  # 1970-01-01 was a Thursday
    first = np.flatnonzero(np.append(True, np.diff(week) > 0))
    return first[first < len(dates) - 1]


def possible_starts(panel: FeaturePanel, weeks: int) -> np.ndarray:
    """Positions into :func:`decision_sessions` at which a window of ``weeks`` may begin.

    Raises
    ------
    WindowError
        None may.
    """
    decisions = decision_sessions(panel.dates)
    starts = np.flatnonzero(decisions >= MIN_HISTORY)
    starts = starts[starts + weeks < len(decisions)]
    if len(starts) == 0:
        raise WindowError(
            f"panel {panel.source!r} has {len(decisions)} weeks: windows of {weeks} weeks after "
            f"{MIN_HISTORY} sessions of history do not fit; take shorter windows or a longer panel"
        )
    return starts


def make_windows(
    panel: FeaturePanel,
    embeddings: np.ndarray,
    *,
    groups: int,
    weeks: int,
    assets: int,
    seed: int,
    sessions: np.ndarray | None = None,
    dividends: np.ndarray | None = None,
) -> MarketWindow:
    """Draw universes and dates from a panel.

    Parameters
    ----------
    panel : FeaturePanel
    embeddings : ndarray of shape (S, N, 64)
        Of the panel's assets at ``sessions``.
    groups, weeks, assets : int
        Universes, decisions of each, assets of each. Where fewer assets are present at the start, the rest
        is padding that cannot be traded.
    seed : int
    sessions : ndarray of shape (S,), optional
        Positions of the embedded sessions, ascending; windows lie within them. By default every session.
    dividends : ndarray of shape (D, N), optional
        As :func:`ml.policy.dividends.dividend_ratio` gives them; by default from the panel, which then needs features
        at every session.

    Returns
    -------
    MarketWindow
        On the CPU, float32; with the experts' portfolios.

    Raises
    ------
    WindowError
        If the panel, or its embedded part, is too short.
    """
    rng = np.random.default_rng(seed)
    place = np.full(len(panel.dates), -1)
    known = np.arange(len(panel.dates)) if sessions is None else sessions
    place[known] = np.arange(len(known))
    decisions = decision_sessions(panel.dates)
    starts = possible_starts(panel, weeks)
    embedded = np.append(0, np.cumsum(place[decisions] >= 0))
    starts = starts[embedded[starts + weeks + 1] - embedded[starts] == weeks + 1]
    if len(starts) == 0:
        raise WindowError(
            f"panel {panel.source!r}: no {weeks + 1} decision sessions in a row are embedded; embed more"
        )
    paid = dividend_ratio(panel) if dividends is None else dividends
    market = _Market(panel, embeddings, place, paid)
    parts = []
    for _ in range(groups):
        start = int(rng.choice(starts))
        columns = market.draw_universe(int(decisions[start]), assets, rng)
        rate = float(rng.uniform(0.0, CASH_RATE_MAX_ANN))
        parts.append(market.cut(decisions[start : start + weeks + 1], columns, assets, rate))
    return MarketWindow(**{name: torch.from_numpy(np.stack([p[name] for p in parts])) for name in parts[0]})


def join_windows(windows: list[MarketWindow]) -> MarketWindow:
    """One window with the universes of several, which have the same weeks and assets."""
    columns = {field.name: [getattr(w, field.name) for w in windows] for field in fields(MarketWindow)}
    return MarketWindow(**{name: torch.cat(v) for name, v in columns.items() if v[0] is not None})


def take_groups(window: MarketWindow, groups: torch.Tensor) -> MarketWindow:
    """A window with some of the universes."""
    values: dict[str, Any] = {field.name: getattr(window, field.name) for field in fields(MarketWindow)}
    return replace(window, **{name: v[groups] for name, v in values.items() if v is not None})


@dataclass(slots=True)
class _Market:
    """A panel with its price indices, dividends left out; ``place`` (D,) is each session's row of embeddings, or -1."""

    panel: FeaturePanel
    embeddings: np.ndarray
    place: np.ndarray
    index_log: np.ndarray
    dividend_ratio: np.ndarray
    last_seen: np.ndarray

    def __init__(
        self, panel: FeaturePanel, embeddings: np.ndarray, place: np.ndarray, dividends: np.ndarray
    ) -> None:
        expected = (int(place.max()) + 1, len(panel.asset_ids), EMBEDDING_SIZE)
        if embeddings.shape != expected:
            raise WindowError(
                f"embeddings have shape {embeddings.shape}, the panel's sessions ask {expected}"
            )
        self.panel, self.embeddings, self.place = panel, embeddings, place
        returns = panel.total_return_log.astype(np.float64)
        known = np.isfinite(returns)
        self.dividend_ratio = np.where(known, dividends, 0.0)
        self.index_log = np.cumsum(np.where(known, returns, 0.0) - np.log1p(self.dividend_ratio), axis=0)
        sessions = np.arange(len(panel.dates))[:, None]
        self.last_seen = np.where(known, sessions, -1).max(axis=0)

    def draw_universe(self, session: int, assets: int, rng: np.random.Generator) -> np.ndarray:
        """Up to ``assets`` columns that can be traded at a session, in random order."""
        candidates = np.flatnonzero(self.panel.is_present[session] & ~self.panel.is_stale[session])
        if len(candidates) < 2:
            raise WindowError(
                f"panel {self.panel.source!r} has {len(candidates)} tradeable assets on "
                f"{self.panel.dates[session]}: at least 2 are needed"
            )
        return rng.permutation(candidates)[:assets]

    def cut(
        self, sessions: np.ndarray, columns: np.ndarray, assets: int, cash_rate: float
    ) -> dict[str, np.ndarray]:
        """The tensors of one universe, by name; padded to ``assets``."""
        panel, count = self.panel, len(columns)
        base = self.index_log[sessions[0], columns]
        decision_log = self.index_log[sessions][:, columns] - base
        fill_sessions = sessions + 1
        gap = panel.channels[fill_sessions][:, columns, _GAP].astype(np.float64)
        ex = np.log1p(
            self.dividend_ratio[fill_sessions][:, columns]
        )  # the overnight gap is that of the total return
        fill_log = np.where(
            np.isfinite(gap), decision_log + gap - ex, self.index_log[fill_sessions][:, columns] - base
        )
        ended = self.last_seen[columns] < len(panel.dates) - _ENDED_SESSIONS
        delisted = ended & (sessions[:, None] > self.last_seen[columns])
        tradeable = panel.is_present[sessions][:, columns] & ~panel.is_stale[sessions][:, columns] & ~delisted
        embedding = self.embeddings[self.place[sessions]][:, columns]
        days = panel.dates[fill_sessions].astype("datetime64[D]").astype(np.int64)
        cash = np.append(np.diff(days), 7) / 365 * cash_rate
        plans = [self._plan(int(d), columns, tradeable[i]) for i, d in enumerate(sessions)]
        targets = np.stack([plan[0] for plan in plans])
        padded_targets = np.zeros((*targets.shape[:2], assets + 1))
        padded_targets[..., :count], padded_targets[..., -1] = targets[..., :-1], targets[..., -1]

        def padded(values: np.ndarray, filler: float, dtype: type) -> np.ndarray:
            out = np.full((len(values), assets, *values.shape[2:]), filler, dtype)
            out[:, :count] = values
            return out

        return {
            "decision_price": padded(np.exp(decision_log), 1.0, np.float32),
            "fill_price": padded(np.exp(fill_log), 1.0, np.float32),
            "fill_day": days.astype(np.int32),
            "is_tradeable": padded(tradeable, False, np.bool_),
            "is_delisted": padded(delisted, False, np.bool_),
            "embedding": padded(np.where(tradeable[..., None], embedding, 0.0), 0.0, np.float32),
            "regime": np.stack([plan[1] for plan in plans]).astype(np.float32),
            "cash_return": cash.astype(np.float32),
            "dividend": padded(self._paid(sessions, columns, base), 0.0, np.float32),
            "expert_target": padded_targets.astype(np.float32),
        }

    def _paid(self, sessions: np.ndarray, columns: np.ndarray, base: np.ndarray) -> np.ndarray:
        """Dividends per share (T + 1, n) that went ex after the fill before each fill and until it."""
        until = slice(0, sessions[-1] + 2)
        price = np.exp(self.index_log[until][:, columns] - base)
        paid = np.cumsum(self.dividend_ratio[until][:, columns] * price, axis=0)
        before = np.append(sessions[:1], sessions[:-1] + 1)
        return paid[sessions + 1] - paid[before]

    def _plan(
        self, session: int, columns: np.ndarray, tradeable: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Portfolios of three experts (3, n + 1) and the regime (5,) at one session."""
        panel = self.panel
        recent = slice(max(0, session + 1 - SESSIONS_PER_YEAR), session + 1)
        returns = panel.total_return_log[recent][:, columns].astype(np.float64)
        regime = regime_features(panel.channels[recent, 0, _MARKET], returns[:, tradeable])
        seen = MarketPanel.from_matrix(
            panel.dates[session].astype(object),
            [panel.asset_ids[c] for c in columns],
            panel.features[session][columns].astype(np.float64),
            FEATURE_COLUMNS,
            returns,
            tradeable,
            float(regime[REGIME_FEATURES.index("market_volatility_63d_ann")]),
        )
        return plan_market(seen).portfolios, regime
