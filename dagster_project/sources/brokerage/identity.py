"""Telling news from repetition: identifiers of transactions, overlapping exports, and cancellations.

A row's identifier is the broker's own (FITID, tradeID, activity id) where the file has one that names
one row only; else a digest of its content and how often that content occurred before in the file, which
is the same in every export that covers the day, whatever its first date, order of rows or spelling.
The same trade from files of two formats of one account is recognised by account, day, kind, asset,
shares and cents: its n-th occurrence in one format is the n-th in the other.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from dagster_project.sources.brokerage.contract import FORMAT as CONTRACT

_CONTENT: Final = (
    "trade_date",
    "kind",
    "asset_id",
    "quantity",
    "price_usd",
    "amount_usd",
    "fees_usd",
    "action",
    "part",
)
_SAME: Final = ("trade_date", "kind", "quantity", "amount_usd")
_SCALE: Final = {
    "quantity": pl.Decimal(24, 9),
    "price_usd": pl.Decimal(20, 6),
    "amount_usd": pl.Decimal(20, 6),
    "fees_usd": pl.Decimal(20, 6),
}


def with_content(frame: pl.DataFrame) -> pl.DataFrame:
    """Add ``_content`` (what the row says) and ``_economic`` (what any format would say of the trade)."""
    exact = frame.with_columns(
        pl.col(name).cast(dtype, strict=False).alias(f"_x_{name}") for name, dtype in _SCALE.items()
    )

    def text(name: str) -> pl.Expr:
        if name not in _SCALE:
            return pl.col(name).cast(pl.String).fill_null("")
        # A cell that is no number stands for itself; no fees are fees of 0, no cash is cash of 0.
        written = pl.col(f"_x_{name}").cast(pl.String)
        return pl.coalesce(written, pl.col(name)).fill_null(
            "0.000000" if name in ("fees_usd", "amount_usd") else ""
        )

    economic = ("account_id", "trade_date", "kind", "asset_id", "quantity")
    cents = (
        (pl.col("_x_amount_usd").cast(pl.Float64) * 100).round(0).cast(pl.Int64, strict=False).cast(pl.String)
    )
    return exact.with_columns(
        _content=pl.concat_str([pl.col("account_id"), *(text(n) for n in _CONTENT)], separator="\x1f"),
        _same=pl.concat_str([text(n) for n in _SAME], separator="\x1f"),
        _economic=pl.concat_str([*(text(n) for n in economic), cents.fill_null("0")], separator="\x1f"),
    ).drop(f"_x_{name}" for name in _SCALE)


def with_ids(frame: pl.DataFrame, format_name: str) -> pl.DataFrame:
    """Add ``transaction_id``.

    Parameters
    ----------
    frame : polars.DataFrame
        Rows of one file with ``_content``.
    format_name : str
        The file's format: identifiers of two formats never meet.
    """
    native = pl.concat_str("account_id", "native_id", "part", separator=":")
    marked = frame.with_columns(_native=pl.when(pl.col("native_id").is_not_null()).then(native))
    # An identifier of several different rows ("REDACTED", a counter that starts anew) names none of them.
    ambiguous = pl.col("_content").n_unique().over("_native") > 1
    if format_name == CONTRACT:
        named = pl.col("native_id")
    else:
        named = pl.when(~ambiguous).then(
            pl.concat_str(pl.lit(f"{format_name}:"), pl.col("_native").str.strip_chars_end(":"))
        )
    occurrence = pl.int_range(pl.len()).over("_content")
    digests = pl.Series(
        "_digest",
        [hashlib.sha256(f"{format_name}\x1f{text}".encode()).hexdigest()[:24] for text in marked["_content"]],
        pl.String,
    )
    derived = pl.concat_str(pl.lit(f"{format_name}:row-"), digests, pl.lit("#"), occurrence)
    return marked.with_columns(
        transaction_id=pl.coalesce(pl.when(pl.col("_native").is_not_null()).then(named), derived)
    ).drop("_native")


@dataclass
class Known:
    """What is stored, and what earlier rows of this import said.

    Attributes
    ----------
    by_id : dict
        What each transaction says (``_same``), every version.
    economic : dict
        Per economic content, how many rows each format brought.
    """

    by_id: dict[str, set[str]] = field(default_factory=dict)
    economic: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @classmethod
    def of_stored(cls, stored: pl.DataFrame | None) -> "Known":
        """Index the imported transactions of the warehouse."""
        known = cls()
        if stored is None or stored.is_empty():
            return known
        rows = stored.filter(pl.col("source") == "import").with_columns(
            pl.lit("").alias("action"), pl.lit("").alias("part"), pl.col("trade_date").cast(pl.String)
        )
        rows = with_content(rows)
        first = rows.sort("transaction_id", "known_at").unique(
            "transaction_id", keep="first", maintain_order=True
        )
        for identifier, same in rows.select("transaction_id", "_same").iter_rows():
            known.by_id.setdefault(identifier, set()).add(same)
        for identifier, economic in first.select("transaction_id", "_economic").iter_rows():
            known.economic[economic][_format(identifier)] += 1
        return known

    def judge(self, frame: pl.DataFrame, format_name: str) -> list[str]:
        """``new``, ``duplicate``, ``other_format`` or ``conflict`` for each row of one file, which are then known.

        Parameters
        ----------
        frame : polars.DataFrame
            Good rows with ``transaction_id``, ``_same`` and ``_economic``, in file order.
        format_name : str
            The file's format.
        """
        verdicts = []
        own: Counter[str] = Counter()
        before = {key: Counter(counts) for key, counts in self.economic.items()}
        for identifier, same, economic in frame.select("transaction_id", "_same", "_economic").iter_rows():
            said = self.by_id.get(identifier)
            if said is not None:
                verdicts.append("duplicate" if same in said else "conflict")
                continue
            own[economic] += 1
            counts = before.get(economic, Counter())
            others = max((n for name, n in counts.items() if name != format_name), default=0)
            if others >= counts[format_name] + own[economic]:
                verdicts.append("other_format")
                continue
            self.by_id[identifier] = {same}
            self.economic[economic][format_name] += 1
            verdicts.append("new")
        return verdicts


def _format(identifier: str) -> str:
    head, mark, _ = identifier.partition(":")
    return head if mark else CONTRACT


def find_cancelled(
    candidates: pl.DataFrame,
    account: str,
    reference: str | None,
    wanted: Mapping[str, object],
    taken: set[str],
) -> dict | None:
    """The transaction that a cancellation takes back, or None.

    Parameters
    ----------
    candidates : polars.DataFrame
        Transactions in contract columns, stored and new.
    account : str
        Account id.
    reference : str or None
        Identifier that the broker named; decides alone where it is found.
    wanted : mapping
        ``kinds``, ``trade_date``, ``asset_id``, ``quantity``, ``amount_usd``; None means any.
    taken : set of str
        Transactions that are cancelled already.
    """
    rows = candidates.filter(pl.col("account_id") == account, ~pl.col("transaction_id").is_in(sorted(taken)))
    if reference is not None:
        named = rows.filter(pl.col("transaction_id") == reference)
        if named.height:
            return named.row(0, named=True)
    if not wanted.get("kinds"):
        return None
    rows = rows.filter(pl.col("kind").is_in(list(wanted["kinds"])))  # pyright: ignore[reportArgumentType]
    for name in ("trade_date", "asset_id", "quantity"):
        if wanted.get(name) is not None:
            rows = rows.filter(pl.col(name) == wanted[name])
    if wanted.get("amount_usd") is not None:
        # Some brokers take back the price alone, some the fees too.
        gap = (pl.col("amount_usd").abs() - pl.lit(wanted["amount_usd"])).abs()
        rows = rows.filter(gap <= pl.col("fees_usd").fill_null(0) + pl.lit(0.01).cast(pl.Decimal(20, 6)))
    last = pl.lit(wanted["latest"]) if wanted.get("latest") else pl.col("trade_date")
    rows = rows.filter(pl.col("trade_date") <= last).sort(
        "trade_date", "transaction_id", descending=[True, False]
    )
    return rows.row(0, named=True) if rows.height else None
