"""The market side of a night: one index of assets, prices per session, the experts' market panel.

What belongs here: what does not depend on any account. What does not: holdings (``book.py``).
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from ml.policy.panels import MarketPanel
from ml.recommend.inputs import NightInputs

RETURN_SESSIONS = 252
VOLATILITY_SESSIONS = 63
SESSIONS_PER_YEAR = 252
_FEATURE_KEYS = ("as_of_date", "asset_id", "known_at")


@dataclass(frozen=True)
class Universe:
    """Assets that have a price in the current week, in order of id.

    Attributes
    ----------
    asset_ids : tuple of str
        N ids, sorted.
    index : polars.DataFrame
        asset_id -> ``n``, the position.
    price : dict of date to ndarray of shape (N,)
        USD; nan where the asset has none at that session.
    is_stale, is_tradeable : dict of date to ndarray of shape (N,)
        bool. Tradeable: priced, not stale, has features, known, not delisted, no benchmark.
    is_wash_exempt : ndarray of shape (N,)
        bool: digital assets, which section 1091 does not reach (convention A18).
    """

    asset_ids: tuple[str, ...]
    index: pl.DataFrame
    price: dict[date, np.ndarray]
    is_stale: dict[date, np.ndarray]
    is_tradeable: dict[date, np.ndarray]
    is_wash_exempt: np.ndarray

    @classmethod
    def build(cls, inputs: NightInputs, sessions: list[date]) -> "Universe":
        """Index the assets of the given sessions."""
        priced = inputs.prices.filter(
            pl.col("as_of_date").is_in(sessions) & pl.col("price_usd").is_finite() & (pl.col("price_usd") > 0)
        )
        ids = tuple(priced["asset_id"].unique().sort().to_list())
        index = pl.DataFrame({"asset_id": pl.Series(ids, dtype=pl.String)}).with_row_index("n")
        index = index.with_columns(pl.col("n").cast(pl.Int64))
        meta = index.join(inputs.assets, on="asset_id", how="left", maintain_order="left")
        known = meta["asset_id"].is_in(inputs.assets["asset_id"].to_list()).to_numpy()
        benchmark = meta["asset_id"].is_in(list(inputs.benchmark_asset_ids)).to_numpy()
        price, stale, tradeable = {}, {}, {}
        for session in sessions:
            rows = priced.filter(pl.col("as_of_date") == session).join(index, on="asset_id")
            price[session] = np.full(len(ids), np.nan)
            price[session][rows["n"].to_numpy()] = rows["price_usd"].to_numpy()
            stale[session] = np.zeros(len(ids), dtype=bool)
            stale[session][rows["n"].to_numpy()] = rows["is_stale"].fill_null(True).to_numpy()
            described = inputs.features.filter(pl.col("as_of_date") == session)["asset_id"].to_list()
            has_features = meta["asset_id"].is_in(described).to_numpy()
            listed = (meta["delisted_date"].is_null() | (meta["delisted_date"] > session)).to_numpy()
            tradeable[session] = (
                np.isfinite(price[session]) & ~stale[session] & has_features & known & listed & ~benchmark
            )
        exempt = (meta["tax_treatment"] == "digital_asset").fill_null(False).to_numpy()
        return cls(ids, index, price, stale, tradeable, exempt)


def market_panel(inputs: NightInputs, universe: Universe, session: date) -> MarketPanel:
    """Make the experts' panel of one session.

    Parameters
    ----------
    inputs : NightInputs
    universe : Universe
    session : datetime.date
        Session of the current week.

    Returns
    -------
    MarketPanel
        N assets; features nan where there is no row, returns of the last 252 sessions.
    """
    days = inputs.prices.select("as_of_date").unique().filter(pl.col("as_of_date") <= session)
    days = days.sort("as_of_date").tail(RETURN_SESSIONS).with_row_index("t")
    recent = inputs.prices.join(days, on="as_of_date")
    rows = recent.join(universe.index, on="asset_id")
    returns = np.full((len(days), len(universe.asset_ids)), np.nan)
    values = rows["total_return_log"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    returns[rows["t"].to_numpy(), rows["n"].to_numpy()] = values
    columns = [name for name in inputs.features.columns if name not in _FEATURE_KEYS]
    features = inputs.features.filter(pl.col("as_of_date") == session).join(universe.index, on="asset_id")
    matrix = np.full((len(universe.asset_ids), len(columns)), np.nan)
    matrix[features["n"].to_numpy()] = features.select(
        pl.col(columns).cast(pl.Float64).fill_null(float("nan"))
    ).to_numpy()
    return MarketPanel.from_matrix(
        session,
        universe.asset_ids,
        matrix,
        columns,
        returns,
        universe.is_tradeable[session],
        _benchmark_volatility(recent, inputs.benchmark_asset_ids),
    )


def _benchmark_volatility(recent: pl.DataFrame, benchmarks: tuple[str, ...]) -> float:
    """Annualised volatility of the first benchmark with at least 21 of 63 sessions; nan without one."""
    for asset_id in benchmarks:
        rows = recent.filter(pl.col("asset_id") == asset_id).sort("t").tail(VOLATILITY_SESSIONS)
        returns = rows["total_return_log"].cast(pl.Float64).drop_nulls().drop_nans().to_numpy()
        if len(returns) >= 21:
            return float(returns.std(ddof=1) * np.sqrt(SESSIONS_PER_YEAR))
    return float("nan")
