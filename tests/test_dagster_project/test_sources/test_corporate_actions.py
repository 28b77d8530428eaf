"""Derived corporate actions: an exact inverse of how adjusted closes are made."""

import datetime as dt
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.sources.corporate_actions import derive_corporate_actions, split_ratio

DAYS = 60


def adjusted_bars(closes, events):
    """Adjusted closes as vendors make them: backwards, by 1 + D / close and by split ratios."""
    factor, adjusted = 1.0, []
    for day in reversed(range(len(closes))):
        adjusted.append(closes[day] * factor)
        kind, value = events.get(day, ("dividend", 0.0))
        factor /= value if kind == "split" else 1 + value / closes[day]
    return pl.DataFrame(
        {
            "asset_id": "A",
            "trade_date": [dt.date(2020, 1, 1) + dt.timedelta(n) for n in range(len(closes))],
            "close": closes,
            "adjusted_close": adjusted[::-1],
        }
    )


@st.composite
def histories(draw):
    steps = draw(st.lists(st.floats(-0.08, 0.08), min_size=DAYS, max_size=DAYS))
    days = draw(st.lists(st.integers(1, DAYS - 1), max_size=4, unique=True))
    ratios = st.sampled_from([2.0, 3.0, 1.5, 4.0, 7.0, 1.25, 0.1, 0.5, 20.0])
    events = {
        day: draw(
            st.one_of(
                st.tuples(st.just("split"), ratios), st.tuples(st.just("dividend"), st.floats(0.01, 1.5))
            )
        )
        for day in days
    }
    price, closes = 100.0, []
    for day, step in enumerate(steps):
        kind, value = events.get(day, ("dividend", 0.0))
        price = price * math.exp(step) / (value if kind == "split" else 1.0)
        closes.append(price)
    events = {
        day: event for day, event in events.items() if event[0] == "split" or event[1] < 0.15 * closes[day]
    }
    return closes, events


@settings(max_examples=60, deadline=None)
@given(histories())
def test_every_event_is_found_with_its_amount(history):
    closes, events = history
    found = derive_corporate_actions(adjusted_bars(closes, events))
    bars = adjusted_bars(closes, events)["trade_date"]
    expected = {bars[day]: event for day, event in events.items()}
    assert found["ex_date"].to_list() == sorted(expected)
    for row in found.iter_rows(named=True):
        kind, value = expected[row["ex_date"]]
        assert row["kind"] == kind
        if kind == "split":
            assert float(row["ratio_new"] / row["ratio_old"]) == pytest.approx(value)
        else:
            assert float(row["cash_per_share_usd"]) == pytest.approx(value, abs=2e-6)


def test_no_split_where_the_close_does_not_fall():
    assert split_ratio(1.0, 1.0) is None


def test_inconsistent_factor_names_asset_and_day():
    bars = adjusted_bars([10.0, 10.0, 10.0], {}).with_columns(adjusted_close=pl.Series([10.0, 9.0, 9.0]))
    with pytest.raises(ValueError, match=r"A on 2020-01-02: .* falls by 10\.0000%"):
        derive_corporate_actions(bars)
