"""Netting, the loss limit, carryovers, the tax on gains, and marginal rates.

Source: TAX_RULES section 5; Schedule D and its Capital Loss Carryover Worksheet, the Qualified
Dividends and Capital Gain Tax Worksheet, IRC 1211, 1212, 1222, 1(h), 1411.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import polars as pl

from ml.tax.rates import (
    StateSchedule,
    federal_schedule,
    limits,
    progressive,
    rounded,
    state_schedule,
)
from ml.tax.units import USD, unit_column

DEFAULT_INCOME_USD: Final = {
    "single": 100_000,
    "married_joint": 200_000,
    "married_separate": 100_000,
    "head_of_household": 100_000,
}
NOT_MODELLED: Final = "AMT, section 1202, unrecaptured section 1250, section 1259, section 1092"
_STEP: Final = USD  # a marginal rate is the tax on one more dollar


@dataclass(frozen=True, slots=True)
class Netting:
    """Schedule D in 1e-6 USD: lines 7, 15, 16, the deduction and the carryovers to the next year."""

    net_st: int
    net_lt: int
    line16: int
    deduction: int
    net_capital_gain: int
    carry_st: int
    carry_lt: int


def net(short: int, long: int, filing_status: str, line15: int | None = None) -> Netting:
    """Net short and long-term results and work out the carryovers.

    Parameters
    ----------
    short, long : int
        Sums with carryovers from earlier years (losses negative) and, in ``long``, capital gain
        distributions; 1e-6 USD.
    filing_status : str
        Decides the limit: 3,000, or 1,500 for married_separate.
    line15 : int, optional
        Taxable income (Form 1040 line 15) as if it could be negative, after the deduction. Unknown
        income counts as enough to use the whole deduction.

    Returns
    -------
    Netting
        Character of carryovers kept.

    Notes
    -----
    Capital Loss Carryover Worksheet: line 4 = min(deduction, max(0, line 15 + deduction)).
    """
    total = short + long
    deduction = min(limits(filing_status).capital_loss, -total) if total < 0 else 0
    used = deduction if line15 is None else min(deduction, max(0, line15 + deduction))
    st_loss, st_gain = max(0, -short), max(0, short)
    lt_loss, lt_gain = max(0, -long), max(0, long)
    carry_st = carry_lt = 0
    if total < 0:
        carry_st = max(0, st_loss - used - lt_gain)
        carry_lt = max(0, lt_loss - st_gain - max(0, used - st_loss))
    gain = min(long, total) if long > 0 and total > 0 else 0
    return Netting(short, long, total, deduction, gain, carry_st, carry_lt)


def ordinary_tax(year: int, filing_status: str, taxable_income: int) -> int:
    """Return the plain tax on taxable income by the brackets, in 1e-6 USD."""
    brackets = federal_schedule("federal_ordinary", year, filing_status).brackets
    return rounded(progressive(brackets, taxable_income))


def federal_tax(
    year: int, filing_status: str, taxable_income: int, qualified_dividends: int, net_capital_gain: int
) -> int:
    """Return the smaller of the worksheet's tax and the plain tax.

    Parameters
    ----------
    year, filing_status : int, str
        Which tables.
    taxable_income, qualified_dividends, net_capital_gain : int
        1e-6 USD; the first includes the other two.

    Returns
    -------
    int
        1e-6 USD. Preferential income stacks on ordinary income.
    """
    taxable_income = max(0, taxable_income)
    preferential = min(taxable_income, max(0, qualified_dividends) + max(0, net_capital_gain))
    ordinary = taxable_income - preferential
    plain = federal_schedule("federal_ordinary", year, filing_status).brackets
    reduced = federal_schedule("federal_long_term", year, filing_status).brackets
    worksheet = progressive(plain, ordinary) + progressive(reduced, preferential, ordinary)
    return rounded(min(worksheet, progressive(plain, taxable_income)))


def niit(year: int, filing_status: str, magi: int, investment_income: int) -> int:
    """Return the net investment income tax in 1e-6 USD; 0 before 2013."""
    figures = limits(filing_status)
    if year < figures.niit_first_year:
        return 0
    base = min(max(0, investment_income), max(0, magi - figures.niit_threshold))
    return rounded(figures.niit_rate * base)


@dataclass(frozen=True, slots=True)
class TaxUnitYear:
    """What the tax of a unit and year depends on; money in 1e-6 USD.

    ``income`` and ``magi`` are without the portfolio's gains, dividends and interest.
    """

    year: int
    filing_status: str
    state: str | None
    income: int
    magi: int
    short: int = 0
    long: int = 0
    dividends: int = 0
    qualified: int = 0
    interest: int = 0


def total_tax(unit: TaxUnitYear) -> int:
    """Return federal income tax, NIIT and state tax of a unit's year together, in 1e-6 USD."""
    return sum(tax_parts(unit))


def tax_parts(unit: TaxUnitYear) -> tuple[int, int, int]:
    """Return federal income tax, NIIT and state tax of a unit's year, each in 1e-6 USD."""
    netting = net(unit.short, unit.long, unit.filing_status)
    result = netting.line16 if netting.line16 > 0 else -netting.deduction
    portfolio = unit.dividends + unit.interest + result
    federal = federal_tax(
        unit.year, unit.filing_status, unit.income + portfolio, unit.qualified, netting.net_capital_gain
    )
    surtax = niit(unit.year, unit.filing_status, unit.magi + portfolio, portfolio)
    schedule = state_schedule(unit.state, unit.year, unit.filing_status)
    return federal, surtax, _state_tax(unit, netting, schedule) if schedule else 0


def _state_tax(unit: TaxUnitYear, netting: Netting, schedule: StateSchedule) -> int:
    """Tax gains as the state does; other income is the federal one (state deductions not modelled)."""
    other = unit.income + unit.dividends + unit.interest
    gain = netting.line16
    if not schedule.is_split:
        if gain < 0:
            gain = -netting.deduction if schedule.carries_losses else 0
        return rounded(progressive(schedule.short, other + gain))
    # taxed apart: what remains of each class after netting across
    long_part = max(0, min(unit.long, gain))
    short_part = max(0, gain - long_part) if gain > 0 else 0
    start = other if schedule.base == "income" else 0
    short_tax = progressive(schedule.short, short_part, start)
    return rounded(short_tax + progressive(schedule.long, long_part, start + short_part if start else 0))


def marginal(unit: TaxUnitYear) -> tuple[float, float]:
    """Return the tax on one more dollar of short-term and of long-term gain, as fractions."""
    base = total_tax(unit)
    short = total_tax(replace(unit, short=unit.short + _STEP)) - base
    long = total_tax(replace(unit, long=unit.long + _STEP)) - base
    return short / _STEP, long / _STEP


def assumed(
    year: int, filing_status: str | None, state: str | None, income: int | None, magi: int | None
) -> tuple[str, int, int, str]:
    """Fill what is unknown of a tax unit.

    Returns
    -------
    tuple of (str, int, int, str)
        Filing status, income and MAGI (1e-6 USD), and a sentence that names each assumption;
        ``stated`` if there is none.
    """
    notes = []
    if filing_status is None:
        filing_status = "single"
        notes.append("filing status unknown: single assumed")
    if income is None:
        dollars = DEFAULT_INCOME_USD[filing_status]
        income = dollars * USD if magi is None else magi
        known = f"{dollars} USD assumed" if magi is None else "MAGI taken"
        notes.append(f"income unknown: {known}")
    if magi is None:
        magi = income
        if "income unknown" not in "".join(notes):
            notes.append("MAGI unknown: taxable income taken")
    federal = federal_schedule("federal_ordinary", year, filing_status).note
    if federal:
        notes.append(federal)
    schedule = state_schedule(state, year, filing_status)
    if schedule is None:
        what = f"state {state} not in table" if state else "state unknown"
        notes.append(f"{what}: federal only")
    elif schedule.note:
        notes.append(schedule.note)
    return filing_status, income, magi, "; ".join(notes) or "stated"


def marginal_rates(units: pl.DataFrame) -> pl.DataFrame:
    """Add marginal rates to tax units at their year-to-date nets.

    Parameters
    ----------
    units : polars.DataFrame
        One row per unit and year: tax_year, filing_status, state, ordinary_taxable_income_usd,
        magi_usd (both null if unknown), st_net_usd, lt_net_usd (with carryovers; null counts as 0),
        ordinary_dividends_usd, qualified_dividends_usd, interest_usd.

    Returns
    -------
    polars.DataFrame
        The input with ``st_rate``, ``lt_rate`` (fractions of one more dollar: federal brackets, 0/15/20,
        NIIT from 2013, state) and ``rate_assumption`` (``stated``, or what was assumed).

    Notes
    -----
    Within net losses beyond the limit a further dollar of gain costs nothing this year, so the rate
    is 0 there; what it takes from the carryover is the caller's to value.
    """
    money = [
        "ordinary_taxable_income_usd",
        "magi_usd",
        "st_net_usd",
        "lt_net_usd",
        "ordinary_dividends_usd",
        "qualified_dividends_usd",
        "interest_usd",
    ]
    exact = units.select(
        "tax_year", "filing_status", "state", *(unit_column(c, USD, units.schema[c]) for c in money)
    )
    rows: list[tuple[float, float, str]] = []
    for year, filing, state, income, magi, *nets in exact.iter_rows():
        status, income, magi, note = assumed(year, filing, state, income, magi)
        unit = TaxUnitYear(year, status, state, income, magi, *(n or 0 for n in nets))
        rows.append((*marginal(unit), note))
    return units.with_columns(
        pl.Series("st_rate", [r[0] for r in rows], dtype=pl.Float64),
        pl.Series("lt_rate", [r[1] for r in rows], dtype=pl.Float64),
        pl.Series("rate_assumption", [r[2] for r in rows], dtype=pl.String),
    )


def gift_gain(donor_basis: int, fair_value: int, sale: int) -> int:
    """Return the gain on a gift sold: donor's basis for a gain, market value for a loss, else 0.

    Source: IRC 1015(a), Pub 551.
    """
    if sale > donor_basis:
        return sale - donor_basis
    loss_basis = min(donor_basis, fair_value)
    return sale - loss_basis if sale < loss_basis else 0


def six_month_loss(
    loss: int, gain_distributions: int, months_held: int | Fraction, exempt_interest: int = 0
) -> tuple[int, int]:
    """Split a fund share's loss into its long and short-term part, both <= 0.

    Parameters
    ----------
    loss : int
        Result of the sale; a gain has no part.
    gain_distributions, exempt_interest : int
        Capital gain distributions and exempt-interest dividends received on the shares.
    months_held : int or Fraction
        Up to 6, the loss is denied up to the exempt-interest dividends, and what is left is long-term
        up to the capital gain distributions (IRC 852(b)(4)); above 12 it is long-term anyway.
    """
    loss = min(0, loss)
    if months_held > 6:
        return (loss, 0) if months_held > 12 else (0, loss)
    loss = min(0, loss + max(0, exempt_interest))
    long_part = max(loss, -max(0, gain_distributions))
    return long_part, loss - long_part
