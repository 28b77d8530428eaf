"""Writes the report: the page and the summary, whole or not at all, the same bytes for the same trials.

What belongs here: the order of the page, its facts, the files. What does not: its sections (``sections.py``).
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from ml.backtest.report import evidence
from ml.backtest.report import sections as part
from ml.backtest.report.comparisons import Comparisons
from ml.backtest.report.cross import cross_section
from ml.backtest.report.harvesting import harvest_section
from ml.backtest.report.html import Section, number, page_html
from ml.backtest.report.selection import ReportError, TrialSet
from ml.backtest.report.summary import summary_text
from ml.backtest.report.targets import targets
from ml.backtest.report.words import (
    LEAD,
    TABLE_NOTE,
    TITLE,
    WARNING,
    caveats_section,
    describe,
    methods_section,
    sentence,
)
from ml.backtest.results import BacktestResult, read_results
from ml.backtest.statistics.intervals import Interval
from ml.backtest.statistics.resample import DEFAULT_DRAWS

PAGE_NAME: Final = "index.html"
SUMMARY_NAME: Final = "summary.json"
Progress = Callable[[str], None]


def write_report(
    results: Iterable[BacktestResult],
    folder: Path,
    *,
    draws: int = DEFAULT_DRAWS,
    n_logged: int | None = None,
    progress: Progress | None = None,
) -> tuple[Path, Path]:
    """Write ``index.html`` and ``summary.json``.

    Parameters
    ----------
    results : iterable of BacktestResult
        All trials of an output folder.
    folder : Path
        Made if it is missing; older files of the same names are replaced.
    draws : int
        Resamples of each interval.
    n_logged : int, optional
        Trials that were ever logged, for the deflated Sharpe ratio; at least those given count.
    progress : callable, optional
        Told the name of each part before it is computed.

    Returns
    -------
    (Path, Path)
        Page and summary.

    Raises
    ------
    ReportError
        No trials, or one twice.
    """
    figures = Comparisons(TrialSet(results), draws=draws, n_logged=n_logged)
    folder.mkdir(parents=True, exist_ok=True)
    page = _replace(folder / PAGE_NAME, page_text(figures, progress))
    if progress:
        progress("summary")
    return page, _replace(folder / SUMMARY_NAME, summary_text(figures))


def page_text(figures: Comparisons, progress: Progress | None = None) -> str:
    """Return the page."""
    trials = figures.trials
    makers: dict[str, Callable[[], Section | None]] = {
        "baselines": lambda: part.long_section(figures),
        "harvesting": lambda: harvest_section(figures),
        "objectives": lambda: evidence.objectives_section(
            figures, trials.development, "objectives", "Six objectives, by their own scores"
        ),
        "six objectives": lambda: cross_section(
            figures, trials.development, "cross", "One strategy for six objectives"
        ),
        "test": lambda: (
            evidence.objectives_section(figures, trials.test, "test", "The test windows, opened")
            if trials.test
            else None
        ),
        "test, six objectives": lambda: (
            cross_section(
                figures, trials.test, "cross_test", "One strategy for six objectives: the test windows"
            )
            if trials.test
            else None
        ),
        "windows": lambda: evidence.windows_section(figures),
        "Sharpe ratios": lambda: evidence.sharpe_section(figures),
        "power": lambda: evidence.power_section(figures),
        "costs": lambda: part.cost_section(figures),
        "the paper's setting": lambda: part.paper_section(figures),
    }
    found: list[Section] = [caveats_section(trials, _notes(trials))]
    for name, make in makers.items():
        if progress:
            progress(name)
        section = make()
        if section is not None:
            found.append(section)
    found.append(methods_section(figures.draws))
    first, last = min(r.dates[0] for r in trials.results), max(r.dates[-1] for r in trials.results)
    footer = f"{len(trials.results):,} trials from {first} to {last}."
    return page_html(TITLE, LEAD, WARNING, facts(figures), found, footer, table_note=TABLE_NOTE)


def facts(figures: Comparisons) -> list[str]:
    """What came out, in sentences that follow the figures."""
    trials = figures.trials
    setting = trials.setting(trials.long)
    out = []
    others = figures.strategies(setting)[1:] if figures.benchmark(setting) else []
    if others:
        adjusted = figures.step_down(figures.strategies(setting), figures.strategies(setting)[0])
        better = [
            r.label
            for r in others
            if adjusted.get(r.identity, 1) < 0.05 and figures.alpha(r, setting).estimate > 0
        ]
        peer = figures.strategies(setting)[0].label
        out.append(
            f"{sentence(describe(setting))}: {len(better)} of {len(others)} strategies are ahead of {peer} "
            f"after tax beyond doubt{': ' + ', '.join(better) if better else ''} (adjusted for looking at all "
            "of them)."
        )
    harvester = trials.harvester()
    for profile in trials.profiles(trials.long):
        chosen = trials.setting(trials.long, profile=profile)
        run = figures.run(chosen, harvester) if harvester else None
        if run and figures.benchmark(chosen):
            found, tax = figures.alpha(run, chosen), figures.tax_part(run.strategy, chosen)
            out.append(
                f"{harvester} under {part.profile_name(profile)}: {_range_text(found)} bp a year against the "
                f"same portfolio without harvesting, {_range_text(tax)} of it from tax alone, "
                f"{describe(chosen, with_profile=False)}."
            )
    aims = targets(figures, trials.setting(trials.development)) if trials.development else []
    if aims:
        missed = [aim["name"] for aim in aims if not aim["met"]]
        out.append(
            f"{len(aims) - len(missed)} of {len(aims)} targets of {trials.chooser()} are met on the "
            "development windows" + (f"; missed: {'; '.join(missed)}." if missed else ".")
        )
    return out


def _range_text(found: Interval) -> str:
    low, high = (number(bound, 0, sign=True) for bound in (found.lower95, found.upper95))
    return f"{number(found.estimate, 0, sign=True)} ({low} to {high})"


def _notes(trials: TrialSet) -> list[str]:
    """What the trials' records say of their data, each once."""
    found = {str(note): None for result in trials.results for note in result.meta.get("notes", ())}
    return sorted(found)


def _replace(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    return temporary.replace(path)


def main(arguments: list[str] | None = None) -> int:
    """Make the report of a backtest's output folder."""
    parser = argparse.ArgumentParser(prog="python -m ml.backtest.report", description=main.__doc__)
    parser.add_argument("trials", type=Path, help="output folder of `taxloom backtest`")
    parser.add_argument("--output", type=Path, default=Path("docs/backtest"), help="default docs/backtest")
    parser.add_argument(
        "--draws", type=int, default=DEFAULT_DRAWS, help=f"resamples (default {DEFAULT_DRAWS})"
    )
    chosen = parser.parse_args(arguments)
    try:
        page, data = write_report(
            read_results(chosen.trials),
            chosen.output,
            draws=chosen.draws,
            progress=lambda name: print(f"{name} ...", file=sys.stderr, flush=True),
        )
    except ReportError as problem:
        print(f"no report of {chosen.trials}: {problem}", file=sys.stderr)
        return 1
    print(f"wrote {page} and {data}: open the page in a browser")
    return 0
