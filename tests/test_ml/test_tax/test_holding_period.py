"""Holding periods by the calendar (Rev. Rul. 66-7, IRC 1223)."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.tax.holding_period import (
    first_long_term_date,
    first_long_term_day,
    six_months_after,
    tacked_start,
)
from ml.tax.units import to_date, to_day


@pytest.mark.parametrize(
    ("acquired", "first_long"),
    [
        ("2021-06-15", "2022-06-16"),
        ("2020-12-31", "2022-01-01"),  # last day of a month: the 1st of the month after
        ("2021-04-30", "2022-05-01"),
        ("2023-02-28", "2024-03-01"),  # last day of February, leap year follows
        ("2024-02-28", "2025-03-01"),  # not a last day: one year and one day
        ("2024-02-29", "2025-03-01"),
        ("2023-03-01", "2024-03-02"),
    ],
)
def test_first_long_term_date(acquired: str, first_long: str) -> None:
    assert first_long_term_date(date.fromisoformat(acquired)).isoformat() == first_long


@given(st.dates(date(1990, 1, 1), date(2040, 12, 31)))
def test_equals_the_month_by_month_oracle(acquired: date) -> None:
    # the period starts the day after acquisition and must last more than twelve calendar months
    begins = acquired + timedelta(days=1)
    after = first_long_term_date(acquired)
    anniversary_month = (begins.year + 1, begins.month)
    assert (after.year, after.month) == anniversary_month
    assert after.day == begins.day or (begins.month == 2 and begins.day == 29 and after.day == 1)
    assert to_date(first_long_term_day(to_day(acquired))) == after


def test_tacking_methods() -> None:
    # IRC 1223(3): sold shares held 60 days, replacement bought 10 days before the sale
    sale, sold_start, replacement = 1060, 1000, 1050
    assert tacked_start(replacement, sale, sold_start, "add_days") == 990
    assert tacked_start(replacement, sale, sold_start, "replacement") == 1000
    assert tacked_start(replacement, sale, sold_start, "no_overlap") == 1000
    with pytest.raises(ValueError, match="A2 method"):
        tacked_start(replacement, sale, sold_start, "newest")


def test_six_months_ends_within_short_months() -> None:
    assert to_date(six_months_after(to_day(date(2023, 8, 31)))) == date(2024, 2, 29)
    assert to_date(six_months_after(to_day(date(2023, 1, 15)))) == date(2023, 7, 15)
