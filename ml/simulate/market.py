"""A multi-asset market of any size with known truth: bars, corporate actions, facts and rates.

Returns are a common part (market, sector, yields, commodity, crypto; ``market_factors``) plus the
asset's own GJR-GARCH-t and jumps (``market_kernel``); prices are as traded, dividends and splits apart,
the adjusted close a total-return index that starts at the first close and never restates. Sessions,
assets and horizon can be extended without changing what was there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from ml.simulate.market_assets import AssetTraits, asset_id, class_name, draw_assets
from ml.simulate.market_assets import T as TRAIT
from ml.simulate.market_factors import MarketFactors, simulate_factors
from ml.simulate.market_kernel import (
    ADJUSTED,
    CLOSE,
    DIVIDEND,
    E_KIND,
    E_KNOWN,
    E_SESSION,
    E_SHARES,
    E_VALUE,
    HIGH,
    LOW,
    MERGER,
    MERGER_NOTICE,
    OPEN,
    SPLIT,
    STATE_COLUMNS,
    VOLUME,
    advance,
)
from ml.types import SECTORS

SOURCE = "simulated"
BENCHMARK_ASSET_ID = asset_id(0)
SESSIONS_A_YEAR = 252
_UTC = pl.Datetime("us", "UTC")
_BAR_FIELDS = {
    "open": OPEN,
    "high": HIGH,
    "low": LOW,
    "close": CLOSE,
    "adjusted_close": ADJUSTED,
    "volume": VOLUME,
}
_EVENT_ROOM = 8


@dataclass(frozen=True)
class MarketFrames:
    """Contract frames of ``market__*`` with ``known_at``, each sorted by its key."""

    assets: pl.DataFrame
    daily_bars: pl.DataFrame
    corporate_actions: pl.DataFrame
    rates: pl.DataFrame


@dataclass(frozen=True)
class _Calendar:
    """Sessions of the simulation and, where known, beyond (for dates that lie after its end)."""

    days: np.ndarray
    open_at: np.ndarray
    close_at: np.ndarray
    count: int


def simulate_market(
    *, assets: int, start_date: date, sessions: pl.DataFrame | int, seed: int, trend_ann: float = 0.0
) -> MarketFrames:
    """Simulate a whole market in memory.

    Parameters
    ----------
    assets:
        Number of assets; ``SIM00001`` is a broad equity fund (:data:`BENCHMARK_ASSET_ID`).
    start_date:
        First day.
    sessions:
        A frame (session_no, session_date, open_at, close_at in UTC) whose sessions from ``start_date`` on
        are simulated, or a number of weekdays (09:30-16:00 New York, no holidays).
    seed:
        Same seed: same rows; more assets or sessions leave the others as they were.
    trend_ann:
        Standard deviation over assets of the yearly return that an asset's own trend adds, for an equity of usual
        volatility; half of a trend is left after a year. What rose then goes on rising for a while (Jegadeesh,
        Titman 1993). 0, the default, leaves what an asset will earn unknowable.
    """
    calendar = _calendar(start_date, sessions)
    return _whole_market(calendar, assets, seed, trend_ann)


def generate_market(
    sessions: pl.DataFrame, *, assets: int, years: int, seed: int, end_date: date = date(2022, 12, 28)
) -> MarketFrames:
    """Simulate the ``years`` years that end with the last session up to ``end_date``.

    Parameters
    ----------
    sessions:
        As in :func:`simulate_market`; sessions after ``end_date`` only date what was announced by then.
    assets, years, seed:
        Size and seed.
    end_date:
        Last day; the default is the last day of the packaged prices.
    """
    start = date(end_date.year - years, end_date.month, min(end_date.day, 28))
    calendar = _calendar(start, sessions, end_date)
    return _whole_market(calendar, assets, seed)


def iter_market_blocks(
    *, assets: int, start_date: date, sessions: pl.DataFrame | int, seed: int, block_sessions: int = 63
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield (daily_bars, corporate_actions) in stretches of sessions, bars by date and asset.

    Memory is bounded by ``assets * block_sessions`` rows; together the blocks are the frames of
    :func:`simulate_market`.
    """
    calendar = _calendar(start_date, sessions)
    traits = draw_assets(assets, calendar.count, seed)
    factors = simulate_factors(calendar.count, seed)
    for bars, events, first in _stretches(calendar, traits, factors, block_sessions):
        yield _bars_frame(calendar, bars, first), _actions_frame(calendar, events)


def simulate_bars_parquet(
    path: str | Path,
    *,
    assets: int,
    years: int,
    seed: int,
    start_date: date = date(2013, 1, 2),
    block_sessions: int = 63,
) -> list[Path]:
    """Write bars sorted by trade_date into Parquet files under ``path``, one per stretch of sessions.

    Columns: asset_id, trade_date, open, high, low, close, adjusted_close, volume (DOUBLE), source,
    known_at. The calendar is weekdays. Returns the files in the order of time.
    """
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    blocks = iter_market_blocks(
        assets=assets,
        start_date=start_date,
        sessions=years * SESSIONS_A_YEAR,
        seed=seed,
        block_sessions=block_sessions,
    )
    files = []
    for number, (bars, _) in enumerate(blocks):
        files.append(folder / f"bars-{number:04d}.parquet")
        bars.with_columns(pl.lit(SOURCE).alias("source")).select(
            "asset_id", "trade_date", *_BAR_FIELDS, "source", "known_at"
        ).write_parquet(files[-1], compression="zstd", compression_level=1)
    return files


def _whole_market(calendar: _Calendar, assets: int, seed: int, trend_ann: float = 0.0) -> MarketFrames:
    """Return all frames of the calendar's sessions."""
    traits = draw_assets(assets, calendar.count, seed, trend_ann)
    factors = simulate_factors(calendar.count, seed)
    bars, actions, shares = [], [], []
    for block, events, first in _stretches(calendar, traits, factors, 252):
        bars.append(_bars_frame(calendar, block, first))
        actions.append(_actions_frame(calendar, events))
        shares.append(events)
    return MarketFrames(
        assets=_assets_frame(calendar, traits, np.concatenate(shares)),
        daily_bars=pl.concat(bars).sort("asset_id", "trade_date"),
        corporate_actions=pl.concat(actions).sort("asset_id", "ex_date", "kind"),
        rates=_rates_frame(calendar, factors),
    )


def _calendar(start: date, sessions: pl.DataFrame | int, end: date | None = None) -> _Calendar:
    """Return the sessions from ``start`` on; a number of weekdays gets 60 more beyond the end."""
    if isinstance(sessions, int):
        days = np.arange(np.datetime64(start), np.datetime64(start) + (sessions + 60) * 2)
        days = days[np.is_busday(days)][: sessions + 60]
        frame = pl.DataFrame({"session_date": days}).with_columns(
            *[
                pl.col("session_date")
                .cast(pl.Datetime("us"))
                .dt.offset_by(offset)
                .dt.replace_time_zone("America/New_York")
                .dt.convert_time_zone("UTC")
                .alias(name)
                for name, offset in (("open_at", "9h30m"), ("close_at", "16h"))
            ]
        )
        count = sessions
    else:
        frame = sessions.filter(pl.col("session_date") >= start).sort("session_date")
        count = frame.height if end is None else int((frame["session_date"] <= end).sum())
    if count < 2:
        raise ValueError(f"no sessions to simulate from {start} (to {end}); pass at least two")
    opens, closes = (
        frame[c].dt.convert_time_zone("UTC").dt.epoch("us").to_numpy() for c in ("open_at", "close_at")
    )
    return _Calendar(frame["session_date"].to_numpy().astype("datetime64[D]"), opens, closes, count)


def _stretches(
    calendar: _Calendar, traits: AssetTraits, factors: MarketFactors, block: int
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yield bars [sessions, assets, 6], events [n, 6] (asset number first) and the first session."""
    assets = len(traits.keys)
    if assets < 1:
        raise ValueError(f"assets must be at least 1 but is {assets}")
    state = np.zeros((assets, STATE_COLUMNS))
    for first in range(0, calendar.count, block):
        length = min(block, calendar.count - first)
        bars = np.empty((length, assets, 6))
        events = np.zeros((assets, length // 10 + _EVENT_ROOM, 5))
        counts = np.zeros(assets, np.int64)
        advance(
            traits.keys, traits.table, factors.returns, factors.short_rate_pct,
            first, state, bars, events, counts,
        )  # fmt: skip
        owner = np.repeat(np.arange(assets), counts)
        kept = events[owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)]
        yield bars, np.column_stack([owner, kept]), first


def _stamps(microseconds: np.ndarray) -> pl.Series:
    """Return a UTC timestamp column."""
    return (
        pl.Series("known_at", microseconds, dtype=pl.Int64)
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
    )


def _bars_frame(calendar: _Calendar, bars: np.ndarray, first: int) -> pl.DataFrame:
    """Return the rows of a stretch by date and asset, without the cells that have no bar."""
    length, assets, _ = bars.shape
    present = bars[:, :, CLOSE].ravel() > 0
    session = np.repeat(np.arange(first, first + length), assets)[present]
    number = np.tile(np.arange(assets), length)[present]
    flat = bars.reshape(-1, 6)
    flat = flat if present.all() else flat[present]
    names = pl.Series([asset_id(i) for i in range(assets)])
    return pl.DataFrame(
        {
            "asset_id": names.gather(number),
            "trade_date": pl.Series(calendar.days[session]).cast(pl.Date),
            **{name: np.ascontiguousarray(flat[:, k]) for name, k in _BAR_FIELDS.items()},
            "known_at": _stamps(calendar.close_at[session]),
        }
    )


def _actions_frame(calendar: _Calendar, events: np.ndarray) -> pl.DataFrame:
    """Return market__corporate_actions rows whose ex-date the calendar holds."""
    events = events[events[:, 1 + E_SESSION] < len(calendar.days)]
    owner, session = events[:, 0].astype(int), events[:, 1 + E_SESSION].astype(int)
    kind, value = events[:, 1 + E_KIND].astype(int), events[:, 1 + E_VALUE]
    known = calendar.close_at[np.maximum(events[:, 1 + E_KNOWN].astype(int), 0)]
    ex = pl.Series(calendar.days[session]).cast(pl.Date)
    is_split = kind == SPLIT
    frame = pl.DataFrame(
        {
            "asset_id": [asset_id(i) for i in owner],
            "ex_date": ex,
            "kind": pl.Series(["dividend", "split", "merger"]).gather(kind),
            "value": value,
            "new": np.where(value >= 1, np.rint(value), 1.0),
            "old": np.where(value >= 1, 1.0, np.rint(1.0 / np.where(value > 0, value, 1.0))),
            "known_at": _stamps(known),
        },
        schema_overrides={"asset_id": pl.String},
    )
    split, dividend = pl.Series(is_split), pl.Series(kind == DIVIDEND)
    cash = pl.col("value").round(4).cast(pl.Decimal(20, 6))
    return frame.select(
        "asset_id",
        "ex_date",
        "kind",
        pl.when(dividend).then(pl.col("ex_date").dt.offset_by("1d")).alias("record_date"),
        pl.when(split).then(None).otherwise(pl.col("ex_date").dt.offset_by("21d")).alias("pay_date"),
        pl.when(split).then(pl.col("new").cast(pl.Decimal(24, 9))).alias("ratio_new"),
        pl.when(split).then(pl.col("old").cast(pl.Decimal(24, 9))).alias("ratio_old"),
        pl.when(~split).then(cash).alias("cash_per_share_usd"),
        pl.lit(None, pl.String).alias("new_asset_id"),
        pl.lit(None, pl.Decimal(20, 12)).alias("basis_fraction"),
        "known_at",
    )


def _assets_frame(calendar: _Calendar, traits: AssetTraits, events: np.ndarray) -> pl.DataFrame:
    """Return market__assets: a row at listing, a further one at a split (shares) and at a buy-out's notice."""
    table = traits.table
    listed = table[:, TRAIT["listed_at"]].astype(int)
    merged = table[:, TRAIT["merged_at"]]
    old = calendar.days[0] - traits.age_days.astype(int)
    listed_day = np.where(listed > 0, calendar.days[np.minimum(listed, calendar.count - 1)], old)
    rows = [
        (i, 0, calendar.open_at[listed[i]], table[i, TRAIT["shares"]], False)
        for i in range(len(table))
        if listed[i] < calendar.count
    ]
    shares = table[:, TRAIT["shares"]].copy()
    order = np.lexsort((events[:, 1 + E_SESSION], events[:, 0]))
    for e in events[order]:
        i, session = int(e[0]), int(e[1 + E_SESSION])
        if int(e[1 + E_KIND]) == SPLIT:
            shares[i] = e[1 + E_SHARES]
            rows.append((i, 1, calendar.open_at[session], shares[i], False))
        elif int(e[1 + E_KIND]) == MERGER and session < len(calendar.days):
            rows.append((i, 2, calendar.close_at[session - MERGER_NOTICE], shares[i], True))
    number = np.array([r[0] for r in rows], dtype=int)
    gone = np.array([r[4] for r in rows], dtype=bool)
    last = calendar.days[
        np.minimum(np.where(np.isfinite(merged), merged, 0), len(calendar.days) - 1).astype(int)
    ]
    kinds = [class_name(int(k)) for k in traits.asset_class[number]]
    sectors = [SECTORS[s] if s >= 0 else None for s in traits.sector[number]]
    names = [asset_id(i) for i in number]
    frame = pl.DataFrame(
        {
            "asset_id": names,
            "known_at": _stamps(np.array([r[2] for r in rows], dtype=np.int64)),
            "symbol": names,
            "name": [f"Simulated {k.replace('_', ' ')} {n[3:]}" for k, n in zip(kinds, names, strict=True)],
            "asset_class": kinds,
            "sector": pl.Series(sectors, dtype=pl.String),
            "industry": pl.Series([None] * len(rows), dtype=pl.String),
            "country": ["US"] * len(rows),
            "currency": ["USD"] * len(rows),
            "listed_date": pl.Series(listed_day[number]).cast(pl.Date),
            "delisted_date": pl.Series(last[number]).cast(pl.Date),
            "expense_ratio_pct": traits.expense_ratio_pct[number],
            "duration_years": traits.duration_years[number],
            "qualified_dividend_ratio": traits.qualified_dividend_ratio[number],
            "shares_outstanding": np.array([r[3] for r in rows], dtype=float),
            "tax_treatment": ["digital_asset" if k == "crypto" else "security" for k in kinds],
            "price_basis": ["as_traded"] * len(rows),
        }
    )
    doubles = ["expense_ratio_pct", "duration_years", "qualified_dividend_ratio"]
    frame = frame.with_columns(
        pl.when(pl.Series(gone)).then("delisted_date").alias("delisted_date"),
        *[pl.col(c).fill_nan(None) for c in doubles],
    )
    return frame.sort("asset_id", "known_at")


def _rates_frame(calendar: _Calendar, factors: MarketFactors) -> pl.DataFrame:
    """Return the 3-month rate of each session, known at 08:00 UTC of the next day."""
    days = calendar.days[: calendar.count]
    morning = (days + 1).astype("datetime64[us]").astype(np.int64) + 8 * 3_600_000_000
    return pl.DataFrame(
        {
            "rate_date": pl.Series(days).cast(pl.Date),
            "tenor": ["3m"] * len(days),
            "rate_pct": np.round(factors.short_rate_pct, 4),
            "known_at": _stamps(morning),
        }
    )
