"""The ledger's public interface: frames in, frames out.

``run_ledger`` computes one night. ``ledger_states`` also gives the lots and cash of earlier sessions,
each from what was known at its close, and computes only the households that differ.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime

import polars as pl

from ml.tax import frames
from ml.tax.actions import latest_rows
from ml.tax.events import Prepared, prepare, read_accounts, read_assets
from ml.tax.household import HouseholdLedger
from ml.tax.settings import TaxSettings
from ml.tax.state import HouseholdState
from ml.tax.transfers import pair_transfers
from ml.tax.units import to_day
from ml.tax.wash_frames import wash_sales
from ml.tax.years import tax_unit_years


@dataclass(frozen=True, slots=True)
class LedgerInputs:
    """Warehouse frames, already cut by ``known_at`` (``ledger_states`` cuts further itself).

    Attributes
    ----------
    transactions : polars.DataFrame
        ``core.fct_transactions``. Several versions of a transaction_id: the latest ``known_at`` counts.
    corporate_actions : polars.DataFrame
        ``core.fct_corporate_actions``.
    accounts, users, assets, sessions : polars.DataFrame
        ``core.dim_accounts``, ``core.dim_users``, ``core.dim_assets``, ``core.dim_sessions``.
    """

    transactions: pl.DataFrame
    corporate_actions: pl.DataFrame
    accounts: pl.DataFrame
    users: pl.DataFrame
    assets: pl.DataFrame
    sessions: pl.DataFrame


@dataclass(frozen=True, slots=True)
class LedgerResult:
    """What the ledger writes; each frame sorted by its key.

    Attributes
    ----------
    open_lots, account_cash, realized_gains, tax_unit_years : polars.DataFrame
        ``ml.tax_lots``, ``ml.account_cash``, ``ml.realized_gains`` and ``ml.tax_unit_years``.
    wash_sales : polars.DataFrame
        ``ml.wash_sales``: each washed piece of ``realized_gains`` with the purchase that washed it.
    issues : polars.DataFrame
        account_id, transaction_id, status, reason: what was refused or assumed, row by row.
    wash_windows : polars.DataFrame
        household_id, asset_id, account_id, kind (loss_sale, purchase), trade_date, quantity, and
        is_tax_deferred: losses of the last 30 days that a purchase would wash, and open unused
        purchases that would wash a loss sale.
    """

    open_lots: pl.DataFrame
    account_cash: pl.DataFrame
    realized_gains: pl.DataFrame
    tax_unit_years: pl.DataFrame
    issues: pl.DataFrame
    wash_windows: pl.DataFrame
    wash_sales: pl.DataFrame


def run_ledger(
    inputs: LedgerInputs, *, as_of_date: date, settings: TaxSettings | None = None
) -> LedgerResult:
    """Compute all households' lots, cash, realised gains and tax years as of a night.

    Parameters
    ----------
    inputs : LedgerInputs
        Frames cut by ``known_at``; rows with a later trade date or ex-date are left out here.
    as_of_date : datetime.date
        The night.
    settings : TaxSettings, optional
        Conventions A1 to A18; the defaults if not given.

    Returns
    -------
    LedgerResult
        With ``state_date`` = ``as_of_date`` in open_lots and account_cash.

    Raises
    ------
    polars.exceptions.ColumnNotFoundError
        If a required column is missing. Bad or unsupported rows never raise: they are refused with
        a status in ``issues`` and, where they touch it, in the tax unit's year.
    """
    settings = settings or TaxSettings()
    prepared, states = compute_states(inputs, as_of_date, settings)
    listed = list(states.values())
    issues = [issue for state in listed for issue in state.issues]
    for account_id, transaction_id in prepared.strangers:
        reason = f"account {account_id!r} is not in the accounts"
        issues.append((account_id, transaction_id, "unknown_account", reason))
    transactions = latest_rows(inputs.transactions, ("transaction_id",))
    pieces = frames.taxable_pieces(listed)
    realized = frames.numbered_pieces(pieces, as_of_date)
    return LedgerResult(
        frames.open_lots(states, as_of_date, as_of_date),
        frames.account_cash(transactions, prepared.accounts, as_of_date, as_of_date),
        realized.drop("index"),
        tax_unit_years(listed, prepared.accounts, inputs.users, as_of_date),
        frames.issues(issues),
        frames.wash_windows(states, as_of_date),
        wash_sales(pieces, realized),
    )


def compute_states(
    inputs: LedgerInputs, as_of_date: date, settings: TaxSettings
) -> tuple[Prepared, dict[str, HouseholdState]]:
    """Run every household once, in the order of its id."""
    prepared = prepare(
        inputs.transactions,
        inputs.corporate_actions,
        inputs.accounts,
        inputs.assets,
        inputs.sessions,
        to_day(as_of_date),
        settings,
        inputs.users,
    )
    states = {}
    for household in sorted(prepared.households):
        ledger = HouseholdLedger(prepared.households[household], prepared.world, settings)
        events = pair_transfers(prepared.events(household))
        states[household] = ledger.run(events, prepared.actions(household))
    return prepared, states


def ledger_states(
    inputs: LedgerInputs, state_dates: pl.DataFrame, settings: TaxSettings | None = None
) -> LedgerResult:
    """Compute the ledger of the last date, with lots and cash of earlier dates as known then.

    Parameters
    ----------
    inputs : LedgerInputs
        Frames with ``known_at``, cut at the last date's close or later.
    state_dates : polars.DataFrame
        ``state_date`` (Date) and ``close_at`` (Datetime, UTC): the sessions wanted.
    settings : TaxSettings, optional
        Conventions.

    Returns
    -------
    LedgerResult
        open_lots and account_cash hold a copy per ``state_date``; ``as_of_date`` is the last date
        everywhere. The other frames are those of the last date. A household without rows, actions
        or facts between two dates is computed once and its rows reused.

    Raises
    ------
    ValueError
        If ``state_dates`` is empty.
    """
    settings = settings or TaxSettings()
    dates = list(state_dates.select("state_date", "close_at").sort("state_date").iter_rows())
    if not dates:
        raise ValueError("ledger_states: state_dates is empty; give at least the night's session")
    last_date, last_close = dates[-1]
    known = _known(inputs, last_close)
    result = run_ledger(known, as_of_date=last_date, settings=settings)
    lots, cash = [result.open_lots], [result.account_cash]
    for state_date, close in dates[:-1]:
        then = _known(inputs, close)
        changed = _changed_accounts(known, then, result.open_lots, state_date, last_date)
        kept = result.open_lots.join(changed, on="account_id", how="anti")
        kept = kept.with_columns(state_date=pl.lit(state_date))
        part = restrict(then, changed)
        if part.accounts.height:
            _, states = compute_states(part, state_date, settings)
            kept = pl.concat([kept, frames.open_lots(states, last_date, state_date)])
        lots.append(kept)
        rows = latest_rows(then.transactions, ("transaction_id",))
        cash.append(frames.account_cash(rows, read_accounts(then.accounts), last_date, state_date))
    keys = ["state_date", "account_id"]
    return replace(
        result,
        open_lots=pl.concat(lots).sort(*keys, "asset_id", "acquired_date", "lot_id"),
        account_cash=pl.concat(cash).sort(*keys),
    )


def _known(inputs: LedgerInputs, close: datetime) -> LedgerInputs:
    """Keep the rows known at a close; frames without ``known_at`` are kept whole."""

    def cut(frame: pl.DataFrame) -> pl.DataFrame:
        if "known_at" not in frame.columns:
            return frame
        return frame.filter(pl.col("known_at") <= pl.lit(close).cast(frame.schema["known_at"]))

    return LedgerInputs(
        cut(inputs.transactions),
        cut(inputs.corporate_actions),
        cut(inputs.accounts),
        cut(inputs.users),
        cut(inputs.assets),
        inputs.sessions,
    )


def _changed_accounts(
    last: LedgerInputs, then: LedgerInputs, open_lots: pl.DataFrame, state_date: date, last_date: date
) -> pl.DataFrame:
    """Return the accounts of the households whose lots may differ between two states."""
    accounts = latest_rows(last.accounts, ("account_id",)).select("account_id", "household_id")
    touched = [
        _difference(last.transactions, then.transactions, "trade_date", state_date, last_date).select(
            "account_id"
        ),
        _difference(last.accounts, then.accounts, None, state_date, last_date).select("account_id"),
    ]
    actions = _difference(last.corporate_actions, then.corporate_actions, "ex_date", state_date, last_date)
    assets = set(actions.get_column("asset_id")) if actions.height else set()
    if actions.height and "new_asset_id" in actions.columns:
        assets |= set(actions.get_column("new_asset_id").drop_nulls())
    before, after = read_assets(then.assets), read_assets(last.assets)
    assets |= {a for a in after if a in before and before[a] != after[a]}
    if assets:
        affected = sorted(assets)
        holders = pl.col("asset_id").is_in(affected)
        if "related_asset_id" in last.transactions.columns:
            holders = holders | pl.col("related_asset_id").is_in(affected).fill_null(False)
        touched.append(last.transactions.filter(holders).select("account_id"))
        touched.append(open_lots.filter(pl.col("asset_id").is_in(affected)).select("account_id"))
    households = accounts.join(pl.concat(touched).unique(), on="account_id", how="semi")
    return accounts.join(households.select("household_id").unique(), on="household_id", how="semi").select(
        "account_id"
    )


def _difference(
    last: pl.DataFrame, then: pl.DataFrame, day: str | None, state_date: date, last_date: date
) -> pl.DataFrame:
    """Return the rows that one state sees and the other does not."""
    late = pl.lit(False)
    if day is not None and day in last.columns:
        late = (pl.col(day) > state_date) & (pl.col(day) <= last_date)
    if last.height != then.height and "known_at" in last.columns:
        newest = then.get_column("known_at").max() if then.height else None
        late = late | (pl.lit(True) if newest is None else pl.col("known_at") > newest)
    return last.filter(late)


def restrict(inputs: LedgerInputs, accounts: pl.DataFrame) -> LedgerInputs:
    """Keep the rows of some accounts (a frame with ``account_id``; whole households)."""
    return replace(
        inputs,
        transactions=inputs.transactions.join(accounts, on="account_id", how="semi"),
        accounts=inputs.accounts.join(accounts, on="account_id", how="semi"),
    )
