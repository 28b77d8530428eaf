"""A folder of tidy Parquet files as a feature panel: prices of another vendor, for evaluation.

Read are ``prices.parquet`` (date, ticker, open, high, low, close, volume, adj_close if there is one),
``reference.parquet`` (ticker, asset_class, sector, fd_category) and, if there, ``derived_events.parquet``
(splits and cash dividends). What does not belong here: any training.
"""

from pathlib import Path
from typing import Final

import polars as pl

from ml.features.panel import FeaturePanel
from ml.features.simulated_panel import compute_panel
from ml.types import ASSET_CLASSES, SECTORS

_FUND_CLASSES: Final = {
    "Fixed Income": "bond_etf",
    "Currencies": "currency",
    "Commodities": "commodity",
    "Commodities Broad Basket": "commodity",
    "Real Estate": "reit",
}
_RENAMED_SECTORS: Final = {
    "Telecommunications Services": "Communication Services",
    "Technology": "Information Technology",
}
_NUMBERS: Final = ("shares_outstanding", "qualified_dividend_ratio", "expense_ratio_pct", "duration_years")


class TidyPanelError(ValueError):
    """A folder that holds no such panel; the message names the file or column."""


def tidy_panel(folder: Path, source: str, market_asset_id: str = "") -> FeaturePanel:
    """Compute the panel of a folder.

    Parameters
    ----------
    folder : pathlib.Path
    source : str
        Said in the panel.
    market_asset_id : str
        The market; by default the mean of the equities.

    Returns
    -------
    FeaturePanel
        All facts count from the first session on; shares outstanding are unknown. A fund has the sector of
        its reference only where its category says the same.

    Raises
    ------
    TidyPanelError
        A file or column is missing.
    """
    for name in ("prices.parquet", "reference.parquet"):
        if not (folder / name).exists():
            raise TidyPanelError(
                f"{folder} has no {name}: see ml/features/tidy_panel.py for what it must hold"
            )
    bars = _bars(pl.read_parquet(folder / "prices.parquet"))
    days = bars["trade_date"].unique().sort()
    sessions = pl.DataFrame({"session_date": days}).with_columns(
        close_at=pl.col("session_date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        + pl.duration(hours=21)
    )
    assets = _assets(pl.read_parquet(folder / "reference.parquet"), bars)
    events = folder / "derived_events.parquet"
    actions = _actions(pl.read_parquet(events) if events.exists() else None)
    return compute_panel(assets, bars, actions, sessions, market_asset_id, source)


def _bars(prices: pl.DataFrame) -> pl.DataFrame:
    if "adj_close" not in prices.columns:
        prices = prices.with_columns(adj_close=pl.col("close"))
    return prices.select(
        pl.col("ticker").alias("asset_id"),
        pl.col("date").cast(pl.Date).alias("trade_date"),
        *(pl.col(name).cast(pl.Float64) for name in ("open", "high", "low", "close", "volume")),
        pl.col("adj_close").cast(pl.Float64).alias("adjusted_close"),
    )


def _assets(reference: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    for name in ("sector", "fd_category"):
        if name not in reference.columns:
            reference = reference.with_columns(pl.lit(None, pl.String).alias(name))
    first = bars.group_by("asset_id").agg(pl.col("trade_date").min().alias("listed_date"))
    is_fund = pl.col("asset_class") == "etf"
    by_category = pl.coalesce(
        pl.col(name).replace_strict(_FUND_CLASSES, default=None, return_dtype=pl.String)
        for name in ("sector", "fd_category")
    )
    # Vendors call many broad funds by the sector of their issuer: a fund's category must agree.
    is_named = ~is_fund | (pl.col("fd_category").replace(_RENAMED_SECTORS) == pl.col("sector"))
    sector = pl.col("sector").replace(_RENAMED_SECTORS)
    return (
        reference.rename({"ticker": "asset_id"})
        .join(first, on="asset_id")
        .select(
            "asset_id",
            "listed_date",
            pl.when(is_fund)
            .then(by_category.fill_null("equity_etf"))
            .when(pl.col("asset_class").is_in(ASSET_CLASSES))
            .then("asset_class")
            .otherwise(pl.lit("equity"))
            .alias("asset_class"),
            pl.when(sector.is_in(SECTORS) & is_named).then(sector).alias("sector"),
            pl.lit("as_traded").alias("price_basis"),
            pl.col("listed_date").min().cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("known_at"),
            *(pl.lit(None, pl.Float64).alias(name) for name in _NUMBERS),
        )
    )


def _actions(events: pl.DataFrame | None) -> pl.DataFrame:
    schema = {
        "asset_id": pl.String,
        "ex_date": pl.Date,
        "kind": pl.String,
        "cash_per_share_usd": pl.Float64,
        "ratio_new": pl.Float64,
        "ratio_old": pl.Float64,
        "basis_fraction": pl.Float64,
    }
    if events is None:
        return pl.DataFrame(schema=schema)
    kinds = {"cash_dividend": "dividend", "split": "split"}
    return events.filter(pl.col("kind").is_in(list(kinds))).select(
        pl.col("ticker").alias("asset_id"),
        pl.col("ex_date").cast(pl.Date),
        pl.col("kind").replace(kinds),
        pl.col("cash_per_share").alias("cash_per_share_usd"),
        pl.col("split_ratio").alias("ratio_new"),
        pl.when(pl.col("split_ratio").is_not_null()).then(1.0).alias("ratio_old"),
        pl.lit(None, pl.Float64).alias("basis_fraction"),
    )
