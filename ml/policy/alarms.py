"""Signs that a policy has collapsed, read from the portfolios it gives.

What belongs here: measures over target weights. What does not: training (``train.py``), what is done
about an alarm (``dagster_project/checks/models.py``).
"""

import polars as pl

from ml.types import CASH_ASSET_ID, OBJECTIVES

# The floor of a policy that says something: distance to equal weight, by objective where it differs.
MIN_ACTIVE_SHARE = 0.2
MIN_ACTIVE_SHARE_OF = {"tax_loss_harvesting": 0.05}


def active_shares(weights: pl.DataFrame, portfolios: pl.DataFrame, n_assets: int) -> pl.DataFrame:
    """Measure how far portfolios are from equal weight.

    Parameters
    ----------
    weights : polars.DataFrame
        account_id, asset_id, target_weight; assets that are absent have weight 0, cash is no asset.
    portfolios : polars.DataFrame
        account_id, status and p_<objective>; rows whose status is ``ok`` count.
    n_assets : int
        N, the assets that could have been held.

    Returns
    -------
    polars.DataFrame
        objective (the largest of the mix), accounts, active_share (mean of ``0.5 sum |w - 1/N|``, cash
        counting in full), floor; one row per objective that occurs, in the order of the objectives.
    """
    share = pl.col("target_weight").cast(pl.Float64)
    is_cash = pl.col("asset_id") == CASH_ASSET_ID
    held = (~is_cash & (share > 0)).sum()
    distance = pl.when(is_cash).then(share).otherwise((share - 1.0 / n_assets).abs()).sum()
    per_account = (
        weights.filter((share > 0) | is_cash)
        .group_by("account_id")
        .agg((0.5 * (distance + (n_assets - held) / n_assets)).alias("active_share"))
    )
    mix = [pl.col(f"p_{name}").cast(pl.Float64) for name in OBJECTIVES]
    leading = (
        pl.concat_list(mix).list.arg_max().replace_strict(dict(enumerate(OBJECTIVES)), return_dtype=pl.String)
    )
    floor = pl.col("objective").replace_strict(
        MIN_ACTIVE_SHARE_OF, default=MIN_ACTIVE_SHARE, return_dtype=pl.Float64
    )
    order = pl.col("objective").replace_strict(
        {n: i for i, n in enumerate(OBJECTIVES)}, return_dtype=pl.Int64
    )
    return (
        portfolios.filter(pl.col("status") == "ok")
        .select("account_id", leading.alias("objective"))
        .join(per_account, on="account_id")
        .group_by("objective")
        .agg(pl.len().alias("accounts"), pl.col("active_share").mean())
        .with_columns(floor.alias("floor"))
        .sort(order)
    )
