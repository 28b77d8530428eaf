"""Transactions as sorted rows of integers, with the texts behind them; which households are odd."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from ml.tax.actions import MarketAction
from ml.tax.bulk import columns as c
from ml.tax.bulk.screen import action_reasons, row_reason
from ml.tax.lots import AccountInfo
from ml.tax.selection import parse_reference
from ml.tax.state import UNKNOWN_ASSET
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
KIND_CODES: Final = {
    "buy": c.BUY,
    "reinvestment": c.REINVESTMENT,
    "sell": c.SELL,
    "dividend": c.DIVIDEND,
    "split": c.SPLIT,
    "stock_dividend": c.SPLIT,
}
_NUMBERS: Final = (
    "household",
    "account",
    "is_deferred",
    "kind_code",
    "asset",
    "order",
    "trade_date",
    "traded_at",
    *_UNITS,
)
_SUM_LIMIT: Final = float(c.LARGEST)


@dataclass(frozen=True, slots=True)
class Texts:
    """Text columns of the rows: ``place`` is the row of ``found`` behind each sorted row."""

    found: pl.DataFrame
    place: np.ndarray

    def of(self, column: str, rows: np.ndarray | None = None) -> pl.Series:
        """Return a text column of some sorted rows, or of all."""
        return self.found.get_column(column).gather(self.place if rows is None else self.place[rows])


def without(rows: pl.DataFrame, households: Sequence[int]) -> pl.DataFrame:
    """Leave out the rows of some households."""
    if not households:
        return rows
    return rows.filter(~pl.col("household").is_in(list(households)))


def known_rows(
    latest: pl.DataFrame,
    infos: list[AccountInfo],
    households: list[str],
    facts: Mapping[str, Any],
    last_day: int,
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Return rows of known accounts in integer units, unsorted, the strangers, and the assets by number."""
    present = set(latest.columns)
    number = {h: i for i, h in enumerate(households)}
    known = pl.DataFrame(
        {
            "account_id": [a.account_id for a in infos],
            "account": range(len(infos)),
            "household": [number[a.household_id] for a in infos],
            "is_deferred": [a.is_deferred for a in infos],
        },
        schema={
            "account_id": pl.String,
            "account": pl.Int64,
            "household": pl.Int64,
            "is_deferred": pl.Boolean,
        },
    )
    names = latest.get_column("asset_id").drop_nulls().unique() if "asset_id" in present else []
    assets = pl.DataFrame(
        {
            "asset_id": names,
            "asset": range(len(names)),
            "treatment": [facts.get(a, UNKNOWN_ASSET).tax_treatment for a in names],
        },
        schema={"asset_id": pl.String, "asset": pl.Int64, "treatment": pl.String},
    )
    line = pl.col("source_line") if "source_line" in present else pl.int_range(pl.len(), dtype=pl.Int64)
    frame = (
        latest.select(
            "transaction_id",
            "account_id",
            "kind",
            "traded_at",
            pl.col("trade_date").cast(pl.Date).to_physical(),
            line.alias("source_line"),
            *(pl.col(t) if t in present else pl.lit(None, pl.String).alias(t) for t in _TEXTS),
            *(
                unit_column(u, size, latest.schema[u]) if u in present else pl.lit(None, pl.Int64).alias(u)
                for u, size in _UNITS.items()
            ),
        )
        .filter(pl.col("trade_date") <= last_day)
        .with_columns(pl.col("quantity").fill_null(0), pl.col("fees_usd").fill_null(0))
        .join(known, on="account_id", how="left", maintain_order="left")
        .join(assets, on="asset_id", how="left", maintain_order="left")
        .with_columns(pl.col("asset").fill_null(c.NONE))
    )
    strangers = frame.filter(pl.col("account").is_null()).select("account_id", "transaction_id")
    if strangers.height:
        frame = frame.filter(pl.col("account").is_not_null())
    kind = pl.col("kind").replace_strict(KIND_CODES, default=c.OTHER, return_dtype=pl.Int64)
    order = _order_codes(frame)
    return frame.with_columns(kind.alias("kind_code"), order), strangers, list(names)


def _order_codes(frame: pl.DataFrame) -> pl.Series:
    """Number the orders (one account, asset and order_id), -1 for a row without one."""
    order = frame.get_column("order_id")
    present = order.is_not_null() & (order != "") & (frame.get_column("asset") >= 0)
    codes = np.full(frame.height, c.NONE, np.int64)
    if present.any():
        keys = frame.filter(present).select(pl.struct("account", "asset", "order_id").rank("dense"))
        codes[present.to_numpy()] = keys.to_series().cast(pl.Int64).to_numpy() - 1
    return pl.Series("order", codes)


def sorted_numbers(found: pl.DataFrame) -> pl.DataFrame:
    """Return the numbers of the rows by household and time; ``place`` leads back to the texts."""
    household, at = found.get_column("household").to_numpy(), found.get_column("traded_at")
    time = at.to_physical().to_numpy()
    order = np.lexsort((time, household))
    same = np.zeros(len(order), bool)
    same[1:] = (household[order[1:]] == household[order[:-1]]) & (time[order[1:]] == time[order[:-1]])
    several = same.copy()
    several[:-1] |= same[1:]
    spots = np.flatnonzero(several)
    if spots.size:
        ties = found.select("source_file", "source_line", "transaction_id")[order[spots]].with_columns(
            pl.Series("group", np.cumsum(~same)[spots]), pl.Series("place", order[spots])
        )
        ties = ties.sort("group", "source_file", "source_line", "transaction_id")
        order[spots] = ties.get_column("place").to_numpy()
    return found.select(*_NUMBERS)[order].with_columns(pl.Series("place", order))


def household_reasons(
    rows: pl.DataFrame, found: pl.DataFrame, households: list[str], actions: list[MarketAction]
) -> dict[str, str]:
    """Return the households whose rows or assets are not for the engine, with the first reason."""
    odd = found.select("household", row_reason().alias("reason")).filter(pl.col("reason").is_not_null())
    before = pl.all().shift(1)
    days = rows.select("household", "trade_date")
    late = days.with_columns(before.name.prefix("last_")).filter(
        (pl.col("household") == pl.col("last_household")) & (pl.col("trade_date") < pl.col("last_trade_date"))
    )
    floats = (pl.col(n).cast(pl.Float64) for n in ("amount_usd", "quantity", "fees_usd"))
    large = (
        rows.group_by("household")
        .agg(
            *(x.abs().sum() for x in floats),
            (pl.col("price_usd").cast(pl.Float64) * pl.col("quantity") / SHARE).abs().sum(),
        )
        .filter(pl.max_horizontal("amount_usd", "price_usd", "quantity", "fees_usd") > _SUM_LIMIT)
    )
    reasons = {households[h]: "trade dates out of the order of times" for h in late["household"].unique()}
    reasons |= {households[h]: "amount out of range" for h in large["household"]}
    touched = action_reasons(actions)
    if touched:
        holders = found.filter(pl.col("asset_id").is_in(list(touched))).select("household", "asset_id")
        pairs = holders.unique().sort("household", "asset_id").iter_rows()
        reasons |= {households[h]: touched[asset] for h, asset in pairs}
    first = odd.group_by("household", maintain_order=True).first()
    return reasons | {households[h]: reason for h, reason in first.iter_rows()}


def read_references(rows: pl.DataFrame, found: pl.DataFrame) -> tuple[np.ndarray, dict[int, int], list[int]]:
    """Read lot references into a table (row, sub-lot, shares, next); also households with an odd one."""
    text = pl.col("lot_reference")
    named = found.select("transaction_id", "kind", "lot_reference").with_row_index("place")
    sales = named.filter((pl.col("kind") == "sell") & (text.is_not_null()) & (text != ""))
    table: list[tuple[int, int, int, int]] = []
    start: dict[int, int] = {}
    bad: set[int] = set()
    if not sales.height:
        return np.empty((0, 4), np.int64), start, []
    place = rows.select("place", "household").with_row_index("row")
    bought = named.filter(pl.col("kind").is_in(["buy", "reinvestment"])).join(place, on="place")
    places = {
        name: (h, row) for name, h, row in bought.select("transaction_id", "household", "row").iter_rows()
    }
    sales = sales.join(place, on="place").sort("row")
    for row, household, reference in sales.select("row", "household", "lot_reference").iter_rows():
        entries = _entries(reference, household, places)
        if entries is None:
            bad.add(household)
            continue
        start[row] = len(table)
        for i, entry in enumerate(entries):
            table.append((*entry, c.NONE if i == len(entries) - 1 else len(table) + 1))
    return np.array(table, np.int64).reshape(-1, 4), start, sorted(bad)


def _entries(
    reference: str, household: int, places: Mapping[str, tuple[int, int]]
) -> list[tuple[int, int, int]] | None:
    """Return what a reference names as (row, sub-lot, shares or -1); None if it is not all purchases."""
    try:
        parts = parse_reference(reference)
    except ValueError:
        return None
    entries = []
    for name, shares in parts:
        base, _, sub = name.partition("#")
        owner, row = places.get(base, (c.NONE, c.NONE))
        if owner != household or (sub and not sub.isdecimal()):
            return None
        entries.append((row, int(sub or 0), c.NONE if shares is None else shares))
    return entries or None
