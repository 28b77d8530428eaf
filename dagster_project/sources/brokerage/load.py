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
from dataclasses import dataclass
from typing import Final

import polars as pl

from dagster_project.sources.batches import IMPUTED_KNOWN_AT, LINE, PROBLEM, PROBLEM_DETAIL, SKIP_RULE, Batch
from dagster_project.sources.brokerage.cancellations import cancellations
from dagster_project.sources.brokerage.fileload import SOURCE, TRANSACTIONS, FileLoad, Options
from dagster_project.sources.brokerage.identity import Known, with_content, with_ids
from dagster_project.sources.brokerage.new_references import account_batch, asset_batch
from dagster_project.sources.brokerage.reading import BROKERS, ReadFile
from dagster_project.sources.brokerage.securities import Resolved, Security, resolve
from dagster_project.sources.calendar import close_of
from dagster_project.sources.content import content_keys
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.sources.ingest import IngestResult, ingest
from dagster_project.sources.symbols import symbol_key
from dagster_project.sources.textfile import WHOLE_LINE

# Two brokers may use one account number: the later one's account id then carries its name.
_HOUSES: Final = (
    "fidelity",
    "vanguard",
    "schwab",
    "ameritrade",
    "robinhood",
    "alpaca",
    "interactive",
    "etrade",
    "merrill",
    "jpmorgan",
    "wells fargo",
    "ally",
    "m1 finance",
    "tastytrade",
    "webull",
)
_OPTION_CELLS: Final = ("option_right", "strike_usd", "expiry_date")


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
    corrections = cancellations(loads, resolved, existing.get(TRANSACTIONS))
    batches = [asset_batch(loads, resolved, registry, existing), account_batch(loads, options, existing)]
    batches += [_transaction_batch(item, corrections.get(index)) for index, item in enumerate(loads)]
    result = ingest(
        [batch for batch in batches if batch is not None],
        run_id=run_id,
        as_of_date=today,
        ingested_at=ingested_at,
        today=today,
        existing=existing,
    )
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
            (
                key,
                t.right,
                None if t.strike is None else format(t.strike, "f"),
                t.expiry and t.expiry.isoformat(),
                by_symbol.get(symbol_key(t.underlying)) if t.underlying else None,
            )
            for key, t in options.items()
        ],
        schema={
            "security": pl.String,
            **{f"_{n}": pl.String for n in (*_OPTION_CELLS, "underlying_asset_id")},
        },
        orient="row",
    )
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
        pl.DataFrame(
            bad,
            schema={"line": pl.Int64, PROBLEM: pl.String, PROBLEM_DETAIL: pl.String, "row": pl.String},
            orient="row",
        ),
        pl.DataFrame(
            skipped, schema={"line": pl.Int64, SKIP_RULE: pl.String, "row": pl.String}, orient="row"
        ),
    ]
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
