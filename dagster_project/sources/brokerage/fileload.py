"""One file on its way into the warehouse, and the choices of an import: what the loading modules share."""

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from dagster_project.sources.brokerage.model import Statement
from dagster_project.sources.brokerage.reading import ReadFile

SOURCE: Final = "import"
TRANSACTIONS: Final = "brokerage__transactions"


@dataclass(frozen=True)
class Options:
    """Choices of one import.

    Attributes
    ----------
    account_type : str or None
        Of every account of the files; None takes what the files say, else ``taxable``.
    account : str or None
        Number of the account of files that state none.
    user_id : str
        Owner of new accounts.
    """

    account_type: str | None = None
    account: str | None = None
    user_id: str = "imported"


@dataclass
class FileLoad:
    """One file on its way: its rows with identities and outcomes.

    Attributes
    ----------
    frame : polars.DataFrame
        Canonical transactions with ``account_id``, ``asset_id``, ``transaction_id``, ``verdict``.
    outcomes : dict
        Outcome by source row.
    accounts : dict
        Account ids by the file's own account numbers.
    """

    file: ReadFile
    name: str
    frame: pl.DataFrame = field(default_factory=pl.DataFrame)
    outcomes: dict[int, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    other_format: int = 0

    @property
    def statement(self) -> Statement:
        """What the file says."""
        assert self.file.statement is not None
        return self.file.statement
