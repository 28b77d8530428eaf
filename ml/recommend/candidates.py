"""Which names an account may have tonight, and how much of each it should: the (account, asset) pairs.

What belongs here: the cut to at most ``max_names``, goals' exclusions, untradeable holdings, the cash
reserve. What does not: locks and branches (``branches.py``).
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from ml.recommend.inputs import RecommendSettings
from ml.recommend.market import Universe


@dataclass
class Pairs:
    """P (account, asset) pairs of R accounts, sorted by (account, asset).

    Attributes
    ----------
    start : ndarray of shape (R + 1,)
        First pair of each account.
    account, asset : ndarray of shape (P,)
        Positions.
    weight, target : ndarray of shape (P,)
        Shares of V now, and wanted.
    is_tradeable, is_excluded, is_stale : ndarray of shape (P,)
        bool, tonight.
    cash_weight, cash_target : ndarray of shape (R,)
        Shares of V; the target includes the reserve.
    reserve : ndarray of shape (R,)
        Cash to keep after the orders, as a share of V, >= 0.
    """

    start: np.ndarray
    account: np.ndarray
    asset: np.ndarray
    weight: np.ndarray
    target: np.ndarray
    is_tradeable: np.ndarray
    is_excluded: np.ndarray
    is_stale: np.ndarray
    cash_weight: np.ndarray
    cash_target: np.ndarray
    reserve: np.ndarray


def excluded_matrix(accounts: pl.DataFrame, constraints: pl.DataFrame, universe: Universe) -> np.ndarray:
    """Mark the assets that a user's goal excludes.

    Returns
    -------
    ndarray of shape (A, N)
        bool. Ids without a price in the week have no column and are ignored.
    """
    excluded = np.zeros((len(accounts), len(universe.asset_ids)), dtype=bool)
    rows = (
        accounts.select("a", "user_id")
        .join(constraints.select("user_id", "excluded_asset_ids"), on="user_id")
        .explode("excluded_asset_ids")
        .with_columns(pl.col("excluded_asset_ids").cast(pl.String))
        .join(universe.index, left_on="excluded_asset_ids", right_on="asset_id")
    )
    excluded[rows["a"].to_numpy(), rows["n"].to_numpy()] = True
    return excluded


def cash_reserve(
    accounts: pl.DataFrame,
    constraints: pl.DataFrame,
    value: np.ndarray,
    as_of: date,
    settings: RecommendSettings,
) -> np.ndarray:
    """Cash that stated liquidity needs ask each account to keep.

    A need counts from ``liquidity_horizon_days`` before its date until that date, at once if it has
    no date. An amount is per user and household and is spread over the user's taxable accounts by
    value; a share is of each taxable account. Tax-deferred accounts keep none: taking money out is not modelled.

    Returns
    -------
    ndarray of shape (A,)
        USD, >= 0, at most the account's value.
    """
    taxable = np.where(accounts["is_tax_deferred"].to_numpy(), 0.0, np.maximum(value, 0.0))
    by = pl.col("liquidity_by").cast(pl.Date)
    days_left = (by - pl.lit(as_of)).dt.total_days()
    in_force = by.is_null() | days_left.is_between(0, settings.liquidity_horizon_days)
    rows = accounts.select("a", "user_id", "household_id").with_columns(pl.Series("taxable", taxable))
    rows = rows.with_columns(pl.col("taxable").sum().over("user_id", "household_id").alias("of_user")).join(
        constraints.filter(in_force).select(
            "user_id",
            pl.col("liquidity_amount_usd").cast(pl.Float64).fill_null(0.0).alias("amount"),
            pl.col("liquidity_share").cast(pl.Float64).fill_null(0.0).alias("share"),
        ),
        on="user_id",
    )
    need = (
        rows.filter(pl.col("of_user") > 0)
        .with_columns((pl.col("amount") * pl.col("taxable") / pl.col("of_user")).alias("by_amount"))
        .with_columns(
            pl.max_horizontal("by_amount", pl.col("share") * pl.col("taxable")).clip(0.0).alias("need")
        )
        .with_columns(pl.min_horizontal("need", "taxable"))
    )
    reserve = np.zeros(len(accounts))
    reserve[need["a"].to_numpy()] = need["need"].to_numpy()
    return reserve


def choose_pairs(
    weights: np.ndarray,
    held: np.ndarray,
    targets: np.ndarray,
    excluded: np.ndarray,
    reserve: np.ndarray,
    universe: Universe,
    as_of: date,
    settings: RecommendSettings,
) -> Pairs:
    """Cut every account to its names and make its targets consistent with what can be traded.

    Held names all stay. Others need to be tradeable, not excluded and to have a target of at least
    ``min_target_ratio``; the largest fill up to ``max_names``, ties by asset id. A held name that
    cannot be traded keeps its weight, an excluded one has target 0; the rest, cash included, is
    scaled to what remains, and cash is raised to the reserve.

    Parameters
    ----------
    weights : ndarray of shape (R, N + 1)
        Current, cash last.
    held : ndarray of shape (R, N)
        bool: the account has a lot.
    targets : ndarray of shape (R, N + 1)
        Blended.
    excluded : ndarray of shape (R, N)
    reserve : ndarray of shape (R,)
        Share of V.
    universe : Universe
    as_of : datetime.date
    settings : RecommendSettings

    Returns
    -------
    Pairs
    """
    tradeable = universe.is_tradeable[as_of]
    wanted = ~held & tradeable & ~excluded & (targets[:, :-1] >= settings.min_target_ratio)
    room = np.maximum(settings.max_names - held.sum(axis=1), 0)
    score = np.where(wanted, -targets[:, :-1], np.inf)
    rank = np.empty(score.shape, dtype=np.int64)
    np.put_along_axis(
        rank, np.argsort(score, axis=1, kind="stable"), np.arange(score.shape[1])[None, :], axis=1
    )
    account, asset = np.nonzero(held | (wanted & (rank < room[:, None])))
    locked = ~tradeable[asset]
    barred = excluded[account, asset] & ~locked
    weight = weights[account, asset]
    free = np.where(locked | barred, 0.0, targets[account, asset])
    target = np.where(locked, weight, free)
    cash_target = targets[:, -1].copy()

    def per_account(values: np.ndarray) -> np.ndarray:
        return np.bincount(account, weights=values, minlength=len(weights))

    stuck = per_account(np.where(locked, weight, 0.0))
    total = per_account(free) + cash_target
    has_goal = total > 0.0
    left = np.maximum(1.0 - stuck, 0.0)
    scale = np.where(has_goal, left / np.where(has_goal, total, 1.0), 0.0)
    cash_target = np.where(has_goal, cash_target * scale, left)
    # Cash is raised to the reserve at the expense of everything that can be traded.
    raised = np.minimum(np.maximum(cash_target, reserve), left)
    invested = left - cash_target
    shrink = np.where(invested > 0.0, (left - raised) / np.where(invested > 0.0, invested, 1.0), 0.0)
    target = np.where(locked, target, target * (scale * shrink)[account])
    return Pairs(
        start=np.searchsorted(account, np.arange(len(weights) + 1)),
        account=account,
        asset=asset,
        weight=weight,
        target=target,
        is_tradeable=~locked,
        is_excluded=excluded[account, asset],
        is_stale=universe.is_stale[as_of][asset],
        cash_weight=weights[:, -1],
        cash_target=raised,
        reserve=reserve,
    )
