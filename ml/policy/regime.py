"""The state of the market as five numbers, measured one way in training and in the night.

What belongs here: :func:`regime_features`. What does not: how the network normalises them (``model.py``).
"""

from typing import Final

import numpy as np

SESSIONS_PER_YEAR: Final = 252
_MONTH, _QUARTER = 21, 63


def regime_features(market: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Measure the market's regime at the close of the last session given.

    Parameters
    ----------
    market : ndarray of shape (S,)
        Daily log returns of the market, oldest first; the last 252 are read, nan = missing.
    returns : ndarray of shape (T, N)
        Daily log total returns of the tradeable assets, oldest first; the last 63 are read, nan = missing.

    Returns
    -------
    ndarray of shape (5,)
        float64, :data:`ml.policy.market_window.REGIME_FEATURES`. Without any session a volatility or
        return is 0, and so is a dispersion of fewer than two assets.
    """
    market = np.asarray(market, dtype=np.float64)[-SESSIONS_PER_YEAR:]
    recent = np.ascontiguousarray(np.asarray(returns, dtype=np.float64)[-_QUARTER:])  # summed row by row
    seen = np.isfinite(recent)
    totals = np.where(seen, recent, 0.0).sum(axis=0)[seen.any(axis=0)]
    return np.array(
        [
            _volatility(market[-_MONTH:]),
            _volatility(market[-_QUARTER:]),
            np.nansum(market[-_QUARTER:]),
            np.nansum(market),
            np.sort(totals).std() if len(totals) > 1 else 0.0,  # sorted: the order of assets moves no bit
        ]
    )


def _volatility(returns: np.ndarray) -> float:
    known = returns[np.isfinite(returns)]
    return float(known.std(ddof=1) * np.sqrt(SESSIONS_PER_YEAR)) if len(known) > 1 else 0.0
