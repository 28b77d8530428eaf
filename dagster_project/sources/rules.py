"""Row rules: what makes a row bad, with the reason code, the column and a sentence.

A rule looks at one row of one table. Rules that need other rows or other tables are in
``references.py``; promises about single columns are restated by the Pandera schemas.
Rules run in order and a row carries the first reason that holds.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import polars as pl

from dagster_project.sources.contracts import RAW_TABLES, TableContract
from dagster_project.sources.schemas import NON_NEGATIVE, POSITIVE, RANGES

# Prices are often rounded one by one, so that a close may stand a hair outside [low, high].
RANGE_TOLERANCE: Final = 1e-3
CASH_OUT_KINDS: Final = ("buy", "buy_to_cover", "reinvestment", "withdrawal")
CASH_IN_KINDS: Final = ("deposit", "return_of_capital", "cash_in_lieu", "capital_gain_distribution")
SALE_KINDS: Final = ("sell", "short_sale")
TRADE_KINDS: Final = ("buy", "sell", "short_sale", "buy_to_cover", "reinvestment")
ASSET_KINDS: Final = (
    *TRADE_KINDS,
    "return_of_capital",
    "split",
    "stock_dividend",
    "spin_off",
    "merger",
    "symbol_change",
)
OPTION_KINDS: Final = ("option_open", "option_close", "option_exercise", "option_assignment", "option_expiry")

_PRICES: Final = ("open", "high", "low", "close", "adjusted_close", "price_usd")
_SIGN_REASONS: Final = {
    "volume": "negative_volume",
    "quantity": "quantity_not_positive",
    "fees_usd": "negative_fees",
    "ratio_new": "ratio_not_positive",
    "ratio_old": "ratio_not_positive",
}


@dataclass(frozen=True)
class Rule:
    """One row rule.

    Attributes
    ----------
    reason : str
        Code for the quarantine.
    column : str or None
        The column to look at.
    bad : polars.Expr
        True for bad rows (null counts as good).
    detail : str
        Sentence with ``{column}`` placeholders, filled from the row.
    """

    reason: str
    column: str | None
    bad: pl.Expr
    detail: str


def row_rules(table: str, today: dt.date) -> list[Rule]:
    """The rules of one table, in the order in which a reason wins.

    Parameters
    ----------
    table : str
        Raw table.
    today : datetime.date
        The caller's date; what claims to be later is a ``future_date``.
    """
    contract = RAW_TABLES[table]
    special = _SPECIAL.get(table)
    return [
        *_missing(contract),
        *_future(contract, today),
        *_signs(contract),
        *_ranges(contract),
        *(special() if special else []),
        *_too_long(contract),
    ]


def _missing(contract: TableContract) -> list[Rule]:
    # An asset's price basis is settled later, from its bars.
    names = [
        c.name
        for c in contract.columns
        if not c.nullable and c.name not in ("price_basis", contract.id_column)
    ]
    return [
        Rule("missing_value", n, pl.col(n).is_null(), f"{n} is empty and raw.{contract.name} needs it")
        for n in names
    ]


def _future(contract: TableContract, today: dt.date) -> list[Rule]:
    # An announced corporate action may lie ahead; that it is known may not.
    dates = [n for n in ("trade_date", "rate_date") if n in contract]
    stamps = [n for n in ("traded_at", "stated_at", "known_at") if n in contract]
    # New York's day ends at 05:00 UTC at the latest; what today's row says may be known tomorrow (rates, crypto).
    day_end = dt.datetime.combine(today + dt.timedelta(days=1), dt.time(5), tzinfo=dt.UTC)
    grace = {"known_at": dt.timedelta(days=1)}
    limits = [(n, pl.lit(today)) for n in dates]
    limits += [(n, pl.lit(day_end + grace.get(n, dt.timedelta()))) for n in stamps]
    return [
        Rule(
            "future_date", n, pl.col(n) > limit, f"{n} is {{{n}}}, later than today ({today}): check the year"
        )
        for n, limit in limits
    ]


def _signs(contract: TableContract) -> list[Rule]:
    rules = []
    for column in contract.columns:
        name = column.name
        if name in POSITIVE:
            reason = "negative_price" if name in _PRICES else _SIGN_REASONS.get(name, "value_not_positive")
            rules.append(Rule(reason, name, pl.col(name) <= 0, f"{name} is {{{name}}}, it must be above 0"))
        elif name in NON_NEGATIVE:
            reason = _SIGN_REASONS.get(name, "negative_value")
            rules.append(
                Rule(reason, name, pl.col(name) < 0, f"{name} is {{{name}}}, it must not be below 0")
            )
    return rules


def _ranges(contract: TableContract) -> list[Rule]:
    rules = [
        Rule(
            "value_out_of_range",
            name,
            ~pl.col(name).is_between(low, high),
            f"{name} is {{{name}}}, outside {low} to {high}",
        )
        for name, (low, high) in RANGES.items()
        if name in contract
    ]
    doubles = [c.name for c in contract.columns if c.type == "double"]
    finite = [
        Rule("unparsable_number", n, ~pl.col(n).is_finite(), f"{n} is {{{n}}}, which is no number")
        for n in doubles
    ]
    return finite + rules


def _too_long(contract: TableContract) -> list[Rule]:
    texts = [(c.name, c.max_characters) for c in contract.columns if c.type == "varchar" and not c.allowed]
    return [
        Rule(
            "text_too_long",
            name,
            pl.col(name).str.len_chars() > limit,
            f"{name} is longer than {limit} characters",
        )
        for name, limit in texts
    ]


def _asset_rules() -> list[Rule]:
    return [
        Rule(
            "other_currency",
            "currency",
            pl.col("currency") != "USD",
            "asset {asset_id} is quoted in {currency}; only USD is supported, convert it first",
        ),
        Rule(
            "delisted_before_listed",
            "delisted_date",
            pl.col("delisted_date") < pl.col("listed_date"),
            "delisted_date {delisted_date} is before listed_date {listed_date}",
        ),
    ]


def _bar_rules() -> list[Rule]:
    col = pl.col
    outside = [
        Rule(
            "price_outside_range",
            name,
            (col(name) > col("high") * (1 + RANGE_TOLERANCE))
            | (col(name) < col("low") * (1 - RANGE_TOLERANCE)),
            f"{name} {{{name}}} is outside low {{low}} to high {{high}}",
        )
        for name in ("open", "close")
    ]
    return [
        Rule(
            "missing_value",
            "close",
            col("close").is_null() & col("adjusted_close").is_null(),
            "neither close nor adjusted_close is given, one of them is needed",
        ),
        Rule("high_below_low", "high", col("high") < col("low"), "high {high} is below low {low}"),
        *outside,
        _known_after("trade_date", date=True),
    ]


def _known_after(column: str, *, date: bool = False) -> Rule:
    event = pl.col(column).cast(pl.Datetime("us")).dt.replace_time_zone("UTC") if date else pl.col(column)
    return Rule(
        "known_before_event",
        "known_at",
        pl.col("known_at") < event,
        f"known_at {{known_at}} is before {column} {{{column}}}: nobody could know it then",
    )


def _action_rules() -> list[Rule]:
    col = pl.col
    ratio = col("kind").is_in(["split", "stock_dividend"]) & (
        col("ratio_new").is_null() | col("ratio_old").is_null()
    )
    cash = (
        col("kind").is_in(["dividend", "capital_gain_distribution", "return_of_capital"])
        & col("cash_per_share_usd").is_null()
    )
    successor = col("kind").is_in(["symbol_change", "spin_off"]) & col("new_asset_id").is_null()
    return [
        Rule("missing_value", "ratio_new", ratio, "a {kind} needs ratio_new and ratio_old"),
        Rule("missing_value", "cash_per_share_usd", cash, "a {kind} needs cash_per_share_usd"),
        Rule("missing_value", "new_asset_id", successor, "a {kind} needs new_asset_id"),
    ]


def _transaction_rules() -> list[Rule]:
    col = pl.col
    kind, amount = col("kind"), col("amount_usd")
    # Fees can eat a small sale whole, so its cash effect may be negative by as much as the fees.
    sale_negative = kind.is_in(list(SALE_KINDS)) & (amount < -col("fees_usd"))
    wrong_sign = (
        (kind.is_in(list(CASH_OUT_KINDS)) & (amount > 0))
        | (kind.is_in(list(CASH_IN_KINDS)) & (amount < 0))
        | sale_negative
    )
    return [
        Rule(
            "missing_value",
            "asset_id",
            kind.is_in(list(ASSET_KINDS)) & col("asset_id").is_null(),
            "a {kind} needs asset_id",
        ),
        Rule(
            "missing_value",
            "quantity",
            kind.is_in(list(TRADE_KINDS)) & col("quantity").is_null(),
            "a {kind} needs quantity",
        ),
        Rule(
            "amount_sign",
            "amount_usd",
            wrong_sign,
            "amount_usd is {amount_usd} for a {kind}: it is the account's cash effect, negative when cash leaves it",
        ),
        Rule(
            "acquired_after_trade",
            "acquired_date",
            col("acquired_date") > col("trade_date"),
            "acquired_date {acquired_date} is after the trade date {trade_date}",
        ),
        _known_after("traded_at"),
    ]


_SPECIAL: Final = {
    "market__assets": _asset_rules,
    "market__daily_bars": _bar_rules,
    "market__corporate_actions": _action_rules,
    "market__rates": lambda: [_known_after("rate_date", date=True)],
    "brokerage__transactions": _transaction_rules,
    "goals__statements": lambda: [_known_after("stated_at")],
}


def apply_rules(frame: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """Give each so far good row the first reason that holds for it.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows with ``_reason``, ``_column`` and ``_detail`` (null while a row is good), and ``_skip``.
    rules : sequence of Rule
        In order of precedence.
    """
    if not rules or frame.is_empty():
        return frame
    good = pl.col("_reason").is_null() & pl.col("_skip").is_null()
    hits = [pl.when(rule.bad.fill_null(False)).then(pl.lit(n, pl.Int32)) for n, rule in enumerate(rules)]
    marked = frame.with_columns(pl.when(good).then(pl.coalesce(hits)).alias("_hit")).with_row_index("_no")
    bad = marked.filter(pl.col("_hit").is_not_null())
    if bad.is_empty():
        return frame
    found = pl.DataFrame(
        [
            (
                row["_no"],
                rules[row["_hit"]].reason,
                rules[row["_hit"]].column,
                _sentence(rules[row["_hit"]], row),
            )
            for row in bad.iter_rows(named=True)
        ],
        schema={"_no": pl.UInt32, "_reason": pl.String, "_column": pl.String, "_detail": pl.String},
        orient="row",
    )
    marked = marked.drop("_hit").join(found, on="_no", how="left", suffix="_new", maintain_order="left")
    return marked.with_columns(
        pl.coalesce(f"{name}", f"{name}_new").alias(name) for name in ("_reason", "_column", "_detail")
    ).drop("_no", "_reason_new", "_column_new", "_detail_new")


def _sentence(rule: Rule, row: Mapping[str, Any]) -> str:
    names = re.findall(r"{(\w+)}", rule.detail)
    return rule.detail.format_map({name: _shown(row[name]) for name in names})


def _shown(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value)[:80]
