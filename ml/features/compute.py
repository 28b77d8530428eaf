"""The 50 features of the catalog over dense arrays: the mirror of ``feat_asset_metadata__daily`` in numpy.

What belongs here: the formulas of ``catalog.py`` on a :class:`~ml.features.grid.PriceGrid`. What does not:
placing rows on sessions (``grid.py``). A test holds both mirrors against one plain oracle.
"""

import numpy as np

from ml.features.catalog import (
    DECIMALS,
    FEATURES,
    MIN_RETURN_SD,
    MIN_SD_OF_MEAN,
    MIN_UNEXPLAINED_SHARE,
    MIN_VOLATILITY,
)
from ml.features.grid import NO_DAY, PriceGrid
from ml.features.rolling import (
    lagged,
    max_since,
    rolling_count,
    rolling_max,
    rolling_mean,
    rolling_sd,
    rolling_sum,
)
from ml.types import ASSET_CLASSES, SECTORS

STALE_AFTER_SESSIONS = 5
_YEAR = 252
_MONTH_DAYS = 31
_FLAGS = len(ASSET_CLASSES) + len(SECTORS)
_EQUITY, _REIT = ASSET_CLASSES.index("equity"), ASSET_CLASSES.index("reit")
_FUNDS = [ASSET_CLASSES.index(name) for name in ("equity_etf", "bond_etf")]
_NOTHING_QUALIFIED = [ASSET_CLASSES.index(name) for name in ("commodity", "currency", "crypto", "cash")]


def market_return(grid: PriceGrid, market: int | None) -> np.ndarray:
    """Log return of the market by session, (D,).

    Parameters
    ----------
    grid : PriceGrid
    market : int or None
        Column of the market asset; sessions before its first bar (all, without one) take the mean return of
        the equities.
    """
    is_equity = np.isin(grid.asset_class, (_EQUITY, -1)) & ~np.isnan(grid.total_return)
    count = is_equity.sum(axis=1)
    # Sorted, so that the last bit of the sum does not follow the order of the assets.
    total = np.sort(np.where(is_equity, grid.total_return, 0.0), axis=1).sum(axis=1)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    if market is None:
        return mean
    return np.where(grid.sessions_since_bar[:, market] >= 0, grid.total_return[:, market], mean)


def compute_features(grid: PriceGrid, market: np.ndarray) -> np.ndarray:
    """The features of every session and asset.

    Parameters
    ----------
    grid : PriceGrid
        D sessions x N assets.
    market : ndarray of shape (D,)
        Log return of the market.

    Returns
    -------
    ndarray of shape (D, N, 50)
        float32 in catalog order; nan where the feature store has no row (before the first bar, stale).
    """
    out = np.empty((*grid.close.shape, len(FEATURES)), np.float32)
    class_code = np.where(grid.asset_class < 0, _EQUITY, grid.asset_class)
    out[:, :, : len(ASSET_CLASSES)] = class_code[:, :, None] == np.arange(len(ASSET_CLASSES))
    out[:, :, len(ASSET_CLASSES) : _FLAGS] = grid.sector[:, :, None] == np.arange(len(SECTORS))
    is_unknown = grid.asset_class < 0
    lacks_sector = is_unknown | ((grid.sector < 0) & np.isin(class_code, (_EQUITY, _REIT)))
    imputed = len(ASSET_CLASSES) * is_unknown + len(SECTORS) * lacks_sector
    with np.errstate(divide="ignore", invalid="ignore"):
        values = {
            **_liquidity(grid),
            **_risk(grid),
            **_momentum(grid),
            **_comovement(grid.total_return, market[:, None]),
            **_income(grid, class_code),
            **_lifecycle(grid),
        }
    for position, spec in enumerate(FEATURES[_FLAGS:-1], start=_FLAGS):
        value = values[spec.name]
        is_missing = np.isnan(value)
        imputed = imputed + is_missing
        out[:, :, position] = np.round(np.where(is_missing, spec.neutral, value), DECIMALS)
    out[:, :, -1] = np.round(imputed / (len(FEATURES) - 1), DECIMALS)
    out[~is_served(grid)] = np.nan
    return out


def is_served(grid: PriceGrid) -> np.ndarray:
    """Whether the feature store has a row: a bar at most four sessions old, (D, N)."""
    return (grid.sessions_since_bar >= 0) & (grid.sessions_since_bar < STALE_AFTER_SESSIONS)


def _liquidity(grid: PriceGrid) -> dict[str, np.ndarray]:
    traded = grid.dollar_volume
    cap = grid.shares_outstanding * grid.close
    mean_traded = rolling_mean(traded, 63, 21)
    impact = np.abs(np.expm1(grid.total_return)) / np.where(traded > 0, traded, np.nan)
    return {
        "market_cap_log_usd": np.log(cap),
        "dollar_volume_63d_log_usd": np.log(np.maximum(mean_traded, 1.0)),
        "turnover_63d_ratio": mean_traded / cap,
        "amihud_63d_log": np.log(np.maximum(rolling_mean(impact, 63, 21), 1e-16)),
        "corwin_schultz_spread_21d_ratio": rolling_mean(grid.spread, 21, 10),
    }


def _risk(grid: PriceGrid) -> dict[str, np.ndarray]:
    r, level = grid.total_return, grid.total_index
    year = np.sqrt(_YEAR)
    monthly = rolling_sd(r, 21, 15) * year
    drawdown = 1 - np.exp(level - rolling_max(level, _YEAR))
    has_year = rolling_count(~np.isnan(r), _YEAR) >= 126
    mean_monthly = rolling_mean(monthly, 63, 42)
    skewness, kurtosis = _shape(r)
    return {
        "volatility_21d_ann": monthly,
        "volatility_63d_ann": rolling_sd(r, 63, 42) * year,
        "volatility_252d_ann": rolling_sd(r, _YEAR, 126) * year,
        "downside_deviation_63d_ann": np.sqrt(rolling_mean(np.minimum(r, 0.0) ** 2, 63, 42)) * year,
        "max_drawdown_252d_ratio": np.where(has_year, rolling_max(drawdown, _YEAR), np.nan),
        "skewness_126d": skewness,
        "excess_kurtosis_126d": kurtosis,
        "vol_of_vol_63d_ratio": np.where(
            mean_monthly >= MIN_VOLATILITY, rolling_sd(monthly, 63, 42) / mean_monthly, np.nan
        ),
    }


def _shape(r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bias-corrected skewness and excess kurtosis of 126 sessions, from sums of powers."""
    n = rolling_count(~np.isnan(r), 126)
    mean, p2, p3, p4 = (rolling_sum(r**k, 126) / n for k in (1, 2, 3, 4))
    m2 = p2 - mean**2
    m3 = p3 - 3 * mean * p2 + 2 * mean**3
    m4 = p4 - 4 * mean * p3 + 6 * mean**2 * p2 - 3 * mean**4
    has_shape = (n >= 84) & (m2 >= MIN_RETURN_SD**2) & (m2 >= (MIN_SD_OF_MEAN * mean) ** 2)
    skewness = np.sqrt(n * (n - 1)) / (n - 2) * m3 / m2**1.5
    kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3) + 6)
    return np.where(has_shape, skewness, np.nan), np.where(has_shape, kurtosis, np.nan)


def _momentum(grid: PriceGrid) -> dict[str, np.ndarray]:
    level = grid.total_index
    has_year = rolling_count(~np.isnan(grid.total_return), _YEAR) >= 126
    below_high = np.expm1(grid.price_index - rolling_max(grid.price_index, _YEAR))
    return {
        **{f"return_{k}d_log": level - lagged(level, k) for k in (5, 21, 63, 126)},
        "return_252d_ex_21d_log": lagged(level, 21) - lagged(level, _YEAR),
        "distance_to_52w_high_ratio": np.where(has_year, below_high, np.nan),
    }


def _cross_products(r: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, ...]:
    """Number of pairs in 252 sessions and the centred sums of m x m, r x m and r x r."""
    n = rolling_count(~np.isnan(r), _YEAR)
    sum_r, sum_m = rolling_sum(r, _YEAR), rolling_sum(m, _YEAR)
    mm = rolling_sum(m * m, _YEAR) - sum_m * sum_m / n
    rm = rolling_sum(r * m, _YEAR) - sum_r * sum_m / n
    rr = rolling_sum(r * r, _YEAR) - sum_r * sum_r / n
    return n, mm, rm, rr


def _comovement(total_return: np.ndarray, market: np.ndarray) -> dict[str, np.ndarray]:
    r = np.where(np.isnan(market), np.nan, total_return)
    m = np.where(np.isnan(r), np.nan, market)
    n, mm, rm, rr = _cross_products(r, m)
    has_market = (n >= 126) & (mm >= MIN_RETURN_SD**2 * (n - 1))
    has_both = has_market & (rr >= MIN_RETURN_SD**2 * (n - 1))
    unexplained = rr - rm * rm / mm
    residual = np.where(unexplained < MIN_UNEXPLAINED_SHARE * rr, 0.0, np.sqrt(unexplained / (n - 2) * _YEAR))
    fell = m < 0
    n_down, mm_down, rm_down, _ = _cross_products(np.where(fell, r, np.nan), np.where(fell, m, np.nan))
    has_falls = (n_down >= 42) & (mm_down >= MIN_RETURN_SD**2 * (n_down - 1))
    return {
        "beta_252d": np.where(has_market, rm / mm, np.nan),
        "downside_beta_252d": np.where(has_falls, rm_down / mm_down, np.nan),
        "market_correlation_252d": np.where(has_both, rm / np.sqrt(mm * rr), np.nan),
        "idiosyncratic_volatility_252d_ann": np.where(has_both, residual, np.nan),
    }


def _income(grid: PriceGrid, class_code: np.ndarray) -> dict[str, np.ndarray]:
    paid = rolling_sum(grid.dividend_ratio * np.exp(grid.price_index), _YEAR)
    zero_if_missing = np.isnan(grid.expense_ratio_pct) & ~np.isin(class_code, _FUNDS)
    no_duration = np.isnan(grid.duration_years) & (class_code != _FUNDS[1])
    return {
        "dividend_yield_ttm_pct": np.where(
            grid.is_accumulating, np.nan, 100 * paid / np.exp(grid.price_index)
        ),
        "qualified_dividend_ratio": np.where(
            np.isin(class_code, _NOTHING_QUALIFIED), 0.0, grid.qualified_dividend_ratio
        ),
        "expense_ratio_pct": np.where(zero_if_missing, 0.0, grid.expense_ratio_pct),
        "duration_years": np.where(no_duration, 0.0, grid.duration_years),
    }


def _lifecycle(grid: PriceGrid) -> dict[str, np.ndarray]:
    days = grid.days[:, None].astype(float)
    age = np.maximum(days - grid.listed_day, 0.0)
    since_ex = np.where(grid.last_ex_day == NO_DAY, 400.0, np.minimum(days - grid.last_ex_day, 400.0))
    month = np.searchsorted(grid.days, grid.days - (_MONTH_DAYS - 1))
    return {
        "listed_age_log_years": np.log1p(age / 365.25),
        "days_since_ex_dividend": np.where(grid.is_accumulating, np.nan, since_ex),
        "harvestable_drawdown_31d_ratio": -np.expm1(grid.price_index - max_since(grid.price_index, month)),
    }
