"""Run the compiled engine, and the reference engine for the households that it does not take."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import polars as pl

from ml.tax import frames
from ml.tax.actions import latest_rows
from ml.tax.bulk import results
from ml.tax.bulk.prepare import Tables, tabulate
from ml.tax.bulk.results import Outcome
from ml.tax.bulk.screen import RUN_REASONS
from ml.tax.ledger import LedgerInputs, LedgerResult, restrict, run_ledger
from ml.tax.settings import TaxSettings
from ml.tax.units import to_day
from ml.tax.years import unit_years

# Rows of one pass: few enough for a processor's cache to help.
BATCH_ROWS: Final = 200_000
# Parts hold different accounts and are in order themselves: a stable sort by these keys joins them.
_MERGE: Final = {
    "account_cash": ("state_date", "account_id"),
    "open_lots": ("state_date", "account_id"),
    "realized_gains": ("trade_date", "account_id"),
    "tax_unit_years": ("tax_unit_id", "tax_year"),
    "issues": ("account_id", "transaction_id", "status", "reason"),
    "wash_windows": ("household_id",),
    "wash_sales": ("trade_date", "account_id"),
}


@dataclass(frozen=True, slots=True)
class BulkReport:
    """How many households each engine took.

    Attributes
    ----------
    compiled, reference : int
        Households of the compiled and of the reference engine.
    reasons : dict of str to int
        Households of the reference engine by why they went there.
    """

    compiled: int = 0
    reference: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


def run_bulk(
    inputs: LedgerInputs, *, as_of_date: date, settings: TaxSettings | None = None
) -> tuple[LedgerResult, BulkReport]:
    """Compute what :func:`ml.tax.ledger.run_ledger` computes, most households in compiled code.

    Parameters
    ----------
    inputs, as_of_date, settings
        As for ``run_ledger``. Settings other than the defaults send every household to the reference.

    Returns
    -------
    LedgerResult
        Frames equal to those of ``run_ledger``, row by row.
    BulkReport
        How many households went which way, and why.
    """
    settings = settings or TaxSettings()
    if settings.changed():
        count = latest_rows(inputs.accounts, ("account_id",)).get_column("household_id").n_unique()
        reason = f"setting {settings.changed()[0]}"
        return run_ledger(inputs, as_of_date=as_of_date, settings=settings), BulkReport(
            0, count, {reason: count} if count else {}
        )
    parts = [_run_batch(batch, as_of_date, settings) for batch in _batches(inputs)]
    if len(parts) == 1:
        return parts[0]
    reasons: dict[str, int] = {}
    for _, report in parts:
        for reason, count in report.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
    report = BulkReport(sum(r.compiled for _, r in parts), sum(r.reference for _, r in parts), reasons)
    joined = {name: _merged(name, [getattr(result, name) for result, _ in parts]) for name in _MERGE}
    return LedgerResult(**joined), report


def _merged(name: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Join a frame's parts in the order of its key."""
    return parts[0] if len(parts) == 1 else pl.concat(parts).sort(_MERGE[name], maintain_order=True)


def _batches(inputs: LedgerInputs) -> Iterator[LedgerInputs]:
    """Cut large inputs into runs of whole households, so that memory stays bounded.

    Not where households depend on each other: one tax unit in several, or renamings that accounts booked
    (they join securities for all).
    """
    owners = latest_rows(inputs.accounts, ("account_id",)).select("account_id", "household_id", "tax_unit_id")
    if (
        inputs.transactions.height <= BATCH_ROWS
        or owners.select("household_id", "tax_unit_id")
        .unique()
        .get_column("tax_unit_id")
        .is_duplicated()
        .any()
        or (inputs.transactions.get_column("kind") == "symbol_change").any()
    ):
        yield inputs
        return
    rows = inputs.transactions.select("account_id").join(
        owners, on="account_id", how="left", maintain_order="left"
    )
    sizes = rows.group_by("household_id").len().sort("household_id", nulls_last=False)
    batch = (pl.col("len").cum_sum() - pl.col("len")) // BATCH_ROWS
    numbers = owners.join(
        sizes.select("household_id", batch.alias("batch")), on="household_id", how="left"
    ).with_columns(pl.col("batch").fill_null(0))
    # rows whose account is not known go with the first batch
    place = rows.join(
        numbers.select("account_id", "batch"), on="account_id", how="left", maintain_order="left"
    )
    place = place.get_column("batch").fill_null(0)
    del rows
    in_order = place.is_sorted()
    for number in numbers.get_column("batch").unique().sort():
        members = numbers.filter(pl.col("batch") == number).select("account_id")
        yield replace(
            inputs,
            transactions=_slice(inputs.transactions, place, number)
            if in_order
            else inputs.transactions.filter(place == number),
            accounts=(accounts := inputs.accounts.join(members, on="account_id", how="semi")),
            users=_users_of(inputs.users, accounts),
        )


def _users_of(users: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """Keep the users of some accounts, and who files with them."""
    if not users.height:
        return users
    own = pl.col("user_id").is_in(accounts.get_column("user_id").unique().implode())
    together = pl.col("household_id").is_in(accounts.get_column("household_id").unique().implode())
    return users.filter(own | together.fill_null(False))


def _slice(frame: pl.DataFrame, place: pl.Series, number: int) -> pl.DataFrame:
    """Return the rows of a batch without a copy, where batches stand one after the other."""
    first, end = (place.search_sorted(number, side) for side in ("left", "right"))
    return frame.slice(first, end - first)


def _run_batch(
    inputs: LedgerInputs, as_of_date: date, settings: TaxSettings
) -> tuple[LedgerResult, BulkReport]:
    """Run both engines over the households of one batch."""
    tables = tabulate(inputs, to_day(as_of_date), settings)
    books = tables.ledger.run(tables.order, tables.skipped)
    for household, reason in zip(tables.households, books.reasons.tolist(), strict=True):
        if reason and household not in tables.reasons:
            tables.reasons[household] = RUN_REASONS[reason]
    compiled = _compiled_frames(Outcome(tables, books), inputs, as_of_date)
    result = _join(compiled, inputs, tables, as_of_date, settings)
    counts: dict[str, int] = {}
    for reason in sorted(tables.reasons.values()):
        counts[reason] = counts.get(reason, 0) + 1
    left = len(tables.reasons)
    return result, BulkReport(len(tables.households) - left, left, counts)


def _compiled_frames(outcome: Outcome, inputs: LedgerInputs, as_of: date) -> dict[str, pl.DataFrame]:
    """Return the frames of the households that the engine took."""
    tables = outcome.tables
    realized, order = results.realized_gains(outcome, as_of)
    infos = {a.account_id: a for a in tables.infos if a.household_id not in tables.reasons}
    return {
        "open_lots": results.open_lots(outcome, as_of),
        "realized_gains": realized,
        "tax_unit_years": unit_years(results.gathered(outcome, to_day(as_of)), infos, inputs.users, as_of),
        "issues": results.issues(outcome),
        "wash_windows": results.wash_windows(outcome, as_of),
        "wash_sales": results.wash_sales(outcome, realized, order),
    }


def _join(
    compiled: dict[str, pl.DataFrame],
    inputs: LedgerInputs,
    tables: Tables,
    as_of: date,
    settings: TaxSettings,
) -> LedgerResult:
    """Join the two engines' frames, each sorted by its key."""
    parts = {name: [frame] for name, frame in compiled.items()}
    if tables.strangers.height:
        strange = [
            (account_id, transaction_id, "unknown_account", f"account {account_id!r} is not in the accounts")
            for account_id, transaction_id in tables.strangers.iter_rows()
        ]
        parts["issues"].append(frames.issues(strange))
    if tables.reasons:
        ids = [a.account_id for a in tables.infos if a.household_id in tables.reasons]
        accounts = pl.DataFrame({"account_id": ids}, schema={"account_id": pl.String})
        rest = run_ledger(restrict(inputs, accounts), as_of_date=as_of, settings=settings)
        for name, frames_ in parts.items():
            frames_.append(getattr(rest, name))
    joined = {name: _merged(name, found) for name, found in parts.items()}
    infos = {a.account_id: a for a in tables.infos}
    return LedgerResult(account_cash=frames.account_cash(tables.latest, infos, as_of, as_of), **joined)
