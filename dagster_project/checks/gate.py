"""From a Great Expectations outcome to a Dagster check result. Not a check itself."""

import datetime as dt

import dagster as dg
import polars as pl


class GateErrored(RuntimeError):
    """A suite could not be evaluated: neither passed nor failed."""


def gate(suite: str, frame: pl.DataFrame, *, as_of_at: dt.datetime) -> dg.AssetCheckResult:
    """Run a suite on a frame.

    Parameters
    ----------
    suite : str
        Name of a Great Expectations suite.
    frame : polars.DataFrame
        The rows it judges.
    as_of_at : datetime.datetime
        The night's close: rows known later break the suite.

    Returns
    -------
    AssetCheckResult
        Passed or failed, with the failing expectations and examples as metadata.

    Raises
    ------
    GateErrored
        An expectation could not be evaluated, e.g. because a column is missing: Dagster shows the
        check as errored.
    """
    from expectations.report import outcome_markdown
    from expectations.runner import run_suite

    outcome = run_suite(suite, frame, as_of_at=as_of_at)
    if outcome.status == "errored":
        reasons = "; ".join(f"{e.expectation}({e.column}): {e.message}" for e in outcome.exceptions)
        raise GateErrored(f"suite '{suite}' could not be evaluated on {outcome.row_count} rows: {reasons}")
    return dg.AssetCheckResult(
        passed=outcome.status == "passed",
        severity=dg.AssetCheckSeverity.ERROR if outcome.is_blocking else dg.AssetCheckSeverity.WARN,
        metadata={
            "suite": suite,
            "rows": outcome.row_count,
            "outcome": dg.MetadataValue.md(outcome_markdown(outcome)),
            **outcome.statistics,
        },
    )
