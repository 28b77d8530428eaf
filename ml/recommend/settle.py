"""Marginal rates that fit tonight's own sales: rates and orders brought to a fixed point.

What belongs here: the exact tax of a tax unit before and after what tonight's orders realise, and the
iteration. What does not: how orders are found at given rates (``night.py``), the first rates (``status.py``).

A harvest takes a unit below its loss limit, where a further loss saves nothing this year; a trim lifts
it into the next bracket. So orders are solved, rates are taken anew at the nets after them, and so on
until no rate moves. Near a step of the tax a unit may swing between its two sides for ever: such a unit
takes, of the rounds tried, the one with the least drift, cost and exact tax together.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

import numpy as np
import polars as pl

from ml.recommend.inputs import NightInputs, RecommendSettings
from ml.recommend.schema import USD_UNITS
from ml.recommend.status import Rates
from ml.tax.lots import AccountInfo
from ml.tax.schedule_d import TaxUnitYear, assumed, marginal, total_tax
from ml.tax.units import USD, unit_column
from ml.tax.years import Filers, read_filers

_NETS = (
    "st_net_usd",
    "lt_net_usd",
    "ordinary_dividends_usd",
    "qualified_dividends_usd",
    "interest_usd",
)
UNSETTLED = "tax rates did not settle: those of the best round taken"


class Attempt(Protocol):
    """Orders at given rates, as far as rates depend on them."""

    @property
    def short_gain(self) -> np.ndarray:
        """Short-term gains less losses that the accounts' orders realise; int64 of shape (A,), 1e-6 USD."""
        ...

    @property
    def long_gain(self) -> np.ndarray:
        """Long-term gains less losses; int64 of shape (A,), 1e-6 USD."""
        ...

    @property
    def burden(self) -> np.ndarray:
        """Drift and cost of the accounts' orders, without tax; shape (A,), USD."""
        ...


AttemptT = TypeVar("AttemptT", bound=Attempt)


@dataclass(frozen=True)
class UnitTaxes:
    """Tonight's tax units.

    Attributes
    ----------
    unit : ndarray of shape (A,)
        int64: position of each taxable account's unit in ``years``; -1 for tax-deferred accounts, and
        for units without totals, whose rates stay as given.
    years : tuple of TaxUnitYear
        U units at their year-to-date nets.
    """

    unit: np.ndarray
    years: tuple[TaxUnitYear, ...]

    @classmethod
    def build(cls, accounts: pl.DataFrame, inputs: NightInputs) -> "UnitTaxes":
        """Read the units' years from the ledger's table and the users' rows.

        Parameters
        ----------
        accounts : polars.DataFrame
            A accounts: tax_unit_id, user_id, is_tax_deferred.
        inputs : NightInputs
        """
        rows = inputs.tax_unit_years.filter(
            (pl.col("tax_year") == inputs.as_of_date.year)
            & (pl.col("status").fill_null("ok") == "ok")
            & pl.all_horizontal(pl.col(_NETS).is_not_null())
            & pl.col("tax_unit_id").is_in(accounts["tax_unit_id"].implode())
        ).sort("tax_unit_id")
        exact = rows.select("tax_unit_id", *(unit_column(c, USD, rows.schema[c]) for c in _NETS))
        owners = accounts.select("account_id", "user_id", "household_id", "tax_unit_id").sort("account_id")
        filers = read_filers(
            inputs.users,
            [
                AccountInfo(account, user, household, unit, "taxable", "fifo", is_deferred=False)
                for account, user, household, unit in owners.iter_rows()
            ],
        )
        years = tuple(
            _unit_year(filers, name, inputs.as_of_date.year, nets) for name, *nets in exact.iter_rows()
        )
        position = pl.DataFrame({"tax_unit_id": exact["tax_unit_id"]}).with_row_index("unit")
        unit = accounts.select("tax_unit_id", "is_tax_deferred").join(
            position, on="tax_unit_id", how="left", maintain_order="left"
        )
        found = unit["unit"].cast(pl.Int64).fill_null(-1).to_numpy().copy()
        found[unit["is_tax_deferred"].to_numpy()] = -1
        return cls(found, years)

    def sums(self, per_account: np.ndarray) -> np.ndarray:
        """Sum a figure of accounts per unit; shape (U,), in the figure's own type."""
        total = np.zeros(len(self.years), dtype=per_account.dtype)
        inside = self.unit >= 0
        np.add.at(total, self.unit[inside], per_account[inside])
        return total

    def after(self, short: np.ndarray, long: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rates at the nets after tonight's gains, and the tax that these add.

        Parameters
        ----------
        short, long : ndarray of shape (U,)
            int64, 1e-6 USD.

        Returns
        -------
        short_rate, long_rate, added : ndarray of shape (U,)
            Fractions; USD, negative where losses save tax.
        """
        rates = np.zeros((len(self.years), 2))
        added = np.zeros(len(self.years))
        for i, year in enumerate(self.years):
            then = replace(year, short=year.short + int(short[i]), long=year.long + int(long[i]))
            rates[i] = marginal(then)
            if then != year:
                added[i] = (total_tax(then) - total_tax(year)) / USD_UNITS
        return rates[:, 0], rates[:, 1], added


def _unit_year(filers: Filers, name: str, year: int, nets: list[int]) -> TaxUnitYear:
    filer = filers.of(name, year)
    status, income, magi, _ = assumed(year, filer.filing_status, filer.state, filer.income, filer.magi)
    return TaxUnitYear(year, status, filer.state, income, magi, *nets)


def settle(
    attempt: Callable[[np.ndarray, np.ndarray], AttemptT],
    rates: Rates,
    taxes: UnitTaxes,
    settings: RecommendSettings,
) -> tuple[AttemptT, np.ndarray]:
    """Solve, take rates anew, and again, until they agree.

    Parameters
    ----------
    attempt : callable
        Short and long rates of shape (A,) to orders. An account's orders depend on its household alone.
    rates : Rates
        Of the nets before tonight.
    taxes : UnitTaxes
    settings : RecommendSettings
        ``rate_rounds`` bounds the rounds.

    Returns
    -------
    result
        The last attempt.
    unsettled : ndarray of shape (A,)
        bool: accounts of units whose rates kept moving.
    """
    known = taxes.unit >= 0
    unit = taxes.unit[known]
    now = np.stack([rates.short, rates.long])
    best = np.zeros((2, len(taxes.years)))
    least = np.full(len(taxes.years), np.inf)
    moving = np.zeros(len(taxes.years), dtype=bool)
    for _ in range(settings.rate_rounds):
        result = attempt(now[0], now[1])
        short, long, added = taxes.after(taxes.sums(result.short_gain), taxes.sums(result.long_gain))
        used, wanted = np.zeros((2, len(taxes.years))), np.stack([short, long])
        used[:, unit] = now[:, known]
        total = taxes.sums(result.burden) + added
        better = total < least - 1e-6
        best[:, better], least[better] = used[:, better], total[better]
        moving = np.abs(wanted - used).max(axis=0, initial=0.0) > 1e-12
        if not moving.any():
            return result, np.zeros(len(taxes.unit), dtype=bool)
        now = now.copy()
        now[:, known] = wanted[:, unit]
    now[:, known] = np.where(moving[unit], best[:, unit], now[:, known])
    unsettled = np.zeros(len(taxes.unit), dtype=bool)
    unsettled[known] = moving[unit]
    return attempt(now[0], now[1]), unsettled
