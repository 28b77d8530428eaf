"""A small market with everything that makes point in time hard, in two parts: known until a night, and after it.

Assets: SP500 (accumulating index, the market), AAA (as traded, a split, dividends, gaps, corrections), BTC (crypto,
seven days a week, known at the next midnight), NEW (no facts, short history), BND (bond ETF), OLD (stops trading),
BLK (history back-filled in one piece, late), FLT (a fund whose price never moves), LTE (as traded; more of its past
is ingested after the first build), ETH (crypto without volume, one bar a week late).
"""

import datetime as dt
import zlib
from dataclasses import dataclass

import numpy as np
import polars as pl

from dagster_project.sources.calendar import session_frame

START = dt.date(2018, 1, 2)
CUT = dt.date(2020, 6, 30)
END = dt.date(2020, 8, 14)


@dataclass(frozen=True)
class Scenario:
    """Raw rows by table: ``past`` is all that was ingested before the night of ``CUT``, ``future`` comes after it."""

    past: dict[str, pl.DataFrame]
    future: dict[str, pl.DataFrame]

    @property
    def everything(self) -> dict[str, pl.DataFrame]:
        """Both parts, by table."""
        names = sorted({*self.past, *self.future})
        return {
            name: pl.concat([part[name] for part in (self.past, self.future) if name in part], how="diagonal")
            for name in names
        }


def _closes() -> pl.DataFrame:
    return (
        session_frame()
        .filter(pl.col("session_date").is_between(START, END))
        .select("session_date", "close_at")
    )


def _walk(asset_id: str, dates: pl.Series, *, level: float = 100.0, sd: float = 0.015) -> pl.DataFrame:
    """Bars of a random walk: open, high, low, close, volume."""
    rng = np.random.default_rng(zlib.crc32(asset_id.encode()))
    n = len(dates)
    close = level * np.exp(np.cumsum(rng.normal(0.0003, sd, n)))
    spread = np.abs(rng.normal(0, 0.006, (2, n)))
    return pl.DataFrame(
        {
            "asset_id": [asset_id] * n,
            "trade_date": dates,
            "open": close,
            "high": close * np.exp(spread[0]),
            "low": close * np.exp(-spread[1]),
            "close": close,
            "volume": np.round(rng.uniform(1e4, 1e6, n)),
        }
    )


def _on_sessions(asset_id: str, **walk: float) -> pl.DataFrame:
    closes = _closes()
    return _walk(asset_id, closes["session_date"], **walk).with_columns(known_at=closes["close_at"])


def _every_day(asset_id: str) -> pl.DataFrame:
    """Crypto: a bar a day, known at the next midnight UTC."""
    bars = _walk(asset_id, pl.date_range(START, END, "1d", eager=True), sd=0.04)
    return bars.with_columns(
        known_at=(pl.col("trade_date") + pl.duration(days=1))
        .cast(pl.Datetime("us"))
        .dt.replace_time_zone("UTC")
    )


def _at(day: dt.date, hour: int = 12) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC)


def _adjusted_only(bars: pl.DataFrame) -> pl.DataFrame:
    return bars.select("asset_id", "trade_date", "known_at", adjusted_close="close")


def _correction(bars: pl.DataFrame, day: dt.date, known_at: dt.datetime, factor: float) -> pl.DataFrame:
    """The bar of a day once more, with other prices, known later."""
    prices = [c for c in ("open", "high", "low", "close", "adjusted_close") if c in bars.columns]
    return bars.filter(pl.col("trade_date") == day).with_columns(
        pl.col(prices) * factor, known_at=pl.lit(known_at).dt.cast_time_unit("us")
    )


def _bars() -> tuple[pl.DataFrame, pl.DataFrame]:
    aaa = _on_sessions("AAA")
    split, later_split = dt.date(2019, 9, 3), dt.date(2020, 7, 20)
    for day, ratio in ((split, 2.0), (later_split, 3.0)):
        aaa = aaa.with_columns(
            pl.when(pl.col("trade_date") >= day).then(pl.col(c) / ratio).otherwise(pl.col(c)).alias(c)
            for c in ("open", "high", "low", "close")
        )
    gaps = pl.col("trade_date").is_in([dt.date(2019, 9, 3), dt.date(2020, 3, 2), dt.date(2020, 3, 3)])
    index = _adjusted_only(_on_sessions("SP500", sd=0.01))
    bond = _on_sessions("BND", sd=0.003).with_columns(adjusted_close=pl.col("close") * 0.9)
    bulk = _on_sessions("BLK").with_columns(
        known_at=pl.when(pl.col("trade_date") <= dt.date(2020, 5, 1))
        .then(pl.lit(_at(dt.date(2020, 5, 2))))
        .otherwise("known_at")
    )
    flat = _on_sessions("FLT", sd=0.0).with_columns(
        close=pl.lit(50.0), open=pl.lit(50.0), high=pl.lit(50.0), low=pl.lit(50.0)
    )
    ether = _every_day("ETH").with_columns(
        volume=pl.lit(None, dtype=pl.Float64),
        known_at=pl.when(pl.col("trade_date").dt.weekday() == 3)
        .then(pl.col("known_at") + pl.duration(days=3))
        .otherwise("known_at"),
    )
    rows = [
        index,
        _correction(index, dt.date(2019, 11, 5), _at(dt.date(2019, 12, 20)), 1.01),
        aaa.filter(~gaps),
        _correction(aaa, dt.date(2019, 5, 6), _at(dt.date(2019, 5, 8)), 1.05),
        _correction(aaa, dt.date(2020, 1, 15), _at(dt.date(2020, 2, 20)), 0.97),
        _every_day("BTC"),
        _on_sessions("NEW").filter(pl.col("trade_date") >= dt.date(2020, 5, 4)),
        bond,
        _on_sessions("OLD").filter(pl.col("trade_date") <= dt.date(2020, 3, 31)),
        bulk,
        flat,
        ether,
    ]
    known = pl.concat(rows, how="diagonal")
    cut = _at(CUT, 20)
    late = _on_sessions("LTE")
    was_missing = pl.col("trade_date").is_between(dt.date(2019, 8, 1), dt.date(2019, 8, 30))
    past = pl.concat(
        [known.filter(pl.col("known_at") <= cut), late.filter((pl.col("known_at") <= cut) & ~was_missing)],
        how="diagonal",
    )
    future = pl.concat(
        [
            known.filter(pl.col("known_at") > cut),
            late.filter((pl.col("known_at") > cut) | was_missing),
            _correction(aaa, dt.date(2020, 6, 10), _at(dt.date(2020, 7, 9)), 1.2),
            _correction(aaa, dt.date(2018, 6, 8), _at(dt.date(2020, 7, 9)), 0.5),
            _on_sessions("TWO").filter(pl.col("trade_date") >= dt.date(2020, 7, 6)),
        ],
        how="diagonal",
    )
    return past, future


def _action(asset_id: str, ex: dt.date, kind: str, known: dt.datetime, **values: float) -> dict:
    return {"asset_id": asset_id, "ex_date": ex, "kind": kind, "known_at": known, **values}


def _actions() -> tuple[pl.DataFrame, pl.DataFrame]:
    quarters = [dt.date(y, m, 12) for y in (2018, 2019, 2020) for m in (2, 5, 8, 11) if (y, m) <= (2020, 5)]
    past = [
        _action("AAA", d, "dividend", _at(d - dt.timedelta(20)), cash_per_share_usd=0.6) for d in quarters
    ]
    past += [
        _action("AAA", dt.date(2019, 9, 3), "split", _at(dt.date(2019, 8, 15)), ratio_new=2.0, ratio_old=1.0),
        # announced as 0.6, corrected before the ex-date; another one corrected long after
        _action("AAA", dt.date(2020, 5, 12), "dividend", _at(dt.date(2020, 5, 4)), cash_per_share_usd=0.8),
        _action("AAA", dt.date(2019, 11, 12), "dividend", _at(dt.date(2020, 1, 21)), cash_per_share_usd=0.7),
        _action("BND", dt.date(2019, 3, 1), "dividend", _at(dt.date(2019, 2, 1)), cash_per_share_usd=0.3),
        _action("LTE", dt.date(2020, 2, 3), "spin_off", _at(dt.date(2020, 1, 3)), basis_fraction=0.1),
        _action(
            "LTE",
            dt.date(2020, 2, 3),
            "capital_gain_distribution",
            _at(dt.date(2020, 1, 3)),
            cash_per_share_usd=1.0,
        ),
    ]
    future = [
        _action("AAA", dt.date(2020, 7, 20), "split", _at(dt.date(2020, 7, 1)), ratio_new=3.0, ratio_old=1.0),
        _action("LTE", dt.date(2020, 4, 1), "dividend", _at(dt.date(2020, 3, 3)), cash_per_share_usd=0.5),
    ]
    return pl.DataFrame(past, infer_schema_length=None), pl.DataFrame(future, infer_schema_length=None)


def _fact(asset_id: str, known: dt.datetime, asset_class: str, basis: str, **values: object) -> dict:
    return {
        "asset_id": asset_id,
        "known_at": known,
        "symbol": asset_id,
        "name": asset_id,
        "asset_class": asset_class,
        "currency": "USD",
        "tax_treatment": "security",
        "price_basis": basis,
        **values,
    }


def _facts() -> tuple[pl.DataFrame, pl.DataFrame]:
    start = _at(START, 0)
    past = [
        _fact("SP500", start, "equity_etf", "accumulating", expense_ratio_pct=0.03),
        _fact("AAA", start, "equity", "as_traded", sector="Energy", shares_outstanding=1e6,
              listed_date=dt.date(2001, 5, 1)),
        _fact("AAA", _at(dt.date(2020, 1, 6)), "equity", "as_traded", sector="Utilities", shares_outstanding=2.2e6,
              qualified_dividend_ratio=0.95, listed_date=dt.date(2001, 5, 1)),
        _fact("BTC", start, "crypto", "as_traded", shares_outstanding=18e6),
        _fact("ETH", start, "crypto", "as_traded"),
        _fact("BND", start, "bond_etf", "accumulating", duration_years=7.5),
        _fact("OLD", start, "equity", "as_traded", sector="Health Care", shares_outstanding=5e5),
        _fact("BLK", start, "reit", "as_traded", sector="Real Estate", qualified_dividend_ratio=0.1),
        _fact("FLT", start, "cash", "as_traded", shares_outstanding=1e9),
        _fact("LTE", start, "equity", "as_traded", shares_outstanding=3e6),
    ]  # fmt: skip
    future = [
        _fact(
            "AAA",
            _at(dt.date(2020, 7, 15)),
            "equity",
            "as_traded",
            sector="Materials",
            shares_outstanding=9e6,
        )
    ]
    return pl.DataFrame(past, infer_schema_length=None), pl.DataFrame(future, infer_schema_length=None)


def make_scenario() -> Scenario:
    """The rows; the same on every call."""
    parts = {
        "market__daily_bars": _bars(),
        "market__corporate_actions": _actions(),
        "market__assets": _facts(),
    }
    return Scenario(
        past={name: past for name, (past, _) in parts.items()},
        future={name: future for name, (_, future) in parts.items()},
    )
