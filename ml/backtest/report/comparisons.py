"""What the report computes: scores, paired differences and tests of runs under one setting.

What belongs here: figures with their intervals, computed once and shared by tables, charts and summary. What does
not: the methods (``ml/backtest/statistics``), markup.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from ml.backtest.report.selection import BENCHMARK, LONG_ONLY, NO_OBJECTIVE, UNTAXED, Run, Setting, TrialSet
from ml.backtest.results import WITHOUT_HARVESTING
from ml.backtest.statistics.intervals import Interval, minimum_detectable_effect, undefined
from ml.backtest.statistics.multiple import SuperiorAbility, romano_wolf, superior_ability
from ml.backtest.statistics.resample import DEFAULT_DRAWS
from ml.backtest.statistics.scores import (
    MIN_WEEKS,
    SCORES,
    chose_short_gains,
    score_difference,
    score_interval,
)
from ml.backtest.statistics.sharpe import (
    WEEKS_PER_YEAR,
    DeflatedSharpe,
    deflated_sharpe,
    probabilistic_sharpe,
    sharpe_difference,
    sharpe_interval,
    sharpe_ratio,
)

SEED: Final = 0
ALL_CASH: Final = 0.99
TAX_ALPHA: Final = "tax_alpha_bp"


@dataclass(frozen=True, slots=True)
class SharpeRow:
    """Tests of one run's Sharpe ratio.

    Attributes
    ----------
    ratio : Interval
        Of simple weekly returns less cash.
    ahead : Interval
        Less the benchmark's, Ledoit and Wolf's test.
    probability : float
        Probabilistic Sharpe ratio against 0.
    deflated : DeflatedSharpe
    """

    ratio: Interval
    ahead: Interval
    probability: float
    deflated: DeflatedSharpe


@dataclass(frozen=True, slots=True)
class ObjectiveRow:
    """A score of the strategy that knows objectives, beside the benchmark's.

    Attributes
    ----------
    objective, score : str
    run : Run
    own, benchmark, ahead : Interval
        The run's, the benchmark's, their paired difference.
    against : str
        The strategy that a score which compares is compared with: of tax alpha the run's twin where it was run.
    is_void : bool
        ``long_term_gains_only`` with a short-term gain of its own choice.
    """

    objective: str
    score: str
    run: Run
    own: Interval
    benchmark: Interval
    ahead: Interval
    against: str
    is_void: bool


@dataclass
class Comparisons:
    """Figures of a set of trials; each is computed when first asked for.

    Attributes
    ----------
    trials : TrialSet
    draws : int
        Resamples of every interval.
    n_logged : int, optional
        Trials that were ever logged, where that is more than the set holds: all count in the deflated ratio.
    """

    trials: TrialSet
    draws: int = DEFAULT_DRAWS
    n_logged: int | None = None
    _runs: dict[Setting, list[Run]] = field(default_factory=dict)
    _found: dict[tuple, Interval] = field(default_factory=dict)

    def runs(self, setting: Setting) -> list[Run]:
        """Runs under a setting, the benchmark first."""
        if setting not in self._runs:
            self._runs[setting] = self.trials.runs(setting)
        return self._runs[setting]

    def strategies(self, setting: Setting) -> list[Run]:
        """Runs under a setting that tables of strategies show: no twins."""
        return [run for run in self.runs(setting) if not run.is_twin]

    def run(
        self, setting: Setting, strategy: str, objective: str = NO_OBJECTIVE, seed: int = 0
    ) -> Run | None:
        """One run under a setting, or None."""
        return next((r for r in self.runs(setting) if r.identity == (strategy, objective, seed)), None)

    def benchmark(self, setting: Setting) -> Run | None:
        """Monthly equal weight under a setting."""
        return self.run(setting, BENCHMARK)

    def score(self, name: str, run: Run, setting: Setting) -> Interval:
        """A score of a run; undefined if it compares and there is no benchmark."""
        peer = self.benchmark(setting)
        if SCORES[name].needs_benchmark and peer is None:
            return undefined(len(run.log_returns))
        key = ("score", name, run.identity, setting)
        if key not in self._found:
            self._found[key] = score_interval(
                name, run.log_returns, None if peer is None else peer.log_returns, draws=self.draws, seed=SEED
            )
        return self._found[key]

    def ahead(self, name: str, run: Run, peer: Run | None, setting: Setting) -> Interval:
        """Paired difference of a score from another run's under the same setting."""
        benchmark = self.benchmark(setting)
        if peer is None or (SCORES[name].needs_benchmark and benchmark is None):
            return undefined(len(run.log_returns))
        key = ("ahead", name, run.identity, peer.identity, setting)
        if key not in self._found:
            self._found[key] = score_difference(
                name,
                run.log_returns,
                peer.log_returns,
                None if benchmark is None else benchmark.log_returns,
                draws=self.draws,
                seed=SEED,
            )
        return self._found[key]

    def twin(self, run: Run, setting: Setting) -> Run | None:
        """The run's targets under the same objective and seed with nothing harvested, or None."""
        return self.run(setting, run.strategy + WITHOUT_HARVESTING, run.objective, run.seed)

    def tax_alpha_against(self, run: Run, setting: Setting) -> str:
        """The strategy that the judged tax alpha of a run is measured against."""
        twin = self.twin(run, setting)
        return BENCHMARK if twin is None else twin.strategy

    def judged(self, name: str, run: Run, setting: Setting) -> Interval:
        """A score as an objective is judged by it: tax alpha is the lead over the twin, where that was run."""
        twin = self.twin(run, setting) if name == TAX_ALPHA else None
        return self.score(name, run, setting) if twin is None else self.ahead(name, run, twin, setting)

    def judged_ahead(self, name: str, run: Run, peer: Run, setting: Setting) -> Interval:
        """Paired difference of two runs' judged scores; of tax alpha, of their leads over their own twins."""
        if name != TAX_ALPHA:
            return self.ahead(name, run, peer, setting)
        bases = [self.twin(r, setting) or self.benchmark(setting) for r in (run, peer)]
        leads = [r.log_returns - b.log_returns for r, b in zip((run, peer), bases, strict=True) if b]
        if len(leads) < 2:
            return undefined(len(run.log_returns))
        key = ("judged", run.identity, peer.identity, setting)
        if key not in self._found:
            self._found[key] = score_interval(name, *leads, draws=self.draws, seed=SEED)
        return self._found[key]

    def alpha(self, run: Run, setting: Setting) -> Interval:
        """After-tax growth ahead of the benchmark, bp a year."""
        return self.score("tax_alpha_bp", run, setting)

    def tax_part(self, strategy: str, setting: Setting) -> Interval:
        """What of a lead over the benchmark is tax: the lead after tax less that before it, bp a year."""
        free = replace(setting, profile=UNTAXED)
        four = [self.run(s, who) for s in (setting, free) for who in (strategy, BENCHMARK)]
        paths = [run.log_returns for run in four if run is not None]
        if len(paths) < len(four) or len(paths[0]) < MIN_WEEKS:
            return undefined(0)
        key = ("tax", strategy, setting)
        if key not in self._found:
            lead, lead_before = paths[0] - paths[1], paths[2] - paths[3]
            self._found[key] = score_interval("tax_alpha_bp", lead, lead_before, draws=self.draws, seed=SEED)
        return self._found[key]

    def sharpe(self, run: Run) -> Interval:
        """Annualised Sharpe ratio of simple weekly returns, risk-free 0; cash has none."""
        if len(run.log_returns) < MIN_WEEKS or run.mean_cash > ALL_CASH:
            return undefined(len(run.log_returns))
        return sharpe_interval(np.expm1(run.log_returns), draws=self.draws, seed=SEED)

    def trial_sharpes(self, windows: tuple[str, ...]) -> np.ndarray:
        """Sharpe ratios less cash of every trial over some windows, whatever its setting; none of cash."""
        settings = sorted(
            {
                (r.key.profile, r.key.cost_bp, r.key.law)
                for r in self.trials.results
                if r.key.window in windows
            }
        )
        runs = [run for chosen in settings for run in self.runs(Setting(windows, *chosen))]
        return np.array([_excess_sharpe(run) for run in runs if len(run.log_returns) >= MIN_WEEKS])

    def sharpe_row(self, run: Run, peer: Run, ratios: np.ndarray) -> SharpeRow:
        """All tests of a run's Sharpe ratio.

        Parameters
        ----------
        run, peer : Run
        ratios : ndarray of shape (N,)
            From :meth:`trial_sharpes`.
        """
        own = run.excess_returns
        deflated = deflated_sharpe(own, self._padded(ratios))
        return SharpeRow(
            sharpe_interval(own, draws=self.draws, seed=SEED),
            sharpe_difference(own, peer.excess_returns, draws=self.draws, seed=SEED),
            probabilistic_sharpe(own),
            deflated,
        )

    def _padded(self, ratios: np.ndarray) -> np.ndarray:
        """The ratios, repeated up to the number of all trials: those of other weeks count, spread alike."""
        known = ratios[np.isfinite(ratios)]
        count = max(self.n_logged or 0, len(self.trials.results), len(known))
        return np.resize(known, count) if len(known) else known

    def step_down(self, runs: Sequence[Run], peer: Run) -> dict[tuple[str, str, int], float]:
        """Adjusted two-sided p-values of after-tax growth differences, by identity."""
        others = [run for run in runs if run.identity != peer.identity]
        if not others or len(peer.log_returns) < MIN_WEEKS:
            return {}
        adjusted = romano_wolf(_differences(others, peer), draws=self.draws, seed=SEED)
        return {run.identity: float(p) for run, p in zip(others, adjusted, strict=True)}

    def superior(self, runs: Sequence[Run], peer: Run) -> SuperiorAbility | None:
        """Hansen's test that the best of the runs beats the benchmark; None without a run that differs."""
        others = [run for run in runs if run.identity != peer.identity]
        if not others or len(peer.log_returns) < MIN_WEEKS:
            return None
        differences = _differences(others, peer)
        if not np.ptp(differences, axis=0).any():
            return None
        return superior_ability(differences, draws=self.draws, seed=SEED)

    def objective_rows(self, setting: Setting) -> list[ObjectiveRow]:
        """Each objective's scores of the strategy that knows objectives, all seeds; empty without one."""
        chooser, peer = self.trials.chooser(), self.benchmark(setting)
        rows = []
        for name, score in SCORES.items():
            for objective in score.objectives:
                for run in self.runs(setting):
                    if run.strategy == chooser and run.objective == objective:
                        rows.append(self._objective_row(name, objective, run, peer, setting))
        return sorted(rows, key=lambda row: (row.objective, list(SCORES).index(row.score), row.run.seed))

    def _objective_row(
        self, name: str, objective: str, run: Run, peer: Run | None, setting: Setting
    ) -> ObjectiveRow:
        own = self.judged(name, run, setting)
        nothing = undefined(len(run.log_returns))
        compares = SCORES[name].needs_benchmark
        return ObjectiveRow(
            objective,
            name,
            run,
            own,
            nothing if peer is None or compares else self.score(name, peer, setting),
            # A score that compares is the difference itself.
            own if compares else self.ahead(name, run, peer, setting),
            self.tax_alpha_against(run, setting) if name == TAX_ALPHA else BENCHMARK,
            objective == LONG_ONLY and any(map(chose_short_gains, run.results)),
        )


def first_seed(rows: Sequence[ObjectiveRow]) -> list[ObjectiveRow]:
    """The rows of the smallest seed."""
    first = min((row.run.seed for row in rows), default=0)
    return [row for row in rows if row.run.seed == first]


def detectable(found: Interval, years: float) -> float:
    """Smallest true effect that as many years of such weeks would show with 80 percent power."""
    if not math.isfinite(found.standard_error):
        return math.nan
    scale = math.sqrt(found.n_weeks / (WEEKS_PER_YEAR * years))
    return minimum_detectable_effect(found.standard_error * scale)


def _differences(runs: Sequence[Run], peer: Run) -> np.ndarray:
    return np.column_stack([run.log_returns - peer.log_returns for run in runs])


def _excess_sharpe(run: Run) -> float:
    """Ratio of a run, nan for cash: what is left of it is its tax, a constant with next to no spread."""
    return math.nan if run.mean_cash > ALL_CASH else sharpe_ratio(run.excess_returns)
