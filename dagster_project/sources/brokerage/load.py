"""From statements to rows for the warehouse: accounts, assets, identities, outcomes.

Call order::

    files = [read_file(path) for path in paths]
    loaded = load(files, existing, options, ...)
    append loaded.frames to raw.<table>; show loaded.reports

Pure: the same files and stored rows give the same frames. Every source row ends as exactly one of
accepted, duplicate, quarantined, not_a_transaction; a row that stands for two transactions (a
reinvestment's income and purchase) is taken whole or not at all.
"""

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from dagster_project.sources.batches import (
    ALWAYS_KNOWN_AT,
    IMPUTED_KNOWN_AT,
    IMPUTED_PREFIX,
    LINE,
    PROBLEM,
    PROBLEM_DETAIL,
    SKIP_RULE,
    Batch,
    typed_batch,
)
from dagster_project.sources.brokerage.identity import Known, find_cancelled, with_content, with_ids
from dagster_project.sources.brokerage.model import Statement
from dagster_project.sources.brokerage.reading import BROKERS, ReadFile
from dagster_project.sources.brokerage.securities import Resolved, Security, new_asset_id, resolve
from dagster_project.sources.calendar import close_of
from dagster_project.sources.content import content_keys
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.sources.ingest import IngestResult, ingest
from dagster_project.sources.rules import OPTION_KINDS
from dagster_project.sources.symbols import symbol_key
from dagster_project.sources.textfile import WHOLE_LINE

SOURCE: Final = "import"
TRANSACTIONS: Final = "brokerage__transactions"
_CORRECTION: Final = dt.timedelta(microseconds=1)
# Two brokers may use one account number: the later one's account id then carries its name.
_HOUSES: Final = (
    "fidelity", "vanguard", "schwab", "ameritrade", "robinhood", "alpaca", "interactive", "etrade", "merrill",
    "jpmorgan", "wells fargo", "ally", "m1 finance", "tastytrade", "webull",
)  # fmt: skip
_OPTION_CELLS: Final = ("option_right", "strike_usd", "expiry_date")


@dataclass(frozen=True)
class Options:
    """Choices of one import.

    Attributes
    ----------
    account_type : str or None
        Of every account of the files; None takes what the files say, else ``taxable``.
    account : str or None
        Number of the account of files that state none.
    user_id : str
        Owner of new accounts.
    """

    account_type: str | None = None
    account: str | None = None
    user_id: str = "imported"


@dataclass
class FileLoad:
    """One file on its way: its rows with identities and outcomes.

    Attributes
    ----------
    frame : polars.DataFrame
        Canonical transactions with ``account_id``, ``asset_id``, ``transaction_id``, ``verdict``.
    outcomes : dict
        Outcome by source row.
    accounts : dict
        Account ids by the file's own account numbers.
    """

    file: ReadFile
    name: str
    frame: pl.DataFrame = field(default_factory=pl.DataFrame)
    outcomes: dict[int, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    other_format: int = 0

    @property
    def statement(self) -> Statement:
        """What the file says."""
        assert self.file.statement is not None
        return self.file.statement


@dataclass(frozen=True)
class Loaded:
    """Outcome of one import.

    Attributes
    ----------
    files : list of FileLoad
        Files that were read, in order.
    result : IngestResult
        Rows for the warehouse.
    resolved : Resolved
        Assets of the files' securities.
    symbols : polars.DataFrame
        Further spellings for ``market__symbols``: CUSIP, ISIN, contract id.
    """

    files: list[FileLoad]
    result: IngestResult
    resolved: Resolved
    symbols: pl.DataFrame


def safe_name(name: str) -> str:
    """A file's name as it is stored and shown: its last part, without control characters, at most 200 characters."""
    last = re.split(r"[/\\]", name)[-1]
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "_", last)[:200] or "unnamed"


def account_id_of(number: str, format_name: str, options: Options) -> str:
    """The account id of a file's own account number: the number itself, so that formats of one account meet."""
    cleaned = re.sub(r"[\x00-\x1f\x7f]", "", re.sub(r"\s+", " ", number)).strip()[:200]
    return cleaned or options.account or BROKERS[format_name].lower().replace(" ", "-")


def _house(broker: str | None) -> str | None:
    """Which broker a name or web address means, of those that files name; None for codes and others."""
    word = (broker or "").lower()
    return next((name for name in _HOUSES if name in word), None)


def load(
    files: Sequence[ReadFile],
    existing: Mapping[str, pl.DataFrame],
    options: Options,
    *,
    run_id: str,
    today: dt.date,
    ingested_at: dt.datetime,
) -> Loaded:
    """Settle identities of all files' rows and pass them through ingestion.

    Parameters
    ----------
    files : sequence of ReadFile
        Files that were not refused.
    existing : mapping of str to polars.DataFrame
        Stored rows (``stored_rows``); empty for a new warehouse.
    options : Options
        Choices.
    run_id : str
        For the commit and the counts.
    today : datetime.date
        Later rows are ``future_date``.
    ingested_at : datetime.datetime
        Wall clock, for audit alone.
    """
    names = _distinct([safe_name(file.path.name) for file in files])
    loads = [FileLoad(file, name) for file, name in zip(files, names, strict=True)]
    registry: dict[str, Security] = {}
    for item in loads:
        for key, security in item.statement.securities.items():
            registry[key] = registry[key].merged(security) if key in registry else security
    saved = existing.get("market__symbols")
    symbols = dict(saved.select("symbol_key", "asset_id").iter_rows()) if saved is not None else {}
    resolved = resolve(registry, symbols)
    known = Known.of_stored(existing.get(TRANSACTIONS))
    owners = _owners(existing.get("brokerage__accounts"))
    for item in loads:
        _name_accounts(item, options, owners)
        _identify(item, resolved, registry, known)
    corrections = _cancellations(loads, resolved, existing.get(TRANSACTIONS))
    batches = [_asset_batch(loads, resolved, registry, existing), _account_batch(loads, options, existing)]
    batches += [_transaction_batch(item, corrections.get(index)) for index, item in enumerate(loads)]
    result = ingest(
        [batch for batch in batches if batch is not None], run_id=run_id, as_of_date=today, ingested_at=ingested_at,
        today=today, existing=existing,
    )  # fmt: skip
    result = _settle(loads, result, corrections)
    return Loaded(loads, result, resolved, _spellings(result, resolved, saved, loads, ingested_at))


def _distinct(names: list[str]) -> list[str]:
    """Two files of one name in one import stay two files."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _owners(accounts: pl.DataFrame | None) -> dict[str, str | None]:
    """Broker of each stored imported account."""
    if accounts is None or "broker" not in accounts.columns:
        return {}
    rows = accounts.filter(pl.col("source") == SOURCE).sort("known_at")
    return {account: _house(broker) for account, broker in rows.select("account_id", "broker").iter_rows()}


def _name_accounts(item: FileLoad, options: Options, owners: dict[str, str | None]) -> None:
    """Account ids of a file's accounts."""
    for number, facts in item.statement.accounts.items():
        account, house = account_id_of(number, item.statement.format, options), _house(facts.broker)
        known = owners.get(account)
        if house and known and house != known:
            account = f"{account}-{house}"
        owners[account] = owners.get(account) or house
        item.accounts[number] = account


def _identify(item: FileLoad, resolved: Resolved, registry: Mapping[str, Security], known: Known) -> None:
    """Give a file's rows their account, assets, moment and identifier, and tell news from repetition."""
    statement = item.statement
    # A row that was rejected after a part of it was booked is rejected whole.
    frame = statement.frame().sort("line", maintain_order=True)
    if statement.rejected:
        torn = frame["rows"].list.eval(pl.element().is_in(sorted(statement.rejected))).list.any()
        frame = frame.filter(~torn)
    columns = {"security": "asset_id", "related": "related_asset_id", "underlying": "underlying_asset_id"}
    frame = frame.with_columns(
        pl.col("account")
        .replace_strict(item.accounts, return_dtype=pl.String, default=None)
        .alias("account_id"),
        *(
            pl.col(key).replace_strict(resolved.asset_ids, return_dtype=pl.String, default=None).alias(name)
            for key, name in columns.items()
        ),
    )
    frame = _option_cells(_ordered(frame), resolved, registry)
    frame = with_ids(with_content(frame), statement.format)
    verdicts = known.judge(frame, statement.format)
    item.other_format = verdicts.count("other_format")
    item.frame = frame.with_columns(verdict=pl.Series(verdicts, dtype=pl.String))


def _option_cells(frame: pl.DataFrame, resolved: Resolved, registry: Mapping[str, Security]) -> pl.DataFrame:
    """Fill an option's terms and underlying from the registry where the row does not state them."""
    options = {key: terms for key, terms in registry.items() if terms.is_option}
    if not options or frame.is_empty():
        return frame
    by_symbol = {asset: asset for asset in resolved.asset_ids.values()}
    terms = pl.DataFrame(
        [
            (key, t.right, None if t.strike is None else format(t.strike, "f"), t.expiry and t.expiry.isoformat(),
             by_symbol.get(symbol_key(t.underlying)) if t.underlying else None)
            for key, t in options.items()
        ],
        schema={"security": pl.String, **{f"_{n}": pl.String for n in (*_OPTION_CELLS, "underlying_asset_id")}},
        orient="row",
    )  # fmt: skip
    joined = frame.join(terms, on="security", how="left", maintain_order="left")
    filled = [pl.coalesce(n, f"_{n}").alias(n) for n in (*_OPTION_CELLS, "underlying_asset_id")]
    return joined.with_columns(filled).drop(f"_{n}" for n in (*_OPTION_CELLS, "underlying_asset_id"))


def _ordered(frame: pl.DataFrame) -> pl.DataFrame:
    """Say when rows of bare dates happened: at the close; in files that list the newest first, in reverse.

    Order within a day decides which lots a sale finds, and rows of one moment sort by line; so rows of a
    newest-first file are given microseconds before the close that turn their order round.
    """
    days = frame["trade_date"].str.to_date(strict=False)
    bare = frame["traded_at"].str.len_chars() == 10
    frame = frame.with_columns(_close=close_of("_day", pl.DataFrame({"_day": days})), _bare=bare)
    ends = days.drop_nulls()
    posted = close_of("_day", frame.select(_day="known_date"))
    known = pl.max_horizontal(pl.when("_bare").then("_close"), posted)
    frame = frame.with_columns(known_at=pl.when(posted.is_not_null()).then(known))
    if len(ends) > 1 and ends[0] > ends[-1]:
        later = pl.int_range(pl.len()).over(
            "trade_date"
        )  # 0 for the row that stands first: the last of its day
        moment = pl.col("_close") - pl.duration(microseconds=later)
        frame = frame.with_columns(
            traded_at=pl.when("_bare").then(_iso(moment)).otherwise("traded_at"),
            known_at=pl.when("_bare").then(pl.coalesce("known_at", "_close")).otherwise("known_at"),
        )
    return frame.with_columns(known_at=_iso(pl.col("known_at"))).drop("_close", "_bare")


def _iso(moment: pl.Expr) -> pl.Expr:
    return moment.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")


def _cancellations(
    loads: Sequence[FileLoad], resolved: Resolved, stored: pl.DataFrame | None
) -> dict[int, pl.DataFrame]:
    """Corrections that take transactions back: the same identifier, no effect, known when it was cancelled.

    Until then the transaction stood, also in a replay; from then on it never happened.
    """
    if not any(item.statement.cancels for item in loads):
        return {}
    names = [
        "transaction_id",
        "account_id",
        "kind",
        "trade_date",
        "asset_id",
        "quantity",
        "amount_usd",
        "fees_usd",
        "known_at",
        "traded_at",
    ]
    schema = {n: RAW_TABLES[TRANSACTIONS][n].dtype for n in names}
    news = [_typed(item.frame.filter(pl.col("verdict") == "new"), schema) for item in loads]
    versions = stored.select(names).cast(schema) if stored is not None else pl.DataFrame(schema=schema)
    before = set(
        versions.filter(pl.col("transaction_id").is_duplicated(), pl.col("kind") == "journal")[
            "transaction_id"
        ]
    )
    candidates = pl.concat([versions.filter(pl.col("kind") != "journal"), *news])
    taken: set[str] = set()
    found: dict[int, pl.DataFrame] = {}
    for index, item in enumerate(loads):
        rows = []
        for cancel in item.statement.cancels:
            if cancel.line in item.statement.rejected:
                continue
            account = item.accounts[cancel.account]
            wanted = {
                "kinds": cancel.kinds,
                "trade_date": cancel.trade_date,
                "asset_id": resolved.asset_ids.get(cancel.security or ""),
                "quantity": cancel.quantity,
                "amount_usd": cancel.amount,
                "latest": cancel.known,
            }
            reference = cancel.reference and f"{item.statement.format}:{account}:{cancel.reference}"
            target = find_cancelled(candidates, account, reference, wanted, taken)
            if target is None:
                detail = (
                    f"{cancel.action} takes back a transaction that neither this file nor the warehouse holds"
                )
                item.statement.reject(cancel.line, "cancel_without_original", detail, cancel.row)
                continue
            taken.add(target["transaction_id"])
            if target["transaction_id"] in before:
                item.outcomes[cancel.line] = "duplicate"
                continue
            known = close_of("_day", pl.DataFrame({"_day": [cancel.known]}))[0]
            rows.append((cancel.line, target, max(known, target["known_at"] + _CORRECTION), cancel.row))
        found[index] = _correction_rows(rows)
    return found


def _typed(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Rows of a file as far as their cells can be read, with the moments that ingestion will give them."""
    days = frame["trade_date"].str.to_date(strict=False)
    closes = close_of("_day", pl.DataFrame({"_day": days}))
    stamps = frame["traded_at"].str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%#z", time_zone="UTC", time_unit="us", strict=False
    )
    traded = pl.select(pl.coalesce(stamps, closes)).to_series()
    known = frame["known_at"].str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%#z", time_zone="UTC", time_unit="us", strict=False
    )
    frame = frame.with_columns(
        trade_date=days, traded_at=traded, known_at=pl.select(pl.coalesce(known, traded)).to_series()
    )
    return frame.select(pl.col(name).cast(dtype, strict=False) for name, dtype in schema.items())


def _correction_rows(rows: Sequence[tuple[int, dict[str, Any], dt.datetime, str]]) -> pl.DataFrame:
    cells = [
        (
            line, row, target["transaction_id"], target["account_id"], "journal",
            target["traded_at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ"), target["trade_date"].isoformat(), "0",
            known.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        )
        for line, target, known, row in rows
    ]  # fmt: skip
    names = (
        "line",
        "row",
        "transaction_id",
        "account_id",
        "kind",
        "traded_at",
        "trade_date",
        "amount_usd",
        "known_at",
    )
    return pl.DataFrame(
        cells, schema={n: pl.Int64 if n == "line" else pl.String for n in names}, orient="row"
    )


def _asset_batch(
    loads: Sequence[FileLoad],
    resolved: Resolved,
    registry: Mapping[str, Security],
    existing: Mapping[str, pl.DataFrame],
) -> Batch | None:
    """Assets rows, known as imputed, of securities that nothing knew: an imported holding is never lost."""
    needed: dict[str, int] = {}
    for item in loads:
        plain = item.frame.filter(~pl.col("kind").is_in(list(OPTION_KINDS)))
        used = pl.concat(
            [plain["asset_id"], item.frame["related_asset_id"], item.frame["underlying_asset_id"]]
        ).drop_nulls()
        for asset in used.unique().to_list():
            needed.setdefault(asset, 1)
    saved = existing.get("market__assets")
    stored = set(saved["asset_id"].to_list()) if saved is not None else set()
    named = {new_asset_id(security): security for security in registry.values()} | resolved.unknown
    rows = [
        {
            "asset_id": asset,
            "symbol": (security.symbol if security and security.symbol else asset),
            "name": (security.name if security and security.name else asset),
            "asset_class": (security.asset_class if security and security.asset_class else "equity"),
            "currency": "USD",
            "tax_treatment": "digital_asset" if security and security.asset_class == "crypto" else "security",
            "known_at": IMPUTED_KNOWN_AT,
        }
        for asset in sorted(needed)
        if asset not in stored
        for security in [named.get(asset)]
    ]
    if not rows:
        return None
    return typed_batch("market__assets", SOURCE, f"{IMPUTED_PREFIX}{loads[0].name}", pl.DataFrame(rows))


def _account_batch(
    loads: Sequence[FileLoad], options: Options, existing: Mapping[str, pl.DataFrame]
) -> Batch | None:
    """Rows of accounts that are not stored, and corrections of a stored type that ``--account-type`` contradicts."""
    saved = existing.get("brokerage__accounts")
    stored: dict[str, tuple] = {}
    if saved is not None and "account_type" in saved.columns:
        for row in saved.sort("known_at").iter_rows(named=True):
            stored[row["account_id"]] = (row["account_type"], row["known_at"], row["user_id"])
    rows: dict[str, dict[str, Any]] = {}
    for item in loads:
        for name, account in item.accounts.items():
            facts = item.statement.accounts[name]
            kind, known_at, user = stored.get(account, (None, None, options.user_id))
            if kind is not None and options.account_type in (None, kind):
                continue
            row = rows.setdefault(account, {"account_id": account, "user_id": user})
            row["account_type"] = options.account_type or row.get("account_type") or facts.account_type
            row["broker"] = row.get("broker") or facts.broker
            row["opened_date"] = row.get("opened_date") or facts.opened_date
            row["known_at"] = ALWAYS_KNOWN_AT if known_at is None else known_at + _CORRECTION
    for row in rows.values():
        row["account_type"] = row["account_type"] or "taxable"
    if not rows:
        return None
    schema = {n: RAW_TABLES["brokerage__accounts"][n].dtype for n in
              ("account_id", "user_id", "account_type", "broker", "opened_date", "known_at")}  # fmt: skip
    frame = pl.DataFrame(list(rows.values()), schema=schema).with_row_index(LINE, offset=1)
    frame = frame.with_columns(pl.col(LINE).cast(pl.Int64))
    return Batch("brokerage__accounts", SOURCE, loads[0].name, frame, imputes=True)


def _transaction_batch(item: FileLoad, corrections: pl.DataFrame | None) -> Batch:
    """A file's rows as ingestion takes them: new ones, conflicting and bad ones with their problem, no transactions."""
    contract = RAW_TABLES[TRANSACTIONS]
    conflict = pl.col("verdict") == "conflict"
    rows = item.frame.filter(pl.col("verdict").is_in(["new", "conflict"])).with_columns(
        pl.when(conflict).then(pl.lit("conflicting_duplicate")).alias(PROBLEM),
        pl.when(conflict)
        .then(
            pl.concat_str(
                pl.lit("the identifier "), "transaction_id", pl.lit(" stands for another transaction already")
            )
        )
        .alias(PROBLEM_DETAIL),
    )
    bad = [(n, reason, detail, row) for n, (reason, _, detail, row) in item.statement.rejected.items()]
    skipped = [(n, rule, item.statement.skipped_text.get(n)) for n, rule in item.statement.skipped.items()]
    frames = [
        rows,
        pl.DataFrame(bad, schema={"line": pl.Int64, PROBLEM: pl.String, PROBLEM_DETAIL: pl.String, "row": pl.String}, orient="row"),
        pl.DataFrame(skipped, schema={"line": pl.Int64, SKIP_RULE: pl.String, "row": pl.String}, orient="row"),
    ]  # fmt: skip
    if corrections is not None:
        frames.append(corrections)
    frame = pl.concat(frames, how="diagonal").sort("line", maintain_order=True)
    taken = [name for name in contract.content_names if name in frame.columns]
    frame = frame.select(
        pl.col("line").alias(LINE),
        *taken,
        PROBLEM,
        PROBLEM_DETAIL,
        SKIP_RULE,
        pl.col("row").alias(WHOLE_LINE),
    )
    return Batch(TRANSACTIONS, SOURCE, item.name, frame, is_text=True)


def _settle(
    loads: Sequence[FileLoad], result: IngestResult, corrections: Mapping[int, pl.DataFrame]
) -> IngestResult:
    """One outcome per source row; rows that are taken in part are taken back whole."""
    accepted = result.accepted[TRANSACTIONS]
    kept: list[pl.DataFrame] = []
    for index, item in enumerate(loads):
        own = accepted.filter(pl.col("source_file") == item.name)
        ids = set(own["transaction_id"].to_list())
        outcomes = item.outcomes
        parts: dict[int, set[str]] = {}
        for identifier, verdict, rows in item.frame.select("transaction_id", "verdict", "rows").iter_rows():
            outcome = (
                "duplicate"
                if verdict in ("duplicate", "other_format")
                else "accepted"
                if identifier in ids
                else "quarantined"
            )
            for row in rows:
                parts.setdefault(row, set()).add(outcome)
        if index in corrections:
            lines = set(own["source_line"].to_list())
            for line in corrections[index]["line"].to_list():
                parts.setdefault(line, set()).add("accepted" if line in lines else "quarantined")
        for row, found in parts.items():
            outcomes[row] = next(name for name in ("quarantined", "accepted", "duplicate") if name in found)
        outcomes.update(dict.fromkeys(item.statement.rejected, "quarantined"))
        outcomes.update(dict.fromkeys(item.statement.skipped, "not_a_transaction"))
        for row in item.statement.taken - set(outcomes):
            raise AssertionError(f"{item.name}: row {row} has no outcome")
        torn = [row for row, found in parts.items() if {"quarantined", "accepted"} <= found]
        kept.append(own.filter(~pl.col("source_line").is_in(torn)))
    others = accepted.filter(~pl.col("source_file").is_in([item.name for item in loads]))
    whole = pl.concat([others, *kept])
    return IngestResult(
        {**result.accepted, TRANSACTIONS: whole},
        result.quarantine,
        _counts(loads, result.counts),
        result.skipped,
        result.warnings,
    )


def _counts(loads: Sequence[FileLoad], counts: pl.DataFrame) -> pl.DataFrame:
    """Counts of source rows, in place of counts of the transactions that they became."""
    names = ("accepted", "duplicate", "quarantined", "not_a_transaction")
    for item in loads:
        tally = Counter(item.outcomes.values())
        here = (pl.col("source_file") == item.name) & (pl.col("table_name") == TRANSACTIONS)
        values = {name: tally[name] for name in names} | {"rows_read": sum(tally.values())}
        counts = counts.with_columns(
            pl.when(here).then(pl.lit(value, pl.Int64)).otherwise(name).alias(name)
            for name, value in values.items()
        )
    return counts


def _spellings(
    result: IngestResult,
    resolved: Resolved,
    saved: pl.DataFrame | None,
    loads: Sequence[FileLoad],
    ingested_at: dt.datetime,
) -> pl.DataFrame:
    """Rows of the symbol map for identifiers that it lacks, of assets that exist."""
    contract = RAW_TABLES["market__symbols"]
    fresh = result.accepted["market__symbols"]
    used = (
        pl.concat([item.frame["asset_id"] for item in loads]).drop_nulls().unique().to_list() if loads else []
    )
    mapped = set(fresh["symbol_key"].to_list()) | (
        set(saved["symbol_key"].to_list()) if saved is not None else set()
    )
    rows = [
        (key, asset, key, IMPUTED_KNOWN_AT, SOURCE, loads[0].name, None, ingested_at)
        for key, asset in sorted(resolved.new_spellings.items())
        if key not in mapped and asset in set(used)
    ]
    names = (
        "symbol_key",
        "asset_id",
        "symbol",
        "known_at",
        "source",
        "source_file",
        "source_line",
        "ingested_at",
    )
    schema = {name: contract.polars_schema[name] for name in names}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    frame = frame.with_columns(content_keys(frame, contract))
    return frame.select(pl.col(name).cast(dtype) for name, dtype in contract.polars_schema.items())
