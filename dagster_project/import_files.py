"""The body of ``taxloom import``: brokers' files into the raw tables, with a report per file.

What does not belong here: reading formats and settling identities (``sources/brokerage``).
"""

import datetime as dt
import sys
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dagster_project.ml_tables import ml_ddl
from dagster_project.query import json_text
from dagster_project.resources.warehouse import TableWrite, Warehouse
from dagster_project.settings import Settings
from dagster_project.sources.brokerage.load import TRANSACTIONS, FileLoad, Loaded, Options, load, safe_name
from dagster_project.sources.brokerage.reading import ReadFile, read_file
from dagster_project.sources.brokerage.reported import (
    GAINS,
    POSITIONS,
    reported_gains,
    reported_positions,
    sales_without_history,
)
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.stored import stored_rows

COUNTS = ("accepted", "duplicate", "quarantined", "not_a_transaction")
_MOST_SHOWN = 12


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes
    ----------
    files : list of dict
        One object per file, as ``--json`` prints it.
    notes : list of str
        What a person should know, by file.
    reasons : dict
        Quarantined rows by file and reason.
    written : dict
        Rows appended by raw table; empty for a dry run.
    snapshot : int or None
        The warehouse snapshot of the write.
    """

    files: list[dict[str, Any]]
    notes: list[str]
    reasons: dict[str, Counter[str]]
    written: dict[str, int]
    snapshot: int | None

    @property
    def any_refused(self) -> bool:
        """Whether a file was refused as a whole."""
        return any(entry["refused"] is not None for entry in self.files)


def import_files(
    settings: Settings,
    paths: Sequence[Path],
    options: Options,
    *,
    format_name: str = "auto",
    dry_run: bool = False,
) -> ImportReport:
    """Import brokers' files in one transaction.

    Parameters
    ----------
    settings : Settings
        The installation.
    paths : sequence of Path
        The files.
    options : Options
        Account type, account number, owner.
    format_name : str
        A format's name, or ``auto``.
    dry_run : bool
        Read, check and report, but write nothing, not even an empty warehouse.
    """
    progress = Console(file=sys.stderr, highlight=False)
    read: list[ReadFile] = []
    for number, path in enumerate(paths, 1):
        progress.print(
            f"[{number}/{len(paths)}] reading {escape(safe_name(path.name))}", soft_wrap=True, markup=False
        )
        read.append(read_file(path, format_name, options.account))
    good = [file for file in read if file.statement is not None]
    warehouse, now = Warehouse(settings), dt.datetime.now(dt.UTC)
    if not good:
        return ImportReport([_refused(file) for file in read], [], {}, {}, None)
    if not dry_run:
        warehouse.bootstrap([*(contract.ddl() for contract in RAW_TABLES.values()), *ml_ddl()])
    existing = (
        stored_rows(warehouse, warehouse.snapshot_id()) if warehouse.exists and _has_raw(warehouse) else {}
    )
    run_id = f"import-{uuid.uuid4()}"
    progress.print(f"checking {sum(f.statement.rows for f in good if f.statement):,} rows", markup=False)
    loaded = load(good, existing, options, run_id=run_id, today=now.date(), ingested_at=now)
    gains = reported_gains(loaded, existing, now)
    stated, shown = reported_positions(loaded, existing, now)
    written: dict[str, int] = {}
    snapshot = None
    if not dry_run:
        written, snapshot = _write(warehouse, run_id, loaded, gains, stated)
    by_file = {id(item.file): _entry(item, shown[item.name]) for item in loaded.files}
    entries = [by_file.get(id(file)) or _refused(file) for file in read]
    reasons = {item.name: _reasons(item, loaded.result.quarantine) for item in loaded.files}
    return ImportReport(
        entries, _notes(loaded, sales_without_history(loaded, existing)), reasons, written, snapshot
    )


def _has_raw(warehouse: Warehouse) -> bool:
    """Whether the raw tables exist: a dry run creates nothing."""
    query = "select count(*) as n from information_schema.tables where table_schema = 'raw'"
    return warehouse.read(query)["n"][0] >= len(RAW_TABLES)


def _write(
    warehouse: Warehouse, run_id: str, loaded: Loaded, gains: pl.DataFrame, positions: pl.DataFrame
) -> tuple[dict[str, int], int]:
    result = loaded.result
    frames = {
        **result.accepted,
        "market__symbols": pl.concat([result.accepted["market__symbols"], loaded.symbols]),
        GAINS: gains,
        POSITIONS: positions,
        "quarantine": result.quarantine,
        "ingestion_counts": result.counts,
    }
    writes = [TableWrite(f"raw.{name}", frame) for name, frame in frames.items() if frame.height]
    names = ", ".join(item.name for item in loaded.files)
    snapshot = warehouse.write(run_id, writes, f"import {names[:200]}")
    return {name: frame.height for name, frame in frames.items() if frame.height}, snapshot


def _entry(item: FileLoad, positions: list[dict[str, Any]]) -> dict[str, Any]:
    """The report of one file."""
    tally = Counter(item.outcomes.values())
    good = item.frame.filter(
        pl.col("line").is_in(
            [row for row, outcome in item.outcomes.items() if outcome in ("accepted", "duplicate")]
        )
    )
    days = good["trade_date"].drop_nulls().sort()
    return {
        "file": _shown_path(item.file.path),
        "format": item.file.format,
        "accounts": list(dict.fromkeys(item.accounts.values())),
        "rows": sum(tally.values()),
        **{name: tally[name] for name in COUNTS},
        "refused": None,
        "kinds": dict(sorted(Counter(good["kind"].to_list()).items())),
        "first_date": days[0] if len(days) else None,
        "last_date": days[-1] if len(days) else None,
        "positions": positions,
    }


def _refused(file: ReadFile) -> dict[str, Any]:
    return {
        "file": _shown_path(file.path),
        "format": file.format,
        "accounts": [],
        "rows": 0,
        **dict.fromkeys(COUNTS, 0),
        "refused": file.refused,
        "kinds": {},
        "first_date": None,
        "last_date": None,
        "positions": [],
    }


def _shown_path(path: Path) -> str:
    """The path as given; control and direction characters in its name cannot reach a terminal."""
    parent = str(path.parent)
    name = safe_name(path.name)
    cleaned = "".join(char if char.isprintable() else "_" for char in parent)
    return name if parent == "." else f"{cleaned.rstrip('/')}/{name}"


def _reasons(item: FileLoad, quarantine: pl.DataFrame) -> Counter[str]:
    found: Counter[str] = Counter(reason for reason, *_ in item.statement.rejected.values())
    rows = quarantine.filter(pl.col("source_file") == item.name, pl.col("table_name") == TRANSACTIONS)
    listed = set(item.statement.rejected)
    found.update(
        reason for line, reason in rows.select("source_line", "reason").iter_rows() if line not in listed
    )
    return found


def _notes(loaded: Loaded, without_history: int) -> list[str]:
    notes = [f"{item.name}: {note}" for item in loaded.files for note in dict.fromkeys(item.statement.notes)]
    for item in loaded.files:
        if item.other_format:
            notes.append(
                f"{item.name}: {item.other_format} rows are known from a file of another format of the same account"
            )
    if without_history:
        notes.append(
            f"{without_history} sales or transfers are of shares whose purchase is in no file: their basis is unknown "
            "and "
            "blocks the year's totals until the earlier export is imported"
        )
    imputed = loaded.result.accepted.get("market__assets")
    if imputed is not None and imputed.height:
        names = ", ".join(imputed["symbol"].head(10).to_list())
        more = f" and {imputed.height - 10} more" if imputed.height > 10 else ""
        notes.append(
            f"{imputed.height} securities that nothing else knows got assets rows, imputed: {names}{more}"
        )
    notes += [warning for warning in loaded.result.warnings if " users without " in warning]
    return notes


def print_json(report: ImportReport) -> None:
    """Print the report as one JSON object on stdout; quantities keep all their digits."""
    sys.stdout.write(json_text({"files": report.files}) + "\n")


def print_report(report: ImportReport, settings: Settings, *, dry_run: bool) -> None:
    """Print the report for a person: what each file held, what was written where, what to look at next."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    table = Table(
        title="Imported files" if not dry_run else "Dry run: nothing was written", title_justify="left"
    )
    for name in ("file", "format", "accounts"):
        table.add_column(name, overflow="fold")
    for name in ("rows", "accepted", "duplicate", "quarantined", "not a transaction"):
        table.add_column(name, justify="right")
    table.add_column("dates")
    for entry in report.files:
        if entry["refused"] is None:
            accounts = entry["accounts"]
            shown = ", ".join(accounts[:3]) + (f" +{len(accounts) - 3}" if len(accounts) > 3 else "")
            span = f"{entry['first_date']} to {entry['last_date']}" if entry["first_date"] else "-"
            counts = [f"{entry[name]:,}" for name in ("rows", *COUNTS)]
            table.add_row(escape(Path(entry["file"]).name), entry["format"], escape(shown), *counts, span)
        else:
            table.add_row(escape(Path(entry["file"]).name), entry["format"] or "-", "refused", *[""] * 6)
    console.print(table)
    for entry in report.files:
        if entry["refused"] is not None:
            console.print(f"  refused: {entry['file']}: {entry['refused']}", markup=False, soft_wrap=True)
    for name, reasons in report.reasons.items():
        for reason, count in sorted(reasons.items()):
            console.print(f"  quarantined: {name}: {count} {reason}", markup=False, soft_wrap=True)
    _print_positions(console, report)
    for note in report.notes:
        console.print(f"  note: {note}", markup=False, soft_wrap=True)
    _print_next(console, report, settings, dry_run)


def _print_positions(console: Console, report: ImportReport) -> None:
    stated = [line for entry in report.files for line in entry["positions"] if line["state"] != "implied"]
    if not stated:
        return
    states = Counter(line["state"] for line in stated)
    console.print(
        f"  positions stated: {', '.join(f'{n} {state}' for state, n in sorted(states.items()))}",
        markup=False,
    )
    off = [line for line in stated if line["state"] in ("differs", "missing_history")]
    for line in off[:_MOST_SHOWN]:
        implied = _plain(line["quantity"])
        console.print(
            f"    {line['account']} {line['symbol']} on {line['as_of_date']}: the file states "
            f"{_plain(line['stated_quantity'])}, "
            f"the transactions imply {implied} ({line['state']})",
            markup=False,
            soft_wrap=True,
        )
    if len(off) > _MOST_SHOWN:
        console.print(
            f"    and {len(off) - _MOST_SHOWN} more in raw.brokerage__reported_positions", markup=False
        )


def _plain(value: Decimal | None) -> str:
    return "-" if value is None else f"{value.normalize():f}"


def _print_next(console: Console, report: ImportReport, settings: Settings, dry_run: bool) -> None:
    if dry_run:
        console.print("\nNext: the same command without --dry-run")
        return
    if report.written:
        rows = ", ".join(
            f"raw.{name} {count:,}" for name, count in report.written.items() if name != "ingestion_counts"
        )
        console.print(f"  written: {rows or 'nothing new'}", markup=False, soft_wrap=True)
        console.print(f"  in {settings.home}, snapshot {report.snapshot}", markup=False, soft_wrap=True)
    lines = [
        ("taxloom nightly", "recommendations, also for the imported accounts"),
        (
            "taxloom sql \"select * from raw.brokerage__transactions where source = 'import'\"",
            "what was imported",
        ),
    ]
    if any(report.reasons.values()):
        lines.append(
            (
                "taxloom sql \"select * from raw.quarantine where source = 'import'\"",
                "what was set aside, and why",
            )
        )
    if report.written.get(POSITIONS):
        lines.append(
            (
                'taxloom sql "select * from tax.tax_position_reconciliation"',
                "positions compared, after a night",
            )
        )
    if report.written.get(GAINS):
        lines.append(
            ('taxloom sql "select * from tax.tax_gain_reconciliation"', "gains compared, after a night")
        )
    console.print("\nNext:")
    for command, purpose in lines:
        console.print(f"  uv run {command:<76} {purpose}", markup=False, soft_wrap=True)
    console.print("\nNot tax or investment advice.")
