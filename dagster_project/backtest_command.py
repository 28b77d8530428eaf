"""``taxloom backtest``: run the trials in this process, then say what was written and what to look at."""

import time
from typing import Any

from rich.console import Console

from dagster_project.console_run import run_job
from dagster_project.settings import Settings

STEPS = ("ml__trials", "ml__backtest_results", "ml__backtest_report")


def backtest(settings: Settings, choices: dict[str, Any]) -> None:
    """Run the job ``backtest`` and print its outcome.

    Parameters
    ----------
    settings : Settings
        The installation.
    choices : dict
        Fields of ``BacktestConfig``.

    Raises
    ------
    RunFailed
        A step failed, or another run is under way in this home.
    """
    started = time.monotonic()
    given = {name: value for name, value in choices.items() if value is not None}
    run_id = run_job(
        settings,
        "backtest",
        title=f"[bold]taxloom backtest[/]  source {choices['source']}  home {settings.home}",
        run_config=lambda: {"ops": {step: {"config": dict(given)} for step in STEPS}},
    )
    _summary(settings, run_id, time.monotonic() - started, choices)


def _summary(settings: Settings, run_id: str, seconds: float, choices: dict[str, Any]) -> None:
    from dagster_project.query import fetch

    console = Console(highlight=False)
    folder = choices["output"] or str(settings.home / "backtest")
    _, rows = fetch(
        settings,
        "select window_name, count(*), count(distinct strategy) from ml.backtest_results where source = ? "
        "group by window_name order by min(start_date), window_name",
        [choices["source"]],
    )
    for window, count, strategies in rows:
        console.print(f"  {window:<24} {count:>5} trials of {strategies} strategies")
    console.print(f"  {seconds:.1f} s, run {run_id}")
    report = choices["report"] or folder
    console.print(f"\nWritten to {folder}: trials/, run.json", soft_wrap=True)
    console.print(f"Written to {report}: index.html, summary.json", soft_wrap=True)
    console.print("Not tax or investment advice.")
    console.print("\nNext:")
    table = "select window_name, strategy, after_tax_cagr_pct, tax_alpha_bp from ml.backtest_results"
    lines = [
        (f"open {report}/index.html", "the report: a page for any browser"),
        (f"taxloom sql \"{table} where profile = 'P1' and cost_bp = 10\"", "scores by trial"),
        ('taxloom sql "select status, count(*) from ml.trials group by status"', "the log of every trial"),
    ]
    for command, purpose in lines:
        shown = command if command.startswith("open ") else f"uv run {command}"
        console.print(f"  {shown}\n      {purpose}", soft_wrap=True)
