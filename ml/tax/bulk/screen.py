"""Which households the compiled engine leaves to the reference engine, and why."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from ml.tax.actions import MarketAction
from ml.tax.bulk.columns import COMPILER, LARGEST
from ml.tax.lots import AccountInfo
from ml.tax.units import SHARE

if TYPE_CHECKING:
    from ml.tax.bulk.rows import Rows

TRADES: Final = ("buy", "reinvestment", "sell")
SPLITS: Final = ("split", "stock_dividend")
_QUIET: Final = ("interest", "fee", "withholding", "deposit", "withdrawal", "journal", "dividend")
KNOWN_KINDS: Final = (*TRADES, *SPLITS, *_QUIET, "capital_gain_distribution")
METHODS: Final = {"fifo": 0, "specific_id": 0, "lifo": 1, "hifo": 2, "average": 3}
_TREATMENTS: Final = ("security", "digital_asset")
_DAYS: Final = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
# What the engine itself finds while it runs, by its codes (columns.OVERSOLD and so on).
RUN_REASONS: Final = {
    2: "sale beyond holdings",
    3: "split ratio or shares too large",
    4: "wash sale of less than the smallest unit",
    5: "lot reference leaves shares unidentified",
    6: "split leaves no shares",
    7: "holding period starts outside 1860 to 2130",
}


# Why a row is not for the engine, by the codes of ``first_odd_rows``; the kind's name follows the first.
ROW_REASONS: Final = (
    "",
    "kind ",
    "trade without an asset",
    "trade without a quantity",
    "purchase without a cost",
    "sale without proceeds",
    "split without a ratio",
    "journal of shares",
    "tax treatment of the asset",
    "transaction_id with #",
    "amount out of range",
)
_KIND, _NO_ASSET, _NO_QUANTITY, _NO_COST, _NO_PROCEEDS, _NO_RATIO, _JOURNAL, _TREATMENT, _HASH, _LARGE = (
    range(1, 11)
)
_BUY, _REINVESTMENT, _SELL, _SPLIT, _STOCK_DIVIDEND, _JOURNALED, _DISTRIBUTION = (
    KNOWN_KINDS.index(k)
    for k in (
        "buy",
        "reinvestment",
        "sell",
        "split",
        "stock_dividend",
        "journal",
        "capital_gain_distribution",
    )
)
_UNKNOWN = len(KNOWN_KINDS)
_LIMIT = float(LARGEST)
_SHARE = float(SHARE)


@COMPILER.compiled
def first_odd_rows(
    kind, account, asset, household, quantity, price, amount, fees, has_price, has_amount,
    has_ratio, has_hash, is_deferred, is_treated, households,
):  # fmt: skip
    """Find the first row of each household that is not for the compiled engine.

    ``has_ratio`` and ``has_hash`` (of the transaction_id) are per row or empty (true and false of all);
    ``is_deferred`` is per account, ``is_treated`` per asset.

    Returns
    -------
    codes, rows : numpy.ndarray
        Per household its code in ``ROW_REASONS`` (0: none) and the row.
    is_large : numpy.ndarray
        Per household whether its sums could leave 64 bits.
    """
    codes, rows = np.zeros(households, np.int64), np.zeros(households, np.int64)
    sums = np.zeros((households, 4))
    for i in range(len(kind)):
        k, q, h = kind[i], quantity[i], household[i]
        value = float(price[i]) * float(q) / _SHARE
        sums[h, 0] += abs(float(amount[i]))
        sums[h, 1] += abs(float(q))
        sums[h, 2] += abs(float(fees[i]))
        sums[h, 3] += abs(value)
        if codes[h]:
            continue
        is_buy, is_split = k == _BUY or k == _REINVESTMENT, k == _SPLIT or k == _STOCK_DIVIDEND
        is_trade, code = is_buy or k == _SELL, 0
        if k == _UNKNOWN or (k == _DISTRIBUTION and not is_deferred[account[i]]):
            code = _KIND
        elif (is_trade or is_split) and asset[i] < 0:
            code = _NO_ASSET
        elif is_trade and q <= 0:
            code = _NO_QUANTITY
        elif is_buy and not (amount[i] < 0 or price[i] > 0):
            code = _NO_COST
        elif k == _SELL and not has_amount[i] and not has_price[i]:
            code = _NO_PROCEEDS
        elif is_split and len(has_ratio) and not has_ratio[i]:
            code = _NO_RATIO
        elif k == _JOURNALED and asset[i] >= 0 and q > 0:
            code = _JOURNAL
        elif is_trade and not is_treated[asset[i]]:
            code = _TREATMENT
        elif is_buy and len(has_hash) and has_hash[i]:
            code = _HASH
        elif (
            (is_trade and (abs(value) > _LIMIT or abs(float(amount[i])) > _LIMIT))
            or fees[i] < 0
            or price[i] < 0
        ):
            code = _LARGE
        codes[h], rows[h] = code, i
    is_large = np.zeros(households, np.bool_)
    for h in range(households):
        is_large[h] = max(sums[h, 0], sums[h, 1], sums[h, 2], sums[h, 3]) > _LIMIT
    return codes, rows, is_large


def row_reasons(
    rows: "Rows", infos: Sequence[AccountInfo], treatments: Sequence[str], count: int
) -> list[str]:
    """Return per household why its rows are not for the engine, empty if they are."""
    split = rows.is_kind(*SPLITS)
    has_ratio = np.empty(0, bool)
    if split.any():
        has_ratio, spots = np.ones(len(split), bool), np.flatnonzero(split)
        has_ratio[spots] = (rows.ratio("ratio_new", spots) > 0) & (rows.ratio("ratio_old", spots) > 0)
    _, data, _ = rows.names
    has_hash = np.empty(0, bool)
    if (data == ord("#")).any():
        has_hash = rows.frame.get_column("transaction_id").str.contains("#", literal=True).to_numpy()
    codes, first, is_large = first_odd_rows(
        rows.kind, rows.account, rows.asset, rows.household, rows.quantity, rows.price, rows.amount,
        rows.fees, rows.has_price, rows.has_amount, has_ratio, has_hash,
        np.array([a.is_deferred for a in infos], bool),
        np.array([t in _TREATMENTS for t in treatments], bool), count,
    )  # fmt: skip
    found = ["amount out of range" if large else "" for large in is_large.tolist()]
    for h in np.flatnonzero(codes).tolist():
        found[h] = ROW_REASONS[codes[h]]
        if codes[h] == _KIND:
            found[h] += rows.frame.item(int(first[h]), "kind")
    return found


def out_of_order(rows: "Rows") -> np.ndarray:
    """Return the households in which a trade date falls as time goes on.

    Where the times of all rows lie in one span of a day about their trade dates, none can.
    """
    if not len(rows.day):
        return np.empty(0, np.int64)
    per_day = _DAYS[rows.frame.schema["traded_at"].time_unit]  # pyright: ignore[reportAttributeAccessIssue]
    offset = rows.time - rows.day.astype(np.int64) * per_day
    if int(offset.max()) - int(offset.min()) < per_day:
        return np.empty(0, np.int64)
    keys = [k for k in ("source_file", "source_line", "transaction_id") if k in rows.frame.columns]
    by_time = (
        rows.frame.select(keys)
        .with_columns(household=pl.Series(rows.household), time=pl.Series(rows.time), day=pl.Series(rows.day))
        .sort("household", "time", *keys, maintain_order=True)
    )
    household, day = (by_time.get_column(n).to_numpy() for n in ("household", "day"))
    return np.unique(household[1:][(household[1:] == household[:-1]) & (day[1:] < day[:-1])])


def account_reasons(infos: Mapping[str, AccountInfo]) -> dict[str, str]:
    """Return households that an account's facts keep from the compiled engine, with the reason."""
    found: dict[str, str] = {}
    unit_household: dict[str, str] = {}
    for info in infos.values():
        if info.lot_method not in METHODS:
            found[info.household_id] = f"lot method {info.lot_method}"
        elif info.methods:
            found[info.household_id] = "lot method changed"
        first = unit_household.setdefault(info.tax_unit_id, info.household_id)
        if first != info.household_id:
            found[info.household_id] = found[first] = "tax unit of several households"
    return found


def action_reasons(actions: Sequence[MarketAction]) -> dict[str, str]:
    """Return assets with a market action that is not for the compiled engine, with the reason."""
    found: dict[str, str] = {}
    for action in actions:
        if action.kind not in SPLITS:
            found[action.asset_id] = f"market {action.kind}"
        elif not (action.ratio_new and action.ratio_old and min(action.ratio_new, action.ratio_old) > 0):
            found[action.asset_id] = "market split without a ratio"
    return found
