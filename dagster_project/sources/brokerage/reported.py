"""What brokers' files say beside transactions: realised gains and positions, as rows to compare ours with.

Gains are stored per sale (and per lot where the file states lots) and compared in
``tax.tax_gain_reconciliation``; positions are compared here with what all imported rows of the account
imply at the close of the stated day.
"""

import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import polars as pl

from dagster_project.sources.brokerage.load import SOURCE, TRANSACTIONS, FileLoad, Loaded
from dagster_project.sources.calendar import close_of, session_frame
from dagster_project.sources.content import content_keys
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.sources.references import Existing

GAINS: Final = "brokerage__reported_gains"
POSITIONS: Final = "brokerage__reported_positions"
_TOLERANCE: Final = Decimal("0.000001")
_QUANTUM: Final = {"usd": Decimal("0.000001"), "quantity": Decimal("0.000000001")}
_MAX: Final = {"usd": Decimal(10) ** 13, "quantity": Decimal(10) ** 14}


def reported_gains(loaded: Loaded, existing: Existing, ingested_at: dt.datetime) -> pl.DataFrame:
    """Rows of ``raw.brokerage__reported_gains`` that are not stored yet.

    Parameters
    ----------
    loaded : Loaded
        The import.
    existing : mapping
        Stored rows.
    ingested_at : datetime.datetime
        Wall clock, for audit.
    """
    rows = []
    for item in loaded.files:
        by_line = dict(
            item.frame.filter(pl.col("kind").is_in(["sell", "cash_in_lieu", "merger"]))
            .select("line", "transaction_id")
            .iter_rows()
        )
        by_native = dict(
            item.frame.filter(pl.col("native_id").is_not_null())
            .select("native_id", "transaction_id")
            .iter_rows()
        )
        has_lots = {gain.row for gain in item.statement.gains if gain.acquired_date is not None}
        seen: Counter[str] = Counter()
        for gain in item.statement.gains:
            if item.outcomes.get(gain.row or -1) == "quarantined":
                continue
            sale = by_native.get(gain.sale_id or "") or by_line.get(gain.row or -1)
            level = "lot" if gain.acquired_date is not None and gain.row in has_lots else "sale"
            cells: dict[str, Any] = {
                "account_id": item.accounts[gain.account],
                "asset_id": loaded.resolved.asset_ids[gain.security],
                "trade_date": gain.trade_date,
                "level": level,
                "sale_transaction_id": sale,
                "quantity": _exact(gain.quantity, "quantity"),
                "proceeds_usd": _exact(gain.proceeds, "usd"),
                "cost_basis_usd": _exact(gain.cost, "usd"),
                "gain_usd": _exact(gain.gain, "usd"),
                "acquired_date": gain.acquired_date,
                "term": gain.term,
            }
            said = repr(list(cells.values()))
            cells["gain_id"] = f"{_digest(said)}#{seen[said]}"
            seen[said] += 1
            rows.append(cells | {"source_file": item.name, "source_line": gain.line, "_day": gain.trade_date})
    return _new_rows(GAINS, rows, existing, ingested_at)


def reported_positions(
    loaded: Loaded, existing: Existing, ingested_at: dt.datetime
) -> tuple[pl.DataFrame, dict[str, list[dict[str, Any]]]]:
    """Stated positions beside implied ones.

    Returns
    -------
    tuple of (polars.DataFrame, dict)
        Rows of ``raw.brokerage__reported_positions`` that are not stored yet, and per file its positions
        for the report: ``account``, ``symbol``, ``asset_id``, ``as_of_date``, ``quantity``, ``stated_quantity``,
        ``difference``, ``state``. A file that states none lists what its accounts hold after its last row.
    """
    book = _Book(loaded, existing)
    rows: list[dict[str, Any]] = []
    shown: dict[str, list[dict[str, Any]]] = {}
    for item in loaded.files:
        listed = shown.setdefault(item.name, [])
        for position in item.statement.positions:
            asset = loaded.resolved.asset_ids[position.security]
            security = item.statement.securities[position.security]
            account = item.accounts[position.account]
            modelled = not security.is_option and security.asset_class != "cash"
            implied = book.held(account, asset, position.as_of_date) if modelled else None
            state = _state(position.quantity, implied, book.first(account), book.touched(account, asset))
            stated = _exact(position.quantity, "quantity") or Decimal(0)
            cells: dict[str, Any] = {
                "account_id": account,
                "asset_id": asset,
                "as_of_date": position.as_of_date,
                "quantity": stated,
                "price_usd": _exact(position.price, "usd"),
                "market_value_usd": _exact(position.value, "usd"),
                "cost_basis_usd": _exact(position.cost, "usd"),
                "implied_quantity": implied,
                "state": state,
            }
            cells["position_id"] = _digest(repr(list(cells.values())))
            rows.append(cells | {"source_file": item.name, "source_line": None, "_day": position.as_of_date})
            listed.append(
                _line(account, security.symbol or asset, asset, position.as_of_date, implied, stated, state)
            )
        if not item.statement.positions:
            listed += _implied(item, book)
    return _new_rows(POSITIONS, rows, existing, ingested_at), shown


def _implied(item: FileLoad, book: "_Book") -> list[dict[str, Any]]:
    days = item.frame["trade_date"].str.to_date(strict=False).drop_nulls()
    if days.is_empty():
        return []
    last: dt.date = days.max()  # pyright: ignore[reportAssignmentType]
    touched = set(item.frame["asset_id"].drop_nulls().to_list()) | set(
        item.frame["related_asset_id"].drop_nulls().to_list()
    )
    return [
        _line(account, asset, asset, last, quantity, None, "implied")
        for account, asset, quantity in book.all(sorted(set(item.accounts.values())), last)
        if asset in touched and quantity
    ]


def _line(
    account: str,
    symbol: str,
    asset: str,
    day: dt.date,
    implied: Decimal | None,
    stated: Decimal | None,
    state: str,
) -> dict[str, Any]:
    difference = stated - implied if stated is not None and implied is not None else None
    return {
        "account": account,
        "symbol": symbol,
        "asset_id": asset,
        "as_of_date": day.isoformat(),
        "quantity": implied,
        "stated_quantity": stated,
        "difference": difference,
        "state": state,
    }


def _state(stated: Decimal, implied: Decimal | None, first: dt.date | None, touched: bool) -> str:
    if implied is None:
        return "not_modelled"
    if abs(stated - implied) <= _TOLERANCE:
        return "matched"
    return "differs" if touched and first is not None else "missing_history"


def sales_without_history(loaded: Loaded, existing: Existing) -> int:
    """Number of this import's sales and transfers of shares whose purchase is in no file so far."""
    from ml.tax.positions import sells_beyond_holdings

    book = _Book(loaded, existing)
    beyond = sells_beyond_holdings(book.rows, book.actions, session_frame())["transaction_id"].to_list()
    return loaded.result.accepted[TRANSACTIONS].filter(pl.col("transaction_id").is_in(beyond)).height


class _Book:
    """Holdings of the imported accounts on any day, from stored rows and this import's."""

    def __init__(self, loaded: Loaded, existing: Existing) -> None:
        names = [*RAW_TABLES[TRANSACTIONS].content_names, "source_file", "source_line"]
        accounts = sorted({account for item in loaded.files for account in item.accounts.values()})
        frames = [loaded.result.accepted[TRANSACTIONS].select(names)]
        saved = existing.get(TRANSACTIONS)
        if saved is not None:
            frames.insert(0, saved.select(names).cast(frames[0].schema))  # pyright: ignore[reportArgumentType]
        self.rows = pl.concat(frames).filter(pl.col("account_id").is_in(accounts))
        actions = RAW_TABLES["market__corporate_actions"]
        stored_actions = existing.get(actions.name)
        self.actions = (
            stored_actions.select(actions.content_names)
            if stored_actions is not None
            else pl.DataFrame(schema=actions.content_schema)
        )
        self._days: dict[dt.date, dict[tuple[str, str], Decimal]] = {}
        pairs = self.rows.select("account_id", "asset_id").unique().iter_rows()
        self._touched = set(pairs) | set(
            self.rows.select("account_id", "related_asset_id").unique().iter_rows()
        )
        self._first = dict(self.rows.group_by("account_id").agg(pl.col("trade_date").min()).iter_rows())

    def first(self, account: str) -> dt.date | None:
        return self._first.get(account)

    def touched(self, account: str, asset: str) -> bool:
        return (account, asset) in self._touched

    def _on(self, day: dt.date) -> dict[tuple[str, str], Decimal]:
        from ml.tax.positions import holdings

        if day not in self._days:
            rows = self.rows.filter(pl.col("trade_date") <= day)
            actions = self.actions.filter(pl.col("ex_date") <= day)
            found = {(a, s): q for a, s, q in holdings(rows, actions, session_frame()).iter_rows()}
            latest = rows.sort("known_at").unique("transaction_id", keep="last")
            sign = pl.when(pl.col("kind") == "short_sale").then(-1).otherwise(1)
            shorts = latest.filter(pl.col("kind").is_in(["short_sale", "buy_to_cover"]))
            for account, asset, quantity in (
                shorts.group_by("account_id", "asset_id").agg((pl.col("quantity") * sign).sum()).iter_rows()
            ):
                found[account, asset] = found.get((account, asset), Decimal(0)) + quantity
            self._days[day] = found
        return self._days[day]

    def held(self, account: str, asset: str, day: dt.date) -> Decimal:
        return self._on(day).get((account, asset), Decimal(0))

    def all(self, accounts: Sequence[str], day: dt.date) -> list[tuple[str, str, Decimal]]:
        return [(a, s, q) for (a, s), q in sorted(self._on(day).items()) if a in accounts]


def _exact(value: Decimal | None, kind: str) -> Decimal | None:
    """A number in the contract's scale; None where it does not fit."""
    if value is None or abs(value) >= _MAX[kind]:
        return None
    return value.quantize(_QUANTUM[kind])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _new_rows(
    table: str, rows: Sequence[Mapping[str, Any]], existing: Existing, ingested_at: dt.datetime
) -> pl.DataFrame:
    contract = RAW_TABLES[table]
    schema = contract.polars_schema
    if not rows:
        return pl.DataFrame(schema=schema)
    given = {name: dtype for name, dtype in schema.items() if name in rows[0]} | {"_day": pl.Date()}
    frame = pl.DataFrame(list(rows), schema=given).with_columns(
        known_at=close_of(
            "_day", pl.DataFrame({"_day": [row["_day"] for row in rows]}, schema={"_day": pl.Date})
        ),
        source=pl.lit(SOURCE),
        ingested_at=pl.lit(ingested_at),
    )
    frame = frame.with_columns(content_keys(frame, contract)).unique(
        list(contract.key), keep="first", maintain_order=True
    )
    saved = existing.get(table)
    if saved is not None:
        frame = frame.join(
            saved.select(contract.key), on=list(contract.key), how="anti", maintain_order="left"
        )
    frame = frame.filter(
        pl.all_horizontal(pl.col(c.name).is_not_null() for c in contract.columns if not c.nullable)
    )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
