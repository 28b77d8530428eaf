"""The rows of ``rec_portfolios__daily``: one per account, one per user without any.

What belongs here: identity, mixes and sums over lot orders. What does not: the orders themselves.
"""

import hashlib
import json

import numpy as np
import polars as pl

from ml.recommend.frames import Solved
from ml.recommend.inputs import NightInputs, RecommendSettings
from ml.recommend.schema import (
    NO_ACCOUNT_PREFIX,
    PORTFOLIO_SCHEMA,
    USD_UNITS,
    WEIGHT,
    WEIGHT_UNITS,
    usd_series,
    weight_series,
)
from ml.recommend.targets import Targets
from ml.simplex import quantize_simplex
from ml.types import EXPERTS, OBJECTIVES

_FROM_MIXES = (
    *(f"revealed_{objective}" for objective in OBJECTIVES),
    "identified",
    "confidence",
    "stated_objective",
    "n_revealed",
    "n_stated",
    "disagreement",
)


def recommendation_id(account_id: str, inputs: NightInputs, settings_hash: str) -> str:
    """Name a recommendation by what it was made from.

    Parameters
    ----------
    account_id : str
    inputs : NightInputs
    settings_hash : str
        :meth:`RecommendSettings.content_hash`, in addition to the caller's ``settings_version``.

    Returns
    -------
    str
        32 hex digits of sha256 over account, session, inputs, models and settings.
    """
    content = [
        account_id,
        inputs.as_of_date.isoformat(),
        inputs.inputs_version,
        inputs.models_version,
        inputs.settings_version,
        settings_hash,
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def portfolio_rows(
    inputs: NightInputs,
    settings: RecommendSettings,
    accounts: pl.DataFrame,
    status: np.ndarray,
    reason: np.ndarray,
    mix: np.ndarray,
    has_mix: np.ndarray,
    targets: Targets,
    solved: Solved,
) -> pl.DataFrame:
    """Rows of a chunk's accounts, unsorted.

    Parameters
    ----------
    inputs, settings :
        For ids and the users' mixes.
    accounts : polars.DataFrame
        A accounts: account_id, user_id, household_id.
    status, reason : ndarray of shape (A,)
        str.
    mix : ndarray of shape (A, 6)
        Mix given to the policy.
    has_mix : ndarray of shape (A,)
        bool; without, p_ is null.
    targets : Targets
        Expert weights and who decided; null without a target.
    solved : Solved
        Results of the accounts with status ok.

    Returns
    -------
    polars.DataFrame
        PORTFOLIO_SCHEMA.
    """
    experts = targets.experts
    turnover, tax, harvested, n_orders = _totals(solved, len(accounts))
    base = accounts.select("account_id", "user_id", "household_id").with_columns(
        pl.lit(inputs.as_of_date).alias("as_of_date"),
        pl.Series("status", status.tolist(), dtype=pl.String),
        pl.Series("reason", reason.tolist(), dtype=pl.String),
        *_simplex_columns([f"p_{name}" for name in OBJECTIVES], mix, has_mix),
        *_simplex_columns([f"e_{name}" for name in EXPERTS], experts, np.all(np.isfinite(experts), axis=1)),
        weight_series("turnover_ratio", turnover),
        usd_series("expected_tax_usd", tax),
        usd_series("harvested_loss_usd", harvested),
        pl.Series("n_orders", n_orders, dtype=pl.Int32),
        pl.Series("policy_id", targets.source.tolist(), dtype=pl.String),
    )
    return _finish(base, inputs, settings)


def no_account_rows(inputs: NightInputs, settings: RecommendSettings) -> pl.DataFrame:
    """Rows of users without an account: account_id ``none:<user_id>``, status ``no_account``."""
    users = inputs.users.select("user_id", "household_id").sort("user_id", "household_id")
    users = users.unique("user_id", keep="first", maintain_order=True)
    lonely = users.join(inputs.accounts, on="user_id", how="anti", maintain_order="left")
    count = len(lonely)
    mixes = lonely.select("user_id").join(inputs.mixes, on="user_id", how="left", maintain_order="left")
    names = [f"p_{objective}" for objective in OBJECTIVES]
    mix = mixes.select(pl.col(names).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    zeros = np.zeros(count, dtype=np.int64)
    base = lonely.select(
        pl.format(NO_ACCOUNT_PREFIX + "{}", "user_id").alias("account_id"),
        "user_id",
        pl.coalesce("household_id", "user_id").alias("household_id"),
        pl.lit(inputs.as_of_date).alias("as_of_date"),
        pl.lit("no_account").alias("status"),
        pl.lit("the user has no account").alias("reason"),
        *_simplex_columns(names, mix, np.all(np.isfinite(mix), axis=1)),
        *(pl.lit(None, dtype=WEIGHT).alias(f"e_{name}") for name in EXPERTS),
        weight_series("turnover_ratio", zeros),
        usd_series("expected_tax_usd", zeros),
        usd_series("harvested_loss_usd", zeros),
        pl.Series("n_orders", zeros, dtype=pl.Int32),
        pl.lit(None, dtype=pl.String).alias("policy_id"),
    )
    return _finish(base, inputs, settings)


def _finish(base: pl.DataFrame, inputs: NightInputs, settings: RecommendSettings) -> pl.DataFrame:
    """Add ids and what the mixes say, and put the columns in order."""
    shown = [name for name in _FROM_MIXES if name in inputs.mixes.columns]
    settings_hash = settings.content_hash()
    ids = [recommendation_id(account, inputs, settings_hash) for account in base["account_id"]]
    frame = base.with_columns(pl.Series("recommendation_id", ids, dtype=pl.String)).join(
        inputs.mixes.select("user_id", *shown), on="user_id", how="left", maintain_order="left"
    )
    absent = [pl.lit(None).alias(name) for name in _FROM_MIXES if name not in shown]
    return frame.with_columns(absent).select(
        pl.col(name).cast(kind) for name, kind in PORTFOLIO_SCHEMA.items()
    )


def _simplex_columns(names: list[str], weights: np.ndarray, usable: np.ndarray) -> list[pl.Series]:
    """Columns of weights that sum to exactly 1 per row; null where the row is not usable."""
    units = np.zeros(weights.shape, dtype=np.int64)
    if usable.any():
        units[usable] = quantize_simplex(weights[usable] / weights[usable].sum(axis=1, keepdims=True))
    mask = pl.Series("usable", usable)
    columns = (weight_series(name, units[:, i]) for i, name in enumerate(names))
    return [
        column.to_frame().select(pl.when(mask).then(pl.col(column.name)))[column.name] for column in columns
    ]


def _totals(solved: Solved, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Turnover (units of 1e-9), tax and harvested loss (1e-6 USD) and lot orders per account."""
    orders, rows = solved.orders, solved.rows
    account = rows[solved.pairs.account]
    traded = np.zeros(count, dtype=np.int64)
    np.add.at(traded, account, orders.notional)
    value = np.maximum(solved.book.value, 1e-9) * USD_UNITS
    turnover = np.rint(traded / (2.0 * value) * WEIGHT_UNITS).astype(np.int64)
    piece_account = account[solved.lots.pair[orders.lot]]
    tax, harvested = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    np.add.at(tax, piece_account, orders.piece_tax)
    np.add.at(harvested, piece_account, np.maximum(-orders.piece_gain, 0))
    n_orders = np.bincount(piece_account, minlength=count) + np.bincount(
        account[orders.units > 0], minlength=count
    )
    return turnover, tax, harvested, n_orders
