"""From warehouse frames to the compiled engine's tables of integers."""

from collections.abc import Mapping
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
from ml.tax.bulk.rows import Texts, household_reasons, known_rows, read_references, sorted_numbers, without
from ml.tax.bulk.screen import METHODS, SPLITS, account_reasons
from ml.tax.events import join_securities, read_accounts, read_assets
from ml.tax.lots import AccountInfo
from ml.tax.settings import TaxSettings
from ml.tax.state import FUND_CLASSES, UNKNOWN_ASSET

_TABLE_SIZE: Final = 50_000_000


@dataclass(slots=True)
class Tables:
    """What the engine reads, and the names behind its numbers.

    Attributes
    ----------
    latest : polars.DataFrame
        One version of every transaction.
    rows : polars.DataFrame
        The transactions of the households that the engine takes, in order, in integer units.
    texts : Texts
        Their text columns.
    row_of : numpy.ndarray
        Row number of each event; -1 for a market action.
    starts : numpy.ndarray
        First event, holding and security of each household, shape (households + 1, 3).
    infos : list of AccountInfo
        All accounts by (household, account_id); ``account`` numbers are positions in it.
    reasons : dict of str to str
        Households left to the reference engine.
    strangers : polars.DataFrame
        account_id and transaction_id of rows whose account is not known.
    """

    latest: pl.DataFrame
    rows: pl.DataFrame
    texts: Texts
    row_of: np.ndarray
    starts: np.ndarray
    households: list[str]
    events: np.ndarray
    accounts: np.ndarray
    holdings: np.ndarray
    securities: np.ndarray
    references: np.ndarray
    orders: int
    infos: list[AccountInfo]
    assets: list[str]
    reasons: dict[str, str]
    strangers: pl.DataFrame


def tabulate(inputs: Any, last_day: int, settings: TaxSettings) -> Tables:
    """Build the engine's tables of all households that it can take.

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
    facts = read_assets(inputs.assets)
    latest = latest_rows(inputs.transactions, ("transaction_id",))
    found, strangers, assets = known_rows(latest, infos, households, facts, last_day)
    actions = read_actions(inputs.corporate_actions, LEDGER_ACTION_KINDS, last_day)
    rows = sorted_numbers(found)
    reasons = account_reasons(by_id) | household_reasons(rows, found, households, actions)
    renamings = [(a.asset_id, a.new_asset_id) for a in actions if a.kind == "symbol_change"]
    renamed = found.filter(pl.col("kind") == "symbol_change").select("asset_id", "related_asset_id")
    renamings += [(old, new) for old, new in renamed.iter_rows() if old is not None]
    securities = join_securities(renamings, settings.identical_groups)
    number = {h: i for i, h in enumerate(households)}
    rows = without(rows, [number[h] for h in reasons])
    references, reference_of, bad = read_references(rows, found)
    if bad:
        reasons |= {households[i]: "lot reference" for i in bad}
        rows = without(rows, bad)
        references, reference_of, _ = read_references(rows, found)
    texts = Texts(found, rows.get_column("place").to_numpy())
    splits = _split_events(rows, texts, actions, infos, inputs.sessions)
    parts = (
        texts,
        infos,
        households,
        assets,
        facts,
        securities,
        references,
        reference_of,
        reasons,
        strangers,
    )
    return _assemble(rows, splits, latest, *parts)


def _split_events(
    rows: pl.DataFrame,
    texts: Texts,
    actions: list[MarketAction],
    infos: list[AccountInfo],
    sessions: pl.DataFrame | None,
) -> list[tuple[int, int, str, int, int, int]]:
    """Return market splits as (household, day, asset, account, new, old), for accounts without own rows."""
    splits = [a for a in actions if a.kind in SPLITS]
    if not splits:
        return []
    own = OwnRows(SessionCounter(sessions))
    rows = rows.select("household", "account", "trade_date").with_columns(
        texts.of("account_id"), texts.of("asset_id"), texts.of("kind")
    )
    booked = rows.filter(pl.col("kind").is_in(SPLITS) & pl.col("asset_id").is_not_null())
    for account_id, asset, kind, day in booked.select(
        "account_id", "asset_id", "kind", "trade_date"
    ).iter_rows():
        own.add(account_id, asset, kind, day)
    members: dict[str, list[int]] = {}
    for i, info in enumerate(infos):
        members.setdefault(info.household_id, []).append(i)
    holders = rows.filter(pl.col("asset_id").is_in([a.asset_id for a in splits]))
    traders: dict[str, list[tuple[int, int]]] = {}
    for household, asset, account in (
        holders.group_by("household", "asset_id").agg(pl.col("account").first()).sort("household").iter_rows()
    ):
        traders.setdefault(asset, []).append((household, account))
    found = []
    for order, action in enumerate(splits):
        ratio = Fraction(action.ratio_new or 0, action.ratio_old or 1)
        for household, account in traders.get(action.asset_id, ()):
            for member in members[infos[account].household_id]:
                if not own.has(infos[member].account_id, action):
                    found.append(
                        (
                            household,
                            action.ex_day,
                            order,
                            action.asset_id,
                            member,
                            ratio.numerator,
                            ratio.denominator,
                        )
                    )
    found.sort()
    return [(h, d, a, m, n, o) for h, d, _, a, m, n, o in found]


def _dense(keys: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct keys in their order; return the distinct keys and each row's number."""
    if size > _TABLE_SIZE:
        return np.unique(keys, return_inverse=True)
    present = np.zeros(size, bool)
    present[keys] = True
    numbers = np.cumsum(present, dtype=np.int64) - 1
    return np.flatnonzero(present), numbers[keys]


def _assemble(
    rows: pl.DataFrame,
    split_rows: list[tuple[int, int, str, int, int, int]],
    latest: pl.DataFrame,
    texts: Texts,
    infos: list[AccountInfo],
    households: list[str],
    assets: list[str],
    facts: Mapping[str, Any],
    securities: Mapping[str, str],
    references: np.ndarray,
    reference_of: Mapping[int, int],
    reasons: dict[str, str],
    strangers: pl.DataFrame,
) -> Tables:
    asset, kind, account, household = (
        rows.get_column(n).to_numpy() for n in ("asset", "kind_code", "account", "household")
    )
    security_names = sorted({securities.get(a, a) for a in assets})
    place = {s: i for i, s in enumerate(security_names)}
    security_of = np.array([place[securities.get(a, a)] for a in assets] or [0], np.int64)
    # what only concerns cash is no event; a row of a holding between two fills parts their order
    kept = np.flatnonzero((kind != c.OTHER) | (asset >= 0))
    kind, asset, account, household = kind[kept], asset[kept], account[kept], household[kept]
    has_asset = asset >= 0
    width, wide = max(1, len(assets)), max(1, len(security_names))
    pairs = np.where(has_asset, account * width + asset, 0)
    holding_keys, holding = _dense(pairs[has_asset], max(1, len(infos)) * width)
    slots = household * wide + security_of[asset]
    security_keys, security = _dense(slots[has_asset], max(1, len(households)) * wide)
    events = np.full((len(kept), c.EVENT_COLUMNS), c.NONE, np.int64)
    events[has_asset, c.E_HOLDING], events[has_asset, c.E_SECURITY] = holding, security
    part = rows[kept] if len(kept) < rows.height else rows
    day = part.get_column("trade_date").cast(pl.Int64).to_numpy()
    amount, price = part.get_column("amount_usd"), part.get_column("price_usd")
    events[:, c.E_KIND], events[:, c.E_DAY], events[:, c.E_ACCOUNT] = kind, day, account
    events[:, c.E_QUANTITY] = part.get_column("quantity").to_numpy()
    events[:, c.E_FEES] = part.get_column("fees_usd").to_numpy()
    events[:, c.E_PRICE] = price.fill_null(0).to_numpy()
    events[:, c.E_AMOUNT] = amount.fill_null(0).to_numpy()
    events[:, c.E_FLAGS] = (
        c.HAS_AMOUNT * amount.is_not_null().to_numpy() + c.HAS_PRICE * price.is_not_null().to_numpy()
    )
    events[:, c.E_ORDER] = part.get_column("order").to_numpy()
    orders = int(events[:, c.E_ORDER].max(initial=c.NONE)) + 1
    # what counts as one purchase (A4): the order, else the row
    own = orders + np.arange(len(events))
    events[:, c.E_KEY] = np.where(events[:, c.E_ORDER] >= 0, events[:, c.E_ORDER], own)
    for row, first in reference_of.items():
        events[np.searchsorted(kept, row), c.E_REFERENCE] = first
    if len(references):
        references[:, 0] = np.searchsorted(kept, references[:, 0])
    events = _dividends_and_splits(part, events, assets, asset, facts)
    row_of = kept
    if split_rows:
        events, row_of, household = _with_market(
            split_rows,
            events,
            row_of,
            household,
            assets,
            security_of,
            width,
            wide,
            holding_keys,
            security_keys,
            references,
        )
    starts = np.empty((len(households) + 1, 3), np.int64)
    numbers = np.arange(len(households) + 1)
    starts[:, 0] = np.searchsorted(household, numbers)
    owner = np.array([a.household_id for a in infos])
    owner_number = np.searchsorted(np.array(households), owner) if infos else np.empty(0, np.int64)
    starts[:, 1] = np.searchsorted(owner_number[holding_keys // width], numbers) if infos else 0
    starts[:, 2] = np.searchsorted(security_keys // wide, numbers)
    holdings = np.zeros((len(holding_keys), c.HOLDING_COLUMNS), np.int64)
    holdings[:, c.H_ACCOUNT], holdings[:, c.H_ASSET] = holding_keys // width, holding_keys % width
    known = [facts.get(a, UNKNOWN_ASSET) for a in assets]
    funds = np.array([f.asset_class in FUND_CLASSES for f in known] or [False])
    digital = np.array([f.tax_treatment == "digital_asset" for f in known] or [False])
    holdings[:, c.H_FUND], holdings[:, c.H_DIGITAL] = (
        funds[holdings[:, c.H_ASSET]],
        digital[holdings[:, c.H_ASSET]],
    )
    return Tables(
        latest,
        rows,
        texts,
        row_of,
        starts,
        households,
        events,
        _account_table(infos),
        holdings,
        np.zeros((len(security_keys), c.SECURITY_COLUMNS), np.int64),
        references,
        orders,
        infos,
        assets,
        reasons,
        strangers,
    )


def _account_table(infos: list[AccountInfo]) -> np.ndarray:
    users = {u: i for i, u in enumerate(sorted({a.user_id for a in infos}))}
    table = [
        (METHODS.get(a.lot_method, 0), a.is_deferred, a.account_type in ("401k", "hsa"), users[a.user_id])
        for a in infos
    ]
    return np.array(table, np.int64).reshape(-1, 4)


def _dividends_and_splits(
    part: pl.DataFrame, events: np.ndarray, assets: list[str], asset: np.ndarray, facts: Mapping[str, Any]
) -> np.ndarray:
    """Put the qualified ratio on dividends (those without become plain rows) and ratios on splits."""
    ratios = np.array([facts.get(a, UNKNOWN_ASSET).qualified_ratio for a in assets] or [0], np.int64)
    paid = np.flatnonzero(events[:, c.E_KIND] == c.DIVIDEND)
    events[paid, c.E_PRICE] = np.where(asset[paid] >= 0, ratios[asset[paid]], 0)
    plain = paid[(events[paid, c.E_PRICE] == 0) | (events[paid, c.E_AMOUNT] <= 0)]
    events[plain, c.E_KIND] = c.OTHER
    split = np.flatnonzero(events[:, c.E_KIND] == c.SPLIT)
    if split.size:
        new, old = (part.get_column(n).to_numpy() for n in ("ratio_new", "ratio_old"))
        for e in split:
            common = gcd(int(new[e]), int(old[e]))
            events[e, c.E_PRICE], events[e, c.E_AMOUNT] = int(new[e]) // common, int(old[e]) // common
            events[e, c.E_FLAGS] = c.HAS_RATIO | (c.REMOVES if new[e] < old[e] else 0)
    return events


def _with_market(
    split_rows: list[tuple[int, int, str, int, int, int]],
    events: np.ndarray,
    row_of: np.ndarray,
    household: np.ndarray,
    assets: list[str],
    security_of: np.ndarray,
    width: int,
    wide: int,
    holding_keys: np.ndarray,
    security_keys: np.ndarray,
    references: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Insert market splits before their household's first event of the ex-date or later."""
    number = {a: i for i, a in enumerate(assets)}
    extra = np.full((len(split_rows), c.EVENT_COLUMNS), c.NONE, np.int64)
    owner = np.array([r[0] for r in split_rows], np.int64)
    for i, (house, day, name, account, new, old) in enumerate(split_rows):
        code = number[name]
        key = account * width + code
        place = int(np.searchsorted(holding_keys, key))
        held = place < len(holding_keys) and holding_keys[place] == key
        slot = int(np.searchsorted(security_keys, house * wide + security_of[code]))
        extra[i, [c.E_KIND, c.E_DAY, c.E_ACCOUNT]] = c.SPLIT, day, account
        extra[i, [c.E_HOLDING, c.E_SECURITY]] = place if held else c.NONE, slot
        extra[i, [c.E_QUANTITY, c.E_PRICE, c.E_AMOUNT]] = 0, new, old
        extra[i, c.E_FLAGS] = c.HAS_RATIO
    owners = np.concatenate([owner, household])
    days = np.concatenate([extra[:, c.E_DAY], events[:, c.E_DAY]])
    order = np.lexsort((days, owners))  # stable: market rows stand first within a day
    merged = np.concatenate([extra, events])[order]
    rows = np.concatenate([np.full(len(extra), -1, np.int64), row_of])[order]
    if len(references):
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        references[:, 0] = place[len(extra) + references[:, 0]]
    return merged, rows, owners[order]
