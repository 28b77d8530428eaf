"""An outcome as a Markdown table: what auditors and the Dagster page show.

Great Expectations' own Data Docs load scripts and fonts from five foreign hosts and are unstyled
where those are not reachable; this needs nothing.
"""

import json
from typing import Any

from expectations.runner import SuiteOutcome

_MARKS = {"passed": "passed", "failed": "FAILED", "errored": "ERRORED"}


def outcome_markdown(outcome: SuiteOutcome) -> str:
    """Render an outcome as Markdown: one line of verdict, then a table of what is wrong.

    Parameters
    ----------
    outcome : SuiteOutcome
        What ``run_suite`` returned.

    Returns
    -------
    str
        Markdown ending with a newline; the same outcome always gives the same text.
    """
    counts = outcome.statistics
    lines = [
        f"**{outcome.suite}** on `{outcome.table}`: {_MARKS[outcome.status]}, "
        f"{counts['successful']} of {counts['evaluated']} expectations hold over {outcome.row_count} rows."
    ]
    if outcome.failures:
        lines += ["", "| severity | column | expectation | rows | what it means | examples |"]
        lines += ["|---|---|---|---|---|---|"]
        lines += [
            "| "
            + " | ".join(
                (
                    failure.severity,
                    _cell(failure.column),
                    failure.expectation,
                    "" if failure.unexpected_count is None else str(failure.unexpected_count),
                    _cell(failure.why),
                    _cell(_examples(failure.examples)),
                )
            )
            + " |"
            for failure in outcome.failures
        ]
    if outcome.exceptions:
        lines += ["", "| could not be evaluated | column | error |", "|---|---|---|"]
        lines += [f"| {e.expectation} | {_cell(e.column)} | {_cell(e.message)} |" for e in outcome.exceptions]
    return "\n".join(lines) + "\n"


def _examples(examples: tuple[Any, ...]) -> str:
    return "; ".join(
        json.dumps(example, default=str, sort_keys=True) if isinstance(example, dict) else str(example)
        for example in examples
    )


def _cell(text: str, limit: int = 300) -> str:
    """Keep a cell on one line and inside its column."""
    flat = " ".join(text.split()).replace("|", "\\|")
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
