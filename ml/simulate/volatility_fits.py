"""Maximum likelihood fits by which returns are described: GJR-GARCH(1,1)-t and a two-state regime.

What belongs here: estimators that calibration and its tests read. What does not: the simulation itself.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ml.simulate.compiled import compiled

_START = (0.02, 0.08, 0.90, 6.0)


@dataclass(frozen=True, slots=True)
class GarchFit:
    """GJR-GARCH(1,1)-t of one series (Glosten, Jagannathan & Runkle 1993, *Journal of Finance* 48(5)).

    h(t+1) = omega + (alpha + gamma [e(t) < 0]) e(t)^2 + beta h(t), e Student-t with ``nu`` degrees of freedom.
    """

    alpha: float
    gamma: float
    beta: float
    nu: float

    @property
    def persistence(self) -> float:
        """Alpha + gamma / 2 + beta."""
        return self.alpha + 0.5 * self.gamma + self.beta


@dataclass(frozen=True, slots=True)
class RegimeFit:
    """Two normal regimes of a Markov chain, the calm one first (Hamilton 1989, *Econometrica* 57(2)).

    Attributes
    ----------
    mean, sd : tuple of float
        Per session.
    stay_sessions : tuple of float
        Expected length of a stay.
    turbulent_share : float
        Mean smoothed probability of the turbulent regime.
    """

    mean: tuple[float, float]
    sd: tuple[float, float]
    stay_sessions: tuple[float, float]
    turbulent_share: float


@compiled
def _garch_loss(z, alpha, gamma, beta, nu):
    """Return minus the mean log likelihood of unit-variance innovations ``z``, variance-targeted."""
    omega = 1.0 - alpha - 0.5 * gamma - beta
    constant = math.lgamma(0.5 * (nu + 1.0)) - math.lgamma(0.5 * nu) - 0.5 * math.log(math.pi * (nu - 2.0))
    h, total = 1.0, 0.0
    for t in range(z.shape[0]):
        square = z[t] * z[t]
        total += 0.5 * math.log(h) + 0.5 * (nu + 1.0) * math.log(1.0 + square / (h * (nu - 2.0)))
        h = omega + (alpha + (gamma if z[t] < 0 else 0.0)) * square + beta * h
    return total / z.shape[0] - constant


def fit_garch(returns: np.ndarray) -> GarchFit:
    """Fit a GJR-GARCH(1,1)-t whose unconditional variance is the sample's.

    Parameters
    ----------
    returns : ndarray of shape (T,)
        Some hundred sessions at least.

    Returns
    -------
    GarchFit
        alpha and alpha + gamma are not negative, persistence is below 1, nu between 2.1 and 50.
    """
    z = (returns - returns.mean()) / returns.std()

    def loss(x: np.ndarray) -> float:
        alpha, gamma, beta, nu = x
        inside = alpha >= 0 and alpha + gamma >= 0 and beta >= 0 and 2.1 < nu < 50
        if not inside or alpha + 0.5 * gamma + beta >= 0.9995:
            return 1e6
        return _garch_loss(z, alpha, gamma, beta, nu)

    found = minimize(
        loss, np.array(_START), method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-7, "maxiter": 800}
    )
    return GarchFit(*(float(v) for v in found.x))


@compiled
def _smoothed(density, stay_calm, stay_turbulent, smooth, joint):
    """Fill smoothed regime probabilities and expected transitions (Kim 1994); return the log likelihood."""
    n = density.shape[0]
    move = np.array([[stay_calm, 1.0 - stay_calm], [1.0 - stay_turbulent, stay_turbulent]])
    ahead, filtered = np.empty((n, 2)), np.empty((n, 2))
    p = np.array([1.0 - stay_turbulent, 1.0 - stay_calm])
    p /= p.sum()
    total = 0.0
    for t in range(n):
        ahead[t] = p
        q = p * density[t]
        total += math.log(q.sum())
        filtered[t] = q / q.sum()
        p = np.array(
            [
                filtered[t, 0] * move[0, 0] + filtered[t, 1] * move[1, 0],
                filtered[t, 0] * move[0, 1] + filtered[t, 1] * move[1, 1],
            ]
        )
    smooth[n - 1] = filtered[n - 1]
    joint[:] = 0.0
    for t in range(n - 2, -1, -1):
        for i in range(2):
            smooth[t, i] = 0.0
            for j in range(2):
                both = filtered[t, i] * move[i, j] * smooth[t + 1, j] / ahead[t + 1, j]
                joint[i, j] += both
                smooth[t, i] += both
    return total


def fit_regimes(returns: np.ndarray, rounds: int = 300) -> RegimeFit:
    """Fit two regimes by expectation maximisation (Hamilton 1990, *Journal of Econometrics* 45).

    Parameters
    ----------
    returns : ndarray of shape (T,)
    rounds : int
        Most rounds; stops where the log likelihood gains less than 1e-6.
    """
    sd = returns.std() * np.array([0.6, 1.6])
    mean = np.array([returns.mean()] * 2)
    stay = np.array([0.98, 0.96])
    smooth, joint, before = np.empty((len(returns), 2)), np.empty((2, 2)), -np.inf
    for _ in range(rounds):
        z = (returns[:, None] - mean) / sd
        density = np.exp(-0.5 * z * z) / (sd * math.sqrt(2 * math.pi)) + 1e-300
        now = _smoothed(density, stay[0], stay[1], smooth, joint)
        weight = smooth.sum(axis=0)
        mean = (smooth * returns[:, None]).sum(axis=0) / weight
        sd = np.sqrt((smooth * (returns[:, None] - mean) ** 2).sum(axis=0) / weight)
        stay = np.array([joint[0, 0] / joint[0].sum(), joint[1, 1] / joint[1].sum()])
        if now - before < 1e-6:
            break
        before = now
    order = np.argsort(sd)
    return RegimeFit(
        mean=tuple(mean[order].tolist()),
        sd=tuple(sd[order].tolist()),
        stay_sessions=tuple((1 / (1 - stay[order])).tolist()),
        turbulent_share=float(smooth[:, order[1]].mean()),
    )
