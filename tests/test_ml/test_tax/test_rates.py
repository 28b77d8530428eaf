"""The rate tables: whole, ascending, and equal to published figures."""

import csv
from itertools import pairwise, product

import pytest

from ml.tax.rates import DATA, federal_schedule, progressive, state_schedule
from ml.tax.units import USD

STATUSES = ("single", "married_joint", "married_separate", "head_of_household")
STATES = ("CA", "NY", "TX", "FL", "WA", "MA", "NJ", "PA")


@pytest.mark.parametrize("table", ["federal_ordinary", "federal_long_term"])
def test_federal_tables_hold_every_year_and_status(table: str) -> None:
    for year, status in product(range(2010, 2027), STATUSES):
        schedule = federal_schedule(table, year, status)
        assert schedule.note == "" and schedule.brackets[0][0] == 0
        assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(schedule.brackets))
        # the 20 % rate on gains begins in 2013 (ATRA 2012)
        assert (schedule.brackets[-1][1] == 200_000) == (table == "federal_long_term" and year >= 2013)


def test_every_state_row_names_its_source_and_every_schedule_ascends() -> None:
    for name in ("state_rates", "federal_ordinary", "federal_long_term", "federal_limits"):
        with (DATA / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            assert all(row["source"].strip() for row in csv.DictReader(file))
    for state, year, status in product(STATES, range(2010, 2027), STATUSES):
        schedule = state_schedule(state, year, status)
        assert schedule is not None
        for brackets in (schedule.short, schedule.long):
            assert brackets and brackets[0][0] == 0
            assert all(a[0] < b[0] and a[1] <= b[1] for a, b in pairwise(brackets))


@pytest.mark.parametrize(
    ("year", "status", "income", "tax"),
    [
        # the "enter on Form 540, line 31" column of the FTB's 2025 schedules (each row rounded to cents)
        (2025, "single", 26_264, 414.49),
        (2025, "single", 57_542, 1_987.41),
        (2025, "single", 371_479, 30_986.19),
        (2025, "married_separate", 742_953, 72_219.84),
        (2025, "married_joint", 125_000, 4_768.10),  # the FTB's own worked example
    ],
)
def test_california_equals_the_published_column(year: int, status: str, income: int, tax: float) -> None:
    schedule = state_schedule("CA", year, status)
    assert schedule is not None and schedule.note == ""
    assert progressive(schedule.short, income * USD) / 10**12 == pytest.approx(tax, abs=0.02)


def test_states_treat_gains_and_losses_as_their_law_says() -> None:
    washington, massachusetts = (state_schedule(s, 2025, "single") for s in ("WA", "MA"))
    assert washington is not None and massachusetts is not None
    assert washington.base == "gain" and washington.short == ((0, 0),)
    # 7 % above 278,000, 9.9 % on taxable gains above a million
    assert progressive(washington.long, 2_000_000 * USD) / 10**12 == pytest.approx(
        0.07 * 1_000_000 + 0.099 * 722_000
    )
    assert [rate for _, rate in massachusetts.short] == [85_000, 125_000]
    assert [rate for _, rate in massachusetts.long] == [50_000, 90_000]
    for state in ("PA", "NJ"):
        schedule = state_schedule(state, 2024, "married_joint")
        assert schedule is not None and not schedule.carries_losses
    for state in ("TX", "FL"):
        schedule = state_schedule(state, 2024, "single")
        assert schedule is not None and progressive(schedule.long, 10**9 * USD) == 0


def test_a_year_without_rows_says_whose_rates_stand_in() -> None:
    schedule = state_schedule("CA", 2015, "single")
    assert schedule is not None and schedule.note == "CA rates of 2021-2021 used for 2015"
