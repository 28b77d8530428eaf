"""The ``simulated`` source: what the generators of ``ml.simulate`` make, as batches.

There is no public investor-level transaction data, so that the default households are generated
too, on the packaged prices; their rows have source ``simulated`` and say so wherever they show.
A generator runs once per seed to the end of the data; readers cut by ``known_at``.
"""

import datetime as dt
import functools
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from dagster_project.sources.batches import Batch, typed_batch
from dagster_project.sources.calendar import session_frame
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.sources.defaults import fill_defaults
from dagster_project.sources.packaged_facts import BENCHMARK_ASSET_IDS

SOURCE: Final = "simulated"
_HOUSEHOLD_TABLES: Final = {
    "users": "brokerage__users",
    "accounts": "brokerage__accounts",
    "transactions": "brokerage__transactions",
    "goals": "goals__statements",
}


# Accounts open over five years from here: rows stay put when the price data grows at its end.
_FIRST_OPENING: Final = dt.date(2014, 1, 1)
_OPENING_YEARS: Final = 5.0
_ID_COLUMNS: Final = tuple(
    "user_id household_id account_id transaction_id order_id lot_reference statement_id".split()
)

_MARKET_TABLES: Final = {
    "assets": "market__assets",
    "daily_bars": "market__daily_bars",
    "corporate_actions": "market__corporate_actions",
    "rates": "market__rates",
}


def simulated_market_batches(*, assets: int, years: int, seed: int) -> list[Batch]:
    """Simulate assets, bars, corporate actions and rates.

    Parameters
    ----------
    assets, years : int
        Size of the market; it ends at the last packaged session.
    seed : int
        Same size and seed: same rows.
    """
    from ml.simulate.market import generate_market

    market = generate_market(session_frame(), assets=assets, years=years, seed=seed)
    return [
        typed_batch(table, SOURCE, f"simulated/market-seed{seed}/{name}", getattr(market, name))
        for name, table in _MARKET_TABLES.items()
    ]


def household_prices(batches: Sequence[Batch]) -> pl.DataFrame:
    """Prices that households can trade at, from typed market batches.

    Parameters
    ----------
    batches : sequence of Batch
        Typed batches with assets and bars.

    Returns
    -------
    polars.DataFrame
        ``asset_id``, ``trade_date``, ``price_usd`` (close if as traded, else adjusted close),
        ``asset_class``, ``sector``, ``price_basis``, by asset and date; benchmarks are left out.
    """
    typed = [batch for batch in batches if not batch.is_text]
    facts = ["asset_id", "asset_class", "sector", "price_basis"]
    assets = pl.concat([_with(b.frame, facts, pl.String()) for b in typed if b.table == "market__assets"])
    assets = assets.unique("asset_id", keep="last")
    prices = ["asset_id", "trade_date", "close", "adjusted_close"]
    bars = pl.concat([_with(b.frame, prices, pl.Float64()) for b in typed if b.table == "market__daily_bars"])
    as_traded = pl.col("price_basis") == "as_traded"
    return (
        bars.join(assets, on="asset_id")
        .filter(~pl.col("asset_id").is_in(list(BENCHMARK_ASSET_IDS)))
        .select(
            "asset_id",
            "trade_date",
            price_usd=pl.when(as_traded).then("close").otherwise("adjusted_close"),
            asset_class="asset_class",
            sector="sector",
            price_basis="price_basis",
        )
        .drop_nulls("price_usd")
        .sort("asset_id", "trade_date")
    )


def _with(frame: pl.DataFrame, names: Sequence[str], dtype: pl.DataType) -> pl.DataFrame:
    absent = [pl.lit(None, dtype).alias(name) for name in names if name not in frame.columns]
    return frame.with_columns(absent).select(names)


def household_batches(
    market: Sequence[Batch], *, users: int, seed: int, cache_dir: Path | None = None
) -> list[Batch]:
    """Simulate users, accounts, transactions and goals on the prices of a market.

    Parameters
    ----------
    market : sequence of Batch
        Typed market batches, as ``market_batches`` returns them.
    users : int
        Number of users.
    seed : int
        Same market, number and seed: same rows. The seed and the generator's version are part of every
        identifier, so that what another version made is another population, not a conflicting one.
    cache_dir : Path, optional
        Where the tables are kept between nights, under a hash of everything that decides them.
    """
    prices, actions = household_prices(market), _corporate_actions(market)
    folder = None
    if cache_dir is not None:
        folder = cache_dir / f"households-{_identity(prices, actions, users, seed)}"
    frames = _load(folder) or _generate(prices, actions, users, seed)
    if folder is not None and not folder.exists():
        _save(folder, frames)
    return [
        typed_batch(table, SOURCE, f"simulated/households-seed{seed}/{name}", frames[name])
        for name, table in _HOUSEHOLD_TABLES.items()
    ]


def _generate(prices: pl.DataFrame, actions: pl.DataFrame, users: int, seed: int) -> dict[str, pl.DataFrame]:
    from ml.simulate.households import generate_households

    settled = _settled_openings(prices)
    households = generate_households(
        prices, session_frame(), users=users, seed=seed, corporate_actions=actions, **settled
    )
    return {name: _with_version(getattr(households, name), seed) for name in _HOUSEHOLD_TABLES}


def _settled_openings(prices: pl.DataFrame) -> dict[str, Any]:
    """When accounts open, if the prices reach over that time; shorter data decides by its own span."""
    from ml.simulate.panel import price_span

    first, last = price_span(prices)
    all_open = _FIRST_OPENING.replace(year=_FIRST_OPENING.year + int(_OPENING_YEARS))
    if first > _FIRST_OPENING or last < all_open:
        return {}
    return {"start_date": _FIRST_OPENING, "opening_years": _OPENING_YEARS}


def _with_version(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Put the generator's version behind the seed in every identifier: u7-000001 becomes u7vc41d-000001."""
    version = generator_version()
    names = [name for name in _ID_COLUMNS if name in frame.columns]
    return frame.with_columns(pl.col(names).str.replace_all(rf"\b([a-z]+{seed})-", f"${{1}}{version}-"))


@functools.cache
def generator_version() -> str:
    """Hash of the code that decides household rows: v and four digits of base 16."""
    import ml.simulate

    digest = hashlib.sha256()
    for path in sorted(Path(str(ml.simulate.__file__)).parent.glob("*.py")):
        if not path.name.startswith("market"):
            digest.update(path.name.encode() + path.read_bytes())
    return "v" + digest.hexdigest()[:4]


def _identity(prices: pl.DataFrame, actions: pl.DataFrame, users: int, seed: int) -> str:
    """Hash of all that the generated rows depend on: the code, the market, the size and the seed."""
    digest = hashlib.sha256(f"{users} {seed} {pl.__version__} {generator_version()}".encode())
    digest.update(Path(__file__).read_bytes())
    for frame in (prices, actions):
        digest.update(frame.hash_rows(seed=0).to_numpy().tobytes())
    return digest.hexdigest()[:32]


def _load(folder: Path | None) -> dict[str, pl.DataFrame] | None:
    if folder is None or not folder.exists():
        return None
    return {name: pl.read_parquet(folder / f"{name}.parquet") for name in _HOUSEHOLD_TABLES}


def _save(folder: Path, frames: Mapping[str, pl.DataFrame]) -> None:
    """Write all tables, then name the folder: a killed writer leaves no half cache."""
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    part.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.write_parquet(part / f"{name}.parquet")
    part.rename(folder)


def _corporate_actions(market: Sequence[Batch]) -> pl.DataFrame:
    """Corporate actions of the typed batches, in contract columns and with their ``known_at``."""
    table = "market__corporate_actions"
    schema = RAW_TABLES[table].content_schema
    frames = [batch for batch in market if batch.table == table and not batch.is_text]
    actions = [fill_defaults(table, _complete(batch.frame, schema)) for batch in frames]
    return pl.concat([pl.DataFrame(schema=schema), *actions]).sort("asset_id", "ex_date", "kind")


def _complete(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    absent = [pl.lit(None).alias(name) for name in schema if name not in frame.columns]
    return frame.with_columns(absent).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
