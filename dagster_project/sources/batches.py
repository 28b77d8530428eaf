"""What a source hands to ingestion: batches of rows, each from one file and for one raw table."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from dagster_project.sources.contracts import RAW_TABLES, SOURCE_TABLES

LINE: Final = "source_line"
PROBLEM: Final = "_problem"  # reason code of a row that could not be split into cells, else null
PROBLEM_DETAIL: Final = "_problem_detail"
SKIP_RULE: Final = "_skip_rule"  # name of the rule by which a row is no record, else null

# Reference facts without a stated date were always so; what ingestion had to make up itself is
# known earlier still, so that any stated row supersedes it.
ALWAYS_KNOWN_AT: Final = dt.datetime(1989, 1, 1, tzinfo=dt.UTC)
IMPUTED_KNOWN_AT: Final = dt.datetime(1988, 1, 1, tzinfo=dt.UTC)
IMPUTED_PREFIX: Final = "imputed:"


class SourceError(ValueError):
    """A source cannot be read at all; the message names the path and the remedy."""


@dataclass(frozen=True)
class FileProblem:
    """What is wrong with a file as a whole.

    Attributes
    ----------
    reason : str
        Short code: ``empty_file``, ``not_utf8``, ``missing_column``, ``unreadable_file``...
    detail : str
        A sentence that names the value and the remedy.
    column : str or None
        The column concerned.
    """

    reason: str
    detail: str
    column: str | None = None


@dataclass(frozen=True)
class Batch:
    """Rows of one file for one raw table.

    Attributes
    ----------
    table : str
        Raw table, a member of ``SOURCE_TABLES``.
    source : str
        ``packaged``, ``files``, ``simulated`` or ``import``.
    source_file : str
        The file as lineage shows it.
    frame : polars.DataFrame
        ``source_line`` and either text cells under normalised headers (``is_text``), optionally
        with the columns ``PROBLEM``, ``PROBLEM_DETAIL``, ``SKIP_RULE``; or contract columns in
        their types, where missing nullable columns are null and missing defaults are filled.
    is_text : bool
        Whether cells still have to be parsed.
    problem : FileProblem or None
        The file as a whole is unusable: its rows, as far as they can be counted, are quarantined.
    yields_to : str or None
        A source whose rows win: rows about an asset (or a rate's day) that it covers are counted
        as duplicates.
    imputes : bool
        Whether missing reference rows may be made up from this batch: assets from bars, users
        from accounts.
    notes : tuple of str
        What the person who runs the night should know: ignored columns and the like.
    """

    table: str
    source: str
    source_file: str
    frame: pl.DataFrame
    is_text: bool = False
    problem: FileProblem | None = None
    yields_to: str | None = None
    imputes: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse tables that no source may write."""
        if self.table not in SOURCE_TABLES:
            raise ValueError(f"batch for raw.{self.table}: sources bring {', '.join(SOURCE_TABLES)}")


def typed_batch(
    table: str, source: str, source_file: str, frame: pl.DataFrame, *, yields_to: str | None = None
) -> Batch:
    """Wrap rows that a program made: check their columns and number them.

    Parameters
    ----------
    table, source, source_file, yields_to
        As in ``Batch``.
    frame : polars.DataFrame
        Contract columns, possibly ``source_line``; without it, rows are numbered from 1.

    Raises
    ------
    ValueError
        A column that the contract does not have: a typo would silently lose data.
    """
    unknown = [name for name in frame.columns if name not in RAW_TABLES[table] and name != LINE]
    if unknown:
        raise ValueError(f"{source_file}: raw.{table} has no column {', '.join(unknown)}")
    if LINE not in frame.columns:
        frame = frame.with_row_index(LINE, offset=1)
    return Batch(
        table, source, source_file, frame.with_columns(pl.col(LINE).cast(pl.Int64)), yields_to=yields_to
    )


def tables_of(batches: Sequence[Batch]) -> set[str]:
    """Names of the raw tables that the batches write."""
    return {batch.table for batch in batches}
