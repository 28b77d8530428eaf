"""What each broker reports beside what the taxpayer owes, and why the two differ.

A broker looks for replacements in the same account and of the same security (CUSIP) alone: IRC 6045(g),
Reg. 1.6045-1(d)(6)(iii). The taxpayer answers for the purchases of all accounts (TAX_RULES section 3).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

import polars as pl

from ml.tax import frames
from ml.tax.ledger import LedgerInputs, LedgerResult, compute_states, restrict
from ml.tax.settings import TaxSettings
from ml.tax.units import QUANTITY_DTYPE, USD_DTYPE
from ml.tax.wash_frames import wash_sales

# One line of a 1099-B: what one sale closed of one day's purchases. Sub-lots may differ between the views.
LINE: Final = ("account_id", "asset_id", "sale_transaction_id", "acquired_date")
_KEY: Final = ("trade_date", "account_id", "sale_transaction_id", "asset_id", "lot_id", "piece_no")
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


@dataclass(frozen=True, slots=True)
class BrokerView:
    """Realised gains and wash sales in the brokers' books; columns as in ``LedgerResult``."""

    realized_gains: pl.DataFrame
    wash_sales: pl.DataFrame


def broker_view(
    inputs: LedgerInputs,
    result: LedgerResult,
    as_of_date: date,
    settings: TaxSettings | None = None,
) -> BrokerView:
    """Return the realised gains and wash sales as the brokers see them.

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
    BrokerView
        Lots that came from another account keep the basis that the transfer
        statement carries (s6045A). Households in which every match stays inside one account and security
        are not computed again: there the two views are equal, match by match.
    """
    settings = settings or TaxSettings()
    households = _differing_households(inputs, result)
    members = inputs.accounts.filter(pl.col("household_id").is_in(households)).select("account_id").unique()
    if not members.height:
        return BrokerView(result.realized_gains, result.wash_sales)
    narrow = replace(settings, a14="account", identical_groups=())
    _, states = compute_states(restrict(inputs, members), as_of_date, narrow)
    pieces = frames.taxable_pieces(states.values())
    numbered = frames.numbered_pieces(pieces, as_of_date)

    def merge(whole: pl.DataFrame, computed: pl.DataFrame) -> pl.DataFrame:
        kept = whole.join(members, on="account_id", how="anti")
        return pl.concat([kept, computed]).sort(_KEY)

    return BrokerView(
        merge(result.realized_gains, numbered.drop("index")),
        merge(result.wash_sales, wash_sales(pieces, numbered)),
    )


def _differing_households(inputs: LedgerInputs, result: LedgerResult) -> list[str]:
    """Return the households with a match that a broker cannot see, or that it may judge otherwise.

    Under A9 purchases that are all closed on the day of the loss replace nothing if nothing is left: of the household
    for the taxpayer, of the account for its broker. A match with shares that are sold on the day of the loss is
    therefore looked at again.
    """
    washes, gains = result.wash_sales, result.realized_gains
    closed = gains.select(
        pl.col("account_id").alias("replacement_account_id"),
        pl.col("lot_id").alias("replacement_transaction_id"),
        "trade_date",
    ).unique()
    same_day = washes.join(closed, on=closed.columns, how="semi")
    accounts = pl.concat([part.select("account_id") for part in (washes.filter(_UNSEEN), same_day)]).unique()
    found = inputs.accounts.join(accounts, on="account_id", how="semi")
    return found.get_column("household_id").unique().sort().to_list()


def broker_differences(result: LedgerResult, broker: BrokerView, as_of_date: date) -> pl.DataFrame:
    """Compare the two views line by line and say in words why they differ.

    Parameters
    ----------
    result : LedgerResult
        The taxpayer's result.
    broker : BrokerView
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
    other = _lines(broker.realized_gains).rename({c: f"broker_{c}" for c in (*_AMOUNTS, "term")})
    both = _lines(result.realized_gains).join(
        other, on=list(LINE), how="full", coalesce=True, nulls_equal=True
    )
    both = both.with_columns(*(pl.coalesce(c, f"{c}_right").alias(c) for c in _FACTS))
    differs = [pl.col(c).ne_missing(pl.col(f"broker_{c}")) for c in (*_AMOUNTS, "term")]
    rows = both.filter(pl.any_horizontal(differs)).sort("trade_date", *LINE)
    recognized = [pl.col(c).fill_null(0) for c in ("recognized_usd", "broker_recognized_usd")]
    washed, moves = _washed_lines(result), _moves(result.wash_sales, broker.wash_sales)
    words = [_explain(row, washed, moves) for row in rows.iter_rows(named=True)]
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


_Lines = Mapping[tuple, list[dict[str, Any]]]


def _washed_lines(result: LedgerResult) -> _Lines:
    """Collect the matches that brokers do not see by the line whose loss they disallow."""
    piece = ["account_id", "asset_id", "sale_transaction_id", "lot_id", "piece_no"]
    rows = result.wash_sales.filter(_UNSEEN).join(
        result.realized_gains.select(*piece, "acquired_date"), on=piece
    )
    found: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows.iter_rows(named=True):
        found.setdefault(tuple(row[c] for c in LINE), []).append(row)
    return found


def _moves(own: pl.DataFrame, seen: pl.DataFrame) -> _Lines:
    """Collect, by purchase, the sales whose loss moves to it in one view and not, or otherwise, in the other."""
    purchase = ["replacement_account_id", "replacement_asset_id", "replacement_acquired_date"]
    sale = ["account_id", "trade_date", "sale_transaction_id"]

    def sums(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.group_by(purchase + sale).agg(
            pl.col("basis_moved_usd").sum(), pl.col("days_tacked").max()
        )

    both = sums(own).join(sums(seen), on=purchase + sale, how="full", coalesce=True, suffix="_seen")
    moved, other = (pl.col(c).fill_null(0) for c in ("basis_moved_usd", "basis_moved_usd_seen"))
    rows = both.with_columns((moved - other).alias("more_usd")).filter(pl.col("more_usd") != 0)
    found: dict[tuple, list[dict[str, Any]]] = {}
    for row in rows.sort(purchase + sale).iter_rows(named=True):
        found.setdefault(tuple(row[c] for c in purchase), []).append(row)
    return found


def _explain(row: Mapping[str, Any], washed: _Lines, moves: _Lines) -> str:
    parts = [_washed(match) for match in washed.get(tuple(row[c] for c in LINE), ())]
    bought = (row["account_id"], row["asset_id"], row["acquired_date"])
    parts += [_moved(move) for move in moves.get(bought, ()) if move["trade_date"] <= row["trade_date"]]
    if row["quantity"] != row["broker_quantity"]:
        parts.append(
            "the standing order chooses by basis, and the broker's basis differs: other lots are closed in its books"
        )
    seen, own = row["broker_disallowed_usd"] or Decimal(0), row["disallowed_usd"] or Decimal(0)
    if seen > own:
        parts.append(
            f"the broker disallows {_usd(seen - own)} more, against a purchase of this account"
            " that the return does not match with this sale"
        )
    if own > seen and not parts:
        parts.append(
            "all of this account's recent shares were closed that day, so that its broker sees no replacement; the"
            " household still held some"
        )
    return "; ".join(parts or ["the broker applies a wash sale of this account otherwise than the return"])


def _washed(match: Mapping[str, Any]) -> str:
    kind = match["replacement_account_type"].replace("_", " ")
    end = "for good, " if match["permanently_disallowed_usd"] else ""
    return (
        f"purchase of {match['replacement_asset_id']} on {match['replacement_acquired_date']} in"
        f" {match['replacement_account_id']} ({kind}) washed {_usd(match['disallowed_usd'])}:"
        f" {end}the broker does not see other accounts or securities"
    )


def _moved(move: Mapping[str, Any]) -> str:
    sale = f"the loss on the sale of {move['trade_date']} in {move['account_id']}"
    if move["more_usd"] < 0:
        more = _usd(-move["more_usd"])
        return f"the broker's basis carries {more} more of {sale}, which the return matches elsewhere"
    if move["account_id"] == move["replacement_account_id"]:
        return f"the lot carries {_usd(move['more_usd'])} more of {sale} than the broker's books"
    days = f"{move['days_tacked']} days of its holding period"
    return f"the lot carries {_usd(move['more_usd'])} of {sale} and {days}: the broker knows of neither"


def _usd(amount: Decimal) -> str:
    return f"{amount:,.2f} USD"
