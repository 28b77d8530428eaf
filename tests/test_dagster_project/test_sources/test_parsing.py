"""Cells: what is read as which value, and what is refused with which reason."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.sources.contracts import USD, Column
from dagster_project.sources.parsing import parse_column


def parse(cell, column):
    parsed = parse_column(pl.Series([cell], dtype=pl.String), column)
    return parsed.values.item(), parsed.reasons.item()


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.5", "1.5"),
        ("-2", "-2"),
        ("+7", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1,234,567.89", "1234567.89"),
        ("$5", "5"),
        ("-$3.00", "-3"),
        ("$-3", "-3"),
        ("\u22124", "-4"),
        ("(12.50)", "-12.5"),
        ("($1,000)", "-1000"),
        ("USD 5", "5"),
        ("5 USD", "5"),
        ("1E-3", "0.001"),
        ("1.0000016", "1.000002"),
    ],
)
def test_numbers(cell, value):
    assert parse(cell, Column("x", USD)) == (Decimal(value), None)
    assert parse(cell, Column("x", "double"))[1] is None


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("abc", "unparsable_number"),
        ("12,50", "unparsable_number"),
        ("1,23,456", "unparsable_number"),
        ("1_000", "unparsable_number"),
        ("0x10", "unparsable_number"),
        ("--5", "unparsable_number"),
        ("(-3)", "unparsable_number"),
        ("(3", "unparsable_number"),
        ("-", "unparsable_number"),
        (".", "unparsable_number"),
        ("NaN", "unparsable_number"),
        ("inf", "unparsable_number"),
        ("\u0663", "unparsable_number"),
        ("1e400", "number_out_of_range"),
        ("€12", "other_currency"),
        ("12 EUR", "other_currency"),
        ("GBP 5", "other_currency"),
        ("C$5", "other_currency"),
    ],
)
def test_refused_numbers(cell, reason):
    assert parse(cell, Column("x", USD)) == (None, reason)
    assert parse(cell, Column("x", "double")) == (None, reason)


def test_whole_numbers():
    assert parse("2,022", Column("x", "integer")) == (2022, None)
    assert parse("2022.5", Column("x", "integer")) == (None, "unparsable_number")


@settings(max_examples=100, deadline=None)
@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**13), max_value=10**13, places=6))
def test_every_decimal_survives_plain_grouped_and_in_parentheses(number):
    column = Column("x", USD)
    grouped = f"{abs(number):,f}"
    assert parse(f"{number:f}", column) == (number, None)
    assert parse(f"-${grouped}" if number < 0 else f"${grouped}", column) == (number, None)
    assert parse(f"({grouped})", column) == (-abs(number), None)


@pytest.mark.parametrize("cell", ["2022-01-05", "01/05/2022", "1/5/2022", "20220105", "2022-01-05T00:00:00Z"])
def test_dates(cell):
    assert parse(cell, Column("x", "date")) == (dt.date(2022, 1, 5), None)


@pytest.mark.parametrize(
    "cell", ["2022-13-01", "05.01.2022", "2022-02-30", "0022-01-05", "2022-01-05T10:00:00Z", "soon"]
)
def test_refused_dates(cell):
    assert parse(cell, Column("x", "date")) == (None, "unparsable_date")


@pytest.mark.parametrize(
    "cell",
    ["2022-01-05T15:30:00Z", "2022-01-05 15:30", "2022-01-05T10:30:00-05:00", "2022-01-05T21:00:00.000+0530"],
)
def test_timestamps(cell):
    column = Column("x", "timestamptz")
    assert parse(cell, column) == (dt.datetime(2022, 1, 5, 15, 30, tzinfo=dt.UTC), None)
    assert parse_column(pl.Series([cell]), column).is_date.to_list() == [False]


def test_bare_date_is_told_from_a_timestamp():
    parsed = parse_column(pl.Series(["2022-01-05", None, "2022-01-05T25:00:00"]), Column("x", "timestamptz"))
    assert parsed.values.to_list() == [dt.datetime(2022, 1, 5, tzinfo=dt.UTC), None, None]
    assert parsed.is_date.to_list()[0] is True
    assert parsed.reasons.to_list() == [None, None, "unparsable_date"]


def test_choices_and_booleans():
    kind = Column("kind", "varchar", allowed=("buy", "buy_to_cover"))
    assert parse("Buy to-Cover", kind) == ("buy_to_cover", None)
    assert parse("gift", kind) == (None, "unknown_kind")
    assert parse("Yes", Column("x", "boolean")) == (True, None)
    assert parse("perhaps", Column("x", "boolean")) == (None, "unparsable_boolean")
