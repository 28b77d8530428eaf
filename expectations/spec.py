"""How an expectation and a suite are written down, without importing Great Expectations.

Great Expectations takes about nine seconds to import, and Dagster needs the names and descriptions
of all suites when it loads the definitions. So suites are plain data here and become Great
Expectations objects in ``expectations.runner``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import polars as pl

Severity = Literal["critical", "warning"]
SEVERITIES: Final = ("critical", "warning")

Derive = Callable[[datetime | None], list[pl.Expr]]


def derive_nothing(as_of_at: datetime | None) -> list[pl.Expr]:
    """Return no expression: the default of a suite that needs no derived column.

    Parameters
    ----------
    as_of_at : datetime or None
        The night's cut-off, unused.

    Returns
    -------
    list of polars.Expr
        Empty.
    """
    return []


@dataclass(frozen=True)
class Expect:
    """One expectation.

    Attributes
    ----------
    kind : str
        Registered name of the Great Expectations expectation, ``expect_...``.
    why : str
        One line: what a failure means. Shown to the person who has to act on it.
    kwargs : Mapping[str, Any]
        Arguments of the expectation, ``column`` among them where it has one.
    severity : {"critical", "warning"}
        ``critical`` stops the night, ``warning`` is shown.
    """

    kind: str
    why: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "critical"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the expectation reads, in the order it names them."""
        if "column" in self.kwargs:
            return (self.kwargs["column"],)
        if "column_A" in self.kwargs:
            return (self.kwargs["column_A"], self.kwargs["column_B"])
        return tuple(self.kwargs.get("column_list", ()))


@dataclass(frozen=True)
class Suite:
    """The expectations on one table.

    Attributes
    ----------
    name : str
        Name by which ``run_suite`` finds it.
    table : str
        ``schema.table`` that the suite is written for.
    title : str
        One line for a person.
    key : tuple of str
        The columns that identify a row; failing rows are reported by them.
    columns : tuple of str
        The columns that the suite needs, keys included; select these from the table.
    expectations : tuple of Expect
        In the order in which they are reported.
    derive : callable
        ``as_of_at -> expressions`` of the derived columns (group sums, flags of rows that keep a rule)
        which the expectations then judge; their names must be new.
    """

    name: str
    table: str
    title: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    expectations: tuple[Expect, ...]
    derive: Derive = derive_nothing


def not_null(columns: Sequence[str], why: str, severity: Severity = "critical") -> list[Expect]:
    """Expect no missing value in each of the columns.

    Parameters
    ----------
    columns : sequence of str
        Column names.
    why : str
        What a missing value means.
    severity : {"critical", "warning"}
        Severity of each.

    Returns
    -------
    list of Expect
        One per column.
    """
    kind = "expect_column_values_to_not_be_null"
    return [Expect(kind, why, {"column": column}, severity) for column in columns]


def between(
    column: str,
    why: str,
    low: float | None = None,
    high: float | None = None,
    severity: Severity = "critical",
    strict_low: bool = False,
) -> Expect:
    """Expect present values in ``[low, high]``; nulls are skipped, infinities are not.

    Parameters
    ----------
    column : str
        Column name.
    why : str
        What a value outside means.
    low, high : float or None
        Bounds, None for none.
    severity : {"critical", "warning"}
        Its severity.
    strict_low : bool
        Exclude ``low`` itself.

    Returns
    -------
    Expect
        The expectation.

    Raises
    ------
    ValueError
        If neither bound is given.
    """
    if low is None and high is None:
        raise ValueError(f"between({column!r}): give low, high or both")
    kwargs: dict[str, Any] = {"column": column}
    if low is not None:
        kwargs["min_value"] = low
    if high is not None:
        kwargs["max_value"] = high
    if strict_low:
        kwargs["strict_min"] = True
    return Expect("expect_column_values_to_be_between", why, kwargs, severity)


def in_set(column: str, values: Sequence[Any], why: str, severity: Severity = "critical") -> Expect:
    """Expect present values from a closed list.

    Parameters
    ----------
    column : str
        Column name.
    values : sequence
        The allowed values.
    why : str
        What another value means.
    severity : {"critical", "warning"}
        Its severity.

    Returns
    -------
    Expect
        The expectation.
    """
    kwargs = {"column": column, "value_set": list(values)}
    return Expect("expect_column_values_to_be_in_set", why, kwargs, severity)


def unique(columns: Sequence[str], why: str) -> Expect:
    """Expect every combination of the columns at most once.

    Parameters
    ----------
    columns : sequence of str
        The key.
    why : str
        What a repeated key means.

    Returns
    -------
    Expect
        The expectation, always critical.
    """
    if len(columns) == 1:
        return Expect("expect_column_values_to_be_unique", why, {"column": columns[0]})
    return Expect("expect_compound_columns_to_be_unique", why, {"column_list": list(columns)})


def holds(flag: str, why: str, severity: Severity = "critical") -> Expect:
    """Expect a derived flag to be true in every row where it is not null.

    Parameters
    ----------
    flag : str
        A column that the suite derives; null where the rule does not apply.
    why : str
        What a row that breaks the rule means.
    severity : {"critical", "warning"}
        Its severity.

    Returns
    -------
    Expect
        The expectation.
    """
    return in_set(flag, (True,), why, severity)


def not_empty(why: str, severity: Severity = "critical") -> Expect:
    """Expect at least one row.

    Parameters
    ----------
    why : str
        What an empty table means.
    severity : {"critical", "warning"}
        Its severity.

    Returns
    -------
    Expect
        The expectation.
    """
    return Expect("expect_table_row_count_to_be_between", why, {"min_value": 1}, severity)


def known_by_cutoff(as_of_at: datetime | None, date_column: str) -> pl.Expr:
    """Tell which rows were known at the night's cut-off.

    Parameters
    ----------
    as_of_at : datetime or None
        The night's cut-off in UTC. None: the end of each row's own date, which is looser.
    date_column : str
        Date that a row claims to describe.

    Returns
    -------
    polars.Expr
        ``is_known_by_cutoff``: true where ``known_at`` is at or before the cut-off and before the end of
        the row's date.
    """
    end_of_date = pl.col(date_column).cast(pl.Datetime("us", "UTC")) + pl.duration(days=1)
    known = utc("known_at") < end_of_date
    if as_of_at is not None:
        known &= utc("known_at") <= as_of_at
    return known.alias("is_known_by_cutoff")


def utc(column: str) -> pl.Expr:
    """Read a date or timestamp column as a UTC timestamp; a timestamp without zone is taken as UTC.

    Parameters
    ----------
    column : str
        Column name.

    Returns
    -------
    polars.Expr
        Timestamps in microseconds, UTC.
    """
    return pl.col(column).cast(pl.Datetime("us", "UTC"))


def only_where(applies: pl.Expr, rule: pl.Expr) -> pl.Expr:
    """Judge a rule where it applies; null, which passes, elsewhere and where the rule is undecided.

    Parameters
    ----------
    applies, rule : polars.Expr
        Boolean expressions.

    Returns
    -------
    polars.Expr
        The flag for ``holds``.
    """
    return pl.when(applies).then(rule)
