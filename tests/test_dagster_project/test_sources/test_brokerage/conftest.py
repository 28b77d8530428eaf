"""Importing fixtures without a warehouse: read, load, and what became of every row."""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project.sources.brokerage.load import Loaded, Options, load
from dagster_project.sources.brokerage.reading import ReadFile, read_file
from dagster_project.sources.brokerage.reported import reported_gains, reported_positions
from dagster_project.sources.contracts import RAW_TABLES

FIXTURES = Path(__file__).parents[3] / "fixtures" / "brokerage"
NOW = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


@dataclass
class Lake:
    """Stored rows that grow with every import, as the warehouse's would."""

    frames: dict[str, pl.DataFrame]

    def put(self, files: Sequence[ReadFile], options: Options | None = None) -> Loaded:
        """Import files and store what was accepted."""
        assert all(file.statement is not None for file in files), [file.refused for file in files]
        loaded = load(files, self.frames, options or Options(), run_id="r", today=NOW.date(), ingested_at=NOW)
        gains = reported_gains(loaded, self.frames, NOW)
        positions, shown = reported_positions(loaded, self.frames, NOW)
        new = {
            **loaded.result.accepted,
            "market__symbols": pl.concat([loaded.result.accepted["market__symbols"], loaded.symbols]),
            "brokerage__reported_gains": gains,
            "brokerage__reported_positions": positions,
            "quarantine": loaded.result.quarantine,
        }
        for name, frame in new.items():
            old = self.frames.get(name, pl.DataFrame(schema=RAW_TABLES[name].polars_schema))
            self.frames[name] = pl.concat([old, frame])
        self.shown = shown
        return loaded

    def rows(self, **equal: Any) -> list[dict[str, Any]]:
        """Stored transactions with these cells, in order."""
        frame = self.frames["brokerage__transactions"]
        for name, value in equal.items():
            frame = frame.filter(pl.col(name) == value)
        return frame.sort("source_file", "source_line", "known_at").to_dicts()


def counts(loaded: Loaded, index: int = 0) -> Counter[str]:
    """Outcomes of a file's rows."""
    return Counter(loaded.files[index].outcomes.values())


@pytest.fixture
def lake() -> Lake:
    return Lake({})


@pytest.fixture
def put(lake: Lake) -> Callable[..., Loaded]:
    """Import fixtures by name, or given text under a name."""

    def run(*names: str | Path, options: Options | None = None) -> Loaded:
        paths = [name if isinstance(name, Path) else FIXTURES / name for name in names]
        return lake.put(
            [read_file(path, "auto", options.account if options else None) for path in paths], options
        )

    return run
