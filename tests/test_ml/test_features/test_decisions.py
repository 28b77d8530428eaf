"""Decisions against slow loops over a user's rows; what comes later changes nothing before."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ml.features.decision_features import BOUND, DECISION_FEATURE_NOTES, DECISION_FEATURES
from ml.features.decisions import NO_ORDER_CANDIDATES, Decisions, user_decisions
from ml.personalization.simulated import Records, simulate_records

SIZE = {"users": 60, "seed": 5, "assets": 30, "years": 4}
CUT = date(2010, 6, 30)


def decisions_of(records: Records) -> Decisions:
    return user_decisions(
        records.transactions,
        records.realized_gains,
        records.as_of_date,
        accounts=records.accounts,
        lots=records.lots,
        prices=records.prices,
    )


@pytest.fixture(scope="module")
def records() -> Records:
    return simulate_records(**SIZE)


@pytest.fixture(scope="module")
def decisions(records) -> Decisions:
    return decisions_of(records)


@pytest.fixture(scope="module")
def orders(records) -> pl.DataFrame:
    return records.transactions.filter(pl.col("kind").is_in(["buy", "sell"])).sort(
        "user_id", "trade_date", "account_id"
    )


def test_shape_and_bounds(decisions):
    rows = decisions.rows
    assert len(DECISION_FEATURES) == 32
    families = [name.partition("_")[0] for name in DECISION_FEATURES]
    assert {f: families.count(f) for f in families} == {
        "tempo": 6,
        "gain": 8,
        "tax": 5,
        "risk": 6,
        "style": 4,
        "context": 3,
    }
    assert all(DECISION_FEATURE_NOTES.values())
    assert decisions.x.shape == (rows.height, 32)
    assert np.isfinite(decisions.x).all() and np.abs(decisions.x).max() <= BOUND
    keys = rows.select("user_id", "trade_date", "account_id")
    assert_frame_equal(keys, keys.unique().sort("user_id", "trade_date", "account_id"))
    assert (np.diff(decisions.user) >= 0).all()
    assert decisions.user.max() + 1 == len(decisions.user_ids)
    # Users differ: no feature is a constant.
    assert (decisions.x.std(axis=0) > 0.01).all()


def test_every_order_session_is_a_decision(decisions, orders):
    expected = orders.select("user_id", "account_id", "trade_date").unique().sort(pl.all())
    found = decisions.rows.filter("has_order").select("user_id", "account_id", "trade_date").sort(pl.all())
    assert_frame_equal(found, expected)


def test_one_idle_session_a_month(decisions, records, orders):
    idle = decisions.rows.filter(~pl.col("has_order"))
    month = pl.col("trade_date").dt.truncate("1mo")
    assert idle.group_by("account_id", month.alias("month")).len()["len"].max() == 1
    account = idle["account_id"][0]
    ordered = set(orders.filter(pl.col("account_id") == account)["trade_date"].to_list())
    begins = records.transactions.filter(pl.col("account_id") == account)["trade_date"].min()
    sessions = records.prices["as_of_date"].unique().sort().to_list()
    expected = []
    for first in sorted({day.replace(day=1) for day in sessions}):
        days = [day for day in sessions if day.replace(day=1) == first][:NO_ORDER_CANDIDATES]
        free = [day for day in days if day > begins and day not in ordered]
        expected += free[:1]
    assert idle.filter(pl.col("account_id") == account)["trade_date"].sort().to_list() == expected


def test_features_of_an_untouched_user_are_zero(decisions):
    first = decisions.rows.group_by("user_id", maintain_order=True).first()
    history = [n for n in DECISION_FEATURES if n.startswith(("gain_", "tax_", "style_"))]
    np.testing.assert_allclose(first.select(history).to_numpy(), 0.0, atol=1e-6)


def test_features_equal_slow_loops(decisions, records, orders):
    history = {
        (row["asset_id"], row["as_of_date"]): row["level"]
        for row in records.prices.sort("asset_id", "as_of_date")
        .with_columns(level=pl.col("total_return_log").fill_null(0.0).cum_sum().over("asset_id"))
        .iter_rows(named=True)
    }
    taxable = set(records.accounts.filter(pl.col("account_type") == "taxable")["account_id"])
    user = decisions.rows.filter("has_order").group_by("user_id").len().sort("len", "user_id")["user_id"][-3]
    own = orders.filter(pl.col("user_id") == user)
    sold = {
        (r["account_id"], r["asset_id"], r["trade_date"], r["acquired_date"])
        for r in records.realized_gains.filter(
            pl.col("account_id").is_in(own["account_id"].to_list())
        ).iter_rows(named=True)
        if r["account_id"] in taxable and r["acquired_date"] is not None and r["is_voluntary"]
    }
    for row in decisions.rows.filter(pl.col("user_id") == user).gather_every(7).iter_rows(named=True):
        before = own.filter(pl.col("trade_date") < row["trade_date"])
        n = before.select("account_id", "trade_date").n_unique() if before.height else 0
        assert row["tempo_decisions"] == pytest.approx(np.clip(np.log((1 + n) / 21), -3, 3), abs=1e-5)
        units = [u for u in sold if u[2] < row["trade_date"]]
        gains = [history[u[1], u[2]] - history[u[1], u[3]] for u in units]
        units = [u for u, gain in zip(units, gains, strict=True) if gain != 0.0]
        gains = [gain for gain in gains if gain != 0.0]
        long = sum((u[2] - u[3]).days > 365 for u in units)
        expected = 4 * ((long + 4 * 0.4) / (len(units) + 4) - 0.4)
        assert row["tax_long_share"] == pytest.approx(expected, abs=1e-5)
        won = sum(gain > 0 for gain in gains)
        assert row["gain_share"] == pytest.approx(4 * ((won + 2.4) / (len(units) + 4) - 0.6), abs=1e-5)
        seen = decisions.sales.filter(
            pl.col("account_id").is_in(own["account_id"].to_list())
            & (pl.col("trade_date") < row["trade_date"])
        )
        pgr = (seen["gains_sold"].sum() + 0.8) / (seen["gains_eligible"].sum() + 4)
        assert row["gain_pgr"] == pytest.approx(np.clip(6 * (pgr - 0.2), -3, 3), abs=1e-5)


def test_later_rows_change_no_earlier_decision(decisions):
    earlier = decisions_of(simulate_records(**SIZE, until=CUT))
    assert earlier.rows.height > 1000
    assert_frame_equal(earlier.rows, decisions.rows.filter(pl.col("trade_date") <= CUT), abs_tol=1e-5)


def test_part_of_the_users(decisions):
    some = pl.Series(decisions.user_ids[::3])
    part = decisions.of_users(some)
    assert part.user_ids == some.to_list()
    assert set(part.sales["account_id"]) <= set(part.rows["account_id"])
