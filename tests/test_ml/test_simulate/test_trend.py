"""Own trends of simulated assets: none by default, and with them past winners go on winning for a while."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from ml.simulate.market import MarketFrames, simulate_market


def market(trend_ann: float, assets: int = 150, sessions: int = 1500) -> MarketFrames:
    return simulate_market(
        assets=assets, start_date=date(2001, 1, 2), sessions=sessions, seed=4, trend_ann=trend_ann
    )


def rank_correlation(frames: MarketFrames) -> float:
    """Mean rank correlation over months of the return of 12 months without the last with the next month's."""
    bars = frames.daily_bars.pivot(on="asset_id", index="trade_date", values="adjusted_close").sort(
        "trade_date"
    )
    equities = frames.assets.filter(pl.col("asset_class") == "equity")["asset_id"].unique()
    log = np.log(bars.select(sorted(set(equities) & set(bars.columns))).to_numpy().astype(float))
    found = []
    for t in range(252, len(log) - 21, 21):
        past, later = log[t - 21] - log[t - 252], log[t + 21] - log[t]
        known = np.isfinite(past) & np.isfinite(later)
        ranks = [x[known].argsort().argsort() for x in (past, later)]
        found.append(np.corrcoef(*ranks)[0, 1])
    return float(np.mean(found))


def test_without_a_trend_nothing_changes():
    plain = simulate_market(assets=12, start_date=date(2001, 1, 2), sessions=300, seed=4)
    assert plain.daily_bars.equals(market(0.0, 12, 300).daily_bars)
    assert not plain.daily_bars.equals(market(0.1, 12, 300).daily_bars)


@pytest.mark.slow
def test_winners_go_on_winning():
    """By the process: correlation of a year's past return with a month's trend, see ``simulate_market``."""
    without, with_it = rank_correlation(market(0.0)), rank_correlation(market(0.3))
    assert abs(without) < 0.05
    assert with_it > without + 0.08
