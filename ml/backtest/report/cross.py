"""One strategy under six objectives: each objective's score of every conditioning, and whether its own is the best.

What belongs here: the cross table, its diagonal, the section that shows both. What does not: scores and their
differences (``comparisons.py``), what is aimed at (``targets.py``).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ml.backtest.report.comparisons import TAX_ALPHA, Comparisons
from ml.backtest.report.html import Cell, Section, Table, interval_cell
from ml.backtest.report.selection import LONG_ONLY, Run, Setting
from ml.backtest.report.words import describe, tax_alpha_words
from ml.backtest.statistics.intervals import Interval, undefined
from ml.backtest.statistics.score_definitions import SCORES
from ml.backtest.statistics.scores import chose_short_gains
from ml.types import OBJECTIVES

# A distance from the benchmark is told beside tax alpha; nobody aims at the smallest.
_NOT_AIMED_AT: Final = "tracking_error_pct"
CROSS_SCORES: Final = tuple(
    (objective, name)
    for objective in OBJECTIVES
    for name, score in SCORES.items()
    if objective in score.objectives and name != _NOT_AIMED_AT
)


@dataclass(frozen=True, slots=True)
class CrossCell:
    """One score of the strategy conditioned on one objective.

    Attributes
    ----------
    given : str
        The objective that the strategy was told.
    objective, score : str
        Whose score it is.
    run : Run
    found : Interval
    is_void : bool
        The score of ``long_term_gains_only`` of a run that chose a short-term gain.
    """

    given: str
    objective: str
    score: str
    run: Run
    found: Interval
    is_void: bool

    @property
    def counts(self) -> bool:
        """Whether it can be the best of its column."""
        return not self.is_void and math.isfinite(self.found.estimate)

    @property
    def rank(self) -> float:
        """The estimate in the direction in which more is better."""
        return self.found.estimate if SCORES[self.score].higher_is_better else -self.found.estimate


@dataclass(frozen=True, slots=True)
class DiagonalRow:
    """An objective's score under its own conditioning against the best of the others.

    Attributes
    ----------
    own : CrossCell
    other : CrossCell or None
        The best other that is not void; None where there is none.
    difference : Interval
        own less other, paired, in the score's unit.
    is_best : bool
        Strictly better than every other.
    is_within : bool
        Best, or the interval does not rule out that it is as good as the best.
    """

    own: CrossCell
    other: CrossCell | None
    difference: Interval
    is_best: bool
    is_within: bool


@dataclass(frozen=True, slots=True)
class CrossTable:
    """All scores of all conditionings of a strategy's first seed.

    Attributes
    ----------
    strategy : str
    seeds : tuple of int
        Of the strategy; the table is of the first.
    against : str
        What tax alpha is measured against.
    cells : tuple of CrossCell
        Row by row: conditionings in the order of :data:`ml.types.OBJECTIVES`, scores of :data:`CROSS_SCORES`.
    diagonal : tuple of DiagonalRow
        One a score whose objective was run.
    """

    strategy: str
    seeds: tuple[int, ...]
    against: str
    cells: tuple[CrossCell, ...]
    diagonal: tuple[DiagonalRow, ...]

    @property
    def objectives(self) -> tuple[str, ...]:
        """Conditionings, in order."""
        return tuple(dict.fromkeys(cell.given for cell in self.cells))

    @property
    def best(self) -> tuple[str, ...]:
        """Objectives that are strictly best under their own conditioning, by each of their scores."""
        return self._all(lambda row: row.is_best)

    @property
    def within(self) -> tuple[str, ...]:
        """Objectives that are best, or not told apart from the best, by each of their scores."""
        return self._all(lambda row: row.is_within)

    def _all(self, holds: Callable[[DiagonalRow], bool]) -> tuple[str, ...]:
        failed = {row.own.objective for row in self.diagonal if not holds(row)}
        return tuple(name for name in self.objectives if name not in failed)


def cross_table(figures: Comparisons, setting: Setting) -> CrossTable | None:
    """Score every conditioning of the strategy that knows objectives by every objective's scores.

    Parameters
    ----------
    figures : Comparisons
    setting : Setting

    Returns
    -------
    CrossTable or None
        None where fewer than two objectives were run.
    """
    chooser = figures.trials.chooser()
    runs = [run for run in figures.runs(setting) if run.strategy == chooser]
    seeds = tuple(sorted({run.seed for run in runs}))
    rows = {run.objective: run for run in runs if run.seed == seeds[0]}
    given = [name for name in OBJECTIVES if name in rows]
    if chooser is None or len(given) < 2:
        return None
    cells = [_cell(figures, rows[name], *column, setting) for name in given for column in CROSS_SCORES]
    diagonal = [
        _diagonal_row(figures, [c for c in cells if (c.objective, c.score) == column], setting)
        for column in CROSS_SCORES
        if column[0] in rows
    ]
    against = figures.tax_alpha_against(rows[given[0]], setting)
    return CrossTable(chooser, seeds, against, tuple(cells), tuple(diagonal))


def _cell(figures: Comparisons, run: Run, objective: str, score: str, setting: Setting) -> CrossCell:
    is_void = objective == LONG_ONLY and any(map(chose_short_gains, run.results))
    return CrossCell(run.objective, objective, score, run, figures.judged(score, run, setting), is_void)


def _diagonal_row(figures: Comparisons, column: Sequence[CrossCell], setting: Setting) -> DiagonalRow:
    own = next(cell for cell in column if cell.given == cell.objective)
    others = [cell for cell in column if cell is not own and cell.counts]
    other = max(others, key=lambda cell: cell.rank, default=None)
    if other is None or not own.counts:
        return DiagonalRow(own, other, undefined(own.found.n_weeks), own.counts, own.counts)
    difference = figures.judged_ahead(own.score, own.run, other.run, setting)
    is_best = own.rank > other.rank
    reach = difference.upper95 if SCORES[own.score].higher_is_better else -difference.lower95
    return DiagonalRow(own, other, difference, is_best, is_best or reach >= 0)


def cross_section(figures: Comparisons, windows: tuple[str, ...], key: str, title: str) -> Section | None:
    """The cross table and its diagonal; None where no strategy was run for several objectives."""
    setting = figures.trials.setting(windows)
    found = cross_table(figures, setting)
    if found is None:
        return None
    count = len(found.objectives)
    alone = [row.own.objective for row in found.diagonal if row.own.counts and row.other is None]
    told = (
        f"Told its own objective, {found.strategy} is best by that objective's score in {len(found.best)} of {count}, "
        f"best or within the interval of the best in {len(found.within)} of {count}. An objective with two scores "
        "counts only if both do."
        + (f" {', '.join(alone)} is best because every other score is void." if alone else "")
    )
    return Section(key, title, [told, _scores_table(found, setting), _diagonal_table(found, setting)])


def _scores_table(found: CrossTable, setting: Setting) -> Table:
    best = {
        column: max(
            (c.rank for c in found.cells if (c.objective, c.score) == column and c.counts), default=None
        )
        for column in CROSS_SCORES
    }
    rows = [
        (
            given,
            [_shown(cell, best[cell.objective, cell.score]) for cell in found.cells if cell.given == given],
        )
        for given in found.objectives
    ]
    seed = f", seed {found.seeds[0]}, the first of {len(found.seeds)}" if len(found.seeds) > 1 else ""
    return Table(
        f"{found.strategy}{seed}: what it was told (row) by each objective's score (column), with 95 % intervals, "
        f"{describe(setting)}. Bold: best of its column. Void: chose a short-term gain. "
        f"{tax_alpha_words(found.against)}",
        ("told", *(_head(*column) for column in CROSS_SCORES)),
        rows,
    )


def _shown(cell: CrossCell, best: float | None) -> Cell:
    if cell.is_void:
        return Cell("void")
    return replace(interval_cell(cell.found, _digits(cell.score)), is_clear=cell.counts and cell.rank == best)


def _diagonal_table(found: CrossTable, setting: Setting) -> Table:
    rows = []
    for row in found.diagonal:
        digits, score = _digits(row.own.score), SCORES[row.own.score]
        cells = [
            Cell(f"{_short(row.own.score)}, {score.unit}", is_text=True),
            Cell("void") if row.own.is_void else interval_cell(row.own.found, digits),
            Cell(row.other.given if row.other else "–", is_text=True),
            interval_cell(row.other.found, digits) if row.other else Cell("–"),
            interval_cell(row.difference, digits, tests_zero=True, sign=True),
            Cell(_verdict(row), is_text=True),
        ]
        rows.append((row.own.objective, cells))
    return Table(
        f"Each objective's score under its own objective against the best of the others, paired differences with 95 % "
        f"intervals, {describe(setting)}. Bold: the interval leaves 0 out.",
        ("objective", "score", "own", "best other", "its score", "difference", "verdict"),
        rows,
    )


def _verdict(row: DiagonalRow) -> str:
    if not row.own.counts:
        return "void" if row.own.is_void else "–"
    if row.other is None:
        return "best: all others are void"
    if row.is_best:
        return "best" if row.difference.excludes_zero else "best, not told apart"
    return "not told apart" if row.is_within else "worse"


def _head(objective: str, score: str) -> str:
    return f"{objective.replace('_', ' ')}: {_short(score)}, {SCORES[score].unit}"


def _short(score: str) -> str:
    """The label without what tax alpha is ahead of, which the caption says."""
    return SCORES[score].label.partition(":")[0]


def _digits(score: str) -> int:
    return 0 if score == TAX_ALPHA else 2
