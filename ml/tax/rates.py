"""Federal and state rate tables by year, read from ``data/*.csv`` (each row names its source).

Rates are integers in parts per million and thresholds integers in 1e-6 USD, so that a tax is exact
until its one rounding.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final

from ml.tax.units import USD

DATA: Final = Path(__file__).parent / "data"
PPM: Final = 10**6
Bracket = tuple[int, int]  # lower end in 1e-6 USD, rate in parts per million


@dataclass(frozen=True, slots=True)
class Limits:
    """Figures that are not indexed: loss limit and NIIT, in 1e-6 USD."""

    capital_loss: int
    niit_threshold: int
    niit_rate: int
    niit_first_year: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Brackets that apply, and a sentence if they are not those of the year asked for."""

    brackets: tuple[Bracket, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class StateSchedule:
    """A state's brackets for short and long-term gains.

    ``base`` is "income" (gains stack on other income) or "gain" (gains alone); ``carries_losses``
    says whether a loss reduces other income and is carried over.
    """

    short: tuple[Bracket, ...]
    long: tuple[Bracket, ...]
    is_split: bool
    base: str
    carries_losses: bool
    note: str = ""


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _ppm(percent: str) -> int:
    return int(Decimal(percent) * 10_000)


@lru_cache(maxsize=1)
def _federal() -> dict[str, dict[tuple[int, str], tuple[Bracket, ...]]]:
    tables: dict[str, dict[tuple[int, str], tuple[Bracket, ...]]] = {}
    for table in ("federal_ordinary", "federal_long_term"):
        found: dict[tuple[int, str], list[Bracket]] = {}
        for row in _rows(f"{table}.csv"):
            key = (int(row["tax_year"]), row["filing_status"])
            found.setdefault(key, []).append((int(row["lower_usd"]) * USD, _ppm(row["rate_pct"])))
        tables[table] = {key: tuple(sorted(value)) for key, value in found.items()}
    return tables


@lru_cache(maxsize=1)
def _limits() -> dict[str, Limits]:
    return {
        row["filing_status"]: Limits(
            int(row["capital_loss_limit_usd"]) * USD,
            int(row["niit_threshold_usd"]) * USD,
            _ppm(row["niit_rate_pct"]),
            int(row["niit_first_year"]),
        )
        for row in _rows("federal_limits.csv")
    }


@lru_cache(maxsize=1)
def _states() -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in _rows("state_rates.csv"):
        found.setdefault(row["state"], []).append(row)
    return found


def limits(filing_status: str) -> Limits:
    """Return the loss limit and the NIIT figures of a filing status.

    Raises
    ------
    ValueError
        If the filing status is not one of the four.
    """
    try:
        return _limits()[filing_status]
    except KeyError:
        raise ValueError(
            f"filing_status {filing_status!r} is unknown; use one of {', '.join(sorted(_limits()))}"
        ) from None


@lru_cache(maxsize=1024)
def federal_schedule(table: str, year: int, filing_status: str) -> Schedule:
    """Return the federal brackets of a year and filing status.

    Parameters
    ----------
    table : {"federal_ordinary", "federal_long_term"}
        Which table.
    year : int
        Tax year; outside 2010 to 2026 the nearest year's table is used and the note says so.
    filing_status : str
        As in the raw contract.
    """
    limits(filing_status)
    tables = _federal()[table]
    years = sorted({y for y, _ in tables})
    used = min(max(year, years[0]), years[-1])
    note = "" if used == year else f"federal rates of {used} used for {year}"
    return Schedule(tables[used, filing_status], note)


@lru_cache(maxsize=4096)
def state_schedule(state: str | None, year: int, filing_status: str) -> StateSchedule | None:
    """Return a state's schedule, or None if the state has no row in the table.

    Parameters
    ----------
    state : str or None
        Two-letter code.
    year : int
        Tax year; without a row for it the nearest year's is used and the note says so.
    filing_status : str
        Without a row of its own, the single schedule is used and the note says so.
    """
    rows = _states().get((state or "").upper())
    if not rows:
        return None
    notes = []
    same = [r for r in rows if r["filing_status"] == filing_status]
    if not same:
        same = [r for r in rows if r["filing_status"] == "single"]
        notes.append(f"{state} single schedule used for {filing_status}")
    near = min(same, key=lambda r: _distance(r, year))
    if _distance(near, year):
        notes.append(f"{state} rates of {near['first_year']}-{near['last_year']} used for {year}")
    same = [r for r in same if r["first_year"] == near["first_year"]]

    def brackets(*terms: str) -> tuple[Bracket, ...]:
        chosen = (r for r in same if r["term"] in terms)
        return tuple(sorted((int(r["lower_usd"]) * USD, _ppm(r["rate_pct"])) for r in chosen))

    return StateSchedule(
        brackets("all", "short"),
        brackets("all", "long"),
        near["term"] != "all",
        near["base"],
        near["loss_carryover"] == "federal",
        "; ".join(notes),
    )


def _distance(row: dict[str, str], year: int) -> int:
    return max(int(row["first_year"]) - year, year - int(row["last_year"]), 0)


def progressive(brackets: Sequence[Bracket], amount: int, start: int = 0) -> int:
    """Return the tax on an amount that stacks on ``start``, in 1e-12 USD (unrounded).

    Parameters
    ----------
    brackets : sequence of (int, int)
        Lower ends (1e-6 USD) and rates (parts per million), ascending.
    amount : int
        1e-6 USD; nothing or less gives 0.
    start : int
        Income below the amount, 1e-6 USD; below 0 counts as 0.
    """
    low = max(0, start)
    high = low + max(0, amount)
    tax = 0
    for number, (lower, rate) in enumerate(brackets):
        upper = brackets[number + 1][0] if number + 1 < len(brackets) else high
        tax += rate * max(0, min(high, upper) - max(low, lower))
    return tax


def rounded(tax: int) -> int:
    """Round a tax of 1e-12 USD to 1e-6 USD, halves up."""
    return (2 * tax + PPM) // (2 * PPM)
