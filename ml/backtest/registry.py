"""The strategies that a run knows by name.

What belongs here: names, schedules and estimators of every baseline. What does not: what they do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ml.backtest.baselines import Baseline, Cash, EqualWeight, Harvesting, Momentum
from ml.backtest.expert_strategies import expert_strategies
from ml.backtest.optimizers import ESTIMATORS, FittedWeights, Optimized
from ml.backtest.strategies import Strategy, StrategyError, load_strategy

LONG_WINDOW: Final = ("thirty_years",)


@dataclass(frozen=True, slots=True)
class QuarterlyOptimized(Optimized):
    """A quarterly portfolio for the long table alone, where skfolio's own walk-forward stands beside it."""

    only_windows: tuple[str, ...] = LONG_WINDOW


def default_strategies() -> list[Strategy]:
    """Every baseline and the analytic experts; estimators share what they fitted."""
    memory = FittedWeights()
    found: list[Strategy] = [
        Cash("cash"),
        EqualWeight("buy_and_hold", "once"),
        EqualWeight("equal_weight_monthly"),
        EqualWeight("equal_weight_quarterly", "quarterly"),
        Harvesting("equal_weight_harvesting"),
        Momentum("momentum_12_1"),
        *(Optimized(f"{name}_monthly", estimator=name, memory=memory) for name in ESTIMATORS),
        *(
            QuarterlyOptimized(f"{name}_quarterly", "quarterly", estimator=name, memory=memory)
            for name in ESTIMATORS
        ),
        *expert_strategies(),
    ]
    return found


def baseline_names() -> frozenset[str]:
    """Names of the strategies that learn nothing."""
    return frozenset(s.name for s in default_strategies())


def chosen_strategies(names: Sequence[str], references: Sequence[str] = ()) -> list[Strategy]:
    """Pick strategies by name and load a user's own.

    Parameters
    ----------
    names : sequence of str
        Names of :func:`default_strategies`; ``all`` stands for every one, nothing for every one unless
        ``references`` are given.
    references : sequence of str
        ``module:function``.

    Raises
    ------
    StrategyError
        An unknown name, or a reference that cannot be loaded.
    """
    known = {s.name: s for s in default_strategies()}
    if not names and not references:
        names = ("all",)
    if "all" in names:
        names = tuple(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise StrategyError(f"strategy {unknown[0]!r} is unknown: use all, {', '.join(known)}")
    own = [load_strategy(reference) for reference in references]
    taken = sorted({s.name for s in own} & set(known))
    if taken:
        raise StrategyError(f"strategy name {taken[0]!r} is a baseline's: give yours another name")
    return [*(known[name] for name in names), *own]


def is_baseline(strategy: Strategy) -> bool:
    """Whether a strategy is of this registry."""
    return isinstance(strategy, Baseline) and strategy.name in baseline_names()
