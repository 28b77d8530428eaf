"""Common factors of the simulated market: regime, equity market, sectors, yields, commodities, crypto.

Every factor is a GJR-GARCH(1,1) with Student-t shocks (Glosten, Jagannathan & Runkle 1993), the equity
market's scale following a two-state Markov regime. Chances, scales and shape of the equity market were searched
so that its simulated histories give the figures of US stocks of 2010-2016 and the two-state fit of the S&P 500 of
1990-2016 (``calibration_targets.py``); volatility that clusters within a regime makes that fit see shorter stays
than were simulated. Yields, commodities and crypto are design values. Draws are addressed by session: a longer
horizon leaves the earlier part as it was.
"""

import math
from dataclasses import dataclass

import numpy as np

from ml.simulate.compiled import compiled
from ml.simulate.counter_rng import normal, spawned_keys, uniform
from ml.types import SECTORS

FACTOR_SPAWN = 11
MARKET, YIELDS, COMMODITY, CRYPTO, FIRST_SECTOR = 0, 1, 2, 3, 4
FACTORS = FIRST_SECTOR + len(SECTORS)

# Calm to turbulent and back; mean simple return and scale a session of the equity market.
_LEAVE_CALM, _LEAVE_TURBULENT = 0.0042, 0.0130
_MEAN = (0.00072, -0.00047)
_SCALE = (0.0072, 0.0173)
# alpha, gamma, beta, degrees of freedom, largest variance of each kind of factor; unit unconditional variance.
# Rises calm the equity market (alpha below 0), falls unsettle it.
_MARKET_GARCH = (-0.126, 0.254, 0.882, 14.5, 4.0)
_SECTOR_GARCH = (0.05, 0.02, 0.93, 7.0, 30.0)
_YIELD_GARCH = (0.05, 0.0, 0.93, 8.0, 30.0)
_COMMODITY_GARCH = (0.05, 0.0, 0.93, 7.0, 30.0)
_CRYPTO_GARCH = (0.10, 0.0, 0.87, 5.0, 30.0)
_LEAST_VARIANCE = 0.1
# Share of yield moves that follow the equity market (positive: bonds fall when equities rise), by
# regime; bonds move with equities when calm and against them in turmoil.
_YIELD_LINK = (-0.15, 0.80)
_START_RATE_PCT = 2.0


@dataclass(frozen=True)
class MarketFactors:
    """Factor returns per session.

    Parameters
    ----------
    returns:
        [sessions, FACTORS]: the equity market's simple return; yields, commodity, crypto and sectors in
        units of their own standard deviation.
    turbulent:
        [sessions] 0 or 1.
    short_rate_pct:
        [sessions] 3-month rate a year in percent, at least 0.05.
    """

    returns: np.ndarray
    turbulent: np.ndarray
    short_rate_pct: np.ndarray


@compiled
def student_shock(u, v, nu):
    """Return a Student-t draw of unit variance from two uniforms (Bailey's polar method 1994)."""
    u = max(u, 1e-12)
    radius = math.sqrt(nu * (u ** (-2.0 / nu) - 1.0))
    return radius * math.cos(2.0 * math.pi * v) * math.sqrt((nu - 2.0) / nu)


@compiled
def garch_paths(key, sessions, parameters):
    """Return GJR-GARCH-t paths of unit unconditional variance, [sessions, len(parameters)].

    ``parameters`` rows are alpha, gamma, beta, nu, largest variance; the shock of session t is addressed by
    (t, row).
    """
    rows = parameters.shape[0]
    out = np.empty((sessions, rows))
    for j in range(rows):
        alpha, gamma, beta, nu = parameters[j, 0], parameters[j, 1], parameters[j, 2], parameters[j, 3]
        omega = 1.0 - alpha - 0.5 * gamma - beta
        h = 1.0
        for t in range(sessions):
            e = math.sqrt(h) * student_shock(uniform(key, t, 1, j), uniform(key, t, 2, j), nu)
            out[t, j] = e
            h = omega + (alpha + (gamma if e < 0 else 0.0)) * e * e + beta * h
            # A shock in the far tail would keep the variance explosive for months; rises must not end it.
            h = min(max(h, _LEAST_VARIANCE), parameters[j, 4])
    return out


@compiled
def regime_path(key, market, leave_calm, leave_turbulent):
    """Return 0 (calm) or 1 (turbulent) per session, starting in either as often as it lasts.

    Turmoil mostly starts on a fall: leaving calm is nearly thirty times as likely after a shock below -0.8
    (about 18 % of the sessions) as otherwise, which adds to the leverage effect.
    """
    sessions = market.shape[0]
    out = np.zeros(sessions, np.int64)
    state = 1 if uniform(key, 0, 5, 0) < leave_calm / (leave_calm + leave_turbulent) else 0
    out[0] = state
    for t in range(sessions):
        chance = leave_turbulent
        if state == 0:
            chance = leave_calm * (4.8 if market[t] < -0.8 else 0.17)
        if uniform(key, t, 3, 0) < chance:
            state = 1 - state
        # The new state holds from the next session on, so that a shock does not scale itself.
        if t + 1 < sessions:
            out[t + 1] = state
    return out


@compiled
def rate_path(key, sessions, start, turbulent):
    """Return a 3-month rate in percent: a slow square-root process that falls in turmoil."""
    out = np.empty(sessions)
    rate = start
    for t in range(sessions):
        drift = 0.0012 * (2.5 - rate) - 0.0015 * turbulent[t] * rate
        rate = max(rate + drift + 0.02 * math.sqrt(rate) * normal(key, t, 4, 0), 0.05)
        out[t] = rate
    return out


def simulate_factors(sessions: int, seed: int) -> MarketFactors:
    """Return the factors of ``sessions`` sessions; the first n of a longer run are the same."""
    key = spawned_keys(seed, FACTOR_SPAWN, 1)[0]
    kinds = [_MARKET_GARCH, _YIELD_GARCH, _COMMODITY_GARCH, _CRYPTO_GARCH]
    parameters = np.array(kinds + [_SECTOR_GARCH] * len(SECTORS))
    paths = garch_paths(key, sessions, parameters)
    turbulent = regime_path(key, paths[:, MARKET].copy(), _LEAVE_CALM, _LEAVE_TURBULENT)
    market = paths[:, MARKET]
    link = np.array(_YIELD_LINK)[turbulent]
    yields = link * market + np.sqrt(1 - link**2) * paths[:, YIELDS]
    returns = paths.copy()
    returns[:, YIELDS] = yields
    returns[:, COMMODITY] = 0.35 * market + math.sqrt(1 - 0.35**2) * paths[:, COMMODITY]
    returns[:, CRYPTO] = 0.20 * market + math.sqrt(1 - 0.20**2) * paths[:, CRYPTO]
    returns[:, MARKET] = np.array(_MEAN)[turbulent] + np.array(_SCALE)[turbulent] * market
    rate = rate_path(key, sessions, _START_RATE_PCT, turbulent)
    return MarketFactors(returns=returns, turbulent=turbulent, short_rate_pct=rate)
