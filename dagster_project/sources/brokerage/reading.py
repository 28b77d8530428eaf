"""One file in, one ``Statement`` out, or the reason why the whole file is refused.

The format is told by content, never by the file's name. What does not belong here: what a row means
(the formats' modules) and what the warehouse knows (``load.py``).
"""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dagster_project.sources.brokerage import (
    alpaca,
    contract,
    fidelity,
    ibkr_csv,
    ibkr_flex,
    ofx,
    robinhood,
    schwab_awards,
    schwab_csv,
    vanguard,
)
from dagster_project.sources.brokerage.model import RefusedFile, Statement
from dagster_project.sources.brokerage.textio import encoding_of, head_tables, header_key, open_text

BROKERS: Final = {
    ofx.FORMAT: "OFX",
    ibkr_flex.FORMAT: "Interactive Brokers",
    ibkr_csv.FORMAT: "Interactive Brokers",
    alpaca.FORMAT: "Alpaca",
    schwab_csv.FORMAT: "Charles Schwab",
    schwab_awards.FORMAT: "Charles Schwab",
    fidelity.FORMAT: "Fidelity",
    vanguard.FORMAT: "Vanguard",
    robinhood.FORMAT: "Robinhood",
    contract.FORMAT: "import",
}
FORMATS: Final = tuple(BROKERS)
KEEP_ROWS_BYTES: Final = 32 << 20  # beyond it, rows as read are kept for bad rows alone
_HEAD: Final = 1 << 16
_MAGIC: Final = (
    (b"PK\x03\x04", "a ZIP archive or spreadsheet: unpack it, or save it as CSV"),
    (b"%PDF", "a PDF: download the transaction history as CSV, XML, JSON or OFX instead"),
    (b"\x1f\x8b", "compressed (gzip): unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook or an encrypted one: save it as CSV"),
    (b"-----BEGIN PGP", "encrypted (PGP): decrypt it first"),
)


@dataclass(frozen=True)
class ReadFile:
    """Outcome of reading one file.

    Attributes
    ----------
    path : Path
        As given.
    format : str or None
        The format, if it was told.
    statement : Statement or None
        What the file says; None if it is refused.
    refused : str or None
        Why the whole file is refused.
    """

    path: Path
    format: str | None
    statement: Statement | None
    refused: str | None = None


def read_file(path: Path, format_name: str = "auto", account: str | None = None) -> ReadFile:
    """Read one broker's file.

    Parameters
    ----------
    path : Path
        The file; anything but a regular file is refused.
    format_name : str
        A member of ``FORMATS``, or ``auto``.
    account : str, optional
        The account's number, for files that state none.

    Returns
    -------
    ReadFile
        Never raises for what is in the file.
    """
    found: str | None = None if format_name == "auto" else format_name
    try:
        size = _regular_size(path)
        encoding = encoding_of(path)
        found, hint = _detect(path, encoding, found)
        statement = Statement(found, BROKERS[found])
        statement.keeps_rows = size <= KEEP_ROWS_BYTES
        _dispatch(found, path, encoding, hint, statement, account)
        if not statement.rows and not statement.positions:
            raise RefusedFile("the file holds no transaction and no position: there is nothing to import")
    except RefusedFile as error:
        return ReadFile(path, found, None, str(error))
    except UnicodeError as error:
        return ReadFile(path, found, None, f"the file's text is damaged ({error}): export it again")
    except OSError as error:
        return ReadFile(path, found, None, f"the file cannot be read ({error.strerror or error})")
    return ReadFile(path, found, statement)


def _regular_size(path: Path) -> int:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise RefusedFile("this is no regular file: give the exported file itself")
    with path.open("rb") as handle:
        head = handle.read(64)
    for magic, what in _MAGIC:
        if head.startswith(magic):
            raise RefusedFile(f"the file is {what}")
    return status.st_size


def _detect(path: Path, encoding: str, forced: str | None) -> tuple[str, Any]:
    """The format, and what telling it found: decoded JSON, or the CSV delimiter."""
    with open_text(path, encoding) as handle:
        head = handle.read(_HEAD).lstrip("\ufeff \t\r\n")
    upper = head.upper()
    if head[:1] in ("{", "[") and forced not in (ofx.FORMAT, ibkr_flex.FORMAT):
        data = alpaca.load_json(path, encoding)
        if schwab_csv.is_json(data):
            return schwab_csv.FORMAT, data
        if alpaca.is_activities(data):
            return alpaca.FORMAT, data
        if schwab_awards.is_awards(data):
            return schwab_awards.FORMAT, data
        if isinstance(data, list) and not data:
            raise RefusedFile("the list is empty: there is nothing to import")
        raise RefusedFile("the JSON is of no known format: Alpaca activities and Schwab exports are known")
    if "<FLEXQUERYRESPONSE" in upper or "<FLEXSTATEMENT" in upper:
        return _agreed(ibkr_flex.FORMAT, forced), None
    if "<OFX" in upper or "OFXHEADER" in upper:
        return _agreed(ofx.FORMAT, forced), None
    if forced in (ibkr_flex.FORMAT, ofx.FORMAT):
        return forced, None
    if upper.startswith("<"):
        raise RefusedFile("the XML is of no known format: OFX and IBKR Flex statements are known")
    return _detect_csv(path, encoding, forced)


def _agreed(found: str, forced: str | None) -> str:
    if forced not in (None, found):
        raise RefusedFile(f"the file is of format {found}, not {forced}: leave --format out")
    return found


def _detect_csv(path: Path, encoding: str, forced: str | None) -> tuple[str, str]:
    for delimiter, rows in head_tables(path, encoding).items():
        keys = [[header_key(cell) for cell in record.cells] for record in rows]
        for name, test in _CSV_TESTS:
            if any(test(row, record.cells) for row, record in zip(keys, rows, strict=True)):
                return _agreed(name, forced), delimiter
        if vanguard.is_uk(keys):
            raise RefusedFile(
                "this is Vanguard's UK report, whose amounts are in pounds without a rate into US dollars: only US "
                "accounts are supported"
            )
    known = ", ".join(FORMATS)
    if forced is not None:
        raise RefusedFile(f"no header row of format {forced} was found: export the transaction history again")
    raise RefusedFile(
        f"the format is not known; known are {known}. Choose one with --format if it is one of them"
    )


_CSV_TESTS: Final = (
    (robinhood.FORMAT, lambda keys, cells: robinhood.section(keys) is not None),
    (schwab_awards.FORMAT, lambda keys, cells: schwab_awards.is_csv_header(keys)),
    (contract.FORMAT, lambda keys, cells: contract.section(keys) is not None),
    (schwab_csv.FORMAT, lambda keys, cells: schwab_csv.section(keys) is not None),
    (fidelity.FORMAT, lambda keys, cells: fidelity.section(keys) is not None),
    (vanguard.FORMAT, lambda keys, cells: vanguard.section(keys) is not None),
    (ibkr_csv.FORMAT, lambda keys, cells: ibkr_csv.is_activity_head(cells) or ibkr_csv.is_flex_header(cells)),
)


def _dispatch(
    name: str, path: Path, encoding: str, hint: Any, statement: Statement, account: str | None
) -> None:
    if name == ofx.FORMAT:
        ofx.read(path, encoding, statement)
    elif name == ibkr_flex.FORMAT:
        ibkr_flex.read(path, encoding, statement)
    elif name == alpaca.FORMAT:
        alpaca.read_data(hint, statement)
    elif name == schwab_awards.FORMAT:
        if isinstance(hint, str):
            schwab_awards.read_csv(path, encoding, hint, statement, account)
        else:
            schwab_awards.read_json(hint, statement, account)
    elif name == schwab_csv.FORMAT and not isinstance(hint, str):
        schwab_csv.read_json(hint, path, statement, account)
    elif name in (ibkr_csv.FORMAT, contract.FORMAT):
        {ibkr_csv.FORMAT: ibkr_csv, contract.FORMAT: contract}[name].read(path, encoding, hint, statement)
    else:
        modules = {m.FORMAT: m for m in (schwab_csv, fidelity, vanguard, robinhood)}
        modules[name].read(path, encoding, hint, statement, account)
