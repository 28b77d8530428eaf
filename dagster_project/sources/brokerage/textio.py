"""Files as text and CSV records, whatever their encoding, line ends, delimiter and stray quotes.

Everything streams: a file is read once to settle its encoding and once more to be parsed.
"""

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from dagster_project.sources.brokerage.model import BadValue, RefusedFile, Statement, row_text

HEAD_BYTES: Final = 1 << 16
HEAD_RECORDS: Final = 60
MAX_RECORD_LINES: Final = 200  # no broker's description is longer; a stray quote costs no more than this
_BLOCK: Final = 1 << 20


def encoding_of(path: Path) -> str:
    """The encoding of a text file: by its byte order mark, by zero bytes (UTF-16), UTF-8 if valid, else Windows'.

    Raises
    ------
    RefusedFile
        The file is empty, or binary.
    """
    with path.open("rb") as handle:
        head = handle.read(HEAD_BYTES)
        if not head.strip(b"\x00\t\r\n \xef\xbb\xbf\xff\xfe"):
            raise RefusedFile("the file is empty: export it again")
        for mark, name in (
            (codecs.BOM_UTF8, "utf-8-sig"),
            (codecs.BOM_UTF16_LE, "utf-16"),
            (codecs.BOM_UTF16_BE, "utf-16"),
        ):
            if head.startswith(mark):
                return _checked(path, name)
        zeros = head[:4096]
        if b"\x00" in zeros:
            even, odd = zeros[::2].count(0), zeros[1::2].count(0)
            if max(even, odd) * 4 < len(zeros):
                raise RefusedFile(
                    "the file is binary, not a text export: choose CSV, XML, JSON or OFX at the broker"
                )
            return _checked(path, "utf-16-be" if even > odd else "utf-16-le")
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while head:
                decoder.decode(head)
                head = handle.read(_BLOCK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _checked(path: Path, encoding: str) -> str:
    try:
        with path.open(encoding=encoding) as handle:
            while handle.read(_BLOCK):
                pass
    except UnicodeError as error:
        raise RefusedFile(f"the file says it is {encoding} and is not ({error}): export it again") from error
    return encoding


def open_text(path: Path, encoding: str) -> io.TextIOWrapper:
    """Open for reading with line ends kept; undefined bytes of Windows' code page become U+FFFD."""
    return path.open(encoding=encoding, errors="replace" if encoding == "cp1252" else "strict", newline="")


@dataclass(frozen=True)
class Record:
    """One CSV record: the line it begins on, its cells, and what is wrong with it."""

    line: int
    cells: list[str]
    problem: str | None = None


def records(lines: Iterator[str], delimiter: str) -> Iterator[Record]:
    """Split lines into records; a broken one costs its first line only, never the rows after it."""
    csv.field_size_limit(1 << 26)  # process-wide; the default 128 KiB is less than a long text
    pending: deque[str] = deque()
    taken: list[str] = []
    line = 0

    def feed() -> Iterator[str]:
        while True:
            text = pending.popleft() if pending else next(lines, None)
            if text is None:
                return
            taken.append(text)
            if len(taken) > MAX_RECORD_LINES:
                raise csv.Error(f"a quote opened here stays open for {MAX_RECORD_LINES} lines")
            yield text

    while True:
        try:
            for cells in csv.reader(feed(), delimiter=delimiter, strict=True):
                if any(cell.strip() for cell in cells):
                    yield Record(line + 1, cells)
                line += len(taken)
                taken.clear()
            return
        except csv.Error as error:
            pending.extendleft(reversed(taken[1:]))
            if taken[0].strip():
                yield Record(line + 1, [taken[0].rstrip("\r\n")], f"not a CSV row: {error}")
            line += 1
            taken.clear()


def header_key(cell: str) -> str:
    """A header in one spelling: lower case, words joined by ``_``: ``Fees & Comm`` is ``fees_comm``."""
    return "_".join(re.findall(r"[a-z0-9]+", cell.lower()))


def head_tables(path: Path, encoding: str) -> dict[str, list[Record]]:
    """The first records under each delimiter, for telling formats apart."""
    with open_text(path, encoding) as handle:
        lines = list(islice(handle, HEAD_RECORDS))
    return {mark: list(records(iter(lines), mark)) for mark in ",;\t|"}


@dataclass(frozen=True)
class Row:
    """A CSV row under its header; cells are stripped text."""

    line: int
    cells: dict[str, str]
    text: str
    section: str

    def get(self, *names: str) -> str:
        """The first filled cell of these headers, or an empty text."""
        return next((self.cells[name] for name in names if self.cells.get(name)), "")


Section = Callable[[list[str]], str | None]


def read_rows(
    path: Path,
    encoding: str,
    delimiter: str,
    statement: Statement,
    section: Section,
    handle: Callable[[Row], None],
) -> None:
    """Walk a CSV file: titles, one or more headers with their rows, totals and notes.

    Parameters
    ----------
    path, encoding, delimiter
        The file.
    statement : Statement
        Gets every row that is no record of its own.
    section : callable
        From normalised cells to the name of the section whose header they are, else None.
    handle : callable
        Gets each row under a header; a ``BadValue`` that it raises rejects the row.

    Raises
    ------
    RefusedFile
        No header was found.
    """
    headers: list[str] = []
    name: str | None = None
    titles = 0
    with open_text(path, encoding) as lines:
        for record in records(iter(lines), delimiter):
            keys = [header_key(cell) for cell in record.cells]
            text = row_text(
                dict(zip(headers or [f"cell_{n}" for n in range(1, 99)], record.cells, strict=False))
            )
            found = section(keys)
            if found:
                if name is not None:
                    statement.skip(
                        record.line, "repeated_header" if found == name else "section_header", text
                    )
                headers, name = _unique(keys), found
            elif record.problem:
                statement.reject(record.line, "malformed_row", record.problem, text)
            elif name is None:
                titles += 1
                statement.skip(record.line, "title_row", text)
            else:
                _row(record, headers, name, text, statement, handle)
    if name is None:
        raise RefusedFile(
            "no header row of this format was found: export the transaction history as CSV again"
        )


def _unique(keys: list[str]) -> list[str]:
    return [key if key and key not in keys[:n] else f"_{n}" for n, key in enumerate(keys)]


def _row(
    record: Record,
    headers: list[str],
    name: str,
    text: str,
    statement: Statement,
    handle: Callable[[Row], None],
) -> None:
    cells = [cell.strip() for cell in record.cells]
    beyond = [cell for cell in cells[len(headers) :] if cell]
    inside = [cell for cell in cells[: len(headers)] if cell]
    if beyond:
        whole = row_text({f"cell_{n}": cell for n, cell in enumerate(cells, 1)})
        if any(cells[:2]) or len(inside) > 2:
            detail = (
                f"{len(cells)} cells under {len(headers)} headers: quote cells that contain the delimiter"
            )
            statement.reject(record.line, "wrong_column_count", detail, whole)
        else:
            statement.skip(record.line, "note_row", whole)
        return
    if len(inside) == 1 and len(headers) > 2 and len(inside[0].split()) >= 3:
        statement.skip(record.line, "note_row", text)
        return
    if re.match(r"(?i)^\W*(grand |sub|transactions? )?-?\s*totals?\b", inside[0]):
        statement.skip(record.line, "total_row", text)
        return
    row = Row(record.line, dict(zip(headers, cells, strict=False)), text, name)
    try:
        handle(row)
    except BadValue as error:
        statement.reject(record.line, error.reason, error.detail, text, error.column)
