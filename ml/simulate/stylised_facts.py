"""Stylised facts of a market's returns: what calibration compares between simulated and real stocks.

What belongs here: facts of arrays, nothing of where the arrays come from. What does not: the figures they are
held against (``calibration_targets.py``), the simulation. The qualitative list is Cont (2001), *Quantitative
Finance* 1(2).
"""

from collections.abc import Iterable

import numpy as np
from scipy.ndimage import minimum_filter1d

from ml.simulate.volatility_fits import fit_garch

QUANTILES = (0.1, 0.5, 0.9)
ACF_LAGS = (1, 5, 20, 60, 120)
INDEX_ACF_LAGS = (1, 5, 20, 60)
LOT_SESSIONS = (21, 63, 126, 252, 504)
_YEAR = 252

Facts = dict[str, float]


def _quantiles(name: str, values: np.ndarray) -> Facts:
    """The tenth, middle and ninth decile over stocks or pairs."""
    levels = np.nanquantile(values, QUANTILES)
    return {f"{name} p{100 * q:.0f}": float(v) for q, v in zip(QUANTILES, levels, strict=True)}


def autocorrelation(x: np.ndarray, lag: int) -> np.ndarray:
    """Sample autocorrelation of each column (or of the one series)."""
    x = x - x.mean(axis=0)
    return (x[lag:] * x[:-lag]).sum(axis=0) / (x * x).sum(axis=0)


def leverage(r: np.ndarray) -> np.ndarray:
    """Correlation of a session's return with the next one's square, per column."""
    return _correlations(r[:-1], r[1:] ** 2)


def _correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Correlation of columns with columns, one by one."""
    x, y = x - np.nanmean(x, axis=0), y - np.nanmean(y, axis=0)
    known = ~np.isnan(x * y)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    return (x * y).sum(axis=0) / np.sqrt((x * x).sum(axis=0) * (y * y).sum(axis=0))


def excess_kurtosis(r: np.ndarray) -> np.ndarray:
    """Excess kurtosis of each column (or of the one series)."""
    z = (r - r.mean(axis=0)) / r.std(axis=0)
    return (z**4).mean(axis=0) - 3


def hill(size: np.ndarray, share: float = 0.05) -> np.ndarray:
    """Tail index of each column's largest sizes (Hill 1975, *Annals of Statistics* 3(5))."""
    largest = np.sort(size, axis=0)[::-1][: int(share * len(size)) + 1]
    return 1 / np.log(largest[:-1] / largest[-1]).mean(axis=0)


def stock_facts(r: np.ndarray) -> Facts:
    """Facts of single stocks, deciles over them.

    Parameters
    ----------
    r : ndarray of shape (T, N)
        Log total returns of N stocks that traded throughout.
    """
    size = np.abs(r)
    months = r[: len(r) // 21 * 21].reshape(-1, 21, r.shape[1]).sum(axis=1)
    z = (r - r.mean(axis=0)) / r.std(axis=0)
    facts = {
        **_quantiles("volatility", r.std(axis=0) * _YEAR**0.5),
        **_quantiles("skewness", (z**3).mean(axis=0)),
        **_quantiles("kurtosis", excess_kurtosis(r)),
        **_quantiles("kurtosis 21d", excess_kurtosis(months)),
        **_quantiles("hill", hill(size)),
        **_quantiles("leverage", leverage(r)),
    }
    for lag in (1, 5):
        facts |= _quantiles(f"acf r {lag}", autocorrelation(r, lag))
    for lag in ACF_LAGS:
        facts |= _quantiles(f"acf |r| {lag}", autocorrelation(size, lag))
    return facts


def index_facts(r: np.ndarray) -> Facts:
    """Facts of the equal-weighted index of the stocks, (T, N)."""
    index = r.mean(axis=1)
    fit = fit_garch(index)
    return {
        "index volatility": float(index.std() * _YEAR**0.5),
        **{f"index acf |r| {k}": float(autocorrelation(np.abs(index), k)) for k in INDEX_ACF_LAGS},
        "index leverage": float(leverage(index[:, None])[0]),
        "index kurtosis": float(excess_kurtosis(index)),
        "index gjr alpha": fit.alpha,
        "index gjr gamma": fit.gamma,
        "index gjr beta": fit.beta,
        "index gjr nu": fit.nu,
    }


def structure_facts(r: np.ndarray, sector: np.ndarray) -> Facts:
    """Facts of how stocks move together.

    Parameters
    ----------
    r : ndarray of shape (T, N)
    sector : ndarray of shape (N,)
        Labels; pairs with the same one count as of one sector.
    """
    upper = np.triu_indices(r.shape[1], 1)
    correlation = np.corrcoef(r.T)
    pairs = correlation[upper]
    same = (sector[:, None] == sector[None, :])[upper]
    share = np.sort(np.linalg.eigvalsh(correlation))[::-1] / r.shape[1]
    index = r.mean(axis=1)
    centred = r - r.mean(axis=0)
    beta = centred.T @ (index - index.mean()) / (index.var() * len(index))
    yearly = [
        float(np.median(np.corrcoef(r[i : i + _YEAR].T)[upper])) for i in range(0, len(r) - _YEAR + 1, _YEAR)
    ]
    return {
        **_quantiles("pair correlation", pairs),
        "pair correlation same sector": float(np.median(pairs[same])),
        "pair correlation other sector": float(np.median(pairs[~same])),
        "pair correlation highest year": max(yearly),
        "pair correlation median year": float(np.median(yearly)),
        "pair correlation lowest year": min(yearly),
        **{f"eigenvalue share {k + 1}": float(share[k]) for k in range(5)},
        "eigenvalue share first ten": float(share[:10].sum()),
        **_quantiles("beta", beta),
        **_quantiles("r2 on index", (beta * index.std() / r.std(axis=0)) ** 2),
    }


def lot_facts(r: np.ndarray, index_drift: float) -> Facts:
    """Chances of a lot bought on a random session: below cost, below -10 %, above +20 % later.

    Parameters
    ----------
    r : ndarray of shape (T, N)
    index_drift : float
        Mean simple return of the equal-weighted index a session that the chances are stated at: all stocks are
        shifted alike to have it, so that they compare how outcomes spread and not how good the years were.
    """
    r = r + (index_drift - np.expm1(r).mean())
    level = np.cumsum(np.vstack([np.zeros(r.shape[1]), r]), axis=0)
    facts = {}
    for sessions in LOT_SESSIONS:
        gain = np.expm1(level[sessions:] - level[:-sessions])
        for name, hit in (("loss", gain < 0), ("<-10%", gain < -0.1), (">+20%", gain > 0.2)):
            facts[f"lot {name} after {sessions}"] = float(hit.mean())
    # the window of an even filter starts at the session itself when its origin is moved by half of it
    lowest = minimum_filter1d(level[1:], _YEAR, axis=0, origin=-_YEAR // 2)[: len(level) - _YEAR]
    ever = np.expm1(lowest - level[: len(level) - _YEAR]) <= -0.1
    return facts | {"lot ever <=-10% within 252": float(ever.mean())}


def volume_facts(r: np.ndarray, volume: np.ndarray) -> Facts:
    """Correlation of a move's size with the change of log volume, deciles over stocks; both (T, N)."""
    change = np.diff(np.log(volume), axis=0)
    return _quantiles("corr |r| volume change", _correlations(np.abs(r[1:]), change))


def garch_facts(r: np.ndarray, stocks: int) -> Facts:
    """Deciles of GJR-GARCH(1,1)-t over ``stocks`` stocks, spread evenly over the columns of (T, N)."""
    columns = np.unique(np.linspace(0, r.shape[1] - 1, min(stocks, r.shape[1])).astype(int))
    fits = [fit_garch(r[:, k]) for k in columns]

    def over(name: str) -> np.ndarray:
        return np.array([getattr(fit, name) for fit in fits])

    return _merged(
        _quantiles(f"gjr {name}", over(name)) for name in ("alpha", "gamma", "beta", "nu", "persistence")
    )


def _merged(parts: Iterable[Facts]) -> Facts:
    """All facts of the parts."""
    return {name: value for part in parts for name, value in part.items()}
