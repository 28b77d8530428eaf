"""The market of a backtest, from a source's own files through the same contracts and rules as a night's.

What does not belong here: the panel's arrays (``ml/backtest/panel.py``), the warehouse: a backtest may run on any
folder of bars, which must not become part of what nights read.
"""

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import polars as pl

from dagster_project.sources.batches import Batch, SourceError
from dagster_project.sources.contracts import RAW_TABLES

if TYPE_CHECKING:
    from ml.backtest.panel import BacktestPanel

BacktestSource = Literal["packaged", "files"]
_RUN = "backtest"


def backtest_panel(
    source: BacktestSource, data: Path | None, until: dt.date | None = None
) -> "BacktestPanel":
    """Read a source and build the panel.

    Parameters
    ----------
    source : {"packaged", "files"}
    data : Path or None
        Folder with ``bars`` (and ``assets``, ``corporate_actions``, ``rates`` where there are any), in the raw
        contract's columns.
    until : datetime.date, optional
        Later bars are left out.

    Raises
    ------
    SourceError
        The folder lacks bars, or no row of them is usable; the message names the reasons.
    ml.backtest.panel.BacktestPanelError
        Rows that make no panel.
    """
    from dagster_project.sources.calendar import session_frame
    from dagster_project.sources.ingest import ingest
    from dagster_project.sources.packaged import BENCHMARK_ASSET_IDS
    from ml.backtest.panel import panel_from_frames

    now = dt.datetime.now(dt.UTC)
    batches = _batches(source, data)
    result = ingest(batches, run_id=_RUN, as_of_date=now.date(), ingested_at=now, today=now.date())
    frames = {
        name: result.accepted.get(name, pl.DataFrame(schema=RAW_TABLES[name].polars_schema))
        for name in ("market__assets", "market__daily_bars", "market__corporate_actions", "market__rates")
    }
    bars = frames["market__daily_bars"]
    if until is not None:
        bars = bars.filter(pl.col("trade_date") <= until)
    reasons = _refused(result.quarantine)
    if bars.is_empty():
        where = f"--data {data}" if data else f"source {source}"
        raise SourceError(
            f"{where}: no usable bars{f' up to {until}' if until else ''} ({reasons or 'no rows'})"
        )
    panel = panel_from_frames(
        frames["market__assets"],
        bars,
        frames["market__corporate_actions"],
        frames["market__rates"],
        session_frame(),
        benchmark_ids=tuple(BENCHMARK_ASSET_IDS) if source == "packaged" else (),
        source=source,
    )
    notes = (f"Rows refused: {reasons}.",) if reasons else ()
    return _with_notes(panel, notes)


def _with_notes(panel: "BacktestPanel", notes: tuple[str, ...]) -> "BacktestPanel":
    from dataclasses import replace

    return replace(panel, notes=(*notes, *panel.notes)) if notes else panel


def _batches(source: BacktestSource, data: Path | None) -> list[Batch]:
    from dagster_project.sources.files import has_bars, market_file_batches
    from dagster_project.sources.packaged import packaged_market_batches

    if source == "packaged":
        return packaged_market_batches()
    if data is None:
        raise SourceError("--source files needs --data DIR, a folder with bars.csv or bars.parquet")
    if not has_bars(data):
        raise SourceError(
            f"--data {data} has no bars.csv or bars.parquet: a backtest needs at least the columns symbol, trade_date "
            "and close or adjusted_close"
        )
    return market_file_batches(data, yields_to=None)


def _refused(quarantine: pl.DataFrame) -> str:
    """Counts of refused rows by table and reason, most first."""
    if quarantine.is_empty():
        return ""
    counts = (
        quarantine.group_by("table_name", "reason")
        .len()
        .sort("len", "table_name", "reason", descending=[True, False, False])
    )
    return ", ".join(f"{n} of {table} ({reason})" for table, reason, n in counts.iter_rows())
