"""A stated horizon as a limit: the nearer its end, the less may be outside bonds and cash.

What belongs here: the glide path and its application to targets. What does not: which horizon a
statement names (``ml/intent``), dated cash needs (``candidates.cash_reserve``).
"""

from datetime import date
from typing import Final

import numpy as np
import polars as pl

from ml.recommend.inputs import NightInputs, RecommendSettings
from ml.recommend.market import Universe

_CALM_CLASSES: Final = ("bond_etf", "cash")
_DAYS_PER_MONTH: Final = 365.25 / 12.0


def horizon_caps(
    accounts: pl.DataFrame, constraints: pl.DataFrame, as_of_date: date, settings: RecommendSettings
) -> np.ndarray:
    """Largest share of an account outside bonds and cash.

    Parameters
    ----------
    accounts : polars.DataFrame
        A rows: user_id, target_date (the session whose target is used; null = ``as_of_date``).
    constraints : polars.DataFrame
        user_id, horizon_to.
    as_of_date : datetime.date
        The night.
    settings : RecommendSettings
        horizon_glide_months, horizon_floor_ratio.

    Returns
    -------
    ndarray of shape (A,)
        In floor..1; 1 without a horizon, ``horizon_glide_months`` or more before its end, and after it.
    """
    ends = accounts.select("user_id", pl.col("target_date").fill_null(as_of_date)).join(
        constraints.select("user_id", "horizon_to"), on="user_id", how="left", maintain_order="left"
    )
    days = (ends["horizon_to"].cast(pl.Date) - ends["target_date"]).dt.total_days().cast(pl.Float64)
    months = days.fill_null(float("nan")).to_numpy() / _DAYS_PER_MONTH
    floor = settings.horizon_floor_ratio
    caps = floor + (1.0 - floor) * np.clip(months / settings.horizon_glide_months, 0.0, 1.0)
    return np.where(np.isnan(months) | (months < 0.0), 1.0, caps)


def cap_by_horizon(
    targets: np.ndarray,
    rows: np.ndarray,
    accounts: pl.DataFrame,
    inputs: NightInputs,
    universe: Universe,
    settings: RecommendSettings,
) -> np.ndarray:
    """Scale targets outside bonds and cash down to the cap; bonds and cash share what is freed.

    Parameters
    ----------
    targets : ndarray of shape (A, N + 1)
        Target weights, cash last; rows sum to 1.
    rows : ndarray of int
        Accounts whose targets are in use.
    accounts : polars.DataFrame
        A rows: user_id, target_date.
    inputs, universe, settings :
        Constraints, asset classes, the glide path.

    Returns
    -------
    ndarray of shape (A, N + 1)
        A copy; rows still sum to 1. What is freed goes to bonds and cash in proportion, to cash alone
        where both are 0.
    """
    caps = horizon_caps(accounts, inputs.constraints, inputs.as_of_date, settings)
    classes = universe.index.join(
        inputs.assets.select("asset_id", "asset_class"), on="asset_id", how="left", maintain_order="left"
    )
    is_calm = np.append(classes["asset_class"].is_in(_CALM_CLASSES).fill_null(False).to_numpy(), True)
    result = targets.copy()
    for row in rows[caps[rows] < 1.0]:
        risky = result[row, ~is_calm].sum()
        if risky <= caps[row]:
            continue
        calm = 1.0 - risky
        result[row, ~is_calm] *= caps[row] / risky
        if calm > 0.0:
            result[row, is_calm] *= (1.0 - caps[row]) / calm
        else:
            result[row, -1] = 1.0 - caps[row]
    return result
