"""The four analytic experts as strategies: behind the fixed router and its twin, behind a random one, frozen uniform.

What belongs here: turning the experts' portfolios into targets of a backtest. What does not: the experts
(``ml.policy.experts``), the router's table (``ml.policy.objectives``).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ml.backtest.baselines import Baseline, around_stuck, equal_weights
from ml.backtest.results import WITHOUT_HARVESTING
from ml.backtest.strategies import NO_OBJECTIVE, DecisionState, Strategy
from ml.policy.experts import expert_targets
from ml.policy.objectives import blend_targets
from ml.types import EXPERTS, OBJECTIVES

# The experts move every weight a little every week; trades below a thousandth of the account are left out.
MIN_TRADE_RATIO: Final = 0.001


@dataclass(frozen=True, slots=True)
class FixedRouter(Baseline):
    """Each objective's fixed mix of the four experts; what would wash a loss is not bought.

    Attributes
    ----------
    harvests : bool
        False: the twin, whose experts see no loss worth harvesting and decide all else alike.
    """

    harvests: bool = True

    def targets(self, state: DecisionState) -> np.ndarray:
        """Blend the experts by each account's objective."""
        mix = np.zeros((len(state.objectives), len(OBJECTIVES)))
        mix[np.arange(len(mix)), [OBJECTIVES.index(name) for name in state.objectives]] = 1.0
        tax = state.tax if self.harvests else state.tax.without_harvesting()
        blended, _ = blend_targets(expert_targets(state.market, state.accounts, tax=tax), mix)
        return without_washes(blended, state)


class RandomRouter(Baseline):
    """Experts mixed by weights drawn anew at each decision, uniform on the simplex."""

    def targets(self, state: DecisionState) -> np.ndarray:
        """Draw by seed and session, so that a decision does not depend on the ones before."""
        day = int(state.dates[-1].astype(np.int64))
        drawn = {
            seed: np.random.default_rng([seed, day]).dirichlet(np.ones(len(EXPERTS)))
            for seed in np.unique(state.seeds).tolist()
        }
        shares = np.array([drawn[seed] for seed in state.seeds.tolist()])
        targets = expert_targets(state.market, state.accounts, tax=state.tax)
        return without_washes(np.einsum("ak,akn->an", shares, targets), state)


class FrozenUniform(Baseline):
    """What a collapsed policy does: the same weight for every asset, again every week."""

    def targets(self, state: DecisionState) -> np.ndarray:
        """1 / N of what the untradeable holdings leave."""
        return around_stuck(equal_weights(state), state)


def without_washes(targets: np.ndarray, state: DecisionState) -> np.ndarray:
    """Take purchases out that would wash a loss of the last 30 days.

    Parameters
    ----------
    targets : ndarray of shape (A, N + 1)
    state : DecisionState

    Returns
    -------
    ndarray of shape (A, N + 1)
        The money goes to the other assets that the account buys, in proportion; without any it stays cash.
    """
    current = state.weights
    locked = np.column_stack([state.is_locked, np.zeros(len(current), bool)])
    capped = np.where(locked, np.minimum(targets, current), targets)
    freed = (targets - capped).sum(axis=1)
    bought = np.where(locked, 0.0, np.maximum(capped - current, 0.0))
    bought[:, -1] = 0.0
    total = bought.sum(axis=1)
    share = np.divide(freed, total, out=np.zeros_like(total), where=total > 0)
    capped += bought * share[:, None]
    capped[:, -1] += np.where(total > 0, 0.0, freed)
    return capped


def expert_strategies() -> list[Strategy]:
    """The strategies of this module, decided weekly with named lots."""
    name, settings = "experts_fixed_router", ("weekly", "tax_order", OBJECTIVES, (0,), MIN_TRADE_RATIO)
    return [
        FixedRouter(name, *settings),
        FixedRouter(name + WITHOUT_HARVESTING, *settings, harvests=False),
        RandomRouter(
            "experts_random_router", "weekly", "tax_order", (NO_OBJECTIVE,), (0, 1, 2), MIN_TRADE_RATIO
        ),
        FrozenUniform("frozen_uniform", "weekly"),
    ]
