"""Run the compiled engine, and the reference engine for the households that it does not take."""

from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from ml.tax import frames
from ml.tax.actions import latest_rows
from ml.tax.bulk import columns as c
from ml.tax.bulk import results
from ml.tax.bulk.engine import run_households
from ml.tax.bulk.prepare import Tables, tabulate
from ml.tax.bulk.results import Outcome
from ml.tax.bulk.screen import RUN_REASONS
from ml.tax.ledger import LedgerInputs, LedgerResult, restrict, run_ledger
from ml.tax.settings import TaxSettings
from ml.tax.units import to_day
from ml.tax.years import unit_years

# Holding period starts that the engine knows, as days since 1970-01-01: 1860 to 2130.
_FIRST_DAY: Final = -40_177
_LAST_DAY: Final = 58_440
_SORT: Final = {
    "open_lots": ("state_date", "account_id", "asset_id", "acquired_date", "lot_id"),
    "realized_gains": ("trade_date", "account_id", "sale_transaction_id", "asset_id", "lot_id", "piece_no"),
    "tax_unit_years": ("tax_unit_id", "tax_year"),
    "issues": ("account_id", "transaction_id", "status", "reason"),
    "wash_windows": ("household_id", "asset_id", "account_id", "kind", "trade_date", "is_tax_deferred"),
    "wash_sales": ("trade_date", "account_id", "sale_transaction_id", "asset_id", "lot_id", "piece_no"),
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


@lru_cache(maxsize=1)
def first_long_days() -> np.ndarray:
    """Return the first long-term day by holding period start; entry 0 holds the first start's number.

    Notes
    -----
    The rule of :func:`ml.tax.holding_period.first_long_term_date`, for all days at once.
    """
    day = np.arange(_FIRST_DAY, _LAST_DAY).astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    into = (day - month.astype("datetime64[D]")).astype(np.int64)
    is_last = (day + 1).astype("datetime64[M]") != month
    after = (month + 12).astype("datetime64[D]") + into + 1
    found = np.where(is_last, (month + 13).astype("datetime64[D]"), after).astype(np.int64)
    found[0] = _FIRST_DAY
    return found


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
    tables = tabulate(inputs, to_day(as_of_date), settings)
    outcome, found = _run(tables)
    for household, reason in zip(tables.households, found.tolist(), strict=True):
        if reason and household not in tables.reasons:
            tables.reasons[household] = RUN_REASONS[reason]
    compiled = _compiled_frames(outcome, inputs, as_of_date, found)
    result = _join(compiled, inputs, tables, as_of_date, settings)
    counts: dict[str, int] = {}
    for reason in sorted(tables.reasons.values()):
        counts[reason] = counts.get(reason, 0) + 1
    left = len(tables.reasons)
    return result, BulkReport(len(tables.households) - left, left, counts)


def _run(tables: Tables) -> tuple[Outcome, np.ndarray]:
    """Run the engine over all households; tables that are full grow and the household runs again."""
    count = len(tables.events)
    kinds = tables.events[:, c.E_KIND] if count else np.empty(0, np.int64)
    bought = int(np.isin(kinds, (c.BUY, c.REINVESTMENT)).sum())
    sold = int((kinds == c.SELL).sum())
    lots = np.empty((bought + bought // 4 + 64, c.LOT_COLUMNS), np.int64)
    pieces = np.empty((2 * sold + 64, c.PIECE_COLUMNS), np.int64)
    entries = np.empty((int((kinds == c.DIVIDEND).sum()), c.ENTRY_COLUMNS), np.int64)
    issues = np.empty(sold, np.int64)
    subs, done, joined = (np.empty(count, np.int64) for _ in range(3))
    intact = np.empty((tables.orders, 2), np.int64)
    counts, reasons = np.zeros(4, np.int64), np.zeros(len(tables.households), np.int64)
    table = first_long_days()
    largest = int(np.diff(tables.starts[:, 0]).max(initial=0))
    household = 0
    while household < len(tables.households):
        # no sale has more pieces than the household has lots and fills; untouched memory costs nothing
        scratch = np.empty((7, len(lots) + largest + 8), np.int64)
        household = run_households(
            household,
            tables.starts,
            tables.events,
            tables.accounts,
            tables.holdings,
            tables.securities,
            lots,
            pieces,
            entries,
            issues,
            tables.references,
            subs,
            intact,
            joined,
            done,
            counts,
            table,
            scratch,
            reasons,
        )
        if household < len(tables.households):
            lots = _grown(lots, counts[c.C_LOTS])
            pieces = _grown(pieces, counts[c.C_PIECES])
    outcome = Outcome(
        tables,
        lots[: counts[c.C_LOTS]],
        pieces[: counts[c.C_PIECES]],
        entries[: counts[c.C_ENTRIES]],
        issues[: counts[c.C_ISSUES]],
        table,
    )
    return outcome, reasons


def _grown(table: np.ndarray, used: int) -> np.ndarray:
    """Return a table of twice the size with the rows in use."""
    larger = np.empty((2 * len(table), table.shape[1]), table.dtype)
    larger[:used] = table[:used]
    return larger


def _compiled_frames(
    outcome: Outcome, inputs: LedgerInputs, as_of: date, found: np.ndarray
) -> dict[str, pl.DataFrame]:
    """Return the frames of the households that the engine took."""
    tables = outcome.tables
    realized = results.realized_gains(outcome, as_of)
    taken = found[tables.rows.get_column("household").to_numpy()] == 0
    infos = {a.account_id: a for a in tables.infos if a.household_id not in tables.reasons}
    return {
        "open_lots": results.open_lots(outcome, as_of),
        "realized_gains": realized.drop("index"),
        "tax_unit_years": unit_years(
            results.gathered(outcome, taken, to_day(as_of)), infos, inputs.users, as_of
        ),
        "issues": results.issues(outcome),
        "wash_windows": results.wash_windows(outcome, as_of),
        "wash_sales": results.wash_sales(outcome, realized),
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
        reason = pl.format("account '{}' is not in the accounts", "account_id")
        strange = tables.strangers.with_columns(status=pl.lit("unknown_account"), reason=reason)
        parts["issues"].append(strange.unique())
    if tables.reasons:
        ids = [a.account_id for a in tables.infos if a.household_id in tables.reasons]
        accounts = pl.DataFrame({"account_id": ids}, schema={"account_id": pl.String})
        rest = run_ledger(restrict(inputs, accounts), as_of_date=as_of, settings=settings)
        for name, frames_ in parts.items():
            frames_.append(getattr(rest, name))
    joined = {}
    for name, found in parts.items():
        whole = pl.concat(found) if len(found) > 1 else found[0]
        joined[name] = whole.sort(_SORT[name]) if len(found) > 1 or name != "realized_gains" else whole
    infos = {a.account_id: a for a in tables.infos}
    return LedgerResult(account_cash=frames.account_cash(tables.latest, infos, as_of, as_of), **joined)
