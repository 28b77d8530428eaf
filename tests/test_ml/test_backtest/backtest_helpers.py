"""Small markets and strategies that the backtest's tests share."""

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from dagster_project.sources.calendar import session_frame
from ml.backtest.baselines import Baseline
from ml.backtest.panel import BacktestPanel, panel_from_frames
from ml.backtest.results import TrialKey
from ml.backtest.strategies import DecisionState, Strategy
from ml.backtest.walk_forward import Window
from ml.simulate.market import BENCHMARK_ASSET_ID, simulate_market

ACTIONS = {
    "asset_id": pl.String,
    "ex_date": pl.Date,
    "kind": pl.String,
    "cash_per_share_usd": pl.Float64,
    "ratio_new": pl.Float64,
    "ratio_old": pl.Float64,
    "basis_fraction": pl.Float64,
}


def simulated_panel(assets: int = 9, sessions: int = 700, seed: int = 3) -> BacktestPanel:
    """A simulated market from 2010-01-04 on; its market fund is held by nobody."""
    calendar = session_frame().filter(pl.col("session_date") >= dt.date(2010, 1, 4)).head(sessions)
    made = simulate_market(assets=assets, start_date=dt.date(2010, 1, 4), sessions=sessions, seed=seed)
    days = made.daily_bars["trade_date"].unique().sort()
    to_session = dict(zip(days.to_list(), calendar["session_date"].to_list(), strict=True))
    bars = made.daily_bars.with_columns(pl.col("trade_date").replace_strict(to_session, return_dtype=pl.Date))
    rates = pl.DataFrame(
        {
            "rate_date": [dt.date(2009, 12, 31), dt.date(2010, 1, 15)],
            "tenor": ["3m", "3m"],
            "rate_pct": [2.0, 3.0],
        }
    )
    return panel_from_frames(
        made.assets,
        bars,
        made.corporate_actions.head(0),
        rates,
        session_frame(),
        benchmark_ids=(BENCHMARK_ASSET_ID,),
        source=f"simulated:{seed}",
    )


def price_panel(
    closes: Mapping[str, Sequence[float | None]], start: dt.date = dt.date(2010, 1, 4)
) -> BacktestPanel:
    """A panel of adjusted closes by asset, from ``start`` on; None: no bar."""
    count = max(len(values) for values in closes.values())
    calendar = session_frame().filter(pl.col("session_date") >= start).head(count)
    days = calendar["session_date"].to_list()
    rows = [
        (name, day, close)
        for name, values in closes.items()
        for day, close in zip(days, values, strict=False)
        if close is not None
    ]
    bars = pl.DataFrame(
        {
            "asset_id": [r[0] for r in rows],
            "trade_date": [r[1] for r in rows],
            "adjusted_close": [r[2] for r in rows],
        },
        schema_overrides={"adjusted_close": pl.Float64},
    ).with_columns(pl.lit(None, pl.Float64).alias(n) for n in ("open", "high", "low", "close", "volume"))
    return panel_from_frames(
        asset_rows(list(closes)),
        bars,
        pl.DataFrame(schema=ACTIONS),
        pl.DataFrame(),
        session_frame(),
        source="test",
    )


def asset_rows(names: list[str]) -> pl.DataFrame:
    """Assets without facts but class and price basis."""
    known = dt.datetime(1989, 1, 1, tzinfo=dt.UTC)
    return pl.DataFrame(
        {
            "asset_id": names,
            "known_at": [known] * len(names),
            "asset_class": ["equity"] * len(names),
            "price_basis": ["accumulating"] * len(names),
        }
    ).with_columns(
        pl.lit(None, pl.String).alias("sector"),
        pl.lit(None, pl.Date).alias("listed_date"),
        *(
            pl.lit(None, pl.Float64).alias(n)
            for n in (
                "shares_outstanding", "qualified_dividend_ratio", "expense_ratio_pct", "duration_years",
            )
        ),
    )  # fmt: skip


def whole_window(panel: BacktestPanel, start: int = 0) -> Window:
    """From a session to the end."""
    return Window("whole_panel", start, len(panel.dates) - 1, 0, law_from=2010)


def keys_of(
    strategy: Strategy, profiles: tuple[str, ...], costs: tuple[int, ...] = (10,), **fields
) -> list[TrialKey]:
    """A key per profile and cost."""
    return [
        TrialKey("whole_panel", strategy.name, strategy.objectives[0], cost, profile, **fields)
        for profile in profiles
        for cost in costs
    ]


class Restless(Baseline):
    """Draws weights anew at each decision, so that trades, losses and wash sales are many."""

    def targets(self, state: DecisionState) -> np.ndarray:
        rng = np.random.default_rng([7, len(state.dates)])
        drawn = rng.dirichlet(np.full(len(state.asset_ids) + 1, 0.6), size=len(state.weights))
        drawn = np.where(np.append(state.is_tradeable, True), drawn, 0.0) + 1e-12
        stuck = ~np.append(state.is_tradeable, True)
        drawn[:, stuck] = 0.0
        return drawn / drawn.sum(axis=1, keepdims=True)
