"""The six objectives: horizons, discount factors, the fixed expert router and the no-short-gains mask.

What belongs here: what an objective is and how a mix of objectives becomes a mix of experts.
What does not: how an expert forms its portfolio (``experts.py``), how a user's mix is found
(``ml/personalization``).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from ml.types import EXPERTS, OBJECTIVES

DECISION_STEP_SESSIONS: Final = 5


@dataclass(frozen=True, slots=True)
class ObjectiveSpec:
    """One objective.

    Attributes
    ----------
    name : str
        Column value, one of :data:`ml.types.OBJECTIVES`.
    horizon_sessions : int
        Sessions over which the objective is judged.
    is_relative : bool
        Whether the reward is measured against equal weight.
    description : str
        One sentence for people.
    """

    name: str
    horizon_sessions: int
    is_relative: bool
    description: str

    @property
    def gamma(self) -> float:
        """Discount per weekly decision: exp(-5 / horizon)."""
        return math.exp(-DECISION_STEP_SESSIONS / self.horizon_sessions)


# 21, 63 and 756 sessions (a month, a quarter, three years) are the horizons of the growth objectives.
# Preservation and harvesting are judged over a year: a drawdown's usual reporting span and a tax year.
OBJECTIVE_SPECS: Final = {
    spec.name: spec
    for spec in (
        ObjectiveSpec("short_term_alpha", 21, True, "Beat equal weight over days to weeks, before tax."),
        ObjectiveSpec("short_term_gain", 63, True, "Take profits within months, after tax."),
        ObjectiveSpec("long_term_gain", 756, True, "Grow over years, after tax."),
        ObjectiveSpec("capital_preservation", 252, False, "Avoid losses and drawdowns."),
        ObjectiveSpec("tax_loss_harvesting", 252, False, "Realise losses that tax can use, stay invested."),
        ObjectiveSpec("long_term_gains_only", 756, False, "Grow without ever choosing a short-term gain."),
    )
}

# The fixed router: row = objective, column = expert (momentum, growth, defensive, tax_aware).
# * short_term_alpha: the only short-horizon signal is momentum; a little growth keeps it diversified.
# * short_term_gain: momentum again, but after tax, so that more of it is held patiently.
# * long_term_gain: broad, low turnover, tilted to winners; tax_aware because deferral compounds over years.
# * capital_preservation: minimum variance and cash; little else, since every other expert is fully invested.
# * tax_loss_harvesting: tax_aware decides; a little growth.
# * long_term_gains_only: growth and tax_aware; both trade little and wait for long-term lots.
EXPERT_MIX: Final = {
    "short_term_alpha": (0.80, 0.15, 0.00, 0.05),
    "short_term_gain": (0.55, 0.35, 0.00, 0.10),
    "long_term_gain": (0.35, 0.50, 0.00, 0.15),
    "capital_preservation": (0.00, 0.05, 0.90, 0.05),
    "tax_loss_harvesting": (0.00, 0.10, 0.00, 0.90),
    "long_term_gains_only": (0.20, 0.50, 0.00, 0.30),
}
EXPERT_MIX_MATRIX: Final = np.array([EXPERT_MIX[name] for name in OBJECTIVES], dtype=np.float64)
EXPERT_MIX_MATRIX.setflags(write=False)
ROUTER_VERSION: Final = "fixed-2"

_HARVEST = OBJECTIVES.index("tax_loss_harvesting")
_LONG_GAIN = OBJECTIVES.index("long_term_gain")
_LONG_ONLY = OBJECTIVES.index("long_term_gains_only")


def effective_mix(mix: np.ndarray, is_tax_deferred: np.ndarray) -> np.ndarray:
    """Move harvesting to growth where there is no tax to save.

    Parameters
    ----------
    mix : ndarray of shape (A, 6)
        Weights over :data:`ml.types.OBJECTIVES`, rows summing to 1.
    is_tax_deferred : ndarray of shape (A,)
        True for IRA, 401(k) and HSA accounts.

    Returns
    -------
    ndarray of shape (A, 6)
        A copy; in tax-deferred rows the weight of ``tax_loss_harvesting`` stands at
        ``long_term_gain``.
    """
    mix = np.array(mix, dtype=np.float64)
    deferred = np.asarray(is_tax_deferred, dtype=bool)
    mix[deferred, _LONG_GAIN] += mix[deferred, _HARVEST]
    mix[deferred, _HARVEST] = 0.0
    return mix


def expert_weights(mix: np.ndarray) -> np.ndarray:
    """Turn objective mixes into expert mixes by the fixed router.

    Parameters
    ----------
    mix : ndarray of shape (A, 6)
        Rows summing to 1 (within 1e-6; renormalised exactly).

    Returns
    -------
    ndarray of shape (A, 4)
        Weights over :data:`ml.types.EXPERTS`, rows summing to 1.

    Raises
    ------
    ValueError
        If the shape is wrong, an entry is negative or a row does not sum to 1.
    """
    mix = np.asarray(mix, dtype=np.float64)
    if mix.ndim != 2 or mix.shape[1] != len(OBJECTIVES):
        raise ValueError(f"mix has shape {mix.shape}: expected (accounts, {len(OBJECTIVES)})")
    totals = mix.sum(axis=1)
    bad = ~((np.abs(totals - 1.0) <= 1e-6) & (mix >= 0.0).all(axis=1))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise ValueError(f"mix row {row} is {mix[row].tolist()}: entries must be >= 0 and sum to 1")
    weights = (mix / totals[:, None]) @ EXPERT_MIX_MATRIX
    return weights / weights.sum(axis=1, keepdims=True)


def blend_targets(
    expert_targets: np.ndarray, mix: np.ndarray, is_tax_deferred: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Blend the experts' portfolios by each account's mix of objectives.

    Parameters
    ----------
    expert_targets : ndarray of shape (A, 4, N + 1)
        From :func:`ml.policy.experts.expert_targets`; cash last, rows summing to 1.
    mix : ndarray of shape (A, 6)
        The user's mix of objectives.
    is_tax_deferred : ndarray of shape (A,), optional
        Where given, :func:`effective_mix` is applied first.

    Returns
    -------
    targets : ndarray of shape (A, N + 1)
        Rows >= 0 that sum to 1 within 1e-12.
    experts : ndarray of shape (A, 4)
        The weights used, in the order of :data:`ml.types.EXPERTS`.
    """
    expert_targets = np.asarray(expert_targets, dtype=np.float64)
    if expert_targets.ndim != 3 or expert_targets.shape[1] != len(EXPERTS):
        expected = f"(accounts, {len(EXPERTS)}, assets + 1)"
        raise ValueError(f"expert_targets has shape {expert_targets.shape}: expected {expected}")
    if is_tax_deferred is not None:
        mix = effective_mix(mix, is_tax_deferred)
    experts = expert_weights(mix)
    targets = np.einsum("ak,akn->an", experts, expert_targets)
    return targets / targets.sum(axis=1, keepdims=True), experts


def long_term_gains_only_in_force(
    mix: np.ndarray, avoid_short_term_gains: np.ndarray, is_tax_deferred: np.ndarray | None = None
) -> np.ndarray:
    """Say for which accounts no voluntary sale may realise a short-term gain.

    In force when ``long_term_gains_only`` has the strictly largest weight of the mix or when the
    stated intent sets ``avoid_short_term_gains``; never in a tax-deferred account, where there is no
    such gain.

    Parameters
    ----------
    mix : ndarray of shape (A, 6)
        Mix of objectives.
    avoid_short_term_gains : ndarray of shape (A,)
        The intent's flag.
    is_tax_deferred : ndarray of shape (A,), optional
        True for IRA, 401(k) and HSA accounts.

    Returns
    -------
    ndarray of shape (A,)
        bool.
    """
    mix = np.asarray(mix, dtype=np.float64)
    others = np.delete(mix, _LONG_ONLY, axis=1).max(axis=1)
    in_force = (mix[:, _LONG_ONLY] > others) | np.asarray(avoid_short_term_gains, dtype=bool)
    if is_tax_deferred is not None:
        in_force &= ~np.asarray(is_tax_deferred, dtype=bool)
    return in_force
