"""Run a suite on a frame: the only place that makes a Great Expectations context.

Great Expectations never raises when an expectation cannot be evaluated (a missing column, a wrong
type): it reports ``success=False`` with an exception buried in the result, which reads exactly like
bad data. Here the three outcomes are told apart: ``passed``, ``failed`` (the data breaks an
expectation) and ``errored`` (something could not be judged at all).
"""

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import pandas as pd
import polars as pl

from expectations.spec import Expect, Severity, Suite
from expectations.suites import get_suite

Status = Literal["passed", "failed", "errored"]

EXAMPLES_PER_FAILURE: Final = 5


@dataclass(frozen=True)
class ExpectationFailure:
    """An expectation that the data breaks.

    Attributes
    ----------
    expectation : str
        Its kind, ``expect_...``.
    column : str
        Column, or columns joined by ", ".
    severity : {"critical", "warning"}
        Severity from the suite.
    why : str
        What the failure means, from the suite.
    unexpected_count : int or None
        Number of rows; None where the expectation judges the table as a whole.
    examples : tuple
        At most five: the row's key and value, or what was observed instead.
    """

    expectation: str
    column: str
    severity: Severity
    why: str
    unexpected_count: int | None
    examples: tuple[Any, ...]


@dataclass(frozen=True)
class ExpectationError:
    """An expectation that could not be evaluated.

    Attributes
    ----------
    expectation : str
        Its kind. All of a suite's are unjudged if its derived columns could not be made.
    column : str
        Column, or columns joined by ", ".
    message : str
        The error's own words.
    """

    expectation: str
    column: str
    message: str


@dataclass(frozen=True)
class SuiteOutcome:
    """What a suite found.

    Attributes
    ----------
    suite, table : str
        Which suite, written for which table.
    status : {"passed", "failed", "errored"}
        ``failed`` if any expectation is broken, warnings included; ``errored`` wins over ``failed``.
    row_count : int
        Rows judged.
    statistics : dict of str to int
        ``evaluated``, ``successful``, ``failed``, ``errored``; the last three sum to the first.
    failures : tuple of ExpectationFailure
        In the suite's order.
    exceptions : tuple of ExpectationError
        In the suite's order.
    """

    suite: str
    table: str
    status: Status
    row_count: int
    statistics: dict[str, int]
    failures: tuple[ExpectationFailure, ...]
    exceptions: tuple[ExpectationError, ...]

    @property
    def is_blocking(self) -> bool:
        """Whether the night must stop: errored, or a critical expectation broken."""
        return self.status == "errored" or any(f.severity == "critical" for f in self.failures)

    @property
    def severity(self) -> Severity:
        """Severity of the outcome as a whole: ``warning`` only if nothing worse was found."""
        return "critical" if self.is_blocking or self.status == "passed" else "warning"


def run_suite(
    name: str, frame: pd.DataFrame | pl.DataFrame, *, as_of_at: datetime | None = None
) -> SuiteOutcome:
    """Judge a frame by the named suite.

    Parameters
    ----------
    name : str
        A name of ``expectations.suites.SUITES``.
    frame : pandas.DataFrame or polars.DataFrame
        Rows of the suite's table with at least the suite's columns. Decimals are judged as doubles:
        ranges and sums to 1e-6 are what a gate asks, cents are the ledger's own business.
    as_of_at : datetime or None
        The night's cut-off in UTC; rows known later break the suite. None: the end of each row's date.

    Returns
    -------
    SuiteOutcome
        The outcome. Data that cannot be judged is an outcome (``errored``), not an exception.

    Raises
    ------
    KeyError
        If there is no suite of that name.
    ValueError
        If ``as_of_at`` carries no time zone.
    """
    suite = get_suite(name)
    if as_of_at is not None and as_of_at.tzinfo is None:
        raise ValueError(f"run_suite({name!r}): as_of_at {as_of_at} has no time zone; pass UTC")
    rows = frame if isinstance(frame, pl.DataFrame) else pl.from_pandas(frame)
    try:
        rows = rows.with_columns(pl.selectors.decimal().cast(pl.Float64))
        rows = rows.with_columns(pl.selectors.float().fill_nan(None))
        judged = rows.with_columns(suite.derive(as_of_at))
    except pl.exceptions.PolarsError as error:  # a column is missing or of a type that no rule can read
        return _derive_error(suite, rows, error)
    return _outcome(suite, rows.height, _validate(suite, judged.to_pandas()))


def _validate(suite: Suite, frame: pd.DataFrame) -> list[Any]:
    """Evaluate with Great Expectations; results come back in the suite's order."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read at import: set before it
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.metadata_types import FailureSeverity

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    gx_suite = gx.ExpectationSuite(name=suite.name)
    for position, expect in enumerate(suite.expectations):
        configuration = ExpectationConfiguration(
            type=expect.kind,
            kwargs=dict(expect.kwargs),
            meta={"position": position},
            severity=FailureSeverity(expect.severity),
        )
        gx_suite.add_expectation(configuration.to_domain_obj())
    asset = context.data_sources.add_pandas(suite.name).add_dataframe_asset(suite.table)
    definition = gx.ValidationDefinition(
        name=suite.name,
        data=asset.add_batch_definition_whole_dataframe("whole"),
        suite=context.suites.add(gx_suite),
    )
    result = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": frame},
        result_format={
            "result_format": "SUMMARY",
            "unexpected_index_column_names": [c for c in suite.key if c in frame.columns],
            "partial_unexpected_count": EXAMPLES_PER_FAILURE,
        },
    )
    return sorted(result.results, key=lambda one: one.expectation_config.meta["position"])


def _outcome(suite: Suite, row_count: int, results: list[Any]) -> SuiteOutcome:
    failures: list[ExpectationFailure] = []
    exceptions: list[ExpectationError] = []
    if len(results) != len(suite.expectations):
        # Great Expectations merges expectations of equal content; a suite must not rely on that.
        raise ValueError(
            f"suite {suite.name!r} has {len(suite.expectations)} expectations, {len(results)} were "
            "evaluated: two of them are the same; remove one"
        )
    for expect, result in zip(suite.expectations, results, strict=True):
        message = _exception_message(result.exception_info)
        if message is not None:
            exceptions.append(ExpectationError(expect.kind, ", ".join(expect.columns), message))
        elif not result.success:
            failures.append(_failure(expect, result.result))
    return _finish(suite, row_count, failures, exceptions)


def _finish(
    suite: Suite, row_count: int, failures: list[ExpectationFailure], exceptions: list[ExpectationError]
) -> SuiteOutcome:
    evaluated = len(suite.expectations)
    statistics = {
        "evaluated": evaluated,
        "successful": evaluated - len(failures) - len(exceptions),
        "failed": len(failures),
        "errored": len(exceptions),
    }
    status: Status = "errored" if exceptions else "failed" if failures else "passed"
    return SuiteOutcome(
        suite.name, suite.table, status, row_count, statistics, tuple(failures), tuple(exceptions)
    )


def _derive_error(suite: Suite, frame: pl.DataFrame, error: Exception) -> SuiteOutcome:
    """Every expectation is unjudged if the derived columns could not be made."""
    missing = [column for column in suite.columns if column not in frame.columns]
    message = f"{type(error).__name__}: {error}"
    if missing:
        message = f"{suite.table} lacks the columns {', '.join(missing)} ({message})"
    exceptions = [
        ExpectationError(expect.kind, ", ".join(expect.columns), message) for expect in suite.expectations
    ]
    return _finish(suite, frame.height, [], exceptions)


def _exception_message(info: dict[str, Any] | None) -> str | None:
    """Return the error text hidden in a result, or None.

    Great Expectations nests it in one of two shapes: flat, or one entry per metric that failed.
    """
    if not info:
        return None
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if entry.get("raised_exception"):
            return str(entry.get("exception_message"))
    return None


def _failure(expect: Expect, result: dict[str, Any]) -> ExpectationFailure:
    if "unexpected_count" in result:
        rows = result.get("partial_unexpected_index_list") or result.get("partial_unexpected_list") or []
        examples = tuple(_plain(row) for row in rows[:EXAMPLES_PER_FAILURE])
        count = int(result["unexpected_count"])
    else:
        details = result.get("details") or {}
        examples = tuple(details.get("mismatched", ())[:EXAMPLES_PER_FAILURE]) or (result["observed_value"],)
        count = None
    return ExpectationFailure(
        expect.kind, ", ".join(expect.columns), expect.severity, expect.why, count, examples
    )


def _plain(value: Any) -> Any:
    """Strip numpy and pandas types, so that an example prints and serialises as JSON."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
