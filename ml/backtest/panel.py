"""The market of a backtest: prices per session and what could be traded at each, from raw contract frames.

What belongs here: sessions x assets as arrays, checks of a panel, its digest. What does not: reading sources
(``dagster_project``), features' formulas (``ml/features``), decisions (``strategies.py``).

Every asset is held as a share of an accumulating fund: its price follows total return, dividends included, so
that lots have neither dividends nor splits. That defers the tax on dividends, which every report says.
"""

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import polars as pl

from ml.features.grid import GridError, PriceGrid, price_grid
from ml.features.panel import FeaturePanel
from ml.features.simulated_panel import compute_panel
from ml.types import STALE_AFTER_SESSIONS

MIN_SESSIONS: Final = 40
# A daily move beyond it is more often an unadjusted split or merger than a price: it is named in the notes.
ODD_MOVE_LOG: Final = float(np.log(2.0))
# A rate older than this many days counts as unknown: cash then earns nothing.
RATE_LASTS_DAYS: Final = 31
_PRICE_DECIMALS: Final = 6
SURVIVORSHIP: Final = (
    "Survivorship: the assets are those that the source knows; packaged prices are large companies that still "
    "existed at the end of the data, which flatters every strategy that holds them."
)


class BacktestPanelError(ValueError):
    """A panel that cannot be backtested; the message names what is wrong, where, and the remedy."""


@dataclass(frozen=True)
class BacktestPanel:
    """D sessions x N assets.

    Attributes
    ----------
    dates : ndarray of shape (D,)
        datetime64[D], ascending.
    asset_ids : tuple of str
        N ids, sorted; they order the columns and decide nothing.
    price : ndarray of shape (D, N)
        USD of a share of the accumulating fund at the close; nan before the first bar, carried where a
        session has none.
    open : ndarray of shape (D, N)
        The same at the open; nan where the source knows no open.
    has_bar, is_tradeable, is_gone : ndarray of shape (D, N)
        bool: the session has a bar; a decision at its close may use the asset; the asset's bars have ended and
        it has paid out its last price (from the first session at which it is stale on).
    cash_return : ndarray of shape (D,)
        Simple return of cash since the session before.
    features : FeaturePanel
        The same sessions and assets.
    source : str
        ``packaged``, ``files``, ...
    notes : tuple of str
        What a reader of the results must know of the data.
    """

    dates: np.ndarray
    asset_ids: tuple[str, ...]
    price: np.ndarray
    open: np.ndarray
    has_bar: np.ndarray
    is_tradeable: np.ndarray
    is_gone: np.ndarray
    cash_return: np.ndarray
    features: FeaturePanel
    source: str
    notes: tuple[str, ...] = ()

    def take(self, assets: np.ndarray) -> "BacktestPanel":
        """The panel of some assets (positions)."""
        names = ("price", "open", "has_bar", "is_tradeable", "is_gone")
        return replace(
            self,
            asset_ids=tuple(self.asset_ids[i] for i in assets),
            features=self.features.take(assets=assets),
            **{name: getattr(self, name)[:, assets] for name in names},
        )

    @property
    def days(self) -> np.ndarray:
        """Sessions as int64 days since 1970-01-01, (D,)."""
        return self.dates.astype("datetime64[D]").astype(np.int64)

    @cached_property
    def return_log(self) -> np.ndarray:
        """Log total return since the session before; nan without a bar on both, (D, N)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            moves = np.diff(np.log(self.price), axis=0, prepend=np.nan)
        return np.where(self.has_bar, moves, np.nan)

    @cached_property
    def digest(self) -> str:
        """Hash of everything that a trial can see."""
        found = hashlib.blake2b("\0".join(self.asset_ids).encode(), digest_size=16)
        names = ("price", "open", "has_bar", "is_tradeable", "is_gone", "cash_return")
        parts = [
            self.days,
            *(getattr(self, n) for n in names),
            self.features.features,
            self.features.channels,
        ]
        for part in parts:
            found.update(np.ascontiguousarray(part).tobytes())
        return found.hexdigest()


def panel_from_frames(
    assets: pl.DataFrame,
    bars: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    rates: pl.DataFrame,
    sessions: pl.DataFrame,
    *,
    benchmark_ids: tuple[str, ...] = (),
    source: str,
) -> BacktestPanel:
    """Bring a market in the raw contract into arrays.

    Parameters
    ----------
    assets, bars, corporate_actions, rates : polars.DataFrame
        Accepted rows of ``market__assets``, ``market__daily_bars``, ``market__corporate_actions`` and
        ``market__rates``.
    sessions : polars.DataFrame
        ``session_date`` and ``close_at`` (UTC) of the exchange's calendar, ascending.
    benchmark_ids : tuple of str
        Assets that nobody holds; the first is the market that features compare with.
    source : str
        Said in every result.

    Raises
    ------
    BacktestPanelError
        No bars, fewer than 40 sessions, or no asset that can be held.
    """
    if bars.is_empty():
        raise BacktestPanelError(f"source {source!r} has no bars: give bars.csv or bars.parquet with prices")
    first, last = bars["trade_date"].min(), bars["trade_date"].max()
    sessions = sessions.filter(pl.col("session_date").is_between(first, last))
    kept = bars.filter(pl.col("trade_date").is_in(sessions["session_date"].implode()))
    notes = _lost_bars(bars.height - kept.height)
    if sessions.height < MIN_SESSIONS:
        raise BacktestPanelError(
            f"source {source!r} spans {sessions.height} NYSE sessions ({first} to {last}): at least {MIN_SESSIONS} "
            "are needed"
        )
    try:
        market = benchmark_ids[0] if benchmark_ids else ""
        computed = compute_panel(assets, kept, corporate_actions, sessions, market, source)
        grid = price_grid(computed.asset_ids, assets, kept, corporate_actions, sessions)
    except GridError as problem:
        raise BacktestPanelError(f"source {source!r}: {problem}") from None
    held = np.array([i for i, name in enumerate(computed.asset_ids) if name not in benchmark_ids], np.int64)
    if len(held) == 0:
        raise BacktestPanelError(f"source {source!r} has no asset that can be held beside {benchmark_ids}")
    cash_return, rate_note = _cash_returns(rates, grid.days)
    panel = _from_grid(grid, computed, cash_return, source).take(held)
    return replace(panel, notes=(*notes, *rate_note, *_odd_moves(panel), SURVIVORSHIP))


def _from_grid(
    grid: PriceGrid, computed: FeaturePanel, cash_return: np.ndarray, source: str
) -> BacktestPanel:
    sessions = np.arange(len(grid.days))[:, None]
    last_bar = np.where(grid.has_bar, sessions, -1).max(axis=0)
    # The last close scales the index: of an asset with adjusted closes alone the last index stands for it.
    with np.errstate(invalid="ignore"):
        index = grid.total_index - grid.total_index[-1]
    level = np.where(np.isfinite(grid.close[-1]), grid.close[-1], 100.0)
    # Whole micro-USD: the last bits of exp differ between processors, and a loss at its threshold would turn on them.
    price = np.round(level * np.exp(index), _PRICE_DECIMALS)
    ended = last_bar < len(grid.days) - STALE_AFTER_SESSIONS
    is_gone = ended & (sessions >= last_bar + STALE_AFTER_SESSIONS)
    return BacktestPanel(
        dates=computed.dates,
        asset_ids=computed.asset_ids,
        price=price,
        open=np.where(grid.has_bar, price * grid.open / grid.close, np.nan),
        has_bar=grid.has_bar,
        is_tradeable=computed.is_present & ~computed.is_stale & ~is_gone & np.isfinite(price),
        is_gone=is_gone,
        cash_return=cash_return,
        features=computed,
        source=source,
    )


def _cash_returns(rates: pl.DataFrame, days: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Simple return of cash by session at the latest three-month rate, and a note where it is unknown."""
    rates = rates.filter(pl.col("tenor") == "3m") if rates.height else rates
    returns = np.zeros(len(days))
    if rates.is_empty():
        return returns, ("Cash earns nothing: the source has no three-month rates.",)
    rates = rates.sort("rate_date").unique("rate_date", keep="last", maintain_order=True)
    day = rates["rate_date"].cast(pl.Date).to_physical().to_numpy()
    percent = rates["rate_pct"].cast(pl.Float64).to_numpy()
    place = np.searchsorted(day, days[:-1], side="right") - 1
    known = (place >= 0) & (days[:-1] - day[place] <= RATE_LASTS_DAYS)
    returns[1:] = np.where(known, percent[place] / 100.0 * np.diff(days) / 365.0, 0.0)
    if known.all():
        return returns, ()
    last = np.datetime64(int(day[-1]), "D")
    return returns, (f"Cash earns nothing where the three-month rate is unknown (known to {last}).",)


def _lost_bars(count: int) -> tuple[str, ...]:
    return (f"{count} bars of days without an NYSE session are left out.",) if count else ()


def _odd_moves(panel: BacktestPanel) -> tuple[str, ...]:
    """Name the moves of more than +100 % or -50 % a session, largest first."""
    moves = np.abs(np.nan_to_num(panel.return_log))
    found = np.argwhere(moves > ODD_MOVE_LOG)
    if len(found) == 0:
        return ()
    found = found[np.argsort(-moves[tuple(found.T)], kind="stable")]
    shown = [
        f"{panel.asset_ids[n]} {panel.dates[d]} {np.expm1(panel.return_log[d, n]):+.0%}" for d, n in found[:5]
    ]
    return (
        f"{len(found)} daily moves beyond +100 % or -50 %, perhaps unadjusted events: {', '.join(shown)}"
        + (" ..." if len(found) > 5 else "."),
    )
