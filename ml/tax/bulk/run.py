"""Run the compiled engine, and the reference engine for the households that it does not take."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import numpy as np
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
    parts = list(run_bulk_batches(inputs, as_of_date=as_of_date, settings=settings))
    if len(parts) == 1:
        return parts[0]
    reasons: dict[str, int] = {}
    for _, report in parts:
        for reason, count in report.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
    report = BulkReport(sum(r.compiled for _, r in parts), sum(r.reference for _, r in parts), reasons)
    joined = {name: _merged(name, [getattr(result, name) for result, _ in parts]) for name in _MERGE}
    return LedgerResult(**joined), report


def run_bulk_batches(
    inputs: LedgerInputs, *, as_of_date: date, settings: TaxSettings | None = None
) -> Iterator[tuple[LedgerResult, BulkReport]]:
    """Compute :func:`run_bulk` by batches of whole households, so that results need not stay in memory.

    Parameters
    ----------
    inputs, as_of_date, settings
        As for ``run_bulk``. Batches are runs of households in the order of their names, of about
        ``BATCH_ROWS`` rows; where households depend on each other there is one batch.

    Yields
    ------
    LedgerResult, BulkReport
        Of one batch; its frames are sorted in themselves. Together they hold ``run_bulk``'s rows.
    """
    settings = settings or TaxSettings()
    if settings.changed():
        count = latest_rows(inputs.accounts, ("account_id",)).get_column("household_id").n_unique()
        reason = f"setting {settings.changed()[0]}"
        result = run_ledger(inputs, as_of_date=as_of_date, settings=settings)
        yield result, BulkReport(0, count, {reason: count} if count else {})
        return
    for batch in _batches(inputs):
        yield _run_batch(batch, as_of_date, settings)


def _merged(name: str, parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Join a frame's parts in the order of its key."""
    return parts[0] if len(parts) == 1 else pl.concat(parts).sort(_MERGE[name], maintain_order=True)


def _batches(inputs: LedgerInputs) -> Iterator[LedgerInputs]:
    """Cut large inputs into runs of whole households, so that memory stays bounded.

    Not where households depend on each other: one tax unit in several, or renamings that accounts booked
    (they join securities for all).
    """
    owners = latest_rows(inputs.accounts, ("account_id",)).select("account_id", "household_id", "tax_unit_id")
    units = owners.select("household_id", "tax_unit_id").unique().get_column("tax_unit_id")
    if (
        inputs.transactions.height <= BATCH_ROWS
        or units.is_duplicated().any()
        or (inputs.transactions.get_column("kind") == "symbol_change").any()
    ):
        yield inputs
        return
    households = owners.get_column("household_id").unique().sort()
    household_of = owners.get_column("household_id").cast(pl.Enum(households)).to_physical().to_numpy()
    # numbers, not names: the rows are many
    account = inputs.transactions.get_column("account_id")
    account = account.cast(pl.Enum(owners.get_column("account_id")), strict=False).to_physical()
    sizes = np.bincount(household_of, weights=_counts(account, owners.height), minlength=len(households))
    batch_of = (np.cumsum(sizes) - sizes).astype(np.int64) // BATCH_ROWS
    batches = pl.Series("batch", batch_of[household_of], dtype=pl.Int32)
    # rows whose account is not known go with the first batch
    place = batches.gather(account).fill_null(int(batch_of[0]))
    order = None if place.is_sorted() else place.arg_sort()
    if order is not None:
        place = place.gather(order)
    for number in batches.unique().sort():
        first, end = (place.search_sorted(number, side) for side in ("left", "right"))
        # batches that stand one after the other are read without a copy
        rows = (
            inputs.transactions.slice(first, end - first)
            if order is None
            else inputs.transactions[order[first:end].sort()]
        )
        members = owners.filter(batches == number).select("account_id")
        accounts = inputs.accounts.join(members, on="account_id", how="semi")
        yield replace(inputs, transactions=rows, accounts=accounts, users=_users_of(inputs.users, accounts))


def _counts(numbers: pl.Series, size: int) -> np.ndarray:
    """Count the rows of each account; a null counts for none."""
    return np.bincount(numbers.drop_nulls().to_numpy(), minlength=size)


def _users_of(users: pl.DataFrame, accounts: pl.DataFrame) -> pl.DataFrame:
    """Keep the users of some accounts, and who files with them."""
    if not users.height:
        return users
    own = pl.col("user_id").is_in(accounts.get_column("user_id").unique().implode())
    together = pl.col("household_id").is_in(accounts.get_column("household_id").unique().implode())
    return users.filter(own | together.fill_null(False))


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
