"""Accrued wealth: what would be left at each week's close if everything were sold and all tax paid.

What belongs here: the formula of V and its parts, over accounts and weeks. What does not: lots (``ledger.py``),
exact tax of closed years (``profiles.py``).

The formula
-----------
V = market value + cash - tax owed for closed years - X - (L(s + u_s, l + u_l) - L(s, l)), where

* X is the tax that the running year's recognised results add to the return, by brackets;
* s, l are the year's short and long-term results so far, with outside gains, less losses carried in;
* u_s, u_l are the results of selling every lot at that close, by the term that the sale would have. Selling all
  at once washes nothing: shares closed by the same sale replace nothing (Rev. Rul. 56-602, convention A9). On the
  very day of a trade it would also unmake that day's washes: the sum is the same, a loss may change its term;
* L(s, l) is the netted tax at the unit's marginal rates beside its other income: gains at the rate of their term
  after netting across, losses worth the short rate up to the yearly limit, the rest carried at half of the rate of its
  term (as the policy's environment counts).

Results of a year are those known at the close: a purchase in January that reopens a loss of December counts from then.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ml.backtest.compiled import compiled
from ml.backtest.ledger import ExactBooks, Holdings
from ml.backtest.profiles import TaxProfile, law_year, marginal_rates
from ml.tax.bulk import columns as c
from ml.tax.bulk.results import years_of
from ml.tax.rates import PPM, Bracket, federal_schedule, limits, state_schedule
from ml.tax.units import USD

CARRY_DISCOUNT: Final = 0.5


@dataclass(frozen=True, slots=True)
class ArrayTax:
    """Tax of many years of one profile at once; float64 USD, (T,) each. Equal to the exact one to a cent.

    Attributes
    ----------
    total : ndarray
        Federal, NIIT and state tax of the whole return.
    carry_short, carry_long : ndarray
        Losses carried out.
    """

    total: np.ndarray
    carry_short: np.ndarray
    carry_long: np.ndarray


def progressive(brackets: tuple[Bracket, ...], amount: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Tax of an amount that stacks on ``start``; both (T,) in USD, :func:`ml.tax.rates.progressive` over arrays."""
    low = np.maximum(start, 0.0)
    high = low + np.maximum(amount, 0.0)
    tax = np.zeros(np.broadcast(low, high).shape)
    for number, (lower, rate) in enumerate(brackets):
        upper = brackets[number + 1][0] / USD if number + 1 < len(brackets) else np.inf
        tax += rate / PPM * np.maximum(np.minimum(high, upper) - np.maximum(low, lower / USD), 0.0)
    return tax


def array_tax(
    profile: TaxProfile, law: str, year: int, short: np.ndarray, long: np.ndarray, interest: np.ndarray
) -> ArrayTax:
    """Tax of whole returns.

    Parameters
    ----------
    profile, law, year
        Whose; ``flat_rates`` must be None.
    short, long : ndarray of shape (T,)
        Results with outside gains, less losses carried in; USD.
    interest : ndarray of shape (T,)
        USD.
    """
    year, status, income = law_year(law, year), profile.filing_status, float(profile.ordinary_income_usd)
    figures, zero = limits(status), np.zeros_like(short)
    total = short + long
    deduction = np.minimum(np.maximum(-total, 0.0), figures.capital_loss / USD)
    result = np.where(total > 0, total, -deduction)
    carry_short = np.maximum(np.maximum(-short, 0.0) - deduction - np.maximum(long, 0.0), 0.0)
    rest = np.maximum(deduction - np.maximum(-short, 0.0), 0.0)
    carry_long = np.maximum(np.maximum(-long, 0.0) - np.maximum(short, 0.0) - rest, 0.0)
    carry_short, carry_long = (np.where(total < 0, x, 0.0) for x in (carry_short, carry_long))
    taxable = np.maximum(income + interest + result, 0.0)
    preferential = np.minimum(taxable, np.maximum(np.minimum(long, total), 0.0))
    ordinary = federal_schedule("federal_ordinary", year, status).brackets
    reduced = federal_schedule("federal_long_term", year, status).brackets
    worksheet = progressive(ordinary, taxable - preferential, zero)
    worksheet += progressive(reduced, preferential, taxable - preferential)
    tax = np.minimum(worksheet, progressive(ordinary, taxable, zero))
    if year >= figures.niit_first_year:
        over = np.maximum(income + interest + result - figures.niit_threshold / USD, 0.0)
        tax += figures.niit_rate / PPM * np.minimum(np.maximum(interest + result, 0.0), over)
    tax += _state(profile, year, total, long, income + interest, deduction)
    return ArrayTax(tax, carry_short, carry_long)


def _state(
    profile: TaxProfile,
    year: int,
    total: np.ndarray,
    long: np.ndarray,
    other: np.ndarray,
    deduction: np.ndarray,
) -> np.ndarray:
    schedule = state_schedule(profile.state, year, profile.filing_status)
    zero = np.zeros_like(total)
    if schedule is None:
        return zero
    if not schedule.is_split:
        loss = -deduction if schedule.carries_losses else zero
        return progressive(schedule.short, other + np.where(total < 0, loss, total), zero)
    long_part = np.maximum(np.minimum(long, total), 0.0)
    short_part = np.where(total > 0, np.maximum(total - long_part, 0.0), 0.0)
    start = other if schedule.base == "income" else zero
    above = start + np.where(start != 0, short_part, 0.0)
    return progressive(schedule.short, short_part, start) + progressive(schedule.long, long_part, above)


def netted_tax(
    short: np.ndarray, long: np.ndarray, rates: tuple[float, float], loss_limit: float
) -> np.ndarray:
    """L of the module's formula: netted tax at two rates, losses credited at what they can offset; USD, (T,)."""
    crossed = np.minimum(np.maximum(short, 0), np.maximum(-long, 0))
    crossed = crossed - np.minimum(np.maximum(-short, 0), np.maximum(long, 0))
    short, long = short - crossed, long + crossed
    short_loss, long_loss = np.maximum(-short, 0), np.maximum(-long, 0)
    from_short = np.minimum(short_loss, loss_limit)
    from_long = np.minimum(long_loss, loss_limit - from_short)
    tax = rates[0] * (np.maximum(short, 0) - from_short - from_long) + rates[1] * np.maximum(long, 0)
    carried = rates[0] * (short_loss - from_short) + rates[1] * (long_loss - from_long)
    return tax - CARRY_DISCOUNT * carried


@dataclass(frozen=True, slots=True)
class WeeklyResults:
    """What accrual needs, by account and week; float64 USD.

    Attributes
    ----------
    running, before : ndarray of shape (A, W, 2)
        Short and long-term results of the running year and of the year before, as known at each close.
    unrealised : ndarray of shape (A, W, 2)
        Results of selling everything at each close, by term.
    """

    running: np.ndarray
    before: np.ndarray
    unrealised: np.ndarray


def weekly_results(
    exact: ExactBooks, holdings: Holdings, week_days: np.ndarray, prices: np.ndarray
) -> WeeklyResults:
    """Sum the ledger's pieces and lots by week.

    Parameters
    ----------
    exact, holdings
        Of all trades up to the last week.
    week_days : ndarray of shape (W,)
        int64 days, ascending.
    prices : ndarray of shape (W, N)
        Closes; lots of an asset without a price count nothing.
    """
    shape = (exact.accounts, len(week_days), 2)
    out = WeeklyResults(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    week_years = years_of(week_days).astype(np.int64)
    pieces = exact.books.pieces
    sold = pieces[c.Q_DAY].astype(np.int64)
    where = (pieces[c.Q_ACCOUNT].astype(np.int64), exact.is_long.astype(np.int64))
    _add_events(
        *where, sold, years_of(sold), exact.gain / USD, week_days, week_years, out.running, out.before
    )
    matched = exact.books.matches[c.M_PIECE]
    back = exact.books.pieces_wide[c.Q_DISALLOWED][matched] / USD
    _add_events(
        *(x[matched] for x in where), exact.match_days(), years_of(sold[matched]), back, week_days, week_years,
        out.running, out.before,
    )  # fmt: skip
    _add_lots(
        holdings.account, holdings.asset, holdings.first_day, holdings.end_day, holdings.shares, holdings.cost,
        holdings.adjustment, holdings.change_day, holdings.long_day, holdings.long_day_after, week_days,
        np.nan_to_num(prices), out.unrealised,
    )  # fmt: skip
    return out


@compiled
def _add_events(account, term, day, year, value, week_days, week_years, running, before):
    """Add each value to the weeks from its day on, of its own year and of the next."""
    for i in range(len(account)):
        for w in range(np.searchsorted(week_days, day[i]), len(week_days)):
            if week_years[w] == year[i]:
                running[account[i], w, term[i]] += value[i]
            elif week_years[w] == year[i] + 1:
                before[account[i], w, term[i]] += value[i]
            else:
                break


@compiled
def _add_lots(
    account, asset, first_day, end_day, shares, cost, adjustment, change_day, long_day, long_day_after,
    week_days, prices, unrealised,
):  # fmt: skip
    for i in range(len(account)):
        for w in range(np.searchsorted(week_days, first_day[i]), len(week_days)):
            day = week_days[w]
            if day >= end_day[i]:
                break
            is_changed = day >= change_day[i]
            basis = cost[i] + (adjustment[i] if is_changed else 0.0)
            is_long = day >= (long_day_after[i] if is_changed else long_day[i])
            unrealised[account[i], w, 1 if is_long else 0] += shares[i] * prices[w, asset[i]] - basis


@dataclass(frozen=True, slots=True)
class Accrual:
    """What one account's accrual depends on beside its results.

    Attributes
    ----------
    profile : TaxProfile
    law : str
    carry_in : dict of int to (float, float)
        Losses carried into each closed or running year, USD, short and long-term; final figures.
    interest : ndarray of shape (W, 2)
        Interest of the running year so far and of the year before, USD.
    is_owed : ndarray of shape (W,)
        bool: tax of the year before is not paid yet.
    """

    profile: TaxProfile
    law: str
    carry_in: dict[int, tuple[float, float]]
    interest: np.ndarray
    is_owed: np.ndarray


def accrued_tax(
    accrual: Accrual, week_years: np.ndarray, running: np.ndarray, before: np.ndarray, unrealised: np.ndarray
) -> np.ndarray:
    """Tax that V leaves out at each week, by the module's formula.

    Parameters
    ----------
    accrual : Accrual
    week_years : ndarray of shape (W,)
        Calendar year of each week's close.
    running, before, unrealised : ndarray of shape (W, 2)
        Of :class:`WeeklyResults`.

    Returns
    -------
    ndarray of shape (W,)
        USD; negative where losses are worth more than gains cost.
    """
    tax = np.zeros(len(week_years))
    for year in np.unique(week_years).tolist():
        weeks = np.flatnonzero(week_years == year)
        parts = (x[weeks] for x in (running, before, unrealised, accrual.interest))
        tax[weeks] = _accrued_in_year(accrual, year, accrual.is_owed[weeks], *parts)
    return tax


def _accrued_in_year(
    accrual: Accrual,
    year: int,
    is_owed: np.ndarray,
    running: np.ndarray,
    before: np.ndarray,
    unrealised: np.ndarray,
    interest: np.ndarray,
) -> np.ndarray:
    profile, law = accrual.profile, accrual.law
    if profile.flat_rates is not None:
        on_short, on_long = profile.flat_rates
        owed = on_short * (before[:, 0] + interest[:, 1]) + on_long * before[:, 1]
        now = on_short * (running[:, 0] + unrealised[:, 0] + interest[:, 0])
        return np.where(is_owed, owed, 0.0) + now + on_long * (running[:, 1] + unrealised[:, 1])
    outside, zero = float(profile.outside_long_gain_usd), np.zeros(len(is_owed))
    earlier = accrual.carry_in.get(year - 1, (0.0, 0.0))
    carry_short, carry_long = (zero + x for x in accrual.carry_in.get(year, (0.0, 0.0)))
    owed = zero
    if is_owed.any():
        last = array_tax(
            profile,
            law,
            year - 1,
            before[:, 0] - earlier[0],
            before[:, 1] + outside - earlier[1],
            interest[:, 1],
        )
        base = array_tax(profile, law, year - 1, zero, zero + outside, zero)
        owed = np.where(is_owed, last.total - base.total, 0.0)
        # Until the tax is paid a purchase may still reopen a loss of the year before.
        carry_short = np.where(is_owed, last.carry_short, carry_short)
        carry_long = np.where(is_owed, last.carry_long, carry_long)
    short, long = running[:, 0] - carry_short, running[:, 1] + outside - carry_long
    so_far = array_tax(profile, law, year, short, long, interest[:, 0])
    so_far_tax = so_far.total - array_tax(profile, law, year, zero, zero + outside, zero).total
    rates = marginal_rates(profile, law, year)
    limit = limits(profile.filing_status).capital_loss / USD
    sold = netted_tax(short + unrealised[:, 0], long + unrealised[:, 1], rates, limit)
    return owed + so_far_tax + sold - netted_tax(short, long, rates, limit)
