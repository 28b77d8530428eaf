"""Who can be given orders tonight, and at which marginal tax rates.

What belongs here: statuses and rates, with their reasons. What does not: prices and lots
(``book.py`` names what is wrong with those).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ml.recommend.book import Book, book_status
from ml.recommend.inputs import NightInputs, RecommendSettings
from ml.types import RECOMMENDATION_STATUSES

# Issues of the ledger that stop an account; the others are about single rows, and what they leave
# unknown shows in the lots. After an event that was not applied, holdings and gains cannot be trusted.
_BLOCKING_ISSUES = {
    **{name: name for name in RECOMMENDATION_STATUSES if name not in ("ok", "no_account")},
    "refused": "restricted",
    "unsupported_kind": "restricted",
}


@dataclass(frozen=True)
class Rates:
    """Marginal rates of A accounts.

    Attributes
    ----------
    short, long : ndarray of shape (A,)
        Fractions; fixed for the night.
    missing : ndarray of shape (A,)
        Why a taxable account has none; empty where it has.
    notes : ndarray of shape (A,)
        What was assumed, to be said in the portfolio's reason; empty if nothing.
    """

    short: np.ndarray
    long: np.ndarray
    missing: np.ndarray
    notes: np.ndarray


def marginal_rates(accounts: pl.DataFrame, inputs: NightInputs, settings: RecommendSettings) -> Rates:
    """Look up the tax unit's rates of the latest year up to tonight's; fixed for the night.

    A unit without any row takes the default rates, with a note; one whose totals are refused keeps the
    rates that the ledger gives at zero nets, with a note; without rates its accounts are restricted.

    Parameters
    ----------
    accounts : polars.DataFrame
        A accounts: tax_unit_id, is_tax_deferred.
    inputs : NightInputs
    settings : RecommendSettings

    Returns
    -------
    Rates
    """
    years = inputs.tax_unit_years.filter(pl.col("tax_year") <= inputs.as_of_date.year)
    latest = years.sort("tax_unit_id", "tax_year").unique("tax_unit_id", keep="last", maintain_order=True)
    latest = latest.select(
        "tax_unit_id", "tax_year", "st_rate", "lt_rate", "status", pl.col("reason").alias("unit_reason")
    )
    joined = accounts.select("tax_unit_id", "is_tax_deferred").join(
        latest, on="tax_unit_id", how="left", maintain_order="left"
    )
    absent = pl.col("tax_year").is_null()
    refused = (
        ~absent & (pl.col("st_rate").is_null() | pl.col("lt_rate").is_null()) & ~pl.col("is_tax_deferred")
    )
    default = f"; rates assumed: short {settings.default_st_rate:.0%}, long {settings.default_lt_rate:.0%}"
    found = joined.select(
        pl.when(absent)
        .then(settings.default_st_rate)
        .otherwise(pl.col("st_rate").fill_null(0.0))
        .alias("short"),
        pl.when(absent)
        .then(settings.default_lt_rate)
        .otherwise(pl.col("lt_rate").fill_null(0.0))
        .alias("long"),
        pl.when(refused)
        .then(
            pl.format(
                "no marginal tax rates for {} in {}: {}",
                "tax_unit_id",
                "tax_year",
                pl.coalesce("unit_reason", "status", pl.lit("no reason given")),
            )
        )
        .otherwise(pl.lit(""))
        .alias("missing"),
        pl.when(pl.col("is_tax_deferred"))
        .then(pl.lit(""))
        .when(absent)
        .then(pl.lit(default))
        .when(pl.col("status").fill_null("ok") != "ok")
        .then(pl.format("; tax totals of {} are {}: rates at zero nets", "tax_year", "status"))
        .otherwise(pl.lit(""))
        .alias("notes"),
    )
    text = [found[name].to_numpy().astype(object) for name in ("missing", "notes")]
    return Rates(found["short"].to_numpy(), found["long"].to_numpy(), *text)


def account_statuses(
    accounts: pl.DataFrame,
    inputs: NightInputs,
    book: Book,
    has_mix: np.ndarray,
    rates: Rates,
    settings: RecommendSettings,
) -> tuple[np.ndarray, np.ndarray]:
    """Name each account's status before targets are asked for, and why.

    Parameters
    ----------
    accounts : polars.DataFrame
        A accounts: account_id, ``a``, user_id, is_tax_deferred, target_date, trigger.
    inputs : NightInputs
        For the ledger's issues, which come first.
    book : Book
        State tonight.
    has_mix : ndarray of shape (A,)
        bool.
    rates : Rates
    settings : RecommendSettings

    Returns
    -------
    status, reason : ndarray of shape (A,)
        Strings; for ``ok`` the reason says which session's target is pursued and what triggered it.
    """
    status, reason = book_status(book, accounts["is_tax_deferred"].to_numpy(), settings.margin_ratio)
    for flags, name, sentences in (
        (rates.missing != "", "restricted", rates.missing),
        (
            ~has_mix,
            "error",
            np.array([f"no usable mix of objectives for user {u}" for u in accounts["user_id"]], object),
        ),
    ):
        chosen = flags & (status == "ok")
        status[chosen], reason[chosen] = name, sentences[chosen]
    blocking = inputs.issues.with_columns(
        pl.col("status").replace_strict(_BLOCKING_ISSUES, default=None, return_dtype=pl.String).alias("named")
    ).filter(pl.col("named").is_not_null())
    first = blocking.sort("account_id", "named", "reason").unique(
        "account_id", keep="first", maintain_order=True
    )
    named = accounts.select("account_id", "a").join(first, on="account_id").select("a", "named", "reason")
    for a, name, sentence in named.iter_rows():
        status[a], reason[a] = name, sentence or "refused by the ledger without a reason"
    chosen = status == "ok"
    said = accounts.select(pl.format("target of {} ({})", "target_date", "trigger"))
    reason[chosen] = said.to_series().to_numpy().astype(object)[chosen]
    return status, reason
