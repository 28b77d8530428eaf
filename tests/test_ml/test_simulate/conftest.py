"""A small market for the household tests: one factor, a split, dividends, a late listing, a merger."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from ml.simulate.households import generate_households

NEW_YORK = ZoneInfo("America/New_York")
START = date(2012, 1, 2)
SPLIT_DATE, MERGER_DATE = date(2016, 6, 15), date(2018, 3, 14)


def weekdays(first: date, count: int) -> list[date]:
    """Return the next ``count`` weekdays from ``first``."""
    out, day = [], first
    while len(out) < count:
        if day.weekday() < 5:
            out.append(day)
        day += timedelta(days=1)
    return out


def session_frame(days: list[date]) -> pl.DataFrame:
    """Return sessions 09:30-16:00 New York on the given days."""

    def at(day: date, hour: int, minute: int) -> datetime:
        return datetime.combine(day, time(hour, minute), NEW_YORK).astimezone(UTC)

    return pl.DataFrame(
        {
            "session_no": list(range(len(days))),
            "session_date": days,
            "open_at": [at(d, 9, 30) for d in days],
            "close_at": [at(d, 16, 0) for d in days],
        }
    )


def price_frame(days: list[date], assets: int = 20, seed: int = 5) -> pl.DataFrame:
    """Return a bull market of one factor; A00 splits 3:2, A01 is bought out, A02 lists late."""
    rng = np.random.default_rng(seed)
    market = 0.0004 + 0.009 * rng.standard_normal(len(days))
    frames = []
    for i in range(assets):
        is_bond = i >= assets - 2
        beta, noise = (0.05, 0.002) if is_bond else (0.7 + 0.03 * i, 0.014)
        log = np.cumsum(beta * market + noise * np.random.default_rng(100 + i).standard_normal(len(days)))
        frames.append(
            pl.DataFrame(
                {
                    "asset_id": [f"A{i:02d}"] * len(days),
                    "trade_date": days,
                    "price_usd": 40.0 * np.exp(log),
                    "asset_class": ["bond_etf" if is_bond else "equity"] * len(days),
                    "price_basis": ["as_traded"] * len(days),
                    "sector": [None if is_bond else ["Energy", "Financials", "Utilities"][i % 3]] * len(days),
                }
            )
        )
    day, asset, price = pl.col("trade_date"), pl.col("asset_id"), pl.col("price_usd")
    frame = pl.concat(frames).with_columns(
        pl.when((asset == "A00") & (day >= SPLIT_DATE)).then(price / 1.5).otherwise(price).alias("price_usd")
    )
    frame = frame.filter(~((asset == "A01") & (day >= MERGER_DATE)))
    return frame.filter(~((asset == "A02") & (day < date(2016, 1, 4))))


def action_frame() -> pl.DataFrame:
    """Return one split, quarterly dividends of A03 and A04 and a cash merger of A01."""
    common = {"new_asset_id": None, "basis_fraction": None}
    rows = [
        {"asset_id": "A00", "ex_date": SPLIT_DATE, "kind": "split", "ratio_new": 3.0, "ratio_old": 2.0},
        {"asset_id": "A01", "ex_date": MERGER_DATE, "kind": "merger", "cash_per_share_usd": 50.0},
    ]
    for asset in ("A03", "A04"):
        for year in range(2013, 2021):
            for month in (3, 6, 9, 12):
                ex = date(year, month, 10)
                rows.append(
                    {"asset_id": asset, "ex_date": ex, "kind": "dividend", "cash_per_share_usd": 0.31,
                     "pay_date": ex + timedelta(days=20)}
                )  # fmt: skip
    for row in rows:
        row.update(common)
        announced = row["ex_date"] - timedelta(days=30)
        row["known_at"] = datetime.combine(announced, time(14, 0), UTC)
    types = {
        "ratio_new": pl.Float64,
        "ratio_old": pl.Float64,
        "cash_per_share_usd": pl.Float64,
        "pay_date": pl.Date,
    }
    frame = pl.DataFrame(rows, infer_schema_length=None)
    return frame.with_columns(*[pl.col(c).cast(t) for c, t in types.items()])


@pytest.fixture(scope="session")
def market():
    """Return (prices, sessions, corporate actions) over about eight years."""
    days = weekdays(START, 2050)
    return price_frame(days), session_frame(weekdays(START, 2300)), action_frame()


@pytest.fixture(scope="session")
def population(market):
    """Return 300 users on the small market (A17 plays the benchmark and is excluded)."""
    prices, sessions, actions = market
    return generate_households(
        prices, sessions, users=300, seed=11, start_date=date(2013, 1, 2), opening_years=4.0,
        corporate_actions=actions, exclude_assets=("A17",),
    )  # fmt: skip
