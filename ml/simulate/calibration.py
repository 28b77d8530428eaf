"""Measures simulated markets against the figures of real ones: ``python -m ml.simulate.calibration --seeds 20``.

What belongs here: from market frames to facts, the comparison and its table. What does not: the facts' formulas
(``stylised_facts.py``) and figures (``calibration_targets.py``), the simulator's parameters.
"""

import argparse
from collections.abc import Callable, Iterable
from datetime import date

import numpy as np
import polars as pl

from ml.simulate.calibration_targets import INDEX_DRIFT, SESSIONS, TARGETS, Target
from ml.simulate.market import BENCHMARK_ASSET_ID, MarketFrames, simulate_market
from ml.simulate.market_factors import MARKET, simulate_factors
from ml.simulate.stylised_facts import (
    QUANTILES,
    Facts,
    excess_kurtosis,
    garch_facts,
    index_facts,
    lot_facts,
    stock_facts,
    structure_facts,
    volume_facts,
)
from ml.simulate.volatility_fits import fit_regimes

START_DATE = date(2010, 1, 4)
# Enough assets that about as many equities trade throughout as the figures were measured on.
ASSETS = 915
GARCH_STOCKS = 60
# The regimes' figures are of 27 (and of 33) years of the S&P 500.
REGIME_SESSIONS = 6802
_YEAR = 252


def _wide(frames: MarketFrames, values: str) -> tuple[list[str], np.ndarray]:
    """Assets that traded on every session, and one column of their bars, (T, N)."""
    whole = (
        frames.daily_bars.group_by("asset_id")
        .len()
        .filter(pl.col("len") == pl.col("len").max())["asset_id"]
        .sort()
    )
    bars = frames.daily_bars.filter(pl.col("asset_id").is_in(whole.implode())).sort("asset_id", "trade_date")
    return whole.to_list(), bars[values].to_numpy().reshape(len(whole), -1).T


def measure_facts(frames: MarketFrames, garch_stocks: int = GARCH_STOCKS) -> Facts:
    """Facts of a simulated market of about :data:`SESSIONS` sessions.

    Parameters
    ----------
    frames : MarketFrames
        With at least ten equities that trade throughout.
    garch_stocks : int
        Stocks that GJR-GARCH is fitted on; 0 leaves those facts out.

    Returns
    -------
    dict of float
        Names as in :data:`TARGETS`, without the regimes (:func:`measure_regimes`).
    """
    ids, adjusted = _wide(frames, "adjusted_close")
    _, volume = _wide(frames, "volume")
    known = pl.DataFrame({"asset_id": ids}).join(
        frames.assets.unique("asset_id", keep="first", maintain_order=True), on="asset_id", how="left",
        maintain_order="left",
    )  # fmt: skip
    r = np.diff(np.log(adjusted), axis=0)
    is_equity = (known["asset_class"] == "equity").to_numpy()
    stocks = r[:, is_equity]
    facts = {
        **stock_facts(stocks),
        **index_facts(stocks),
        **structure_facts(stocks, known["sector"].to_numpy()[is_equity]),
        **lot_facts(stocks, INDEX_DRIFT),
        **volume_facts(stocks, volume[1:, is_equity]),
        **_dividend_facts(frames, known.filter(pl.Series(is_equity))["asset_id"]),
        **_class_facts(r, known),
    }
    return facts | (garch_facts(stocks, garch_stocks) if garch_stocks else {})


def _dividend_facts(frames: MarketFrames, equities: pl.Series) -> Facts:
    """Who pays, how often, how much a year of the mean price."""
    years = frames.daily_bars["trade_date"].n_unique() / _YEAR
    bars = frames.daily_bars.select("asset_id", "trade_date", "close")
    paid = (
        frames.corporate_actions.filter(
            (pl.col("kind") == "dividend") & pl.col("asset_id").is_in(equities.implode())
        )
        .join(bars, left_on=["asset_id", "ex_date"], right_on=["asset_id", "trade_date"])
        .group_by("asset_id")
        .agg(
            (pl.col("cash_per_share_usd").cast(pl.Float64) / pl.col("close")).sum().alias("ratio"),
            pl.len().alias("payments"),
        )
    )
    a_year = paid["ratio"].to_numpy() / years
    levels = {f"dividend yield p{100 * q:.0f}": float(np.quantile(a_year, q)) for q in QUANTILES}
    return {
        "share of payers": paid.height / len(equities),
        **levels,
        "payments a year": float(np.median(paid["payments"].to_numpy() / years)),
    }


def _class_facts(r: np.ndarray, known: pl.DataFrame) -> Facts:
    """Volatility of the other classes, and their correlation with the market fund."""
    kind, years = known["asset_class"].to_numpy(), known["duration_years"].to_numpy()
    beta_like = np.array([np.corrcoef(r[:, k], r[:, 0])[0, 1] for k in range(r.shape[1])])
    is_bond = kind == "bond_etf"
    groups: dict[str, np.ndarray] = {
        "market fund": (known["asset_id"] == BENCHMARK_ASSET_ID).to_numpy(),
        "bonds 17y": is_bond & (years == 17.0) & (beta_like < 0.1),
        "bonds 7.5y": is_bond & (years == 7.5) & (beta_like < 0.1),
        "bonds 1.9y": is_bond & (years == 1.9) & (beta_like < 0.1),
        "credit": is_bond & (years >= 4.5) & (beta_like >= 0.1),
        "high yield": is_bond & (years == 3.5),
        "commodity": kind == "commodity",
        "reit": kind == "reit",
        "crypto": kind == "crypto",
    }
    facts: Facts = {}
    for name, chosen in groups.items():
        if chosen.any():
            facts[f"volatility of {name}"] = float(np.median(r[:, chosen].std(axis=0)) * _YEAR**0.5)
            facts[f"correlation of {name}"] = float(np.median(beta_like[chosen]))
    crypto = r[:, groups["crypto"]]
    if crypto.shape[1] > 1:
        pairs = np.corrcoef(crypto.T)[np.triu_indices(crypto.shape[1], 1)]
        facts["correlation within crypto"] = float(np.median(pairs))
        facts["kurtosis of crypto"] = float(np.median(excess_kurtosis(crypto)))
    return facts


def measure_regimes(seed: int, sessions: int = REGIME_SESSIONS) -> Facts:
    """Two-state fit of the seed's equity market over a history as long as the figures'."""
    fit = fit_regimes(simulate_factors(sessions, seed).returns[:, MARKET])
    names = ("calm", "turbulent")
    return {
        **{f"regime {name} mean": fit.mean[i] for i, name in enumerate(names)},
        **{f"regime {name} sd": fit.sd[i] for i, name in enumerate(names)},
        **{f"regime {name} stay": fit.stay_sessions[i] for i, name in enumerate(names)},
        "regime turbulent share": fit.turbulent_share,
    }


def simulated_facts(
    seeds: Iterable[int], *, assets: int = ASSETS, sessions: int = SESSIONS, garch_stocks: int = GARCH_STOCKS
) -> dict[str, np.ndarray]:
    """Each fact over the seeds, (seeds,); nan where a market has no asset of the kind."""
    each = []
    for seed in seeds:
        frames = simulate_market(assets=assets, start_date=START_DATE, sessions=sessions, seed=seed)
        each.append(measure_facts(frames, garch_stocks) | measure_regimes(seed))
    names = dict.fromkeys(name for facts in each for name in facts)
    return {name: np.array([facts.get(name, np.nan) for facts in each]) for name in names}


def table(facts: dict[str, np.ndarray], write: Callable[[str], None] = print) -> tuple[int, int]:
    """Write fact, simulated median and range, interval and whether it is met; return the met and all facts.

    The median over seeds: a crash in one history moves the mean of all fourth moments.
    """
    write(f"{'fact':34} {'median':>8} {'min':>8} {'max':>8}   {'figure':>8} {'interval':>18}  met")
    shown = [t for t in TARGETS if t.name in facts]
    for target in shown:
        write(_row(target, facts[target.name]))
    met = [t for t in shown if t.is_met(float(np.nanmedian(facts[t.name])))]
    for label, is_later in (("to 2016, calibrated on", False), ("later, test only", True)):
        count = sum(t.is_later == is_later for t in shown)
        write(f"met {sum(t.is_later == is_later for t in met)} of {count} facts measured on data {label}")
    return len(met), len(shown)


def _row(target: Target, values: np.ndarray) -> str:
    """One line of the table."""
    median = float(np.nanmedian(values))
    interval = f"{target.low:.4g} .. {target.high:.4g}"
    mark = ("yes" if target.is_met(median) else "NO") + (" (later)" if target.is_later else "")
    return (
        f"{target.name:34} {median:8.4f} {np.nanmin(values):8.4f} {np.nanmax(values):8.4f}   "
        f"{target.figure:8.4f} {interval:>18}  {mark}"
    )


def main() -> None:
    """Command line: measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--assets", type=int, default=ASSETS)
    arguments = parser.parse_args()
    first = arguments.first_seed
    table(simulated_facts(range(first, first + arguments.seeds), assets=arguments.assets))


if __name__ == "__main__":
    main()
