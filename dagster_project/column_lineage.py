"""Which columns a dbt model's columns come from, by sqlglot, on the SQL that dbt compiled.

A model is qualified once and every column is walked in that one scope; results are cached by the
model's and its macros' source and its parents' columns, since literals that change nightly change no
lineage.
What does not belong here: events and Dagster metadata (``dbt_metadata.py``).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Under the home of an installation.
CACHE_FILE = Path("cache") / "column_lineage.json"
Columns = dict[str, str]
Lineage = dict[str, list[tuple[str, str]]]


@dataclass
class LineageCache:
    """Column lineage of models, kept in one JSON file.

    Attributes
    ----------
    path : Path
        The file; a missing or unreadable one only costs the computation.
    """

    path: Path
    _entries: dict[str, Lineage] = field(init=False, default_factory=dict)
    _changed: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Read what is there."""
        if self.path.exists():
            stored = json.loads(self.path.read_text())
            self._entries = {
                key: {c: [(p[0], p[1]) for p in parents] for c, parents in value.items()}
                for key, value in stored.items()
            }

    def find(self, version: str, schema: Mapping[str, Columns], parents: Sequence[str]) -> Lineage | None:
        """Lineage of a model if it is stored for this source and these columns of its parents.

        Parameters
        ----------
        version : str
            From :func:`model_version`.
        schema : mapping of str to dict
            Columns with types of every table, by ``schema.table``.
        parents : sequence of str
            The tables that it reads.
        """
        return self._entries.get(_key(version, schema, parents))

    def get(self, version: str, sql: str, schema: Mapping[str, Columns], parents: Sequence[str]) -> Lineage:
        """Lineage of a model, computed if its SQL or its parents' columns are new.

        Parameters
        ----------
        version : str
            From :func:`model_version`.
        sql : str
            The compiled SQL.
        schema : mapping of str to dict
            Columns with types of every table, by ``schema.table``.
        parents : sequence of str
            The tables that it reads; the result is computed anew when their columns change.

        Returns
        -------
        dict of str to list of (str, str)
            For each column its source columns as (``schema.table``, column).
        """
        key = _key(version, schema, parents)
        if key not in self._entries:
            self._entries[key] = column_lineage(sql, schema)
            self._changed = True
        return self._entries[key]

    def save(self) -> None:
        """Write the file if anything was computed."""
        if self._changed:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part = self.path.with_suffix(".part")
            part.write_text(json.dumps(self._entries, sort_keys=True))
            part.replace(self.path)


def _key(version: str, schema: Mapping[str, Columns], parents: Sequence[str]) -> str:
    known = {name: list(schema.get(name, ())) for name in parents}
    return hashlib.sha256(json.dumps([version, known], sort_keys=True).encode()).hexdigest()


def model_version(manifest: Mapping[str, Any], unique_id: str) -> str:
    """Hash of what a model's SQL is compiled from: its own source and that of the project's macros it uses.

    Parameters
    ----------
    manifest : mapping
        dbt's manifest.
    unique_id : str
        The model in it.

    Returns
    -------
    str
        64 hex digits.
    """
    node = manifest["nodes"][unique_id]
    waiting, sources = list(node["depends_on"]["macros"]), {}
    while waiting:
        name = waiting.pop()
        macro = manifest["macros"].get(name)
        if name in sources or macro is None or macro["package_name"] != node["package_name"]:
            continue
        sources[name] = macro["macro_sql"]
        waiting += macro["depends_on"]["macros"]
    identity = [unique_id, node["checksum"]["checksum"], sources]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def column_lineage(sql: str, schema: Mapping[str, Columns]) -> Lineage:
    """Source columns of every output column of a query.

    Parameters
    ----------
    sql : str
        DuckDB SQL over tables named ``[catalog.]schema.table``.
    schema : mapping of str to dict
        Columns with types by ``schema.table``.

    Raises
    ------
    sqlglot.errors.SqlglotError
        The SQL cannot be parsed or a column cannot be resolved.
    """
    import sqlglot
    from sqlglot import exp
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    tree = sqlglot.parse_one(sql, dialect="duckdb")
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
    nested: dict[str, Any] = {}
    for name, columns in schema.items():
        group, table_name = name.split(".", 1)
        nested.setdefault(group, {})[table_name] = columns
    qualified = qualify(tree, schema=nested, dialect="duckdb", validate_qualify_columns=False, identify=False)
    _place_by_name(qualified)
    scope = build_scope(qualified)
    if scope is None or not isinstance(qualified, exp.Query):
        raise ValueError("not a query")
    result: Lineage = {}
    for column in qualified.named_selects:
        root = lineage(column, qualified, nested, scope=scope, dialect="duckdb", trim_selects=False)
        parents = set()
        for item in root.walk():
            if isinstance(item.source, exp.Table) and item.source.db:
                table_name = f"{item.source.db}.{item.source.name}"
                parents.add((table_name, item.name.rsplit(".", 1)[-1].strip('"')))
        result[column] = sorted(parents)
    return result


def _place_by_name(tree: Any) -> None:
    """Bring the sides of every ``union by name`` into one order of columns: sqlglot pairs them by place."""
    from sqlglot import exp

    # The innermost first: a side may itself be a union by name.
    for union in reversed(list(tree.find_all(exp.SetOperation))):
        if union.args.get("by_name"):
            names = list(dict.fromkeys([*union.left.named_selects, *union.right.named_selects]))
            for side in (union.left, union.right):
                _arrange(side, names)
            union.set("by_name", False)


def _arrange(query: Any, names: Sequence[str]) -> None:
    """Give every select of a query exactly these columns, null where it has none of the name."""
    from sqlglot import exp

    if isinstance(query, exp.Subquery):
        _arrange(query.this, names)
    elif isinstance(query, exp.SetOperation):
        _arrange(query.left, names)
        _arrange(query.right, names)
    else:
        found = dict(zip(query.named_selects, query.selects, strict=True))
        absent = {name: exp.alias_(exp.Null(), name) for name in names if name not in found}
        query.set("expressions", [found.get(name, absent.get(name)) for name in names])
