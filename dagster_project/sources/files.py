"""The ``files`` source: a folder of tables, ``.csv`` or ``.parquet``, in the contracts' columns.

Files: accounts and transactions (required), users, goals, assets, bars, corporate_actions, rates.
Headers may differ in case and blanks; ``symbol`` may stand for ``asset_id``. A folder without
its required files raises; a file that is there but unusable is quarantined and the rest loads.

Rows that are no records, and by which rule: ``title_row`` (before the header), ``repeated_header``,
``total_row`` (begins with total, subtotal, sum or balance, and lacks a required cell), ``note_row``
(words in the first cell alone, the required cells empty). A row whose required cells are all filled
is always a record.
"""

from pathlib import Path
from typing import Final

import polars as pl

from dagster_project.sources.batches import PROBLEM, SKIP_RULE, Batch, FileProblem, SourceError
from dagster_project.sources.contracts import RAW_TABLES
from dagster_project.sources.textfile import read_text_table

SOURCE: Final = "files"
FILE_TABLES: Final = {
    "assets": "market__assets",
    "bars": "market__daily_bars",
    "corporate_actions": "market__corporate_actions",
    "rates": "market__rates",
    "users": "brokerage__users",
    "accounts": "brokerage__accounts",
    "transactions": "brokerage__transactions",
    "goals": "goals__statements",
}
REQUIRED_FILES: Final = ("accounts", "transactions")
# What a file cannot do without; every other column has a default or may be empty.
REQUIRED_HEADERS: Final[dict[str, tuple[str, ...]]] = {
    "assets": ("asset_id",),
    "bars": ("asset_id", "trade_date"),
    "corporate_actions": ("asset_id", "ex_date", "kind"),
    "rates": ("rate_date", "rate_pct"),
    "users": ("user_id", "filing_status"),
    "accounts": ("account_id", "user_id", "account_type"),
    "transactions": ("account_id", "traded_at", "kind", "amount_usd"),
    "goals": ("user_id", "stated_at", "text"),
}
# Further names of a contract column, by file; the contract's own name wins where both are filled.
ALIASES: Final[dict[str, dict[str, str]]] = {
    "assets": {},
    "bars": {"symbol": "asset_id", "date": "trade_date", "adj_close": "adjusted_close"},
    "corporate_actions": {"symbol": "asset_id", "new_symbol": "new_asset_id"},
    "rates": {"date": "rate_date"},
    "users": {"taxable_income_usd": "ordinary_taxable_income_usd"},
    "accounts": {"is_fractional": "fractional"},
    "transactions": {
        "symbol": "asset_id",
        "related_symbol": "related_asset_id",
        "underlying_symbol": "underlying_asset_id",
    },
    "goals": {},
}
# Filled at ingestion, so a file's own columns of these names are not read.
_DERIVED: Final = ("trade_date", "traded_at_is_date")

_META: Final = ("source_line", PROBLEM, "_problem_detail", SKIP_RULE, "_line")


def market_file_batches(folder: Path, *, yields_to: str | None) -> list[Batch]:
    """Assets, bars, corporate actions and rates of a folder.

    Parameters
    ----------
    folder : Path
        The ``--data`` folder.
    yields_to : str or None
        ``packaged`` under ``--prices packaged``: what the packaged source covers stands aside.
    """
    return _batches(folder, ("assets", "bars", "corporate_actions", "rates"), yields_to)


def brokerage_file_batches(folder: Path) -> list[Batch]:
    """Users, accounts, transactions and goals of a folder.

    Raises
    ------
    SourceError
        The folder, accounts or transactions are not there.
    """
    _check_folder(folder)
    for stem in REQUIRED_FILES:
        if _path(folder, stem) is None:
            raise SourceError(
                f"{folder} has no {stem}.csv or {stem}.parquet: the files source needs accounts and transactions; "
                f"{stem} has at least the columns {', '.join(REQUIRED_HEADERS[stem])}"
            )
    return _batches(folder, ("users", "accounts", "transactions", "goals"), None)


def has_bars(folder: Path) -> bool:
    """Whether the folder brings prices of its own."""
    _check_folder(folder)
    return _path(folder, "bars") is not None


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise SourceError(
            f"--data {folder} is not a folder: give the folder that holds accounts.csv and transactions.csv"
        )


def _path(folder: Path, stem: str) -> Path | None:
    """The one file of that name; two of them would be ambiguous."""
    found = sorted(p for p in folder.iterdir() if p.suffix in (".csv", ".parquet") and p.stem.lower() == stem)
    if len(found) > 1:
        raise SourceError(f"{folder} has {' and '.join(p.name for p in found)}: keep one of them")
    return found[0] if found else None


def _batches(folder: Path, stems: tuple[str, ...], yields_to: str | None) -> list[Batch]:
    _check_folder(folder)
    paths = {stem: _path(folder, stem) for stem in stems}
    return [read_file(path, stem, yields_to=yields_to) for stem, path in paths.items() if path is not None]


def read_file(path: Path, stem: str, *, yields_to: str | None = None) -> Batch:
    """Read one file of the folder as a batch of text rows.

    Parameters
    ----------
    path : Path
        The file.
    stem : str
        Which table it holds, a key of ``FILE_TABLES``.
    yields_to : str or None
        As in ``Batch``.

    Returns
    -------
    Batch
        With ``problem`` set if the file is unusable as a whole.
    """
    contract = RAW_TABLES[FILE_TABLES[stem]]
    aliases = ALIASES[stem]
    names = [name for name in contract.content_names if name not in _DERIVED or stem != "transactions"]
    text = read_text_table(path, {*names, *aliases, "currency"})
    frame = _resolve_aliases(text.frame, aliases)
    required = REQUIRED_HEADERS[stem]
    present = set(frame.columns) | ({"asset_id"} if stem == "assets" and "symbol" in frame.columns else set())
    problem = text.problem
    missing = [name for name in required if name not in present]
    if problem is None and missing:
        also = [alias for alias, name in aliases.items() if name == missing[0]]
        hint = f" (or {', '.join(also)})" if also else ""
        problem = FileProblem(
            "missing_column",
            f"{path.name} has no column {', '.join(missing)}{hint}; its header is: {', '.join(text.headers)}",
            missing[0],
        )
    elif problem is None and frame.height:
        frame = _classify(frame, [name if name in frame.columns else "symbol" for name in required])
    ignored = [
        name
        for name in text.headers
        if name not in {*names, *aliases, "currency"} and not name.startswith("_unnamed")
    ]
    notes = (
        (f"{path.name}: columns not in the contract are ignored: {', '.join(ignored)}",) if ignored else ()
    )
    imputes = stem in ("bars", "accounts")
    # The folder is not part of the name: the same files elsewhere are the same rows.
    return Batch(contract.name, SOURCE, path.name, frame, True, problem, yields_to, imputes, notes)


def _resolve_aliases(frame: pl.DataFrame, aliases: dict[str, str]) -> pl.DataFrame:
    for alias, name in aliases.items():
        if alias in frame.columns:
            given = [name, alias] if name in frame.columns else [alias]
            frame = frame.with_columns(pl.coalesce(given).alias(name))
    return frame


def _classify(frame: pl.DataFrame, required: list[str]) -> pl.DataFrame:
    """Name the rule by which a row is no record; see the module's docstring."""
    cells = [name for name in frame.columns if name not in _META]
    width = len(cells)
    first = pl.coalesce(cells)
    filled = pl.sum_horizontal(pl.col(cells).is_not_null())
    lacking = pl.sum_horizontal(pl.col(required).is_null())
    total = first.str.contains(r"(?i)^\W*(grand |sub)?-?\s*(totals?|sum|balance)\b") & (lacking > 0)
    words = pl.col(cells[0]).str.count_matches(r"\S+") >= 3
    note = words & (filled <= max(1, width // 4)) & (lacking >= len(required) - 1) & (lacking > 0)
    rule = (
        pl.when(total.fill_null(False))
        .then(pl.lit("total_row"))
        .when(note.fill_null(False))
        .then(pl.lit("note_row"))
    )
    record = pl.col(PROBLEM).is_not_null() | pl.col(SKIP_RULE).is_not_null()
    return frame.with_columns(pl.when(record).then(SKIP_RULE).otherwise(rule).alias(SKIP_RULE))
