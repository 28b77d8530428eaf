"""Reading a table file as text: every cell a string, every row with the line it starts on.

Nothing here knows what a column means. A row that cannot be split into cells keeps its place and
carries a reason; a file that cannot be read at all becomes a ``FileProblem``; neither raises.
"""

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from dagster_project.sources.batches import LINE, PROBLEM, PROBLEM_DETAIL, SKIP_RULE, FileProblem

# A stray quote must not swallow the rest of a file: a record longer than this is not a record.
MAX_RECORD_LINES: Final = 50_000
MAX_FIELD_CHARACTERS: Final = 64 * 1024 * 1024
HEADER_SEARCH_ROWS: Final = 20
_CHUNK_ROWS: Final = 50_000
_META: Final = {LINE: pl.Int64(), PROBLEM: pl.String(), PROBLEM_DETAIL: pl.String(), SKIP_RULE: pl.String()}
# The column that holds a row which could not be split into cells, as it stood.
WHOLE_LINE: Final = "_line"


@dataclass(frozen=True)
class TextTable:
    """A file's rows as text.

    Attributes
    ----------
    frame : polars.DataFrame
        One string column per header (empty cells are null), ``WHOLE_LINE`` and the meta columns.
    headers : tuple of str
        Normalised headers, in order.
    problem : FileProblem or None
        What makes the file unusable as a whole.
    """

    frame: pl.DataFrame
    headers: tuple[str, ...] = ()
    problem: FileProblem | None = None


@dataclass(frozen=True)
class _Record:
    line: int
    cells: list[str]
    problem: str | None = None
    detail: str | None = None


def normalise_header(cell: str) -> str:
    """A header as the contract spells it: lower case, blanks and dashes as one underscore."""
    return re.sub(r"[\s-]+", "_", cell.strip().lower())


def read_text_table(path: Path, known_headers: Collection[str]) -> TextTable:
    """Read a ``.csv`` or ``.parquet`` file as text.

    Parameters
    ----------
    path : Path
        The file.
    known_headers : collection of str
        Normalised headers that the table may have; they find the header row and the delimiter.

    Returns
    -------
    TextTable
        With ``problem`` set if the file is empty, unreadable, not UTF-8 or repeats a header. Rows
        of such a file are returned as far as they can be told apart, so that they can be counted.
    """
    try:
        if path.suffix == ".parquet":
            return _read_parquet(path)
        return _read_csv(path.read_bytes(), known_headers)
    except OSError as error:
        return _unreadable(f"{path.name} cannot be read: {error.strerror or error}")


def _unreadable(detail: str, reason: str = "unreadable_file") -> TextTable:
    return TextTable(
        pl.DataFrame(schema={**_META, WHOLE_LINE: pl.String()}), problem=FileProblem(reason, detail)
    )


def _read_parquet(path: Path) -> TextTable:
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        return _unreadable(f"{path.name} is not a readable Parquet file: {str(error).splitlines()[0]}")
    headers = tuple(normalise_header(name) for name in frame.columns)
    if len(set(headers)) < len(headers):
        return _unreadable(f"{path.name} repeats a column: {', '.join(frame.columns)}", "duplicate_column")
    frame.columns = list(headers)
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype == pl.Binary]
    cells = frame.select(
        _cell_text(name, dtype) for name, dtype in frame.schema.items() if name not in nested
    )
    return TextTable(
        cells.with_columns(
            pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(LINE),
            *(
                pl.lit(None, pl.String).alias(name)
                for name in (PROBLEM, PROBLEM_DETAIL, SKIP_RULE, WHOLE_LINE)
            ),
        ),
        tuple(name for name in headers if name not in nested),
    )


def _cell_text(name: str, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        column = pl.col(name) if dtype.time_zone is None else pl.col(name).dt.convert_time_zone("UTC")
        return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
    text = pl.col(name).cast(pl.String)
    return text.replace("", None)


def _read_csv(data: bytes, known_headers: Collection[str]) -> TextTable:
    problem = None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8-sig", errors="backslashreplace")
        line = data.count(b"\n", 0, error.start) + 1
        problem = FileProblem(
            "not_utf8", f"byte 0x{data[error.start]:02x} on line {line} is not UTF-8: save the file as UTF-8"
        )
    if not text.strip():
        return _unreadable("the file is empty: give it a header row, or remove it", "empty_file")
    lines = list(io.StringIO(text, newline=""))
    delimiter = _delimiter(lines, known_headers)
    records = _records(lines, delimiter)
    titles, header = _find_header(records, known_headers)
    if not header:
        return _unreadable("the file has no filled cell: give it a header row, or remove it", "empty_file")
    headers = tuple(normalise_header(cell) for cell in header)
    named = [name for name in headers if name]
    if len(set(named)) < len(named):
        repeated = next(name for name in named if named.count(name) > 1)
        problem = problem or FileProblem("duplicate_column", f"the header names {repeated} twice", repeated)
    headers = tuple(
        name if name and name not in headers[:index] else f"_unnamed_{index}"
        for index, name in enumerate(headers)
    )
    return TextTable(_frame(headers, titles, records), headers, problem)


def _delimiter(lines: list[str], known_headers: Collection[str]) -> str:
    def hits(delimiter: str) -> int:
        rows = (line.split(delimiter) for line in lines[:HEADER_SEARCH_ROWS])
        return max(
            sum(normalise_header(cell.strip('"\r\n ')) in known_headers for cell in row) for row in rows
        )

    return max(",;\t|", key=hits)  # the first of equals, so a comma unless another one finds more


def _records(lines: list[str], delimiter: str) -> Iterator[_Record]:
    """Split lines into records; a broken one costs its first line only, never the rows after it."""
    csv.field_size_limit(MAX_FIELD_CHARACTERS)  # process-wide; the default 128 KiB is less than a long text
    start = 0

    def feed(first: int) -> Iterator[str]:
        for index in range(first, len(lines)):
            if index - start >= MAX_RECORD_LINES:
                raise csv.Error(f"a quote opened here stays open for {MAX_RECORD_LINES} lines")
            yield lines[index]

    while start < len(lines):
        first = start
        reader = csv.reader(feed(first), delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield _Record(start + 1, cells)
                start = first + reader.line_num
        except csv.Error as error:
            if lines[start].strip():
                yield _Record(
                    start + 1, [lines[start].rstrip("\r\n")], "malformed_row", f"not a CSV row: {error}"
                )
            start += 1


def _find_header(
    records: Iterator[_Record], known_headers: Collection[str]
) -> tuple[list[_Record], list[str]]:
    """The rows before the header, and the header: the first row that names two known columns."""
    seen: list[_Record] = []
    for record in records:
        if sum(normalise_header(cell) in known_headers for cell in record.cells) >= 2:
            return seen, record.cells
        seen.append(record)
        if len(seen) == HEADER_SEARCH_ROWS:
            break
    # No header found: the first row stands in for it, and the missing columns will be named.
    return seen[1:], seen[0].cells if seen else []


def _frame(headers: tuple[str, ...], titles: list[_Record], records: Iterator[_Record]) -> pl.DataFrame:
    width = len(headers)
    schema = {**dict.fromkeys(headers, pl.String()), WHOLE_LINE: pl.String(), **_META}
    chunks: list[pl.DataFrame] = []
    rows: list[list] = []
    for record in titles:
        rows.append([None] * width + [_whole(record), record.line, None, None, "title_row"])
    for record in records:
        cells = record.cells
        while len(cells) > width and not cells[-1].strip():
            cells.pop()
        if record.problem:
            rows.append([None] * width + [_whole(record), record.line, record.problem, record.detail, None])
        elif len(cells) > width:
            detail = f"{len(cells)} cells under {width} headers: quote cells that contain the delimiter"
            rows.append([None] * width + [_whole(record), record.line, "wrong_column_count", detail, None])
        else:
            repeated = len(cells) == width and all(
                normalise_header(cell) == name for cell, name in zip(cells, headers, strict=True)
            )
            padded = [cell.strip() or None for cell in cells] + [None] * (width - len(cells))
            rows.append([*padded, None, record.line, None, None, "repeated_header" if repeated else None])
        if len(rows) >= _CHUNK_ROWS:
            chunks.append(_chunk(rows, schema))
            rows = []
    return pl.concat([*chunks, _chunk(rows, schema)])


def _chunk(rows: list[list], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pl.DataFrame(
        [pl.Series(name, cells, dtype) for (name, dtype), cells in zip(schema.items(), columns, strict=True)]
    )


def _whole(record: _Record) -> str:
    return ",".join(record.cells)
