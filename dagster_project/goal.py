"""``taxloom goal USER "text"``: record a statement of a goal, and show how it is understood.

What belongs here: the way of one statement into ``raw`` and what is printed. What does not: judging rows
(``sources/``), reading words (``ml/intent``). The statement goes through the ingestion that files go
through: same contract, same quarantine, with ``taxloom goal`` as its source file and a running number
as its line.
"""

import datetime as dt
import uuid
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dagster_project.intent_endpoint import goal_reader
from dagster_project.query import QueryError, fetch, fetch_frame
from dagster_project.resources.warehouse import TableWrite, Warehouse, WarehouseError
from dagster_project.settings import Settings
from dagster_project.sources.batches import LINE, Batch
from dagster_project.sources.contracts import MAX_TEXT_CHARACTERS, RAW_TABLES
from ml.intent.schema import InvestmentIntent

SOURCE_FILE: Final = "taxloom goal"
_SOURCE: Final = "import"
_TABLE: Final = "goals__statements"
_NEW_YORK: Final = ZoneInfo("America/New_York")


def record_goal(settings: Settings, user: str, text: str, stated_at: str | None, *, dry_run: bool) -> None:
    """Show how a statement is understood, then record it.

    Parameters
    ----------
    settings : Settings
        The installation.
    user : str
        A known user_id.
    text : str
        The statement, in the user's words.
    stated_at : str or None
        ISO date or UTC time; None is now.
    dry_run : bool
        Show only.

    Raises
    ------
    QueryError
        The user is unknown, the time cannot be read, or the statement was refused; the message says why.
    """
    _require_user(settings, user)
    now = dt.datetime.now(dt.UTC)
    moment = now.isoformat(timespec="seconds").replace("+00:00", "Z") if stated_at is None else stated_at
    console = Console(highlight=False)
    day = _new_york_day(moment)
    intent = goal_reader(settings)(text, day)
    console.print(f"[bold]{escape(user)}[/] stated on {day}: {escape(text[:500])}", soft_wrap=True)
    console.print(_understood(intent))
    for line in _remarks(intent):
        console.print(f"  {escape(line)}", soft_wrap=True)
    if dry_run:
        console.print("\nNothing was recorded (--dry-run).")
        return
    statement_id = _record(settings, user, text, moment, now)
    console.print(
        f"\nRecorded as statement {statement_id} in raw.{_TABLE}. It counts in every night that closes after "
        f"{moment}.",
        soft_wrap=True,
    )
    _say_latest_night(settings, console, day)
    console.print(
        f"Next:\n  uv run taxloom nightly        the next night uses it\n  uv run taxloom show {escape(user)}",
        soft_wrap=True,
    )


def _require_user(settings: Settings, user: str) -> None:
    known = fetch(settings, "select user_id from raw.brokerage__users where user_id = ? limit 1", [user])[1]
    if known:
        return
    some = fetch(settings, "select distinct user_id from raw.brokerage__users order by 1 limit 3")[1]
    names = ", ".join(row[0] for row in some) or "none yet: run `taxloom nightly`"
    raise QueryError(f"user '{user}' is not known; users of this warehouse: {names} ...")


def _new_york_day(moment: str) -> dt.date:
    """Give the day of a statement: a bare date as it stands, else the date in New York."""
    try:
        if len(moment) == len("2026-01-31"):
            return dt.date.fromisoformat(moment)
        time = dt.datetime.fromisoformat(moment)
    except ValueError as error:
        raise QueryError(
            f"--stated-at '{moment}' is no date or time: give 2026-01-31 or 2026-01-31T15:30:00Z"
        ) from error
    return (time if time.tzinfo else time.replace(tzinfo=dt.UTC)).astimezone(_NEW_YORK).date()


def _record(settings: Settings, user: str, text: str, moment: str, now: dt.datetime) -> str:
    """Take the statement through ingestion and write what becomes of it; returns its id."""
    from dagster_project.sources.ingest import ingest

    warehouse = Warehouse(settings)
    try:
        existing = {
            name: warehouse.read(f"select {', '.join(columns)} from raw.{name}")
            for name, columns in (
                (_TABLE, RAW_TABLES[_TABLE].existing_columns),
                ("brokerage__users", [*RAW_TABLES["brokerage__users"].existing_columns, "household_id"]),
                ("quarantine", ["content_key"]),
            )
        }
        line = _next_line(warehouse)
        rows = pl.DataFrame(
            {LINE: [line], "user_id": [user], "stated_at": [moment], "text": [text]},
            schema_overrides={LINE: pl.Int64},
        )
        run_id = f"goal-{uuid.uuid4()}"
        result = ingest(
            [Batch(_TABLE, _SOURCE, SOURCE_FILE, rows, is_text=True)],
            existing=existing,
            run_id=run_id,
            as_of_date=now.date(),
            ingested_at=now,
            today=now.date(),
        )
        accepted = result.accepted[_TABLE]
        writes = [
            TableWrite(f"raw.{_TABLE}", accepted),
            TableWrite("raw.quarantine", result.quarantine),
            TableWrite("raw.ingestion_counts", result.counts),
        ]
        warehouse.write(run_id, writes, f"goal of {user}")
    except WarehouseError as error:
        raise QueryError(str(error)) from error
    if accepted.height:
        return accepted["statement_id"][0]
    if result.quarantine.height:
        refused = result.quarantine.row(0, named=True)
        raise QueryError(
            f"the statement was set aside in raw.quarantine ({refused['reason']}): {refused['detail']}"
            if refused.get("detail")
            else f"the statement was set aside in raw.quarantine: {refused['reason']} (a text has at most "
            f"{MAX_TEXT_CHARACTERS:,} characters)"
        )
    raise QueryError("the same statement of that user at that time is recorded already; nothing was written")


def _next_line(warehouse: Warehouse) -> int:
    taken = warehouse.read(
        "select coalesce(max(source_line), 0) as n from (select source_line, source_file from raw.goals__statements "
        "union all select source_line, source_file from raw.quarantine) where source_file = ?",
        [SOURCE_FILE],
    )
    return int(taken["n"][0]) + 1


def _understood(intent: InvestmentIntent) -> Table:
    """What was read, field by field; what was not stated is a dash."""
    table = Table(title="understood as", title_justify="left")
    table.add_column("field")
    table.add_column("value")
    for name, value in _fields(intent):
        table.add_row(name, escape(value) if value else "-")
    return table


def _fields(intent: InvestmentIntent) -> list[tuple[str, str]]:
    need, horizon = intent.liquidity, intent.horizon_months
    wishes = [name for name, is_set in intent.tax.model_dump().items() if is_set]
    window = need.by if need is not None else None
    return [
        ("objective", intent.objective or ""),
        ("second objective", intent.secondary or ""),
        ("horizon", _months(horizon) if horizon else ""),
        ("cash needed", _cash(need)),
        ("by", "" if window is None else " to ".join(dict.fromkeys(day.isoformat() for day in window))),
        ("risk tolerance", intent.risk_tolerance or ""),
        ("not to be owned", ", ".join(f"{item.kind} {item.name}" for item in intent.exclusions)),
        ("tax wishes", ", ".join(wishes)),
        ("usable as it is", "yes" if intent.actionable else "no: it needs asking back, and changes nothing"),
    ]


def _months(horizon: tuple[int, int]) -> str:
    low, high = horizon
    return f"{low} months or more" if high >= 600 else f"{low} to {high} months"


def _cash(need: Any) -> str:
    if need is None:
        return ""
    if need.amount_usd is not None:
        return f"{need.amount_usd:,.2f} USD"
    return (
        f"{need.share_of_portfolio:.1%} of the portfolio"
        if need.share_of_portfolio is not None
        else "amount open"
    )


def _remarks(intent: InvestmentIntent) -> list[str]:
    lines = [f"not used ({span.reason}): {span.text.strip()[:120]}" for span in intent.not_understood]
    lines += [intent.note] if intent.note else []
    return [*lines, f"read by {intent.parser_version}"]


def _say_latest_night(settings: Settings, console: Console, day: dt.date) -> None:
    nights = fetch_frame(settings, "select max(as_of_date) as night from ml.audit_nights")
    night = nights["night"][0] if nights.height else None
    if night is not None and day > night:
        console.print(
            f"The latest published night is {night}, before that: a night up to {night} does not see it. To try it on "
            f"the data at hand, record it with --stated-at {night}.",
            soft_wrap=True,
        )
