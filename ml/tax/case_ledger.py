"""From a case of worked examples (kind ``lots``) to ledger frames and back to comparable rows."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any, Final

import polars as pl

from ml.tax.holding_period import first_long_term_day
from ml.tax.ledger import LedgerInputs, compute_states
from ml.tax.lots import Lot
from ml.tax.settings import TaxSettings
from ml.tax.state import HouseholdState
from ml.tax.units import SHARE, USD, to_date
from ml.tax.wash_sales import Piece
from ml.types import ACCOUNT_TYPES, LOT_METHODS

_METHODS: Final = {
    "specific": "specific_id",
    "avg": "average",
    "average_basis": "average",
    "mintax": "min_tax",
    "min-tax": "min_tax",
}
_ACCOUNT_TYPES: Final = {
    **dict.fromkeys(("ira", "rollover_ira", "sep_ira", "simple_ira"), "traditional_ira"),
    "roth": "roth_ira",
    **dict.fromkeys(("401(k)", "403b", "roth_401k"), "401k"),
    **dict.fromkeys(("brokerage", "individual", "joint", ""), "taxable"),
}
# the owners whose purchases s1091 reaches beside the taxpayer's own (A14)
_OTHER_OWNERS: Final = ("spouse", "corporation")
# a purchase by nature, unless the way it arose says otherwise
_ARRIVALS: Final = {
    "drip": "reinvestment",
    **dict.fromkeys(("gift", "gift_in"), "gift_in"),
    **dict.fromkeys(("inheritance", "inherited"), "inheritance"),
    **dict.fromkeys(("transfer", "transfer_in"), "transfer_in"),
}
_SCHEMA: Final = {
    "transaction_id": pl.String,
    "account_id": pl.String,
    "kind": pl.String,
    "asset_id": pl.String,
    "quantity": pl.Decimal(24, 9),
    "amount_usd": pl.Decimal(20, 6),
    "fees_usd": pl.Decimal(20, 6),
    "price_usd": pl.Decimal(20, 6),
    "cost_basis_usd": pl.Decimal(20, 6),
    "fair_market_value_usd": pl.Decimal(20, 6),
    "acquired_date": pl.Date,
    "order_id": pl.String,
    "lot_reference": pl.String,
    "related_asset_id": pl.String,
    "ratio_new": pl.Decimal(24, 9),
    "ratio_old": pl.Decimal(24, 9),
    "basis_fraction": pl.Decimal(20, 12),
    "trade_date": pl.Date,
    "traded_at": pl.Datetime("us", "UTC"),
    "source_file": pl.String,
    "source_line": pl.Int64,
}
SIDES: Final = ("buy", "sell", "split", "spinoff", "return_of_capital", "gift_out")


class UnsupportedCase(Exception):
    """A case outside the engine's scope; the message is its status."""


def run_case(case: Mapping[str, Any], settings: TaxSettings) -> HouseholdState:
    """Run the ledger of a case.

    Parameters
    ----------
    case : mapping
        A case of kind ``lots``.
    settings : TaxSettings
        Conventions.

    Returns
    -------
    HouseholdState
        The one household's state after the last transaction.

    Raises
    ------
    UnsupportedCase
        If a transaction has a side that the schema does not name.
    ValueError
        If an account type, a lot method or the order of dates is not one that the schema knows.
    """
    rows = _Rows(case["accounts"])
    for transaction in case["transactions"]:
        rows.add(transaction)
    frame = pl.DataFrame(rows.rows, schema=_SCHEMA)
    related = frame.get_column("related_asset_id").drop_nulls()
    symbols = sorted({*frame.get_column("asset_id"), *related})
    # without wash sales: digital assets, which section 1091 does not reach (A18)
    is_off = str(case.get("wash_sales", "on")).lower() in ("off", "false")
    treatment = "digital_asset" if is_off else "security"
    settings = replace(settings, a18="no_wash_sale") if is_off else settings
    assets = pl.DataFrame(
        {
            "asset_id": symbols,
            "asset_class": ["equity_etf"] * len(symbols),
            "tax_treatment": [treatment] * len(symbols),
        }
    )
    inputs = LedgerInputs(frame, pl.DataFrame(), _accounts(case), pl.DataFrame(), assets, pl.DataFrame())
    days: list[date] = frame.get_column("trade_date").to_list()
    if days != sorted(days):
        raise ValueError("transactions are not in order of date")
    last = days[-1]
    _, states = compute_states(inputs, last + timedelta(days=3660), settings)
    return states["household"]


def _accounts(case: Mapping[str, Any]) -> pl.DataFrame:
    rows = []
    for name, kind in case["accounts"].items():
        method = case.get("lot_method", "FIFO")
        method = str(method.get(name, "FIFO") if isinstance(method, Mapping) else method).lower()
        method = _METHODS.get(method, method)
        if method not in LOT_METHODS:
            raise ValueError(
                f"lot_method {method!r} of account {name} is not one of {', '.join(LOT_METHODS)}"
            )
        plain, owner = str(kind).lower(), "taxpayer"
        for other in _OTHER_OWNERS:
            if plain.startswith(other):
                plain, owner = plain.removeprefix(other).removeprefix("_"), other
        plain = _ACCOUNT_TYPES.get(plain, plain)
        if plain not in ACCOUNT_TYPES:
            raise ValueError(f"account {name} has type {kind!r}; use one of {', '.join(ACCOUNT_TYPES)}")
        rows.append(
            {
                "account_id": str(name),
                "user_id": owner,
                "household_id": "household",
                "tax_unit_id": "household:household",
                "account_type": plain,
                "lot_method": method,
            }
        )
    return pl.DataFrame(rows)


def _number(value: Any) -> Fraction:
    return Fraction(str(value))


def _decimal(value: Fraction, digits: int) -> Decimal:
    return Decimal(round(value * 10**digits)).scaleb(-digits)


def _reference(item: Mapping[str, Any]) -> str | None:
    return ";".join(f"{lot}:{amount}" for lot, amount in item.get("lots") or ()) or None


class _Rows:
    """Transactions of a case as rows of the raw contract."""

    def __init__(self, accounts: Iterable[str]) -> None:
        self.accounts = [str(name) for name in accounts]
        self.held: dict[tuple[str, str], Fraction] = {}
        self.sold: set[str] = set()
        self.rows: list[dict[str, Any]] = []

    def add(self, item: Mapping[str, Any]) -> None:
        """Add one transaction of the case."""
        side = item["side"]
        if side not in SIDES:
            raise UnsupportedCase(f"unsupported_kind: side {side!r}")
        symbol = item["symbol"]
        if item.get("account") is not None and str(item["account"]) not in self.accounts:
            raise ValueError(f"{item['id']}: account {item['account']!r} is not among the accounts")
        named = (
            [str(item["account"])]
            if item.get("account") is not None
            else [a for a in self.accounts if self.held.get((a, symbol))] or self.accounts[:1]
        )
        for account in named:
            getattr(self, f"_{side}")(item, account, symbol, len(named) > 1, named)

    def _row(self, item: Mapping[str, Any], account: str, kind: str, **values: Any) -> None:
        day = date.fromisoformat(str(item["date"])[:10])
        number = len(self.rows)
        # the order of the list is the order of the day
        at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=number)
        row = {name: None for name in _SCHEMA} | {
            "transaction_id": str(item["id"]),
            "account_id": account,
            "kind": kind,
            "asset_id": item["symbol"],
            "amount_usd": Decimal(0),
            "fees_usd": Decimal(0),
            "trade_date": day,
            "traded_at": at,
            "source_file": "case",
            "source_line": number,
        }
        self.rows.append(row | values)

    def _move(self, account: str, symbol: str, quantity: Fraction) -> None:
        self.held[account, symbol] = self.held.get((account, symbol), Fraction(0)) + quantity

    def _trade(self, item: Mapping[str, Any], account: str, symbol: str, kind: str, sign: int) -> None:
        quantity = _number(item["quantity"])
        fees = _number(item.get("fees", 0))
        gross = _number(item["amount"]) if "amount" in item else quantity * _number(item["price"])
        if quantity <= 0:
            raise ValueError(f"{item['id']}: quantity {item['quantity']} is not positive")
        self._move(account, symbol, -sign * quantity)
        values: dict[str, Any] = {"amount_usd": _decimal(sign * gross - fees, 6)}
        if kind in ("gift_in", "inheritance", "transfer_in"):
            day = date.fromisoformat(str(item.get("acquired", item["date"]))[:10])
            values = {"cost_basis_usd": _decimal(gross + fees, 6), "acquired_date": day}
            if "fmv" in item:
                values["fair_market_value_usd"] = _decimal(quantity * _number(item["fmv"]), 6)
        elif sign < 0 and gross + fees == 0:
            values["cost_basis_usd"] = Decimal(0)  # shares that cost nothing, not shares of unknown cost
        order = item.get("order_id", item.get("order"))
        self._row(
            item,
            account,
            kind,
            quantity=_decimal(quantity, 9),
            fees_usd=_decimal(fees, 6),
            lot_reference=_reference(item),
            order_id=None if order is None else str(order),
            **values,
        )

    def _buy(self, item: Mapping[str, Any], account: str, symbol: str, *_: Any) -> None:
        kind = _ARRIVALS.get(str(item.get("via", "")).lower(), "buy")
        self._trade(item, account, symbol, kind, -1)

    def _sell(self, item: Mapping[str, Any], account: str, symbol: str, *_: Any) -> None:
        self._trade(item, account, symbol, "sell", 1)

    def _gift_out(self, item: Mapping[str, Any], account: str, symbol: str, *_: Any) -> None:
        quantity = _number(item["quantity"])
        self._move(account, symbol, -quantity)
        self._row(item, account, "gift_out", quantity=_decimal(quantity, 9), lot_reference=_reference(item))

    def _split(
        self, item: Mapping[str, Any], account: str, symbol: str, several: bool, named: list[str]
    ) -> None:
        new, old = _number(item["ratio_new"]), _number(item["ratio_old"])
        held = self.held.get((account, symbol), Fraction(0))
        after = held * new / old
        quantity = None
        if item.get("round") == "up":
            after = Fraction(ceil(after))
            quantity = _decimal(abs(after - held), 9)
        self._move(account, symbol, after - held)
        values = {"ratio_new": _decimal(new, 9), "ratio_old": _decimal(old, 9), "quantity": quantity}
        self._row(self._named(item, account, several), account, "split", **values)
        self._in_lieu(item, account, symbol, named)

    def _spinoff(
        self, item: Mapping[str, Any], account: str, symbol: str, several: bool, named: list[str]
    ) -> None:
        per_old = _number(item["new_per_old"])
        held = self.held.get((account, symbol), Fraction(0))
        values: dict[str, Any] = {}
        if "new_basis_pct" in item:
            values["basis_fraction"] = _decimal(_number(item["new_basis_pct"]) / 100, 12)
        if "new_fmv" in item and "parent_fmv" in item:
            new_value, old_value = per_old * _number(item["new_fmv"]), _number(item["parent_fmv"])
            values["price_usd"] = _decimal(old_value, 6)
            values["fair_market_value_usd"] = _decimal(held * new_value, 6)
            values.setdefault("basis_fraction", _decimal(new_value / (new_value + old_value), 12))
        if not values:
            raise ValueError(f"{item['id']}: a spinoff needs new_basis_pct, or parent_fmv and new_fmv")
        self._move(account, item["new_symbol"], held * per_old)
        self._row(
            self._named(item, account, several),
            account,
            "spin_off",
            related_asset_id=item["new_symbol"],
            ratio_new=_decimal(per_old, 9),
            ratio_old=Decimal(1),
            **values,
        )
        self._in_lieu(item, account, item["new_symbol"], named)

    def _return_of_capital(
        self, item: Mapping[str, Any], account: str, symbol: str, several: bool, named: list[str]
    ) -> None:
        total = sum(self.held.get((a, symbol), Fraction(0)) for a in named)
        share = self.held.get((account, symbol), Fraction(0)) / total if total else Fraction(1)
        amount = _decimal(_number(item["amount"]) * share, 6)
        self._row(self._named(item, account, several), account, "return_of_capital", amount_usd=amount)

    def _in_lieu(self, item: Mapping[str, Any], account: str, symbol: str, named: list[str]) -> None:
        """Sell the fraction: of the account named, else of the first that holds a fraction of a share."""
        cash = item.get("cash_in_lieu")
        held = self.held.get((account, symbol), Fraction(0))
        if not cash or str(cash["id"]) in self.sold or (held.denominator == 1 and account != named[-1]):
            return
        self.sold.add(str(cash["id"]))
        quantity = _number(cash["quantity"])
        self._move(account, symbol, -quantity)
        row = {"id": cash["id"], "date": item["date"], "symbol": symbol}
        amount = _decimal(_number(cash["amount"]), 6)
        self._row(row, account, "cash_in_lieu", quantity=_decimal(quantity, 9), amount_usd=amount)

    @staticmethod
    def _named(item: Mapping[str, Any], account: str, several: bool) -> Mapping[str, Any]:
        """Give an action that reaches several accounts one id per account."""
        return {**item, "id": f"{item['id']}@{account}"} if several else item


def _plain(identifier: str) -> str:
    return identifier.partition("@")[0]


def realized_rows(state: HouseholdState, deferred_sales: set[str]) -> list[dict[str, Any]]:
    """Return pieces merged by (sale, lot, term, disallowed > 0), amounts as exact fractions of USD.

    Parameters
    ----------
    state : HouseholdState
        After the pass.
    deferred_sales : set of str
        Sales in tax-deferred accounts to show; they have no taxable result and are left out otherwise.
    """
    merged: dict[tuple, dict[str, Any]] = {}
    for piece in state.wash.pieces:
        sale = _plain(piece.sale_id)
        if piece.account.is_deferred and sale not in deferred_sales:
            continue
        term = "LT" if piece.is_long else "ST"
        key = (sale, piece.source_id, term, piece.disallowed > 0)
        row = merged.setdefault(
            key, {"sale": sale, "lot": piece.source_id, "term": term, **dict.fromkeys(_SUMMED, Fraction(0))}
        )
        for name, value in _amounts(piece).items():
            row[name] += value
    return list(merged.values())


_SUMMED: Final = ("quantity", "gain", "disallowed", "recognized", "permanently_disallowed")


def _amounts(piece: Piece) -> dict[str, Fraction]:
    gain = Fraction(piece.gain or 0, USD)
    disallowed = Fraction(piece.disallowed, USD)
    return {
        "quantity": Fraction(piece.quantity, SHARE),
        "gain": gain,
        "disallowed": disallowed,
        "recognized": gain + disallowed,
        "permanently_disallowed": disallowed if piece.is_permanent else Fraction(0),
    }


def open_lot_rows(state: HouseholdState) -> list[dict[str, Any]]:
    """Return open lots merged by (lot, account, symbol, hp_start)."""
    merged: dict[tuple, dict[str, Any]] = {}
    lots: list[Lot] = [lot for held in state.book.holdings.values() for lot in held]
    for lot in lots:
        key = (lot.source_id, lot.account.account_id, lot.asset_id, lot.hp_start)
        first = lot.acquired if lot.always_long else first_long_term_day(lot.hp_start)
        row = merged.setdefault(
            key,
            {
                "lot": lot.source_id,
                "account": lot.account.account_id,
                "symbol": lot.asset_id,
                "hp_start": to_date(lot.hp_start).isoformat(),
                "first_long_term_sale_date": to_date(first).isoformat(),
                "quantity": Fraction(0),
                "basis": Fraction(0),
                "is_tacked": "A2" in lot.codes,
            },
        )
        row["quantity"] += Fraction(lot.quantity, SHARE)
        row["basis"] += Fraction(lot.cost or 0, USD)
    for row in merged.values():
        row["basis_per_share"] = row["basis"] / row["quantity"]
    return list(merged.values())


def totals(state: HouseholdState) -> dict[str, Any]:
    """Return the totals that a case may name."""
    pieces = [p for p in state.wash.pieces if not p.account.is_deferred]
    amounts = [_amounts(p) for p in pieces]
    cost = sum(Fraction(p.cost or 0, USD) for p in pieces)
    sold = sum(a["quantity"] for a in amounts)
    lots = [lot for held in state.book.holdings.values() for lot in held]
    proceeds = sum(Fraction(p.proceeds, USD) for p in pieces)
    disallowed = sum(a["disallowed"] for a in amounts)
    terms = {"LT" if p.is_long else "ST" for p in pieces}
    return {
        "total_recognized": sum(a["recognized"] for a in amounts),
        "total_permanently_disallowed": sum(a["permanently_disallowed"] for a in amounts),
        "total_disallowed": disallowed,
        "basis_of_sale": cost,
        "basis_of_gift": sum(Fraction(lot.cost or 0, USD) for _, lot in state.given),
        "average_per_share": cost / sold if sold else Fraction(0),
        "remaining_basis": sum(Fraction(lot.cost or 0, USD) for lot in lots),
        "term": terms.pop() if len(terms) == 1 else "mixed",
        "form_8949": {
            "part": "II" if pieces and all(p.is_long for p in pieces) else "I",
            "d": proceeds,
            "e": cost,
            "f": "W" if disallowed else "",
            "g": disallowed,
            "h": proceeds - cost + disallowed,
        },
    }
