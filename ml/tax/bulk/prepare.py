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
from ml.tax.bulk.screen import METHODS, SPLITS, account_reasons, action_reasons, row_reason
from ml.tax.events import join_securities, read_accounts, read_assets
from ml.tax.lots import AccountInfo
from ml.tax.selection import parse_reference
from ml.tax.settings import TaxSettings
from ml.tax.state import FUND_CLASSES, UNKNOWN_ASSET
from ml.tax.units import SHARE, USD, unit_column

_UNITS: Final = {
    "quantity": SHARE,
    "price_usd": USD,
    "amount_usd": USD,
    "fees_usd": USD,
    "ratio_new": SHARE,
    "ratio_old": SHARE,
}
_TEXTS: Final = ("asset_id", "order_id", "lot_reference", "related_asset_id", "source_file")
_KINDS: Final = {
    "buy": c.BUY,
    "reinvestment": c.REINVESTMENT,
    "sell": c.SELL,
    "dividend": c.DIVIDEND,
    "split": c.SPLIT,
    "stock_dividend": c.SPLIT,
}
_TABLE_SIZE: Final = 50_000_000
_SUM_LIMIT: Final = float(c.LARGEST)


@dataclass(slots=True)
class Tables:
    """What the engine reads, and the names behind its numbers.

    Attributes
    ----------
    rows : polars.DataFrame
        The transactions of the households that the engine takes, in order, in integer units.
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

    rows: pl.DataFrame
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
    number = {h: i for i, h in enumerate(households)}
    facts = read_assets(inputs.assets)
    rows, strangers = _rows(inputs.transactions, infos, number, facts, last_day)
    actions = read_actions(inputs.corporate_actions, LEDGER_ACTION_KINDS, last_day)
    renamings = [(a.asset_id, a.new_asset_id) for a in actions if a.kind == "symbol_change"]
    renamed = rows.filter(pl.col("kind") == "symbol_change").select("asset_id", "related_asset_id")
    renamings += [(old, new) for old, new in renamed.iter_rows() if old is not None]
    securities = join_securities(renamings, settings.identical_groups)
    reasons = account_reasons(by_id) | _reasons(rows, households, actions)
    if reasons:
        left = pl.Series([number[h] for h in reasons], dtype=pl.Int32)
        rows = rows.filter(~pl.col("household").is_in(left.implode()))
    references, reference_of, bad = _references(rows)
    if bad.size:
        names = {households[i]: "lot reference" for i in bad}
        reasons |= names
        left = pl.Series(bad, dtype=pl.Int32)
        rows = rows.filter(~pl.col("household").is_in(left.implode()))
        references, reference_of, _ = _references(rows)
    split_rows = _split_events(rows, actions, infos, inputs.sessions)
    return _assemble(
        rows, split_rows, infos, households, facts, securities, references, reference_of, reasons, strangers
    )


def _rows(
    transactions: pl.DataFrame,
    infos: list[AccountInfo],
    number: Mapping[str, int],
    facts: Mapping[str, Any],
    last_day: int,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return known rows in integer units, sorted by household and time, and the strangers."""
    frame = latest_rows(transactions, ("transaction_id",))
    present = set(frame.columns)
    frame = frame.with_columns(
        *(pl.lit(None, pl.String).alias(t) for t in _TEXTS if t not in present),
        *(pl.lit(None, pl.Int64).alias(u) for u in _UNITS if u not in present),
    )
    if "source_line" not in present:
        frame = frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("source_line"))
    known = pl.DataFrame(
        {
            "account_id": [a.account_id for a in infos],
            "account": pl.Series(range(len(infos)), dtype=pl.Int32),
            "household": pl.Series([number[a.household_id] for a in infos], dtype=pl.Int32),
            "is_deferred": [a.is_deferred for a in infos],
        },
        schema_overrides={"account_id": pl.String, "is_deferred": pl.Boolean},
    )
    treatments = pl.DataFrame(
        {"asset_id": list(facts), "treatment": [f.tax_treatment for f in facts.values()]},
        schema={"asset_id": pl.String, "treatment": pl.String},
    )
    frame = (
        frame.filter(pl.col("trade_date") <= pl.lit(last_day, pl.Int32).cast(pl.Date))
        .select(
            "transaction_id",
            "account_id",
            "kind",
            "trade_date",
            "traded_at",
            "source_line",
            *_TEXTS,
            *_UNITS,
        )
        .join(known, on="account_id", how="left")
    )
    strangers = frame.filter(pl.col("account").is_null()).select("account_id", "transaction_id")
    if strangers.height:
        frame = frame.filter(pl.col("account").is_not_null())
    keys = ["household", "traded_at"]
    frame = frame.sort(keys)
    ties = frame.select((pl.struct(keys) == pl.struct(keys).shift(1)).any()).item()
    if ties:
        frame = frame.sort(*keys, "source_file", "source_line", "transaction_id")
    units = [unit_column(u, size, frame.schema[u]) for u, size in _UNITS.items()]
    frame = frame.with_columns(*units, pl.col("trade_date").cast(pl.Date).to_physical()).with_columns(
        pl.col("quantity").fill_null(0), pl.col("fees_usd").fill_null(0)
    )
    return frame.join(treatments, on="asset_id", how="left", maintain_order="left"), strangers


def _reasons(rows: pl.DataFrame, households: list[str], actions: list[MarketAction]) -> dict[str, str]:
    """Return the households whose rows or assets are not for the engine, with the first reason."""
    found = rows.select("household", row_reason().alias("reason")).filter(pl.col("reason").is_not_null())
    back = rows.select(
        "household",
        (pl.col("trade_date") < pl.col("trade_date").shift(1))
        & (pl.col("household") == pl.col("household").shift(1)),
    ).filter(pl.col("trade_date"))
    large = (
        rows.group_by("household")
        .agg(
            pl.col("amount_usd").cast(pl.Float64).abs().sum().alias("amount"),
            (pl.col("price_usd").cast(pl.Float64) * pl.col("quantity") / SHARE).abs().sum().alias("value"),
            pl.col("quantity").cast(pl.Float64).sum().alias("shares"),
            pl.col("fees_usd").cast(pl.Float64).sum().alias("fees"),
        )
        .filter(pl.max_horizontal("amount", "value", "shares", "fees") > _SUM_LIMIT)
    )
    reasons = {households[h]: "trade dates out of the order of times" for h in back["household"].unique()}
    reasons |= {households[h]: "amount out of range" for h in large["household"]}
    touched = action_reasons(actions)
    if touched:
        holders = rows.filter(pl.col("asset_id").is_in(list(touched))).select("household", "asset_id")
        reasons |= {
            households[h]: touched[asset]
            for h, asset in holders.unique().sort("household", "asset_id").iter_rows()
        }
    first = found.group_by("household", maintain_order=True).first()
    return reasons | {households[h]: reason for h, reason in first.iter_rows()}


def _references(rows: pl.DataFrame) -> tuple[np.ndarray, dict[int, int], np.ndarray]:
    """Read lot references into a table (row, sub-lot, shares, next); also households with an odd one."""
    named = (
        rows.with_row_index("row")
        .filter(
            (pl.col("kind") == "sell")
            & pl.col("lot_reference").is_not_null()
            & (pl.col("lot_reference") != "")
        )
        .select("row", "household", "lot_reference")
    )
    table: list[tuple[int, int, int, int]] = []
    start: dict[int, int] = {}
    bad: set[int] = set()
    if not named.height:
        return np.empty((0, 4), np.int64), start, np.empty(0, np.int64)
    bought = rows.with_row_index("row").filter(pl.col("kind").is_in(["buy", "reinvestment"]))
    places = dict(bought.select("transaction_id", pl.struct("household", "row")).iter_rows())
    for row, household, reference in named.iter_rows():
        try:
            parts = parse_reference(reference)
        except ValueError:
            bad.add(household)
            continue
        entries = []
        for name, shares in parts:
            base, _, sub = name.partition("#")
            place = places.get(base)
            if place is None or place["household"] != household or (sub and not sub.isdecimal()):
                bad.add(household)
                break
            entries.append((place["row"], int(sub or 0), -1 if shares is None else shares))
        if entries and household not in bad:
            start[row] = len(table)
            for i, entry in enumerate(entries):
                table.append((*entry, c.NONE if i == len(entries) - 1 else len(table) + 1))
    array = np.array(table, np.int64).reshape(-1, 4)
    return array, start, np.array(sorted(bad), np.int64)


def _split_events(
    rows: pl.DataFrame, actions: list[MarketAction], infos: list[AccountInfo], sessions: pl.DataFrame | None
) -> list[tuple[int, int, str, int, int, int]]:
    """Return market splits as (household, day, asset, account, new, old), for accounts without own rows."""
    splits = [a for a in actions if a.kind in SPLITS]
    if not splits:
        return []
    own = OwnRows(SessionCounter(sessions))
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


def _codes(rows: pl.DataFrame, column: str) -> tuple[np.ndarray, list[str]]:
    """Number a text column; -1 for null."""
    names = rows.get_column(column).drop_nulls().unique()
    lookup = pl.DataFrame({column: names, "code": pl.Series(range(len(names)), dtype=pl.Int64)})
    found = rows.select(column).join(lookup, on=column, how="left", maintain_order="left")
    return found.get_column("code").fill_null(c.NONE).to_numpy(), names.to_list()


def _assemble(
    rows: pl.DataFrame,
    split_rows: list[tuple[int, int, str, int, int, int]],
    infos: list[AccountInfo],
    households: list[str],
    facts: Mapping[str, Any],
    securities: Mapping[str, str],
    references: np.ndarray,
    reference_of: Mapping[int, int],
    reasons: dict[str, str],
    strangers: pl.DataFrame,
) -> Tables:
    asset, assets = _codes(rows, "asset_id")
    security_names = sorted({securities.get(a, a) for a in assets})
    place = {s: i for i, s in enumerate(security_names)}
    security_of = np.array([place[securities.get(a, a)] for a in assets] or [0], np.int64)
    kind = rows.get_column("kind").replace_strict(_KINDS, default=c.OTHER, return_dtype=pl.Int64).to_numpy()
    account, household = (rows.get_column(n).cast(pl.Int64).to_numpy() for n in ("account", "household"))
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
    orders = _order_codes(part, events)
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
        rows,
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


def _order_codes(part: pl.DataFrame, events: np.ndarray) -> int:
    """Number the orders (one account, asset and order_id) and what counts as one purchase (A4)."""
    order = part.get_column("order_id")
    present = (order.is_not_null() & (order != "") & part.get_column("asset_id").is_not_null()).to_numpy()
    count = 0
    if present.any():
        keys = part.filter(pl.Series(present)).select(
            pl.struct("account", "asset_id", "order_id").rank("dense").cast(pl.Int64) - 1
        )
        codes = keys.to_series().to_numpy()
        events[present, c.E_ORDER] = codes
        count = int(codes.max()) + 1
    own = count + np.arange(len(events))
    events[:, c.E_KEY] = np.where(events[:, c.E_ORDER] >= 0, events[:, c.E_ORDER], own)
    return count


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
