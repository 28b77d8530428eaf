"""Rows that ingestion makes up because a source lacks them; each is counted and named in a warning.

They are known before any stated row, so that a stated row supersedes them whenever it comes.
"""

from collections.abc import Iterable

import polars as pl

from dagster_project.sources.batches import IMPUTED_KNOWN_AT, LINE
from dagster_project.sources.references import GOOD
from dagster_project.sources.symbols import symbol_key_expr

# Columns beside the contract's: the file that made the row necessary, and the name for the warning.
FILE = "_file"
NAME = "_name"
ASSETS_SENTENCE = "{n} symbols without an assets row became equities without a sector: {names}"
USERS_SENTENCE = "{n} users without a users row became single filers of unknown income: {names}"


def imputed_assets(usable_bars: pl.DataFrame, known_keys: Iterable[str]) -> pl.DataFrame:
    """Equities without a sector for symbols that have usable bars and no reference row.

    Parameters
    ----------
    usable_bars : polars.DataFrame
        Good rows of files that may impute; ``asset_id`` as spelled in the file.
    known_keys : iterable of str
        Normal spellings that need no row.

    Returns
    -------
    polars.DataFrame
        Contract columns of ``market__assets``, ``source_line`` (the first bar's), ``FILE``, ``NAME``.
    """
    first = (
        usable_bars.with_columns(_key=symbol_key_expr("asset_id"))
        .filter(~pl.col("_key").is_in(sorted(set(known_keys))))
        .group_by("_key", maintain_order=True)
        .agg(pl.col("asset_id", LINE, "source_file").first())
    )
    return first.select(
        pl.col("asset_id").alias(NAME),
        pl.col("source_file").alias(FILE),
        LINE,
        asset_id="_key",
        symbol="asset_id",
        name="asset_id",
        asset_class=pl.lit("equity"),
        currency=pl.lit("USD"),
        tax_treatment=pl.lit("security"),
        known_at=pl.lit(IMPUTED_KNOWN_AT),
    ).sort("asset_id")


def imputed_users(accounts: pl.DataFrame, stated: Iterable[str]) -> pl.DataFrame:
    """Single filers of unknown income for the users of accounts who have no users row.

    Parameters
    ----------
    accounts : polars.DataFrame
        Row frame of files that may impute.
    stated : iterable of str
        Users who have a row of their own.

    Returns
    -------
    polars.DataFrame
        Contract columns of ``brokerage__users``, ``source_line`` (the first account's), ``FILE``, ``NAME``.
    """
    return (
        accounts.filter(GOOD & ~pl.col("user_id").is_in(sorted(set(stated))))
        .unique("user_id", keep="first", maintain_order=True)
        .select(
            pl.col("user_id").alias(NAME),
            pl.col("source_file").alias(FILE),
            "user_id",
            "household_id",
            LINE,
            filing_status=pl.lit("single"),
            known_at=pl.lit(IMPUTED_KNOWN_AT),
        )
    )


def imply_price_basis(assets: pl.DataFrame, bars: pl.DataFrame) -> pl.DataFrame:
    """Fill the price basis that an asset does not state: accumulating if its bars have adjusted closes alone."""
    closes = bars.group_by("asset_id").agg(_close=pl.col("close").count())
    only_adjusted = closes.filter(pl.col("_close") == 0)["asset_id"].drop_nulls().to_list()
    accumulating = pl.col("asset_id").is_in(only_adjusted)
    implied = pl.when(accumulating).then(pl.lit("accumulating")).otherwise(pl.lit("as_traded"))
    return assets.with_columns(price_basis=pl.coalesce("price_basis", implied))
