"""Feature panels of market frames in memory, above all of simulated markets: no warehouse, no dbt.

What belongs here: from contract frames to a :class:`~ml.features.panel.FeaturePanel`. What does not: the
formulas (``compute.py``), vintages and late rows, which only the warehouse has (``dbt/``).
"""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context

import numpy as np
import polars as pl

from ml.features.catalog import FEATURES
from ml.features.compute import STALE_AFTER_SESSIONS, compute_features, is_served, market_return
from ml.features.grid import PriceGrid, price_grid
from ml.features.panel import CHANNELS, FeaturePanel
from ml.simulate.market import BENCHMARK_ASSET_ID, SESSIONS_A_YEAR, simulate_market

START_DATE = date(2000, 1, 3)
_FACTS = ("shares_outstanding", "qualified_dividend_ratio", "expense_ratio_pct", "duration_years")
# Assets whose float64 intermediates are held at a time.
_BLOCK = 64


def compute_panel(
    assets: pl.DataFrame,
    bars: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    sessions: pl.DataFrame,
    market_asset_id: str,
    source: str,
) -> FeaturePanel:
    """Compute the panel of a market whose rows are all known in time.

    Parameters
    ----------
    assets, bars, corporate_actions : polars.DataFrame
        Rows of ``market__assets``, ``market__daily_bars`` and ``market__corporate_actions``; facts count
        from the session at whose close they were known, bars and actions from their own session.
    sessions : polars.DataFrame
        ``session_date`` and ``close_at`` (UTC), ascending; the panel's D sessions.
    market_asset_id : str
        The market; sessions before its first bar (all, if it has none) take the mean of the equities.
    source : str
        Said in the panel.

    Returns
    -------
    FeaturePanel
        All assets with a bar, in ascending order of id. The gap channel is the overnight part of the total
        return (splits and dividends are no gap), so that ``exp`` of it times a total-return index of the
        session before is the index at the open.

    Raises
    ------
    GridError
        If a bar lies on no session or two of an asset on one.
    """
    asset_ids = tuple(bars["asset_id"].unique().sort())
    grid = price_grid(asset_ids, assets, bars, corporate_actions, sessions)
    market = asset_ids.index(market_asset_id) if market_asset_id in asset_ids else None
    market_log = market_return(grid, market)
    shape = grid.close.shape
    features = np.empty((*shape, len(FEATURES)), np.float32)
    for start in range(0, shape[1], _BLOCK):
        block = slice(start, start + _BLOCK)
        features[:, block] = compute_features(grid.columns(block), market_log)
    return FeaturePanel(
        dates=grid.days.astype("datetime64[D]"),
        asset_ids=asset_ids,
        features=features,
        channels=_channels(grid, market_log),
        is_present=is_served(grid),
        is_stale=grid.sessions_since_bar >= STALE_AFTER_SESSIONS,
        source=source,
    )


def simulated_panel(
    *,
    assets: int,
    years: int,
    seed: int,
    warmup_sessions: int = 252,
    is_bare: bool = False,
    trend_ann: float = 0.0,
) -> FeaturePanel:
    """Simulate a market and compute its panel.

    Parameters
    ----------
    assets : int
        Number of assets; ``SIM00001`` is the market.
    years : int
        Length of the panel in years of 252 sessions.
    seed : int
        Same seed: same panel.
    warmup_sessions : int
        Sessions before the panel that fill its windows and are cut off.
    is_bare : bool
        The market as another vendor's price files tell it: nothing is known of shares outstanding, expenses,
        duration or qualified dividends, and an asset counts as listed at its first bar.
    trend_ann : float
        As in :func:`ml.simulate.market.simulate_market`.

    Returns
    -------
    FeaturePanel
        ``source`` is ``simulated:<seed>``.
    """
    made = simulate_market(
        assets=assets,
        start_date=START_DATE,
        sessions=years * SESSIONS_A_YEAR + warmup_sessions,
        seed=seed,
        trend_ann=trend_ann,
    )
    # The market fund has a bar on every session, known at the session's close.
    sessions = made.daily_bars.filter(pl.col("asset_id") == BENCHMARK_ASSET_ID).select(
        session_date="trade_date", close_at="known_at"
    )
    panel = compute_panel(
        _bare(made.assets, made.daily_bars) if is_bare else made.assets,
        made.daily_bars,
        made.corporate_actions,
        sessions,
        BENCHMARK_ASSET_ID,
        f"simulated:{seed}",
    )
    return panel.take(sessions=slice(warmup_sessions, None))


def _bare(assets: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    first = bars.group_by("asset_id").agg(first_bar=pl.col("trade_date").min())
    return (
        assets.join(first, on="asset_id", how="left", maintain_order="left")
        .with_columns(pl.lit(None, pl.Float64).alias(name) for name in _FACTS)
        .with_columns(listed_date="first_bar")
        .drop("first_bar")
    )


def simulated_panels(
    count: int,
    *,
    assets: int,
    years: int,
    first_seed: int,
    workers: int | None = None,
    trends_ann: Sequence[float] = (0.0,),
) -> list[FeaturePanel]:
    """Several simulated markets, each in a process of its own where there are cores.

    Parameters
    ----------
    count, assets, years : int
        Markets, and as in :func:`simulated_panel`.
    first_seed : int
        Market i has the seed ``first_seed + i``.
    workers : int, optional
        Processes; by default half of the machine's cores. One: no other process is started.
    trends_ann : sequence of float
        ``trend_ann`` of the markets, in turn.

    Returns
    -------
    list of FeaturePanel
        In the order of their seeds; the same for every number of workers.
    """
    markets = [(first_seed + i, trends_ann[i % len(trends_ann)]) for i in range(count)]
    processes = min(count, workers or max(1, (os.cpu_count() or 1) // 2))
    if processes == 1:
        return [simulated_panel(assets=assets, years=years, seed=s, trend_ann=t) for s, t in markets]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = [
            pool.submit(simulated_panel, assets=assets, years=years, seed=s, trend_ann=t) for s, t in markets
        ]
        return [one.result() for one in waiting]


def _channels(grid: PriceGrid, market_log: np.ndarray) -> np.ndarray:
    """The daily channels in the order of :data:`CHANNELS`, float32."""
    out = np.empty((*grid.close.shape, len(CHANNELS)), np.float32)
    traded = grid.dollar_volume
    out[:, :, 0] = grid.total_return
    out[:, :, 1] = np.log(grid.high / grid.low)
    out[:, :, 2] = grid.total_return + np.log(grid.open / grid.close)
    out[:, :, 3] = np.log(np.where(traded > 0, traded, np.nan))
    out[:, :, 4] = market_log[:, None]
    return out
