"""Portfolios that skfolio fits on the last 504 sessions: inverse volatility, ERC, HRP, least variance, best Sharpe.

What belongs here: estimators, their training window, a memory of what was fitted. What does not: simple rules
(``baselines.py``), skfolio's own walk-forward (a test compares with it).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from ml.backtest.baselines import Baseline, around_stuck
from ml.backtest.strategies import DecisionState, StrategyError
from ml.backtest.walk_forward import TRAINING_SESSIONS


def _inverse_volatility() -> Any:
    from skfolio.optimization import InverseVolatility

    return InverseVolatility()


def _equal_risk() -> Any:
    from skfolio.optimization import RiskBudgeting

    return RiskBudgeting()


def _hierarchical() -> Any:
    from skfolio.optimization import HierarchicalRiskParity

    return HierarchicalRiskParity()


def _min_variance() -> Any:
    from skfolio.optimization import MeanRisk

    return MeanRisk()


def _max_sharpe() -> Any:
    from skfolio.optimization import MeanRisk, ObjectiveFunction

    return MeanRisk(objective_function=ObjectiveFunction.MAXIMIZE_RATIO)


ESTIMATORS: Final[dict[str, Callable[[], Any]]] = {
    "inverse_volatility": _inverse_volatility,
    "erc": _equal_risk,
    "hrp": _hierarchical,
    "min_variance": _min_variance,
    "max_sharpe": _max_sharpe,
}


@dataclass
class FittedWeights:
    """Fits estimators once per session and set of assets, for all windows and schedules."""

    known: dict[tuple[str, bytes], np.ndarray] = field(default_factory=dict)

    def weights(self, estimator: str, returns: np.ndarray, key: bytes) -> np.ndarray:
        """Long-only weights summing to 1 for simple returns (T, N), N >= 2."""
        found = self.known.get((estimator, key))
        if found is None:
            found = self.known[estimator, key] = fit_weights(estimator, returns)
        return found


def fit_weights(estimator: str, returns: np.ndarray) -> np.ndarray:
    """Fit one of :data:`ESTIMATORS`.

    Parameters
    ----------
    estimator : str
    returns : ndarray of shape (T, N)
        Simple returns without gaps.

    Returns
    -------
    ndarray of shape (N,)
        Weights >= 0 that sum to 1. ``max_sharpe`` without a positive mean return has no solution: the
        portfolio of least variance stands in.
    """
    if estimator == "max_sharpe" and returns.mean(axis=0).max() <= 0.0:
        estimator = "min_variance"
    model = ESTIMATORS[estimator]().fit(returns)
    weights = np.maximum(np.asarray(model.weights_, np.float64), 0.0)
    return weights / weights.sum()


@dataclass(frozen=True, slots=True)
class Optimized(Baseline):
    """An estimator's portfolio over the assets with all of the last 504 sessions."""

    estimator: str = "erc"
    memory: FittedWeights = field(default_factory=FittedWeights)

    def targets(self, state: DecisionState) -> np.ndarray:
        """Fit, or recall, the weights of this session.

        Raises
        ------
        StrategyError
            Fewer than two assets have a whole training window.
        """
        prices = state.prices[-TRAINING_SESSIONS - 1 :]
        whole = state.is_tradeable & np.isfinite(prices).all(axis=0)
        if len(prices) <= TRAINING_SESSIONS or whole.sum() < 2:
            raise StrategyError(
                f"strategy {self.name!r} at {state.date}: {int(whole.sum())} assets with {len(prices) - 1} sessions of "
                f"returns; it trains on {TRAINING_SESSIONS} sessions of at least 2 assets: leave it out with "
                "--strategies, or give longer prices"
            )
        columns = np.flatnonzero(whole)
        key = state.dates[-1].tobytes() + columns.tobytes()
        returns = prices[1:, columns] / prices[:-1, columns] - 1.0
        weights = np.zeros(len(state.asset_ids) + 1)
        weights[columns] = self.memory.weights(self.estimator, returns, key)
        return around_stuck(weights, state)
