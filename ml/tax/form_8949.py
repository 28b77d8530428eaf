"""Form 8949: the realised gains as the lines of the form, exact and as printed.

Source: Form 8949 and its instructions; covered securities: Reg. 1.6045-1(a)(15) (stock acquired from
2011, fund shares and reinvestment plans from 2012, other debt from 2014) and Reg. 1.6045-1(a)(19)
(digital assets from 2026).
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

import polars as pl

from ml.tax.actions import latest_rows
from ml.tax.ledger import LedgerInputs, LedgerResult
from ml.tax.units import QUANTITY_DTYPE, USD_DTYPE

VARIOUS: Final = "VARIOUS"
INHERITED: Final = "INHERITED"
_STOCK_COVERED: Final = date(2011, 1, 1)
_FUND_COVERED: Final = date(2012, 1, 1)
_DIGITAL_COVERED: Final = date(2026, 1, 1)
_DIGITAL_REPORTED_YEAR: Final = 2025
_FUND_CLASSES: Final = ("equity_etf", "bond_etf", "commodity", "currency")
_BOXES: Final[Mapping[str, tuple[str, str]]] = {
    "reported": ("A", "D"),
    "not_reported": ("B", "E"),
    "no_form": ("C", "F"),
}
FORM_8949: Final = {
    "as_of_date": pl.Date,
    "tax_unit_id": pl.String,
    "tax_year": pl.Int32,
    "account_id": pl.String,
    "asset_id": pl.String,
    "sale_transaction_id": pl.String,
    "term": pl.String,
    "box": pl.String,
    "description": pl.String,
    "acquired": pl.String,
    "sold_date": pl.Date,
    "quantity": QUANTITY_DTYPE,
    "proceeds_usd": USD_DTYPE,
    "cost_basis_usd": USD_DTYPE,
    "adjustment_code": pl.String,
    "adjustment_usd": USD_DTYPE,
    "gain_usd": USD_DTYPE,
    "proceeds_printed_usd": pl.Int64,
    "cost_basis_printed_usd": pl.Int64,
    "adjustment_printed_usd": pl.Int64,
    "gain_printed_usd": pl.Int64,
    "broker_cost_basis_usd": USD_DTYPE,
    "broker_disallowed_usd": USD_DTYPE,
    "is_provisional": pl.Boolean,
    "convention_codes": pl.String,
}
_LINE: Final = ("account_id", "asset_id", "sale_transaction_id", "term", "box")


def form_8949(inputs: LedgerInputs, result: LedgerResult, broker: pl.DataFrame) -> pl.DataFrame:
    """Return ``ml.form_8949``: one row per sale, term and box.

    Parameters
    ----------
    inputs : LedgerInputs
        For the accounts' tax units, the assets' classes and symbols, and inherited purchases.
    result : LedgerResult
        The taxpayer's result.
    broker : polars.DataFrame
        The brokers' realised gains (:func:`ml.tax.broker_view.broker_view`): columns ``broker_*``; null
        where the broker's books close no lot in that line.

    Returns
    -------
    polars.DataFrame
        Columns (d) proceeds net of fees, (e) the taxpayer's adjusted basis, (f) W where a wash sale
        disallows, (g) the disallowed loss (positive), (h) = (d) - (e) + (g); null where the basis is unknown.
        ``*_printed_usd`` are whole dollars, each rounded once from the exact figure, halves away from zero,
        so that printed columns may be a dollar off their sum. ``acquired`` is a date, VARIOUS or
        INHERITED.

    Notes
    -----
    Boxes, decided from what is known, since no 1099-B is among the inputs. A/D: reported with basis, for
    covered securities of known basis; B/E: reported without basis (acquired before the dates above, or
    basis unknown); C/F: no form (digital assets before 2025). For digital assets the letters stand for
    boxes G to L of the form since 2025, in the same order. Sales before 2011 stand as on today's form.
    """
    pieces = _with_box(result.realized_gains, inputs)
    acquired = pl.col("acquired_text")
    adjusted = pl.col("disallowed_usd").sum().cast(USD_DTYPE)
    known = pl.col("cost_basis_usd").is_not_null().all()
    codes = pl.col("convention_codes").filter(pl.col("convention_codes") != "")
    lines = pieces.group_by(_LINE).agg(
        pl.col("as_of_date", "tax_unit_id", "tax_year", "symbol").first(),
        pl.col("trade_date").first().alias("sold_date"),
        pl.when(acquired.n_unique() == 1)
        .then(acquired.first())
        .otherwise(pl.lit(VARIOUS))
        .alias("acquired"),
        pl.col("quantity").sum().cast(QUANTITY_DTYPE),
        pl.col("proceeds_usd").sum().cast(USD_DTYPE),
        pl.when(known).then(pl.col("cost_basis_usd").sum()).cast(USD_DTYPE).alias("cost_basis_usd"),
        pl.when(adjusted > 0).then(adjusted).cast(USD_DTYPE).alias("adjustment_usd"),
        pl.when(known).then(pl.col("recognized_usd").sum()).cast(USD_DTYPE).alias("gain_usd"),
        pl.col("is_provisional").any(),
        codes.str.split(",").explode().unique().sort().str.join(",").alias("convention_codes"),
    )
    named = lines.join(_broker_amounts(broker, inputs), on=list(_LINE), how="left").with_columns(
        pl.when(pl.col("adjustment_usd").is_not_null()).then(pl.lit("W")).alias("adjustment_code"),
        (_plain(pl.col("quantity")) + " sh. " + pl.col("symbol")).alias("description"),
        *(
            _whole_dollars(pl.col(f"{name}_usd")).alias(f"{name}_printed_usd")
            for name in ("proceeds", "cost_basis", "adjustment", "gain")
        ),
    )
    return named.select([pl.col(n).cast(t) for n, t in FORM_8949.items()]).sort(
        "tax_unit_id", "tax_year", "box", "sold_date", *_LINE
    )


def _with_box(realized: pl.DataFrame, inputs: LedgerInputs) -> pl.DataFrame:
    """Add tax unit, symbol, box and column (b) to realised pieces."""
    accounts = latest_rows(inputs.accounts, ("account_id",)).select("account_id", "tax_unit_id")
    assets = latest_rows(inputs.assets, ("asset_id",))
    symbol = pl.col("symbol") if "symbol" in assets.columns else pl.col("asset_id")
    facts = assets.select("asset_id", "asset_class", "tax_treatment", symbol.alias("symbol"))
    origins = latest_rows(inputs.transactions, ("transaction_id",)).filter(
        pl.col("kind").is_in(["inheritance", "reinvestment"])
    )
    origins = origins.select("account_id", pl.col("transaction_id").alias("purchase_id"), "kind")
    rows = (
        realized.with_columns(pl.col("lot_id").str.split("#").list.first().alias("purchase_id"))
        .join(accounts, on="account_id", how="left")
        .join(facts, on="asset_id", how="left")
        .join(origins, on=["account_id", "purchase_id"], how="left")
    )
    fund = pl.col("asset_class").is_in(_FUND_CLASSES) | (pl.col("kind") == "reinvestment").fill_null(False)
    digital = (pl.col("tax_treatment") == "digital_asset").fill_null(False)
    start = pl.when(digital).then(_DIGITAL_COVERED).when(fund).then(_FUND_COVERED).otherwise(_STOCK_COVERED)
    covered = (
        pl.col("cost_basis_usd").is_not_null() & (pl.col("acquired_date") >= start) & _reporting_began(digital)
    )
    no_form = digital & (pl.col("tax_year") < _DIGITAL_REPORTED_YEAR)
    number = (pl.col("term") == "long").cast(pl.Int8)
    box = (
        pl.when(no_form)
        .then(_letter("no_form", number))
        .when(covered)
        .then(_letter("reported", number))
        .otherwise(_letter("not_reported", number))
    )
    inherited = (pl.col("kind") == "inheritance").fill_null(False)
    text = pl.when(inherited).then(pl.lit(INHERITED)).otherwise(pl.col("acquired_date").dt.to_string("iso"))
    return rows.with_columns(
        box.alias("box"), text.alias("acquired_text"), pl.col("symbol").fill_null(pl.col("asset_id"))
    )


def _reporting_began(digital: pl.Expr) -> pl.Expr:
    first = pl.when(digital).then(_DIGITAL_COVERED.year).otherwise(_STOCK_COVERED.year)
    return pl.col("tax_year") >= first


def _letter(reporting: str, number: pl.Expr) -> pl.Expr:
    short, long = _BOXES[reporting]
    return pl.when(number == 1).then(pl.lit(long)).otherwise(pl.lit(short))


def _broker_amounts(broker: pl.DataFrame, inputs: LedgerInputs) -> pl.DataFrame:
    """Sum the brokers' basis and disallowed losses to the lines of the form."""
    known = pl.col("cost_basis_usd").is_not_null().all()
    return (
        _with_box(broker, inputs)
        .group_by(_LINE)
        .agg(
            pl.when(known)
            .then(pl.col("cost_basis_usd").sum())
            .cast(USD_DTYPE)
            .alias("broker_cost_basis_usd"),
            pl.col("disallowed_usd").sum().cast(USD_DTYPE).alias("broker_disallowed_usd"),
        )
    )


def _plain(quantity: pl.Expr) -> pl.Expr:
    """Write a number of shares without trailing zeros."""
    return quantity.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")


def _whole_dollars(amount: pl.Expr) -> pl.Expr:
    """Round to whole dollars, halves away from zero."""
    micro = amount.cast(pl.Decimal(38, 6)).to_physical().cast(pl.Int64)
    dollars = (micro.abs() + 500_000) // 1_000_000
    return dollars * micro.sign()
