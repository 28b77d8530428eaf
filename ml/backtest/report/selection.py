"""Which trials a table compares: groups of windows, settings, and runs joined over their windows.

What belongs here: looking trials up and joining them. What does not: scores (``ml/backtest/statistics``), tables.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from ml.backtest.results import WITHOUT_HARVESTING, BacktestResult
from ml.backtest.statistics.scores import pooled_log_returns

BENCHMARK: Final = "equal_weight_monthly"
NO_OBJECTIVE: Final = "none"
ANALYTIC_EXPERTS: Final = "experts_fixed_router"
POLICY: Final = "policy"  # begins the name of every policy
LONG_ONLY: Final = "long_term_gains_only"
UNTAXED: Final = "untaxed"
TAXED_PROFILES: Final = ("P1", "P1_outside_20k", "P2", "P2_outside_20k")
HEADLINE_PROFILE: Final = "P1"
HEADLINE_COST_BP: Final = 10
LAW_2026: Final = "law_2026"
THIRTY_YEARS: Final = "thirty_years"
PAPER_14_DAYS: Final = "paper_14_days"


class ReportError(ValueError):
    """Trials that no report can be made of; the message says what is missing and how to get it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What trials must share to be compared.

    Attributes
    ----------
    windows : tuple of str
        Joined in the order of their dates.
    profile : str
    cost_bp : int
    law : str
    """

    windows: tuple[str, ...]
    profile: str = HEADLINE_PROFILE
    cost_bp: int = HEADLINE_COST_BP
    law: str = LAW_2026


@dataclass(frozen=True)
class Run:
    """A strategy under a setting, joined over the setting's windows.

    Attributes
    ----------
    strategy, objective : str
    seed : int
    label : str
        For readers: strategy, then objective and seed where the strategy has several.
    results : tuple of BacktestResult
        One a window, by date.
    """

    strategy: str
    objective: str
    seed: int
    label: str
    results: tuple[BacktestResult, ...]

    @property
    def identity(self) -> tuple[str, str, int]:
        """What is the same under every setting."""
        return self.strategy, self.objective, self.seed

    @cached_property
    def log_returns(self) -> np.ndarray:
        """Weekly log differences of accrued after-tax wealth, (n,)."""
        return pooled_log_returns(self.results)

    @cached_property
    def excess_returns(self) -> np.ndarray:
        """Weekly simple returns less those of cash, (n,)."""
        cash = np.concatenate([result.risk_free_return[1:] for result in self.results])
        return np.expm1(self.log_returns) - cash

    @property
    def dates(self) -> np.ndarray:
        """Ends of the weeks, (n,)."""
        return np.concatenate([result.dates[1:] for result in self.results])

    def yearly_mean(self, name: str) -> float:
        """Mean over all years of a yearly array of :class:`~ml.backtest.results.BacktestResult`."""
        return self.total(name) / self.n_years

    @property
    def is_twin(self) -> bool:
        """Whether it is another strategy's targets with nothing harvested: a yardstick, no strategy of its own."""
        return self.strategy.endswith(WITHOUT_HARVESTING)

    def total(self, name: str) -> float:
        """Sum over all years of a yearly array, or over all weeks of a weekly one."""
        return float(sum(getattr(result, name).sum() for result in self.results))

    @property
    def mean_cash(self) -> float:
        """Mean weight of cash over all weeks."""
        return self.total("cash_weight") / sum(len(result.cash_weight) for result in self.results)

    @property
    def n_years(self) -> float:
        """Length of the windows in years."""
        days = sum((r.dates[-1] - r.dates[0]).astype("timedelta64[D]").astype(int) for r in self.results)
        return max(float(days) / 365.25, 1 / 52)


class TrialSet:
    """All trials of a run of the backtest, by key.

    Parameters
    ----------
    results : iterable of BacktestResult

    Raises
    ------
    ReportError
        No trial, or the same key twice.
    """

    def __init__(self, results: Iterable[BacktestResult]) -> None:
        ordered = sorted(results, key=lambda result: result.key)
        if not ordered:
            raise ReportError(
                "there is no trial to report: run `taxloom backtest` first, or name its output folder"
            )
        self.results: tuple[BacktestResult, ...] = tuple(ordered)
        self._by_key = {result.key: result for result in ordered}
        if len(self._by_key) < len(ordered):
            keys = [result.key for result in ordered]
            twice = next(a for a, b in itertools.pairwise(keys) if a == b)
            raise ReportError(f"trial {twice} is there twice: give the trials of one output folder")
        starts = {r.key.window: r.dates[0] for r in ordered}
        self.windows: tuple[str, ...] = tuple(sorted(starts, key=lambda name: (starts[name], name)))

    @property
    def development(self) -> tuple[str, ...]:
        """Windows on which strategies may be chosen."""
        return tuple(w for w in self.windows if w.startswith("development_") or w == "whole_panel")

    @property
    def test(self) -> tuple[str, ...]:
        """Test windows that were opened."""
        return tuple(w for w in self.windows if w.startswith("test_"))

    @property
    def long(self) -> tuple[str, ...]:
        """The baselines' longest window, or without it the development windows."""
        return (THIRTY_YEARS,) if THIRTY_YEARS in self.windows else self.development

    def costs(self, windows: Sequence[str]) -> tuple[int, ...]:
        """Costs that were tried on any of some windows."""
        return tuple(sorted({r.key.cost_bp for r in self.results if r.key.window in windows}))

    def common_costs(self, windows: tuple[str, ...]) -> tuple[int, ...]:
        """Costs that at least half as many runs were tried at as at the commonest."""
        counts = {cost: len(self.runs(self.setting(windows, cost_bp=cost))) for cost in self.costs(windows)}
        return tuple(cost for cost, count in counts.items() if 2 * count >= max(counts.values()))

    def profiles(self, windows: Sequence[str]) -> tuple[str, ...]:
        """Taxed profiles of the evaluation that were tried on any of some windows."""
        found = {r.key.profile for r in self.results if r.key.window in windows}
        return tuple(p for p in TAXED_PROFILES if p in found)

    def setting(self, windows: tuple[str, ...], **chosen: str | int) -> Setting:
        """The headline's setting on some windows, or the nearest cost and the first profile tried there."""
        costs, profiles = self.costs(windows), self.profiles(windows)
        if costs and "cost_bp" not in chosen:
            chosen["cost_bp"] = min(costs, key=lambda bp: (abs(bp - HEADLINE_COST_BP), bp))
        if profiles and "profile" not in chosen:
            chosen["profile"] = HEADLINE_PROFILE if HEADLINE_PROFILE in profiles else profiles[0]
        return Setting(windows, **chosen)  # pyright: ignore[reportArgumentType]

    def runs(self, setting: Setting) -> list[Run]:
        """Runs that have a trial in every window of a setting, the benchmark first, then by name."""
        found: dict[tuple[str, str, int], dict[str, BacktestResult]] = {}
        for result in self.results:
            key = result.key
            same = (key.profile, key.cost_bp, key.law) == (setting.profile, setting.cost_bp, setting.law)
            if same and key.window in setting.windows:
                found.setdefault((key.strategy, key.objective, key.seed), {})[key.window] = result
        whole = {who: by for who, by in found.items() if len(by) == len(setting.windows)}
        return [
            Run(*who, _label(who, whole), tuple(whole[who][w] for w in setting.windows))
            for who in sorted(whole, key=lambda who: (who[0] != BENCHMARK, who))
        ]

    def run(
        self, setting: Setting, strategy: str, objective: str = NO_OBJECTIVE, seed: int = 0
    ) -> Run | None:
        """One run, or None where a window lacks it."""
        return next((r for r in self.runs(setting) if r.identity == (strategy, objective, seed)), None)

    def harvester(self) -> str | None:
        """Name of the mechanical harvesting strategy among the trials, or None."""
        names = sorted(name for name in self._strategies() if "harvest" in name)
        return names[0] if names else None

    def chooser(self) -> str | None:
        """Name of the strategy that knows objectives: a policy before the analytic experts, or None."""
        names = self._strategies(knows_objectives=True)
        return min(names, key=lambda name: (not name.startswith(POLICY), name)) if names else None

    def _strategies(self, *, knows_objectives: bool = False) -> set[str]:
        """Names among the trials, without twins."""
        return {
            r.key.strategy
            for r in self.results
            if not r.key.strategy.endswith(WITHOUT_HARVESTING)
            and (not knows_objectives or r.key.objective != NO_OBJECTIVE)
        }


def _label(who: tuple[str, str, int], among: Iterable[tuple[str, str, int]]) -> str:
    strategy, objective, seed = who
    seeds = {s for name, o, s in among if (name, o) == (strategy, objective)}
    parts = [strategy]
    if objective != NO_OBJECTIVE:
        parts.append(objective)
    if len(seeds) > 1:
        parts.append(f"seed {seed}")
    return ", ".join(parts)
