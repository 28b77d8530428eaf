"""A shrunk risk model of the last year and the long-only portfolio of least variance.

What belongs here: estimating volatility and correlation from a window of returns with gaps, and the
exact long-only minimum-variance solution. What does not: who holds that portfolio (``experts.py``).

Nothing here knows an asset's name or position: permuting the columns permutes every result.
"""

from dataclasses import dataclass

import numpy as np

SESSIONS_PER_YEAR = 252
MIN_HISTORY_SESSIONS = 30
# An asset without history counts as riskier than three quarters of the others; 40 % a year where
# nobody has a history (the upper decile of large US stocks is about 37 %).
FALLBACK_VARIANCE_QUANTILE = 0.75
FALLBACK_VOLATILITY_ANN = 0.40
MIN_SHRINKAGE = 0.01
_GRADIENT_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class RiskModel:
    """Volatility and correlation of N assets, from one window of returns.

    Attributes
    ----------
    volatility_ann : ndarray of shape (N,)
        Annualised volatility, > 0.
    scores : ndarray of shape (T, N)
        Standardised returns, gaps filled by the market factor; each column has mean square 1, or is
        all zero: a price that never moved, or no factor to move with.
    shrinkage : float
        Ledoit-Wolf weight of the identity, 0.01..1.
    has_history : ndarray of shape (N,)
        Whether the asset has at least 30 sessions of returns.
    """

    volatility_ann: np.ndarray
    scores: np.ndarray
    shrinkage: float
    has_history: np.ndarray

    def correlate(self, vector: np.ndarray) -> np.ndarray:
        """Multiply by the shrunk correlation matrix without forming it.

        Parameters
        ----------
        vector : ndarray of shape (N,)

        Returns
        -------
        ndarray of shape (N,)
        """
        sessions = max(len(self.scores), 1)
        sample = self.scores.T @ (self.scores @ vector) / sessions
        return (1.0 - self.shrinkage) * (sample + self.unmoved * vector) + self.shrinkage * vector

    @property
    def unmoved(self) -> np.ndarray:
        """1.0 for an all-zero column, whose correlation with itself is still 1; else 0.0."""
        return np.where(self.scores.any(axis=0), 0.0, 1.0)

    def correlation_block(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Sample correlation (not shrunk) between two groups of assets.

        Parameters
        ----------
        rows, columns : ndarray of shape (R,) and (C,)
            Positions.

        Returns
        -------
        ndarray of shape (R, C)
        """
        return self.scores[:, rows].T @ self.scores[:, columns] / max(len(self.scores), 1)


def ledoit_wolf_shrinkage(scores: np.ndarray) -> float:
    """Ledoit-Wolf (2004) weight of the scaled identity for centred data.

    Parameters
    ----------
    scores : ndarray of shape (T, N)
        Columns taken as they are (no centring here).

    Returns
    -------
    float
        0..1; 0 for one asset or no rows.
    """
    sessions, assets = scores.shape
    if sessions == 0 or assets <= 1:
        return 0.0
    # Both sides come from the T x T Gram matrix, so that 10,000 assets need no N x N matrix.
    gram = scores @ scores.T
    norm_squared = float((gram**2).sum()) / sessions**2
    trace = float(np.trace(gram)) / sessions
    distance = (norm_squared - trace**2 / assets) / assets
    noise = (float((np.diag(gram) ** 2).sum()) / sessions - norm_squared) / (sessions * assets)
    if distance <= 0.0:
        return 1.0
    return float(min(max(noise, 0.0), distance) / distance)


def _standardise(returns: np.ndarray, has_history: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and scale each asset by its own seen sessions; nan where unseen or without history."""
    seen = np.isfinite(returns) & has_history[None, :]
    counts = seen.sum(axis=0)
    values = np.where(seen, returns, 0.0)
    centred = np.where(seen, values - values.sum(axis=0) / np.maximum(counts, 1), 0.0)
    variance = (centred**2).sum(axis=0) / np.maximum(counts - 1, 1)
    scale = np.sqrt(variance)
    flat = scale <= 1e-12  # a price that never moved: no correlation with anything
    scores = np.where(seen, centred / np.where(flat, 1.0, scale), np.nan)
    return scores, variance


def _fill_with_factor(scores: np.ndarray) -> np.ndarray:
    """Fill gaps with the standardised mean of the assets seen that session, then scale columns to 1."""
    if scores.size == 0:
        return np.zeros_like(scores)
    seen = np.isfinite(scores)
    factor = np.where(seen, scores, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    factor = factor - factor.mean()
    spread = np.sqrt((factor**2).mean())
    factor = factor / spread if spread > 1e-12 else np.zeros_like(factor)
    filled = np.where(seen, scores, factor[:, None])
    filled = filled - filled.mean(axis=0)
    size = np.sqrt((filled**2).mean(axis=0))
    return filled / np.where(size > 1e-12, size, 1.0)


def estimate_risk(returns: np.ndarray) -> RiskModel:
    """Estimate volatility and correlation from a window of log returns with gaps.

    Fewer than 30 sessions seen: the asset moves with the market factor and its variance is the
    larger of its own (from 5 sessions on) and the 75 % quantile of the assets that have a history,
    0.40 a year if none has. A gap in a longer history is filled with the factor's move.

    Parameters
    ----------
    returns : ndarray of shape (T, N)
        Daily log total returns; nan = not seen.

    Returns
    -------
    RiskModel
    """
    returns = np.asarray(returns, dtype=np.float64)
    counts = np.isfinite(returns).sum(axis=0)
    has_history = counts >= MIN_HISTORY_SESSIONS
    scores, variance = _standardise(returns, has_history)
    fallback = FALLBACK_VOLATILITY_ANN**2 / SESSIONS_PER_YEAR
    if has_history.any():
        fallback = float(np.quantile(variance[has_history], FALLBACK_VARIANCE_QUANTILE))
    _, own = _standardise(returns, counts >= 5)
    variance = np.where(has_history, variance, np.maximum(fallback, own))
    filled = _fill_with_factor(scores)
    shrinkage = max(ledoit_wolf_shrinkage(filled), MIN_SHRINKAGE)
    # A flat price would have all the weight: no variance below that of 0.1 % a year.
    volatility = np.sqrt(np.maximum(variance * SESSIONS_PER_YEAR, 1e-6))
    return RiskModel(volatility, filled, shrinkage, has_history)


def min_variance_weights(risk: RiskModel, volatility_ann: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Long-only weights of least variance, exact to the solver's tolerance.

    With ``u = volatility * y`` the problem is ``min u'Cu / 2 - (1/volatility)'u, u >= 0``, whose
    solution is the wanted portfolio up to scale. Lawson and Hanson's active-set method solves it in
    finitely many steps; C is the shrunk correlation, so the solution is unique and independent of
    the order in which assets enter.

    Parameters
    ----------
    risk : RiskModel
        Correlations.
    volatility_ann : ndarray of shape (N,)
        Volatilities to use, > 0.
    allowed : ndarray of shape (N,)
        Assets that may have weight.

    Returns
    -------
    ndarray of shape (N,)
        >= 0, sums to 1; all 0 if nothing is allowed.
    """
    total = np.zeros(len(volatility_ann))
    if not allowed.any():
        return total
    # Scaled so that the largest entry is 1: the tolerance then means the same for calm and wild assets.
    demand = np.where(allowed, volatility_ann[allowed].min() / volatility_ann, 0.0)
    solution = _active_set(risk, demand, allowed)
    weights = solution / volatility_ann
    return weights / weights.sum()


def _active_set(risk: RiskModel, demand: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Minimise u'Cu/2 - demand'u over u >= 0, u = 0 where not allowed (Lawson-Hanson)."""
    solution = np.zeros_like(demand)
    free = np.zeros(len(demand), dtype=bool)
    refused = np.zeros(len(demand), dtype=bool)
    limit = 10 * len(demand) + 10
    for _ in range(limit):
        slope = demand - risk.correlate(solution)
        slope[free | refused | ~allowed] = -np.inf
        entering = int(slope.argmax())
        if slope[entering] <= _GRADIENT_TOLERANCE:
            return solution
        free[entering] = True
        solution = _settle_free(risk, demand, solution, free)
        # An asset that rounding throws out again at once waits until another one has moved.
        refused = refused if not free[entering] else np.zeros_like(refused)
        refused[entering] = not free[entering]
    count = int(allowed.sum())
    raise ArithmeticError(f"minimum variance over {count} assets did not settle after {limit} steps")


def _settle_free(risk: RiskModel, demand: np.ndarray, solution: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Solve on the free assets, dropping from ``free`` (in place) those that would turn negative."""
    while free.any():
        chosen = np.flatnonzero(free)
        trial = np.zeros_like(demand)
        trial[chosen] = _solve_free(risk, demand, chosen)
        blocked = np.flatnonzero(free & (trial <= 0.0))
        if len(blocked) == 0:
            return trial
        fall = np.maximum(solution[blocked] - trial[blocked], np.finfo(float).tiny)
        ratio = solution[blocked] / fall
        solution = np.maximum(solution + ratio.min() * (trial - solution), 0.0)
        free[blocked[ratio <= ratio.min()]] = False
        solution[~free] = 0.0
    return np.zeros_like(demand)


def _solve_free(risk: RiskModel, demand: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Solve C[free, free] u = demand[free]."""
    block = (1.0 - risk.shrinkage) * risk.correlation_block(chosen, chosen)
    block[np.diag_indices_from(block)] += risk.shrinkage + (1.0 - risk.shrinkage) * risk.unmoved[chosen]
    return np.linalg.solve(block, demand[chosen])
