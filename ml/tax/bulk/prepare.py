"""From warehouse frames to the compiled engine's columns of integers."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd
from typing import Any, Final

import numpy as np
import polars as pl

from ml.tax.actions import (
    LEDGER_ACTION_KINDS,
    MarketAction,
    OwnRows,
    SessionCounter,
    latest_rows,
    read_actions,
)
from ml.tax.bulk import columns as c
from ml.tax.bulk.ledger import BulkLedger, Order
from ml.tax.bulk.rows import Rows, read_references, read_rows
from ml.tax.bulk.screen import (
    KNOWN_KINDS,
    METHODS,
    SPLITS,
    account_reasons,
    action_reasons,
    out_of_order,
    row_reasons,
)
from ml.tax.bulk.streams import tie_groups
from ml.tax.events import join_securities, read_accounts, read_assets
from ml.tax.lots import AccountInfo
from ml.tax.settings import TaxSettings
from ml.tax.state import FUND_CLASSES, UNKNOWN_ASSET

_EVENTS: Final = {
    "buy": c.BUY,
    "reinvestment": c.REINVESTMENT,
    "sell": c.SELL,
    "dividend": c.DIVIDEND,
    "split": c.SPLIT,
    "stock_dividend": c.SPLIT,
}
# by position in screen.KNOWN_KINDS; a kind beyond them is of a household that the engine leaves
_EVENT_OF: Final = np.array([_EVENTS.get(k, c.OTHER) for k in (*KNOWN_KINDS, "")], np.int8)
_FIRST_TIME: Final = np.iinfo(np.int64).min
_TIE_KEYS: Final = ("source_file", "source_line", "transaction_id")


@dataclass(slots=True)
class Tables:
    """What the engine reads, and the names behind its numbers.

    Attributes
    ----------
    latest : polars.DataFrame
        One version of every transaction.
    rows : Rows
        The transactions of known accounts up to the night.
    ledger : BulkLedger
        The same for the engine, market splits after them.
    order : Order
        The ledger's rows by stream and time.
    infos : list of AccountInfo
        All accounts by (household, account_id); ``account`` numbers are positions in it.
    households, assets : list of str
        Names by number.
    skipped : numpy.ndarray
        Per household whether the engine leaves it to the reference.
    reasons : dict of str to str
        Those households, and why.
    strangers : polars.DataFrame
        account_id and transaction_id of rows whose account is not known.
    """

    latest: pl.DataFrame
    rows: Rows
    ledger: BulkLedger
    order: Order
    infos: list[AccountInfo]
    households: list[str]
    assets: list[str]
    skipped: np.ndarray
    reasons: dict[str, str]
    strangers: pl.DataFrame


def tabulate(inputs: Any, last_day: int, settings: TaxSettings) -> Tables:
    """Build the engine's columns of all households that it can take.

    Parameters
    ----------
    inputs : ml.tax.ledger.LedgerInputs
        Warehouse frames cut by ``known_at``.
    last_day : int
        Day number of the night; later trade dates and ex-dates are left out.
    settings : TaxSettings
        For the user's groups of identical assets; every choice must be its default.
    """
    by_id = read_accounts(inputs.accounts)
    infos = sorted(by_id.values(), key=lambda a: (a.household_id, a.account_id))
    households = sorted({a.household_id for a in infos})
    number = {h: i for i, h in enumerate(households)}
    household_of = np.array([number[a.household_id] for a in infos], np.int64)
    facts = read_assets(inputs.assets)
    latest = latest_rows(inputs.transactions, ("transaction_id",))
    rows, strangers, assets = read_rows(latest, infos, household_of, last_day)
    actions = read_actions(inputs.corporate_actions, LEDGER_ACTION_KINDS, last_day)
    known = [facts.get(a, UNKNOWN_ASSET) for a in assets]
    reasons = account_reasons(by_id) | _reasons(rows, infos, households, assets, known, actions)
    skipped = np.zeros(len(households), np.int64)
    skipped[[number[h] for h in reasons]] = 1
    references, reference, odd = read_references(rows, skipped > 0)
    reasons |= {households[h]: "lot reference" for h in odd}
    skipped[odd] = 1
    joined = _securities(rows, assets, actions, settings)
    extra = _market_splits(rows, assets, skipped, actions, infos, households, inputs.sessions)
    ledger = _ledger(rows, known, infos, household_of, joined, references, reference, extra)
    order = _ordered(ledger, rows)
    return Tables(latest, rows, ledger, order, infos, households, assets, skipped, reasons, strangers)


def _reasons(
    rows: Rows,
    infos: list[AccountInfo],
    households: list[str],
    assets: list[str],
    known: Sequence[Any],
    actions: list[MarketAction],
) -> dict[str, str]:
    """Return the households whose rows or assets are not for the engine, with the reason."""
    reasons = {households[h]: "trade dates out of the order of times" for h in out_of_order(rows).tolist()}
    touched = action_reasons(actions)
    found = row_reasons(rows, infos, [k.tax_treatment for k in known], len(households))
    odd = [i for i, a in enumerate(assets) if a in touched]
    if odd:
        spots = np.flatnonzero(np.isin(rows.asset, odd))
        pairs = np.unique(np.stack([rows.household[spots], rows.asset[spots]]), axis=1)
        reasons |= {households[h]: touched[assets[a]] for h, a in pairs.T.tolist()}
    return reasons | {households[h]: reason for h, reason in enumerate(found) if reason}


def _securities(
    rows: Rows, assets: list[str], actions: list[MarketAction], settings: TaxSettings
) -> np.ndarray:
    """Return the security number of each asset: renamed and identical assets share one."""
    renamings = [(a.asset_id, a.new_asset_id) for a in actions if a.kind == "symbol_change"]
    unknown = np.flatnonzero(rows.kind == len(KNOWN_KINDS))
    if unknown.size and "related_asset_id" in rows.frame.columns:
        part = rows.frame.select("kind", "asset_id", "related_asset_id")[unknown]
        booked = part.filter((pl.col("kind") == "symbol_change") & pl.col("asset_id").is_not_null())
        renamings += booked.select("asset_id", "related_asset_id").rows()
    joined = join_securities(renamings, settings.identical_groups)
    names = [joined.get(a, a) for a in assets]
    place = {s: i for i, s in enumerate(sorted(set(names)))}
    return np.array([place[s] for s in names], np.int64)


def _market_splits(
    rows: Rows,
    assets: list[str],
    skipped: np.ndarray,
    actions: list[MarketAction],
    infos: list[AccountInfo],
    households: list[str],
    sessions: pl.DataFrame | None,
) -> list[tuple[int, int, int, int, int]]:
    """Return market splits as (day, account, asset, new, old), for accounts without own rows."""
    numbers = {a: i for i, a in enumerate(assets)}
    splits = [a for a in actions if a.kind in SPLITS and a.asset_id in numbers]
    if not splits:
        return []
    own = OwnRows(SessionCounter(sessions))
    for row in np.flatnonzero(rows.is_kind(*SPLITS) & (rows.asset >= 0)).tolist():
        account, asset = infos[rows.account[row]].account_id, assets[rows.asset[row]]
        own.add(account, asset, KNOWN_KINDS[rows.kind[row]], int(rows.day[row]))
    holders = np.flatnonzero(np.isin(rows.asset, [numbers[a.asset_id] for a in splits]))
    holders = holders[skipped[rows.household[holders]] == 0]
    pairs = np.unique(np.stack([rows.asset[holders], rows.household[holders]]), axis=1).T.tolist()
    members: dict[str, list[int]] = {}
    for i, info in enumerate(infos):
        members.setdefault(info.household_id, []).append(i)
    # of a household that trades the asset every account: a split also counts for losses that wait
    accounts: dict[int, list[int]] = {}
    for asset, household in pairs:
        accounts.setdefault(asset, []).extend(members[households[household]])
    found = []
    for order, action in enumerate(splits):
        ratio = Fraction(action.ratio_new or 0, action.ratio_old or 1)
        asset = numbers[action.asset_id]
        for account in accounts.get(asset, ()):
            if not own.has(infos[account].account_id, action):
                found.append((action.ex_day, order, account, asset, ratio.numerator, ratio.denominator))
    found.sort()
    return [(day, account, asset, new, old) for day, _, account, asset, new, old in found]


def _ledger(
    rows: Rows,
    known: Sequence[Any],
    infos: list[AccountInfo],
    household_of: np.ndarray,
    joined: np.ndarray,
    references: np.ndarray,
    reference: np.ndarray,
    extra: Sequence[tuple[int, int, int, int, int]],
) -> BulkLedger:
    """Put the rows, and the market splits after them, into the engine's columns."""
    ratios = np.array([k.qualified_ratio for k in known], np.int64)
    kind, price, amount = _EVENT_OF[rows.kind], rows.price, rows.amount
    flags = c.HAS_AMOUNT * rows.has_amount.astype(np.int8) + c.HAS_PRICE * rows.has_price.astype(np.int8)
    paid, split = np.flatnonzero(kind == c.DIVIDEND), np.flatnonzero(kind == c.SPLIT)
    if paid.size or split.size:
        price, amount = price.copy(), amount.copy()
        # of a dividend the price is its asset's qualified part; one without is a plain row
        price[paid] = np.where(rows.asset[paid] >= 0, ratios[rows.asset[paid]], 0) if len(ratios) else 0
        kind[paid[(price[paid] == 0) | (amount[paid] <= 0)]] = c.OTHER
        ratio = zip(
            rows.ratio("ratio_new", split).tolist(), rows.ratio("ratio_old", split).tolist(), strict=True
        )
        for row, (new, old) in zip(split.tolist(), ratio, strict=True):
            common = gcd(new, old) or 1
            price[row], amount[row] = new // common, old // common
            flags[row] = c.HAS_RATIO | (c.REMOVES if new < old else 0)
    columns = {
        "kind": kind,
        "flags": flags,
        "day": rows.day,
        "time": rows.time,
        "account": rows.account,
        "asset": rows.asset,
        "order": rows.order,
        "quantity": rows.quantity,
        "price": price,
        "amount": amount,
        "fees": rows.fees,
    }
    if extra:
        day, account, asset, new, old = (np.array(x) for x in zip(*extra, strict=True))
        none, zero = np.full(len(day), c.NONE), np.zeros(len(day), np.int64)
        more = {
            "kind": zero + c.SPLIT,
            "flags": zero + c.HAS_RATIO,
            "day": day,
            "time": zero + _FIRST_TIME,  # before all that is booked on their day
            "account": account,
            "asset": asset,
            "order": none,
            "quantity": zero,
            "price": new,
            "amount": old,
            "fees": zero,
        }
        columns = {k: np.concatenate([a, more[k].astype(a.dtype)]) for k, a in columns.items()}
        if len(reference):
            reference = np.concatenate([reference, none.astype(np.int32)])
    assets = np.zeros((len(known), 3), np.int64)
    assets[:, c.X_SECURITY] = joined
    assets[:, c.X_FUND] = [k.asset_class in FUND_CLASSES for k in known]
    assets[:, c.X_DIGITAL] = [k.tax_treatment == "digital_asset" for k in known]
    return BulkLedger(
        **columns,
        accounts=_account_table(infos, household_of),
        assets=assets,
        reference=reference,
        references=references,
    )


def _account_table(infos: list[AccountInfo], household_of: np.ndarray) -> np.ndarray:
    users = {u: i for i, u in enumerate(sorted({a.user_id for a in infos}))}
    table = [
        (METHODS.get(a.lot_method, 0), a.is_deferred, a.account_type in ("401k", "hsa"), users[a.user_id], h)
        for a, h in zip(infos, household_of.tolist(), strict=True)
    ]
    return np.array(table, np.int64).reshape(-1, 5)


def _ordered(ledger: BulkLedger, rows: Rows) -> Order:
    """Return the order of the rows; those of one time go by file, line and transaction_id."""
    order = ledger.arranged()
    if not order.is_tied:
        return order
    groups = tie_groups(order.rows, order.starts, ledger.day, ledger.time)
    # market splits of a day stay as they are: they follow the rows in number
    spots = np.flatnonzero((groups > 0) & (order.rows < len(rows.kind)))
    keys = [k for k in _TIE_KEYS if k in rows.frame.columns]
    tied = rows.frame.select(keys)[order.rows[spots]]
    tied = tied.with_columns(group=pl.Series(groups[spots]), row=pl.Series(order.rows[spots]))
    order.rows[spots] = tied.sort("group", *keys, maintain_order=True).get_column("row").to_numpy()
    return order
