"""The words in which lineage is declared: a source, an origin, an entry, and what makes entries short.

What does not belong here: any entry (``steps.py``, ``tax.py``).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["python", "model"]
# Why a column has no source: one value for all rows; the wall clock; the run; the night's settings; the
# version of the code or of a checkpoint.
Origin = Literal["constant", "clock", "run", "settings", "code"]


@dataclass(frozen=True, order=True)
class Source:
    """A column of the warehouse.

    Attributes
    ----------
    table : str
        ``schema.name``.
    column : str
        Its name.
    """

    table: str
    column: str


@dataclass(frozen=True)
class Declared:
    """Where one column comes from.

    Attributes
    ----------
    sources : tuple of Source
        Distinct and sorted; empty if and only if ``origin`` is given.
    via : str
        The step that computes it, or the kind of checkpoint that does.
    kind : str
        ``model`` where a trained checkpoint stands between the sources and the value.
    origin : str or None
        Why there is no source.
    """

    sources: tuple[Source, ...]
    via: str
    kind: Kind = "python"
    origin: Origin | None = None


Sources = tuple[Source, ...]
Entry = Sources | Origin
TableLineage = dict[str, Declared]

TRADES: Final = "core.fct_transactions"
ACTIONS: Final = "core.fct_corporate_actions"
ASSETS: Final = "core.dim_assets"
ACCOUNTS: Final = "core.dim_accounts"
USERS: Final = "core.dim_users"
PRICES: Final = "core.fct_asset_prices__daily"
STATEMENTS: Final = "core.fct_goal_statements"
FEATURE_STORE: Final = "features.feat_asset_metadata__daily"


def columns_of(table: str, *columns: str) -> Sources:
    """Columns of one table as sources."""
    return tuple(Source(table, column) for column in columns)


def same(table: str, *columns: str) -> dict[str, Entry]:
    """Columns taken over under their own names."""
    return {column: columns_of(table, column) for column in columns}


def each(columns: Collection[str], entry: Entry) -> dict[str, Entry]:
    """One entry for several columns."""
    return dict.fromkeys(columns, entry)


def made_by(via: str, entries: Mapping[str, Entry], kind: Kind = "python") -> TableLineage:
    """Columns of a table that one step or checkpoint computes.

    Parameters
    ----------
    via : str
        Name of the step or kind of checkpoint.
    entries : mapping of str to tuple of Source or str
        Sources of each column, or its origin.
    kind : str
        ``python`` or ``model``.
    """
    return {
        column: Declared((), via, kind, entry)
        if isinstance(entry, str)
        else Declared(tuple(sorted(set(entry))), via, kind)
        for column, entry in entries.items()
    }


NIGHT: Final[dict[str, Entry]] = same("ml.night", "as_of_date")
