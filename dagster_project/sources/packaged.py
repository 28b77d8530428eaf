"""The ``packaged`` source: real daily prices that PyPI packages ship, read without importing them.

* skfolio: 20 S&P 500 stocks 1990-2022, five factor funds from 2014 and the index, adjusted closes
  only, so ``price_basis`` is ``accumulating``. The index is a price index and never held.
* bokeh-sampledata: OHLCV with raw and adjusted closes of five stocks to 2013-03-01. IBM, GOOG and
  FB are ``as_traded``, their dividends and splits derived (``corporate_actions.py``). AAPL and
  MSFT keep skfolio's prices: bokeh's bars lend them volume and the daily range only, rescaled to
  the adjusted close of the day (prices by adjusted / raw close, volume by its inverse), so that
  high / low, and price times volume, are what was traded; ``close`` stays empty.
* Three-month Treasury rates to 2017-03-29 (US government data), a file of this package.

skfolio's data is "for testing and example purposes": what is made from it is a demonstration.
A row here is one bar; ``source_line`` is its line in the shipped file.
"""

import datetime as dt
import functools
import gzip
import importlib.util
from pathlib import Path
from typing import Final

import polars as pl

from dagster_project.sources.batches import Batch, SourceError, typed_batch
from dagster_project.sources.calendar import DATA_DIR, open_of
from dagster_project.sources.corporate_actions import derive_corporate_actions
from dagster_project.sources.packaged_facts import ASSET_FACTS, BENCHMARK_ASSET_IDS

__all__ = ["BENCHMARK_ASSET_IDS", "last_packaged_date", "packaged_market_batches"]

SOURCE: Final = "packaged"
RATES_FILE: Final = DATA_DIR / "rates_3m.csv"
AS_TRADED: Final = ("IBM", "GOOG", "FB")
RANGE_ONLY: Final = ("AAPL", "MSFT")
_SKFOLIO_FILES: Final = ("sp500_dataset.csv.gz", "factors_dataset.csv.gz", "sp500_index.csv.gz")
_BOKEH_NAME: Final = "bokeh_sampledata/_data/stocks.csv.gz"


def packaged_market_batches() -> list[Batch]:
    """Assets, bars, derived corporate actions and rates of the packaged source.

    Returns
    -------
    list of Batch
        Typed batches; about 185,000 bars.

    Raises
    ------
    SourceError
        A data package is not installed, or does not ship the file.
    """
    bars = _bars_by_file()
    everything = pl.concat([frame.select("asset_id", "trade_date") for frame in bars.values()])
    batches = [
        typed_batch(
            "market__assets", SOURCE, "dagster_project/sources/packaged_facts.py", _assets(everything)
        )
    ]
    batches += [typed_batch("market__daily_bars", SOURCE, file, frame) for file, frame in bars.items()]
    actions = derive_corporate_actions(bars[_BOKEH_NAME])
    batches.append(typed_batch("market__corporate_actions", SOURCE, _BOKEH_NAME, actions))
    batches.append(
        typed_batch("market__rates", SOURCE, f"dagster_project/sources/data/{RATES_FILE.name}", _rates())
    )
    return batches


def last_packaged_date() -> dt.date:
    """Trade date of the last packaged bar, the default ``as_of_date``."""
    return max(frame["trade_date"].max() for frame in _bars_by_file().values())  # pyright: ignore


def _package_file(package: str, relative: str) -> Path:
    """Path of a data file inside an installed package, which is not imported."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SourceError(f"the packaged prices need the package {package.replace('_', '-')}: run `uv sync`")
    path = Path(spec.origin).parent / relative
    if not path.exists():
        raise SourceError(
            f"{package} is installed without {path}: install the version that pyproject.toml pins"
        )
    return path


@functools.cache
def _bars_by_file() -> dict[str, pl.DataFrame]:
    """Bars in contract columns by the file they come from."""
    bokeh = _bokeh_bars()
    lent = bokeh.filter(pl.col("asset_id").is_in(list(RANGE_ONLY))).drop("adjusted_close", "source_line")
    bars = {}
    for name in _SKFOLIO_FILES:
        frame = _skfolio_bars(name).join(
            lent, on=["asset_id", "trade_date"], how="left", maintain_order="left"
        )
        scale = pl.col("adjusted_close") / pl.col("close")
        bars[f"skfolio/datasets/data/{name}"] = frame.with_columns(
            pl.col("open", "high", "low") * scale,
            volume=pl.col("volume") / scale,
            close=pl.lit(None, pl.Float64),
        )
    bars[_BOKEH_NAME] = bokeh.filter(pl.col("asset_id").is_in(list(AS_TRADED)))
    return bars


def _read_gzip(path: Path) -> pl.DataFrame:
    with gzip.open(path) as handle:
        return pl.read_csv(handle.read(), try_parse_dates=True).with_row_index("source_line", offset=2)


def _skfolio_bars(name: str) -> pl.DataFrame:
    """A wide file of adjusted closes, one row per asset and day; days before a listing are absent."""
    wide = _read_gzip(_package_file("skfolio", f"datasets/data/{name}")).rename({"Date": "trade_date"})
    return (
        wide.unpivot(
            index=["source_line", "trade_date"], variable_name="asset_id", value_name="adjusted_close"
        )
        .drop_nulls("adjusted_close")
        .sort("asset_id", "trade_date")
    )


def _bokeh_bars() -> pl.DataFrame:
    frame = _read_gzip(_package_file("bokeh_sampledata", "_data/stocks.csv.gz"))
    names = {"Ticker": "asset_id", "Date": "trade_date", "Adj Close": "adjusted_close"}
    frame = frame.rename(names).rename(str.lower).with_columns(pl.col("volume").cast(pl.Float64))
    return frame.sort("asset_id", "trade_date")


def _assets(bars: pl.DataFrame) -> pl.DataFrame:
    """One row per asset, known from the open of its first bar's session."""
    first = bars.group_by("asset_id").agg(pl.col("trade_date").min().alias("_first")).sort("asset_id")
    missing = sorted(set(first["asset_id"]) - set(ASSET_FACTS))
    if missing:
        raise SourceError(f"packaged_facts.py has no entry for {', '.join(missing)}: add it to ASSET_FACTS")
    facts = [ASSET_FACTS[asset] for asset in first["asset_id"]]
    return first.select(
        "asset_id",
        known_at=open_of("_first", first),
        symbol="asset_id",
        name=pl.Series([fact.name for fact in facts]),
        asset_class=pl.Series([fact.asset_class for fact in facts]),
        sector=pl.Series([fact.sector for fact in facts]),
        country=pl.lit("US"),
        currency=pl.lit("USD"),
        listed_date=pl.Series([fact.listed_date for fact in facts], dtype=pl.Date),
        expense_ratio_pct=pl.Series([fact.expense_ratio_pct for fact in facts], dtype=pl.Float64),
        # Dividends of US corporations are qualified once the holder's period is met; funds pay a mixture.
        qualified_dividend_ratio=pl.Series([1.0 if fact.asset_class == "equity" else None for fact in facts]),
        tax_treatment=pl.lit("security"),
        price_basis=pl.when(pl.col("asset_id").is_in(list(AS_TRADED)))
        .then(pl.lit("as_traded"))
        .otherwise(pl.lit("accumulating")),
    )


def _rates() -> pl.DataFrame:
    frame = pl.read_csv(RATES_FILE, schema={"rate_date": pl.Date, "rate_pct": pl.Float64})
    return frame.with_columns(tenor=pl.lit("3m")).with_row_index("source_line", offset=2)
