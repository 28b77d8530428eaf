"""The report's sections on how far figures can be trusted, and on the six objectives.

What belongs here: windows counted, Sharpe tests, detectable effects, objectives by their scores. What does not: the
baselines' tables (``sections.py``), the tests (``ml/backtest/statistics``).
"""

from typing import Final

import numpy as np

from ml.backtest.report.comparisons import TAX_ALPHA, Comparisons, ObjectiveRow, detectable, first_seed
from ml.backtest.report.html import Cell, Section, Table, interval_cell, number, p_value_cell
from ml.backtest.report.sections import Parts
from ml.backtest.report.selection import BENCHMARK
from ml.backtest.report.words import describe, tax_alpha_words
from ml.backtest.statistics.multiple import sign_test
from ml.backtest.statistics.score_definitions import SCORES

_POWER_YEARS: Final = (3, 6, 15, 30)


def windows_section(figures: Comparisons) -> Section | None:
    """Window by window: after-tax growth ahead of equal weight, counted by the exact sign test."""
    windows = figures.trials.development
    rows = []
    settings = [figures.trials.setting((w,)) for w in windows]
    if not windows or any(figures.benchmark(s) is None for s in settings):
        return None
    for run in figures.strategies(figures.trials.setting(windows)):
        each = [figures.run(s, *run.identity) for s in settings]
        if run.strategy == BENCHMARK or not all(each):
            continue
        found = [figures.alpha(r, s) for r, s in zip(each, settings, strict=True) if r]
        estimates = np.array([f.estimate for f in found])
        if not np.isfinite(estimates).all():
            continue
        test = sign_test(estimates)
        cells = [interval_cell(f, 0, tests_zero=True, sign=True) for f in found]
        rows.append((run.label, [*cells, Cell(f"{test.wins} of {len(found)}"), p_value_cell(test.p_value)]))
    if not rows:
        return None
    least = sign_test(np.ones(len(windows))).smallest_p_value
    table = Table(
        f"Growth after tax ahead of {BENCHMARK}, bp a year with 95 % intervals, "
        f"{describe(figures.trials.setting(windows), with_windows=False)}; windows won, and the exact "
        "two-sided sign test.",
        (
            "strategy",
            *(w.removeprefix("development_").replace("_", "–") for w in windows),
            "won",
            "sign test p",
        ),
        rows,
    )
    told = (
        f"{len(windows)} windows cannot give a p-value below {number(least, 4)}: the count says whether a lead "
        "is steady, it cannot prove one."
    )
    return Section("windows", "Window by window", [table, told])


def sharpe_section(figures: Comparisons) -> Section | None:
    """Sharpe ratios: difference from equal weight, probability, deflated by all trials."""
    parts: Parts = []
    for windows in dict.fromkeys((figures.trials.long, figures.trials.development)):
        setting = figures.trials.setting(windows)
        peer = figures.benchmark(setting)
        if not windows or peer is None:
            continue
        ratios = figures.trial_sharpes(windows)
        rows, best, count = [], 0.0, 0
        for run in figures.strategies(setting):
            if not np.isfinite(figures.sharpe(run).estimate):
                continue
            row = figures.sharpe_row(run, peer, ratios)
            best, count = row.deflated.expected_best, row.deflated.n_trials
            cells = [
                interval_cell(row.ratio),
                interval_cell(row.ahead, tests_zero=True, sign=True),
                p_value_cell(row.ahead.p_value) if run is not peer else Cell("–"),
                Cell(number(row.probability, 3)),
                Cell(number(row.deflated.probability, 3)),
            ]
            rows.append((run.label, cells))
        parts.append(
            Table(
                f"Sharpe ratios of weekly returns after tax less cash, {describe(setting)}. Ahead: less "
                f"{BENCHMARK}'s, with Ledoit and Wolf's p. Deflated: probability that the true ratio is above "
                f"{number(best)}, the best that luck alone gives in {count} trials.",
                ("strategy", "Sharpe", "ahead", "p", "P(true > 0)", "deflated"),
                rows,
            )
        )
    if not parts:
        return None
    parts.append(
        "Every trial that was logged counts, whatever its weeks, costs and profile; their spread is that of the trials "
        "over the same weeks. Many resemble each other, so that fewer are independent: the deflated figure errs on "
        "the strict side."
    )
    return Section("sharpe", "Sharpe ratios after many trials", parts)


def power_section(figures: Comparisons) -> Section | None:
    """The smallest lead that could be found at all."""
    windows = figures.trials.long
    setting = figures.trials.setting(windows)
    if figures.benchmark(setting) is None:
        return None
    rows = []
    for run in figures.strategies(setting):
        found = figures.alpha(run, setting)
        if found.standard_error > 0:
            cells = [Cell(number(detectable(found, years), 0)) for years in _POWER_YEARS]
            rows.append((run.label, cells))
    table = Table(
        f"Smallest true lead over {BENCHMARK} after tax, bp a year, that a paired test at 5 % finds four times "
        f"in five, from the variance of the weekly differences of {describe(setting)}.",
        ("strategy", *(f"{years} years" for years in _POWER_YEARS)),
        rows,
    )
    return Section("power", "What these data can show at all", [table]) if rows else None


def objectives_section(
    figures: Comparisons, windows: tuple[str, ...], key: str, title: str
) -> Section | None:
    """Scores by objective of the strategy that knows objectives."""
    setting = figures.trials.setting(windows)
    found, rows = figures.objective_rows(setting), []
    for row in found:
        score = SCORES[row.score]
        digits = 0 if score.unit.startswith("bp") else 2
        cells = [
            Cell(
                f"{score.label.partition(':')[0]}, {score.unit}"
                + (" (void: chose a short-term gain)" if row.is_void else ""),
                is_text=True,
            ),
            interval_cell(row.own, digits),
            interval_cell(row.benchmark, digits),
            interval_cell(row.ahead, digits, tests_zero=True, sign=True),
            Cell(_verdict(row), is_text=True),
            Cell(number(detectable(row.ahead, row.run.n_years), digits)),
        ]
        rows.append((row.run.label, cells))
    if not rows:
        return None
    alpha = [f"{tax_alpha_words(row.against)} " for row in first_seed(found) if row.score == TAX_ALPHA]
    table = Table(
        f"Each objective by its own score with 95 % intervals, {describe(setting)}; paired differences from "
        f"{BENCHMARK}. {''.join(alpha)}Last column: the smallest true difference that these weeks would show four "
        "times in five.",
        ("run", "score", "own", BENCHMARK, "difference", "verdict", "detectable"),
        rows,
    )
    return Section(key, title, [table])


def _verdict(row: ObjectiveRow) -> str:
    score = SCORES[row.score]
    if score.needs_benchmark and not score.higher_is_better:
        return "–"  # a distance from the benchmark is never 0
    if not row.ahead.excludes_zero:
        return "not told apart"
    return "better" if (row.ahead.estimate > 0) == score.higher_is_better else "worse"
