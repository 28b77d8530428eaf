"""Tax profiles: who the investor is, which law holds, and what the portfolio adds to the year's tax.

What belongs here: profiles P1 and P2 of the evaluation, their marginal rates, the exact tax of a year beside
their other income. What does not: lots and wash sales (``ledger.py``), Schedule D itself (``ml/tax``).
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ml.tax.schedule_d import Netting, TaxUnitYear, marginal, net, tax_parts
from ml.tax.units import USD

LAW_2026: Final = "law_2026"
LAW_ACTUAL: Final = "actual"
# Federal tables before it are not in ml/tax/data.
ACTUAL_FROM: Final = 2010


@dataclass(frozen=True, slots=True)
class TaxProfile:
    """An investor.

    Attributes
    ----------
    name : str
        Column value.
    start_usd : int
        Wealth at the start of a window, in cash.
    filing_status, state : str, str or None
        As in the raw contract; no state: none is taxed.
    ordinary_income_usd : int
        Taxable ordinary income of every year, without the portfolio; MAGI is the same.
    outside_long_gain_usd : int
        Long-term gains of every year from elsewhere, against which losses count first.
    flat_rates : tuple of (float, float), optional
        Instead of the law: constant rates on short and long-term results, losses of any size worth their rate at
        once (the assumption of much of the literature). (0, 0): no tax.
    """

    name: str
    start_usd: int
    filing_status: str = "single"
    state: str | None = None
    ordinary_income_usd: int = 0
    outside_long_gain_usd: int = 0
    flat_rates: tuple[float, float] | None = None

    @property
    def is_untaxed(self) -> bool:
        """Whether no result is ever taxed."""
        return self.flat_rates == (0.0, 0.0)


PROFILES: Final = {
    profile.name: profile
    for profile in (
        TaxProfile("untaxed", 100_000, flat_rates=(0.0, 0.0)),
        TaxProfile("P1", 100_000, "married_joint", None, 150_000),
        TaxProfile("P1_outside_20k", 100_000, "married_joint", None, 150_000, 20_000),
        TaxProfile("P2", 1_000_000, "single", "CA", 400_000),
        TaxProfile("P2_outside_20k", 1_000_000, "single", "CA", 400_000, 20_000),
        # For the comparison with the literature alone: 35 % and 15 %, every loss worth its rate at once.
        TaxProfile("flat_35_15", 100_000, flat_rates=(0.35, 0.15)),
    )
}
TAXED_PROFILES: Final = ("P1", "P1_outside_20k", "P2", "P2_outside_20k")


@dataclass(frozen=True, slots=True)
class YearTax:
    """What a portfolio adds to a tax unit's year; 1e-6 USD.

    Attributes
    ----------
    federal, niit, state : int
        Negative where the portfolio's losses save tax.
    carry_short, carry_long : int
        Losses carried out, >= 0.
    """

    federal: int
    niit: int
    state: int
    carry_short: int
    carry_long: int

    @property
    def total(self) -> int:
        """Federal, NIIT and state together."""
        return self.federal + self.niit + self.state


NO_TAX: Final = YearTax(0, 0, 0, 0, 0)


def law_year(law: str, year: int) -> int:
    """The year whose tables tax a calendar year under a law.

    Raises
    ------
    ValueError
        Unknown law, or actual law before 2010.
    """
    if law == LAW_2026:
        return 2026
    if law != LAW_ACTUAL:
        raise ValueError(f"law {law!r} is unknown: use {LAW_2026} or {LAW_ACTUAL}")
    if year < ACTUAL_FROM:
        raise ValueError(f"law {LAW_ACTUAL} of {year}: tables begin in {ACTUAL_FROM}; use {LAW_2026}")
    return year


def year_tax(
    profile: TaxProfile, law: str, year: int, short: int, long: int, interest: int, carry: tuple[int, int]
) -> YearTax:
    """Compute exactly what a portfolio adds to the tax of a year.

    Parameters
    ----------
    profile, law, year
        Whose return.
    short, long : int
        Recognised results of the portfolio's sales, 1e-6 USD.
    interest : int
        Interest on its cash, 1e-6 USD.
    carry : tuple of (int, int)
        Short and long-term losses carried in, >= 0.

    Returns
    -------
    YearTax
        Tax with the portfolio less tax with the other income and outside gains alone.
    """
    if profile.flat_rates is not None:
        on_short, on_long = profile.flat_rates
        return YearTax(round(on_short * (short + interest) + on_long * long), 0, 0, 0, 0)
    outside = profile.outside_long_gain_usd * USD
    filled = _unit(profile, law, year, short - carry[0], long + outside - carry[1], interest)
    with_it, without = tax_parts(filled), _base_parts(profile, law, year)
    netting = _netting(profile, short - carry[0], long + outside - carry[1], interest)
    federal, surtax, state = (a - b for a, b in zip(with_it, without, strict=True))
    return YearTax(federal, surtax, state, netting.carry_st, netting.carry_lt)


@lru_cache(maxsize=1024)
def marginal_rates(profile: TaxProfile, law: str, year: int) -> tuple[float, float]:
    """Rates on one more dollar of short and of long-term gain beside the profile's other income."""
    if profile.flat_rates is not None:
        return profile.flat_rates
    return marginal(_unit(profile, law, year, 0, profile.outside_long_gain_usd * USD, 0))


@lru_cache(maxsize=1024)
def _base_parts(profile: TaxProfile, law: str, year: int) -> tuple[int, int, int]:
    return tax_parts(_unit(profile, law, year, 0, profile.outside_long_gain_usd * USD, 0))


def _unit(profile: TaxProfile, law: str, year: int, short: int, long: int, interest: int) -> TaxUnitYear:
    income = profile.ordinary_income_usd * USD
    return TaxUnitYear(
        law_year(law, year), profile.filing_status, profile.state, income, income, short, long, 0, 0, interest
    )


def _netting(profile: TaxProfile, short: int, long: int, interest: int) -> Netting:
    """Schedule D with the carryover worksheet's line 15, which an income this high never limits."""
    line15 = profile.ordinary_income_usd * USD + interest
    line15 -= net(short, long, profile.filing_status).deduction
    return net(short, long, profile.filing_status, line15)
