"""Rules that look beyond one row: known symbols, accounts and users, repeated rows, holdings.

A step takes row frames (``prepare.py``) and returns them with more rows flagged. Stored rows come
as ``existing``: per raw table, at least ``TableContract.existing_columns``.
"""

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from dagster_project.sources.content import content_keys, derived_ids
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.sources.rules import OPTION_KINDS, Rule, apply_rules
from dagster_project.sources.schemas import schema_failures
from dagster_project.sources.symbols import symbol_key_expr

Existing = Mapping[str, pl.DataFrame]
GOOD = pl.col("_reason").is_null() & pl.col("_skip").is_null()
KEPT = GOOD & ~pl.col("_duplicate")


def stored(existing: Existing, table: str, column: str, sources: Iterable[str] | None = None) -> set:
    """Values of a column among stored rows, optionally of some sources only."""
    frame = existing.get(table)
    if frame is None or column not in frame.columns:
        return set()
    if sources is not None:
        frame = frame.filter(pl.col("source").is_in(list(sources)))
    return set(frame[column].unique().to_list())


def symbol_map(assets: pl.DataFrame, existing: Existing) -> dict[str, str]:
    """Normal spelling to asset_id, from stored rows and the good rows of this ingestion."""
    known: dict[str, str] = {}
    saved = existing.get("market__symbols")
    if saved is not None:
        known.update(saved.select("symbol_key", "asset_id").iter_rows())
    good = assets.filter(GOOD)
    for column in ("asset_id", "symbol"):
        for key, asset in (
            good.select(symbol_key_expr(column), pl.col("asset_id").alias("_id"))
            .unique()
            .sort("_id")
            .iter_rows()
        ):
            known.setdefault(key, asset)
    return known


def flag_ambiguous_symbols(assets: pl.DataFrame, existing: Existing) -> pl.DataFrame:
    """Flag an asset whose symbol another asset carries already: one spelling must mean one asset."""
    saved = existing.get("market__symbols")
    known = dict(saved.select("symbol_key", "asset_id").iter_rows()) if saved is not None else {}
    keyed = assets.with_columns(_k1=symbol_key_expr("symbol"), _k2=symbol_key_expr("asset_id"))
    clash: list[bool] = []
    columns = ("_k1", "_k2", "asset_id", "_reason", "_skip")
    for first, second, asset, reason, skip in keyed.select(columns).iter_rows():
        keys = [] if reason or skip else [key for key in (first, second) if key]
        clash.append(any(known.get(key, asset) != asset for key in keys))
        if not clash[-1]:
            known.update(dict.fromkeys(keys, asset))
    rule = Rule(
        "ambiguous_symbol",
        "symbol",
        pl.col("_clash"),
        "symbol {symbol} stands for another asset_id than {asset_id} already: give one of them another symbol",
    )
    return apply_rules(keyed.with_columns(_clash=pl.Series(clash, dtype=pl.Boolean)), [rule]).drop(
        "_k1", "_k2", "_clash"
    )


def map_symbols(rows: pl.DataFrame, columns: Sequence[str], symbols: Mapping[str, str]) -> pl.DataFrame:
    """Replace spellings by asset ids where the map knows them; others stay, to be flagged."""
    if not symbols:
        return rows
    mapping = pl.DataFrame(
        {"_key": list(symbols), "_id": list(symbols.values())}, schema_overrides={"_id": pl.String}
    )
    for column in columns:
        distinct = rows.select(pl.col(column).unique().drop_nulls())
        found = distinct.with_columns(_key=symbol_key_expr(column)).join(mapping, on="_key", how="left")
        translate = {
            old: new for old, new in found.select(column, "_id").iter_rows() if new is not None and new != old
        }
        if translate:
            rows = rows.with_columns(pl.col(column).replace(translate))
    return rows


def flag_unknown_assets(
    rows: pl.DataFrame, columns: Sequence[str], assets: set[str], foreign: set[str]
) -> pl.DataFrame:
    """Flag rows about an asset that has neither a reference row nor prices, or is quoted in another currency."""
    rules = []
    for column in columns:
        named = pl.col(column).is_not_null()
        if column == "asset_id" and "option_right" in rows.columns:
            named &= ~pl.col("kind").is_in(list(OPTION_KINDS)).fill_null(
                False
            )  # the contract, not a listed asset
        other = symbol_key_expr(column).is_in(sorted(foreign))
        unknown = ~pl.col(column).is_in(sorted(assets))
        rules.append(
            Rule(
                "other_currency", column, named & unknown & other, f"{{{column}}} is not quoted in US dollars"
            )
        )
        rules.append(
            Rule(
                "unknown_symbol",
                column,
                named & unknown,
                f"no price or reference row knows the symbol {{{column}}}: add its bars to bars.csv",
            )
        )
    return apply_rules(rows, rules)


def flag_unknown(rows: pl.DataFrame, column: str, known: set[str], reason: str, remedy: str) -> pl.DataFrame:
    """Flag rows that refer to an account or user which does not exist."""
    rule = Rule(
        reason, column, ~pl.col(column).is_in(sorted(known)), f"{column} {{{column}}} is not known: {remedy}"
    )
    return apply_rules(rows, [rule])


def flag_schema_failures(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Pass the rows that are still good through the table's Pandera schema; flag what fails."""
    rows = rows.with_row_index("_row")
    good = rows.filter(KEPT)
    failures = schema_failures(table, good)
    if failures.is_empty():
        return rows.drop("_row")
    failed = failures.select(
        good["_row"].gather(failures["index"]).alias("_row"),
        _f_reason=pl.concat_str(pl.lit("schema_"), pl.col("check").str.extract(r"^(\w+)")),
        _f_column="column",
        _f_detail=pl.concat_str(
            "column", pl.lit(" is "), "value", pl.lit(", against the contract's "), "check"
        ),
    )
    rows = rows.join(failed, on="_row", how="left", maintain_order="left")
    for name in ("_reason", "_column", "_detail"):
        rows = rows.with_columns(pl.coalesce(name, f"_f{name}").alias(name))
    return rows.drop("_row", "_f_reason", "_f_column", "_f_detail")


def fill_ids(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Derive the identifier of rows whose source has none."""
    contract = RAW_TABLES[table]
    if contract.id_column is None or not rows[contract.id_column].null_count():
        return rows
    return rows.with_columns(pl.coalesce(contract.id_column, derived_ids(rows, contract)))


def settle_identity(table: str, rows: pl.DataFrame, existing: Existing) -> pl.DataFrame:
    """Give every row its content key, and tell repetitions and conflicts from news.

    A row whose content is stored, or stood earlier in this ingestion, is a duplicate. A row with
    the key and ``known_at`` of another one but other content is a conflict: nothing says which one
    is right, so the first stays and the later is quarantined (``duplicate_bar`` for bars, else
    ``conflicting_duplicate``). With a later ``known_at`` it is a correction and accepted.
    """
    contract = RAW_TABLES[table]
    rows = rows.with_columns(content_keys(rows, contract))
    saved = existing.get(table)
    again = _repeats(rows, ["content_key"], saved)
    rows = rows.with_columns(_duplicate=pl.col("_duplicate") | again)
    clash = _repeats(rows, ["source", *contract.key, "known_at"], saved)
    reason = "duplicate_bar" if table == "market__daily_bars" else "conflicting_duplicate"
    names = " ".join(f"{{{name}}}" for name in contract.key)
    rule = Rule(
        reason,
        contract.key[0],
        pl.col("_clash"),
        f"another row of {names}, known at the same time, has other values: state a later known_at if this corrects it",
    )
    return apply_rules(rows.with_columns(_clash=clash), [rule]).drop("_clash")


def _repeats(rows: pl.DataFrame, columns: list[str], saved: pl.DataFrame | None) -> pl.Series:
    """Whether a row that is still kept repeats an earlier kept row, or a stored one, in these columns."""
    kept = rows.select(pl.int_range(pl.len()).alias("_no"), *columns, _kept=KEPT).filter("_kept")
    repeated = kept.filter(~pl.struct(columns).is_first_distinct())["_no"].to_list()
    if saved is not None and not saved.is_empty():
        repeated += kept.join(saved.select(columns), on=columns, how="semi", nulls_equal=True)[
            "_no"
        ].to_list()
    return pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True).scatter(repeated, True)


def flag_sells_beyond_holdings(
    rows: pl.DataFrame, existing: Existing, actions: pl.DataFrame, sessions: pl.DataFrame
) -> pl.DataFrame:
    """Flag new sales, transfers and gifts of more shares than the account holds at that moment.

    Imported rows are not flagged: a broker's export often begins after the purchase, and what it says
    was sold was sold. The ledger gives such a sale an unknown basis until an earlier export comes.

    Parameters
    ----------
    rows : polars.DataFrame
        Row frame of the transactions.
    existing : mapping
        Its ``brokerage__transactions`` must hold all content columns, ``source_file`` and
        ``source_line``, since holdings are recomputed from the first row on.
    actions : polars.DataFrame
        Corporate actions, stored and new, in contract columns.
    sessions : polars.DataFrame
        ``session_date``.
    """
    from ml.tax.positions import sells_beyond_holdings

    fresh = rows.filter(KEPT)
    if fresh.is_empty():
        return rows
    names = [*RAW_TABLES["brokerage__transactions"].content_names, "source_file", "source_line"]
    frames = [fresh.select(names)]
    saved = existing.get("brokerage__transactions")
    if saved is not None:
        frames.insert(0, saved.select(names).join(fresh.select("account_id"), on="account_id", how="semi"))
    beyond = sells_beyond_holdings(pl.concat(frames), actions, sessions)
    if beyond.is_empty():
        return rows
    held = beyond.select("transaction_id", _held=pl.col("held_quantity")).unique("transaction_id")
    rule = Rule(
        "sell_beyond_holdings",
        "quantity",
        pl.col("_held").is_not_null() & ~pl.col("_duplicate") & (pl.col("source") != "import"),
        "a {kind} of {quantity} {asset_id}, of which account {account_id} holds {_held}: "
        "an earlier purchase or transfer is missing, or this is a short_sale",
    )
    return apply_rules(rows.join(held, on="transaction_id", how="left", maintain_order="left"), [rule]).drop(
        "_held"
    )
