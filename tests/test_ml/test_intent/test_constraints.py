"""Which statement binds, when a need lapses, and what an exclusion hits."""

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest

from ml.intent.constraints import CONSTRAINT_SCHEMA
from ml.intent.parse import active_constraints, parse_goals

ASSETS = pl.DataFrame(
    {
        "asset_id": ["AAPL", "BRK-B", "XOM", "JPM", "BOND", "HYG", "COIN", "OLD"],
        "symbol": ["AAPL", "BRK.B", "XOM", "JPM", "BND", "HYG", "BTC", None],
        "name": [
            "Apple Inc.",
            "Berkshire",
            "Exxon",
            "JPMorgan",
            "Total Bond",
            "iShares High Yield",
            "Bitcoin",
            None,
        ],
        "asset_class": ["equity", "equity", "equity", "equity", "bond_etf", "bond_etf", "crypto", "equity"],
        "sector": ["Information Technology", "Financials", "Energy", "Financials", None, None, None, None],
        "industry": [
            "Hardware",
            "Insurance",
            "Integrated Oil & Gas",
            "Diversified Banks",
            None,
            None,
            None,
            None,
        ],
        "country": ["US"] * 8,
    }
)


def constraints(*statements: tuple[str, datetime, str], night: date = date(2026, 3, 20)) -> pl.DataFrame:
    frame = pl.DataFrame(
        [(f"s{i}", *row) for i, row in enumerate(statements)],
        schema={
            "statement_id": pl.String,
            "user_id": pl.String,
            "stated_at": pl.Datetime("us", "UTC"),
            "text": pl.String,
        },
        orient="row",
    )
    return active_constraints(parse_goals(frame), ASSETS, night)


def at(month: int, day: int, year: int = 2026) -> datetime:
    return datetime(year, month, day, 18, tzinfo=UTC)


def test_schema_order_and_the_night_cuts():
    frame = constraints(
        ("u2", at(3, 1), "no oil"), ("u1", at(3, 1), "no banks"), ("u1", at(3, 25), "no tech")
    )
    assert frame.schema == pl.Schema(CONSTRAINT_SCHEMA)
    assert frame["user_id"].to_list() == ["u1", "u2"]
    assert frame["excluded_asset_ids"].to_list() == [["JPM"], ["XOM"]]
    assert constraints().is_empty()


def test_each_limit_comes_from_the_latest_statement_that_states_it():
    frame = constraints(
        ("u1", at(1, 5), "No tobacco, no energy stocks. Only long-term gains for 10 years."),
        ("u1", at(2, 5), "I need $20,000 in May."),
        ("u1", at(2, 20), "hmm"),
    )
    row = frame.row(0, named=True)
    assert row["excluded_asset_ids"] == ["XOM"]
    assert row["unresolved_exclusions"] == ["industry:Tobacco"]
    assert row["liquidity_amount_usd"] == Decimal(20_000)
    assert row["liquidity_by"] == date(2026, 5, 1)
    assert row["avoid_short_term_gains"]
    assert (row["horizon_min_months"], row["horizon_max_months"]) == (108, 132)
    assert row["intent_changed_date"] == date(2026, 2, 5)  # "hmm" changed nothing


def test_a_new_objective_lifts_the_old_tax_wish():
    frame = constraints(
        ("u1", at(1, 5), "only long-term gains"), ("u1", at(2, 5), "day trade it and beat the market")
    )
    assert not frame["avoid_short_term_gains"].item()


@pytest.mark.parametrize(
    ("night", "by"),
    [
        (date(2026, 3, 20), date(2026, 5, 1)),
        (date(2026, 5, 20), date(2026, 5, 20)),
        (date(2026, 5, 31), date(2026, 5, 31)),
        (date(2026, 6, 1), None),
    ],
)
def test_a_need_is_due_within_its_window_and_lapses_after(night, by):
    row = constraints(("u1", at(2, 5), "I need $20,000 in May."), night=night).row(0, named=True)
    assert row["liquidity_by"] == by
    assert (row["liquidity_amount_usd"] is None) == (by is None)


def test_an_undated_need_lapses_after_a_year():
    statement = ("u1", at(2, 5), "I need to take out $20,000.")
    assert constraints(statement).row(0, named=True)["liquidity_amount_usd"] is not None
    assert constraints(statement, night=date(2027, 2, 6)).row(0, named=True)["liquidity_amount_usd"] is None


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("no financial stocks", ["BRK-B", "JPM"]),
        ("no bonds", ["BOND", "HYG"]),
        ("no junk bonds", ["HYG"]),
        ("no crypto", ["COIN"]),
        ("avoid BRK.B", ["BRK-B"]),
        ("no Apple", ["AAPL"]),
        ("no fossil fuels", ["XOM"]),
        ("no insurers", ["BRK-B"]),
        ("no annuities", []),
    ],
)
def test_exclusions_hit_the_assets_that_show_them(text, hit):
    assert constraints(("u1", at(3, 1), text))["excluded_asset_ids"].to_list() == [hit]


def test_a_horizon_stated_alone_is_that_of_the_objective_in_force():
    growth = ("u1", at(1, 5), "Long-term growth for 20 years.")
    horizon = ("u1", at(3, 2), "time horizon is five years")
    ends = [constraints(*said)["horizon_to"][0] for said in ((growth,), (growth, horizon), (horizon,))]
    assert ends[0].year == 2048 and ends[1].year == 2031 and ends[2] is None
