"""One row per tax unit and year with everything a preparer asks for: nets, carryovers, taxes, assumptions.

Source: TAX_RULES section 5; Schedule D lines 6, 7, 13 to 16 and 21, Form 8960.
"""

from dataclasses import replace
from typing import Final

import polars as pl

from ml.tax.actions import latest_rows
from ml.tax.events import read_accounts
from ml.tax.frames import build
from ml.tax.ledger import LedgerInputs, LedgerResult
from ml.tax.rates import limits
from ml.tax.schedule_d import TaxUnitYear, assumed, net, tax_parts
from ml.tax.units import USD, USD_DTYPE, to_day, unit_column
from ml.tax.years import Filer, read_filers

TAX_YEAR_SUMMARY: Final = {
    "as_of_date": pl.Date,
    "tax_unit_id": pl.String,
    "tax_year": pl.Int32,
    "status": pl.String,
    "reason": pl.String,
    "filing_status": pl.String,
    "state": pl.String,
    "is_income_known": pl.Boolean,
    "st_gain_usd": USD_DTYPE,
    "lt_gain_usd": USD_DTYPE,
    "capital_gain_distributions_usd": USD_DTYPE,
    "st_carryover_in_usd": USD_DTYPE,
    "lt_carryover_in_usd": USD_DTYPE,
    "st_net_usd": USD_DTYPE,
    "lt_net_usd": USD_DTYPE,
    "net_usd": USD_DTYPE,
    "loss_limit_usd": USD_DTYPE,
    "loss_deduction_usd": USD_DTYPE,
    "st_carryover_usd": USD_DTYPE,
    "lt_carryover_usd": USD_DTYPE,
    "ordinary_dividends_usd": USD_DTYPE,
    "qualified_dividends_usd": USD_DTYPE,
    "interest_usd": USD_DTYPE,
    "disallowed_usd": USD_DTYPE,
    "provisional_disallowed_usd": USD_DTYPE,
    "federal_tax_usd": USD_DTYPE,
    "niit_usd": USD_DTYPE,
    "state_tax_usd": USD_DTYPE,
    "total_federal_tax_usd": USD_DTYPE,
    "total_niit_usd": USD_DTYPE,
    "total_state_tax_usd": USD_DTYPE,
    "st_rate": pl.Float64,
    "lt_rate": pl.Float64,
    "rate_assumption": pl.String,
    "not_modelled": pl.String,
}
_TAKEN: Final = (
    "st_net_usd",
    "lt_net_usd",
    "st_carryover_usd",
    "lt_carryover_usd",
    "ordinary_dividends_usd",
    "qualified_dividends_usd",
    "interest_usd",
    "disallowed_usd",
    "provisional_disallowed_usd",
)


def tax_year_summary(inputs: LedgerInputs, result: LedgerResult) -> pl.DataFrame:
    """Return ``ml.tax_year_summary``.

    Parameters
    ----------
    inputs : LedgerInputs
        For the users' rows (filing status, state, income, stated carryovers).
    result : LedgerResult
        Its ``tax_unit_years`` are chained already; gains of a year come from its ``realized_gains``.

    Returns
    -------
    polars.DataFrame
        One row per tax unit and year, sorted so. ``st_gain_usd`` and ``lt_gain_usd`` are the recognised gains
        (Form 8949 column (h)); carryovers are positive. ``federal_tax_usd``, ``niit_usd`` and ``state_tax_usd``
        are what the portfolio adds: the tax with it minus the tax without it, negative where a loss
        saves tax. The ``total_*`` taxes are those of the whole return, null where the income is unknown
        (the others then rest on the income that ``rate_assumption`` names). Nets and taxes are null
        where ``status`` is not ok.
    """
    years = result.tax_unit_years
    filers = read_filers(inputs.users, read_accounts(inputs.accounts).values())
    gains = _gains(inputs, result)
    money = (unit_column(name, USD, years.schema[name]) for name in _TAKEN)
    names = ("as_of_date", "tax_unit_id", "tax_year", "status", "reason", "st_rate", "lt_rate")
    rows = years.select(*names, "rate_assumption", "not_modelled", *money).sort("tax_unit_id", "tax_year")
    columns: dict[str, list] = {name: [] for name in TAX_YEAR_SUMMARY}
    before: dict | None = None
    for row in rows.iter_rows(named=True):
        unit, year = row["tax_unit_id"], row["tax_year"]
        follows = before is not None and before["tax_unit_id"] == unit
        filer = filers.of(unit, year)
        carried = before if follows and not filers.states_year(unit, year) else None
        filled = row | {"as_of_date": to_day(row["as_of_date"])} | _facts(row, filer)
        filled |= _nets(row, filer, carried, gains.get((unit, year), (0, 0)))
        filled |= _taxes(row, filer, filled)
        for name, values in columns.items():
            values.append(filled[name])
        before = row
    return build(TAX_YEAR_SUMMARY, columns)


def _gains(inputs: LedgerInputs, result: LedgerResult) -> dict[tuple[str, int], tuple[int, int]]:
    """Sum recognised gains by tax unit, year and term, in 1e-6 USD."""
    units = latest_rows(inputs.accounts, ("account_id",)).select("account_id", "tax_unit_id")
    realized = result.realized_gains.join(units, on="account_id")
    amount = unit_column("recognized_usd", USD, realized.schema["recognized_usd"])
    is_long = pl.col("term") == "long"
    sums = (
        realized.with_columns(amount)
        .group_by("tax_unit_id", "tax_year")
        .agg(
            pl.col("recognized_usd").filter(~is_long).sum().alias("short"),
            pl.col("recognized_usd").filter(is_long).sum().alias("long"),
        )
    )
    return {(unit, year): (short, long) for unit, year, short, long in sums.iter_rows()}


def _facts(row: dict, filer: Filer) -> dict:
    filing = filer.filing_status or "single"
    return {
        "filing_status": filing,
        "state": filer.state,
        "is_income_known": filer.income is not None,
        "loss_limit_usd": limits(filing).capital_loss,
    }


def _nets(row: dict, filer: Filer, carried: dict | None, gains: tuple[int, int]) -> dict:
    """Unfold the nets of a year: gains, distributions and the carryovers that came in."""
    if row["st_net_usd"] is None:
        unknown = ("st_gain_usd", "lt_gain_usd", "capital_gain_distributions_usd", "st_carryover_in_usd")
        return dict.fromkeys((*unknown, "lt_carryover_in_usd", "net_usd", "loss_deduction_usd"))
    if carried is None:
        came = abs(filer.st_carryover or 0), abs(filer.lt_carryover or 0)
    else:
        came = carried["st_carryover_usd"], carried["lt_carryover_usd"]
    netting = net(row["st_net_usd"], row["lt_net_usd"], filer.filing_status or "single")
    return {
        "st_gain_usd": gains[0],
        "lt_gain_usd": gains[1],
        "capital_gain_distributions_usd": row["lt_net_usd"] + came[1] - gains[1],
        "st_carryover_in_usd": came[0],
        "lt_carryover_in_usd": came[1],
        "net_usd": netting.line16,
        "loss_deduction_usd": netting.deduction,
    }


_TAXES: Final = ("federal_tax_usd", "niit_usd", "state_tax_usd")
_TOTALS: Final = ("total_federal_tax_usd", "total_niit_usd", "total_state_tax_usd")


def _taxes(row: dict, filer: Filer, filled: dict) -> dict:
    """Tax of the unit's year with the portfolio and without it."""
    if filled["net_usd"] is None:
        return dict.fromkeys((*_TAXES, *_TOTALS))
    year = row["tax_year"]
    filing, income, magi, _ = assumed(year, filer.filing_status, filer.state, filer.income, filer.magi)
    without = TaxUnitYear(year, filing, filer.state, income, magi)
    whole = replace(
        without,
        short=row["st_net_usd"],
        long=row["lt_net_usd"],
        dividends=row["ordinary_dividends_usd"],
        qualified=row["qualified_dividends_usd"],
        interest=row["interest_usd"],
    )
    totals = tax_parts(whole)
    bare = tax_parts(without)
    known = totals if filer.income is not None else (None, None, None)
    return {
        **{name: total - part for name, total, part in zip(_TAXES, totals, bare, strict=True)},
        **dict(zip(_TOTALS, known, strict=True)),
    }
