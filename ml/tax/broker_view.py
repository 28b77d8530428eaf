"""What each broker reports beside what the taxpayer owes, and why the two differ.

A broker looks for replacements in the same account and of the same security (CUSIP) alone: IRC 6045(g),
Reg. 1.6045-1(d)(6)(iii). The taxpayer answers for the purchases of all accounts (TAX_RULES section 3).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

import polars as pl

from ml.tax import frames
from ml.tax.ledger import LedgerInputs, LedgerResult, compute_states, restrict
from ml.tax.settings import TaxSettings
from ml.tax.units import QUANTITY_DTYPE, USD_DTYPE

# One line of a 1099-B: what one sale closed of one day's purchases. Sub-lots may differ between the views.
LINE: Final = ("account_id", "asset_id", "sale_transaction_id", "acquired_date")
_AMOUNTS: Final = ("quantity", "proceeds_usd", "cost_basis_usd", "disallowed_usd", "recognized_usd")
_FACTS: Final = ("trade_date", "tax_year")
_UNSEEN: Final = pl.col("is_across_accounts") | (pl.col("asset_id") != pl.col("replacement_asset_id"))
BROKER_DIFFERENCES: Final = {
    "as_of_date": pl.Date,
    "account_id": pl.String,
    "asset_id": pl.String,
    "sale_transaction_id": pl.String,
    "acquired_date": pl.Date,
    "trade_date": pl.Date,
    "tax_year": pl.Int32,
    "term": pl.String,
    "broker_term": pl.String,
    "quantity": QUANTITY_DTYPE,
    "broker_quantity": QUANTITY_DTYPE,
    "proceeds_usd": USD_DTYPE,
    "broker_proceeds_usd": USD_DTYPE,
    "cost_basis_usd": USD_DTYPE,
    "broker_cost_basis_usd": USD_DTYPE,
    "disallowed_usd": USD_DTYPE,
    "broker_disallowed_usd": USD_DTYPE,
    "recognized_usd": USD_DTYPE,
    "broker_recognized_usd": USD_DTYPE,
    "difference_usd": USD_DTYPE,
    "explanation": pl.String,
}


def broker_view(
    inputs: LedgerInputs,
    result: LedgerResult,
    as_of_date: date,
    settings: TaxSettings | None = None,
) -> pl.DataFrame:
    """Return the realised gains as the brokers see them.

    Parameters
    ----------
    inputs : LedgerInputs
        The frames that ``result`` was computed from, cut at the night's close.
    result : LedgerResult
        The taxpayer's result of the same inputs and settings.
    as_of_date : datetime.date
        The night.
    settings : TaxSettings, optional
        Conventions; A14 becomes ``account`` and the user's groups of identical assets (A6) do not count.

    Returns
    -------
    polars.DataFrame
        Columns of ``realized_gains``. Lots that came from another account keep the basis that the transfer
        statement carries (s6045A). Households in which every match stays inside one account and security
        are not computed again: there the two views are equal, match by match.
    """
    settings = settings or TaxSettings()
    realized = result.realized_gains
    households = _differing_households(inputs, result)
    members = inputs.accounts.filter(pl.col("household_id").is_in(households)).select("account_id").unique()
    if not members.height:
        return realized
    narrow = replace(settings, a14="account", identical_groups=())
    _, states = compute_states(restrict(inputs, members), as_of_date, narrow)
    computed = frames.realized_gains(states.values(), as_of_date)
    kept = realized.join(members, on="account_id", how="anti")
    return pl.concat([kept, computed]).sort("trade_date", "account_id", "sale_transaction_id", "piece_no")


def _differing_households(inputs: LedgerInputs, result: LedgerResult) -> list[str]:
    """Return the households with a match that a broker cannot see."""
    accounts = result.wash_sales.filter(_UNSEEN).select("account_id").unique()
    found = inputs.accounts.join(accounts, on="account_id", how="semi")
    return found.get_column("household_id").unique().sort().to_list()


def broker_differences(result: LedgerResult, broker: pl.DataFrame, as_of_date: date) -> pl.DataFrame:
    """Compare the two views line by line and say in words why they differ.

    Parameters
    ----------
    result : LedgerResult
        The taxpayer's result.
    broker : polars.DataFrame
        From :func:`broker_view`.
    as_of_date : datetime.date
        The night.

    Returns
    -------
    polars.DataFrame
        ``ml.broker_differences``: a row per sale and acquisition date with another quantity, basis,
        disallowed loss, recognised gain or term. A side without the line has nulls (a broker whose
        standing order looks at the basis may have closed other lots). ``difference_usd`` = recognised by the
        taxpayer less recognised by the broker.
    """
    other = _lines(broker).rename({c: f"broker_{c}" for c in (*_AMOUNTS, "term")})
    both = _lines(result.realized_gains).join(
        other, on=list(LINE), how="full", coalesce=True, nulls_equal=True
    )
    both = both.with_columns(*(pl.coalesce(c, f"{c}_right").alias(c) for c in _FACTS))
    differs = [pl.col(c).ne_missing(pl.col(f"broker_{c}")) for c in (*_AMOUNTS, "term")]
    rows = both.filter(pl.any_horizontal(differs)).sort("trade_date", *LINE)
    recognized = [pl.col(c).fill_null(0) for c in ("recognized_usd", "broker_recognized_usd")]
    reasons = _reasons(result)
    words = [_explain(row, reasons) for row in rows.iter_rows(named=True)]
    return rows.with_columns(
        pl.lit(as_of_date).alias("as_of_date"),
        (recognized[0] - recognized[1]).cast(USD_DTYPE).alias("difference_usd"),
        pl.Series("explanation", words, dtype=pl.String),
    ).select([pl.col(name).cast(dtype) for name, dtype in BROKER_DIFFERENCES.items()])


def _lines(realized: pl.DataFrame) -> pl.DataFrame:
    """Sum pieces to lines; an unknown basis makes its line's basis unknown."""

    def total(name: str, dtype: pl.Decimal) -> pl.Expr:
        known = pl.col(name).is_not_null().all()
        return pl.when(known).then(pl.col(name).sum()).otherwise(None).cast(dtype).alias(name)

    terms = pl.col("term").unique().sort().str.join("+").alias("term")
    dtypes = [QUANTITY_DTYPE, *[USD_DTYPE] * (len(_AMOUNTS) - 1)]
    sums = [total(name, dtype) for name, dtype in zip(_AMOUNTS, dtypes, strict=True)]
    return realized.group_by(LINE).agg(*(pl.col(c).first() for c in _FACTS), terms, *sums)


def _reasons(result: LedgerResult) -> Mapping[tuple, list[dict[str, Any]]]:
    """Collect matches by washed line and by the replacement's purchase.

    Matches that brokers see matter only where a chain of replacements passes a difference on.
    """
    acquired = result.realized_gains.select(
        "account_id", "asset_id", "sale_transaction_id", "lot_id", "piece_no", "acquired_date"
    )
    rows = result.wash_sales.with_columns(_UNSEEN.alias("unseen")).join(
        acquired, on=["account_id", "asset_id", "sale_transaction_id", "lot_id", "piece_no"]
    )
    found: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        if row["unseen"]:
            found.setdefault(("washed", *(row[c] for c in LINE)), []).append(row)
        if row["basis_moved_usd"]:
            kind = "basis" if row["unseen"] else "chain"
            where = (row["replacement_account_id"], row["replacement_asset_id"])
            found.setdefault((kind, *where, row["replacement_acquired_date"]), []).append(row)
    return found


def _explain(row: Mapping[str, Any], reasons: Mapping[tuple, list[dict[str, Any]]]) -> str:
    line = tuple(row[c] for c in LINE)
    parts = [_washed(match) for match in reasons.get(("washed", *line), ())]
    bought = (row["account_id"], row["asset_id"], row["acquired_date"])
    moved = reasons.get(("basis", *bought), ())
    parts += [_moved(match) for match in moved if match["trade_date"] <= row["trade_date"]]
    if row["quantity"] != row["broker_quantity"]:
        parts.append(
            "the standing order chooses by basis, and the broker's basis differs: other lots are closed in its books"
        )
    seen, own = row["broker_disallowed_usd"] or Decimal(0), row["disallowed_usd"] or Decimal(0)
    if seen > own:
        parts.append(
            f"the broker matches {_usd(seen - own)} more with a purchase of this account that already serves,"
            " or whose basis was changed by, a loss in another account"
        )
    if not parts:
        chain = [m for m in reasons.get(("chain", *bought), ()) if m["trade_date"] <= row["trade_date"]]
        parts += [_chained(match) for match in chain]
    if not parts:
        parts.append("follows from a wash sale across accounts earlier in the chain of replacements")
    return "; ".join(parts)


def _washed(match: Mapping[str, Any]) -> str:
    kind = match["replacement_account_type"].replace("_", " ")
    end = "for good, " if match["permanently_disallowed_usd"] else ""
    return (
        f"purchase of {match['replacement_asset_id']} on {match['replacement_acquired_date']} in"
        f" {match['replacement_account_id']} ({kind}) washed {_usd(match['disallowed_usd'])}:"
        f" {end}the broker does not see other accounts or securities"
    )


def _moved(match: Mapping[str, Any]) -> str:
    return (
        f"the lot carries {_usd(match['basis_moved_usd'])} of the loss on the sale of {match['trade_date']} in"
        f" {match['account_id']}, and {match['days_tacked']} days: the broker knows of neither"
    )


def _chained(match: Mapping[str, Any]) -> str:
    return (
        f"the lot replaced shares sold on {match['trade_date']} in this account and carries"
        f" {_usd(match['basis_moved_usd'])} of that loss, which a wash sale across accounts had changed before"
    )


def _usd(amount: Decimal) -> str:
    return f"{amount:,.2f} USD"

