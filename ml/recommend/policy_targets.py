"""What the trained policy is told of the night's accounts.

What belongs here: embeddings, regime, tax state and wash locks of one session in the shapes of
``ml.policy.serve``. What does not: the policy, orders.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ml.policy.account_state import AccountTax
from ml.policy.env_config import LOSS_LIMIT_SEPARATE_USD, LOSS_LIMIT_USD
from ml.policy.market_window import EMBEDDING_SIZE
from ml.policy.panels import MarketPanel
from ml.policy.regime import regime_features
from ml.policy.state import year_fraction
from ml.recommend.book import Book
from ml.recommend.inputs import NightInputs, RecommendSettings
from ml.recommend.locks import wash_windows
from ml.recommend.market import Universe
from ml.recommend.status import Rates


@dataclass(frozen=True)
class PolicyMarket:
    """The market of one session as the policy sees it.

    Attributes
    ----------
    embeddings : ndarray of shape (N, 64)
        Zeros where the asset has none.
    has_embedding : ndarray of shape (N,)
        bool.
    regime : ndarray of shape (5,)
        :data:`ml.policy.market_window.REGIME_FEATURES`.
    """

    embeddings: np.ndarray
    has_embedding: np.ndarray
    regime: np.ndarray


def policy_market(inputs: NightInputs, universe: Universe, market: MarketPanel) -> PolicyMarket:
    """Look the session's embeddings up and measure the regime."""
    session = market.as_of_date
    rows = inputs.embeddings.filter(pl.col("state_date") == session).join(universe.index, on="asset_id")
    vectors = np.zeros((len(universe.asset_ids), EMBEDDING_SIZE), dtype=np.float32)
    known = np.zeros(len(vectors), dtype=bool)
    if rows.height:
        place = rows["n"].to_numpy()
        vectors[place] = np.stack(rows["embedding"].to_list()).astype(np.float32)
        known[place] = True
    recent = inputs.market_returns.filter(pl.col("as_of_date") <= session).sort("as_of_date")
    past = recent["market_return_log"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return PolicyMarket(vectors, known, regime_features(past, market.returns[:, market.tradeable]))


def account_tax(
    accounts: pl.DataFrame,
    chosen: np.ndarray,
    book: Book,
    rates: Rates,
    inputs: NightInputs,
    universe: Universe,
    settings: RecommendSettings,
) -> AccountTax:
    """Tax state of some accounts at one session.

    Nets, carryovers and the yearly deduction are those of the tax unit, in shares of the value of its taxable accounts:
    each sees its part, so that together they use what the unit can use once.

    Parameters
    ----------
    accounts : polars.DataFrame
        A accounts: user_id, tax_unit_id, household_id, is_tax_deferred.
    chosen : ndarray of shape (R,)
        Positions to describe.
    book : Book
        State of all A accounts at the session.
    """
    session = book.session
    rows = accounts[chosen.tolist()]
    deferred = rows["is_tax_deferred"].to_numpy()
    value = _taxable_value(accounts, book)[chosen]
    found, is_known = _year_so_far(rows, inputs.tax_unit_years, session.year)
    share = np.where(deferred[:, None], 0.0, found / value[:, None])
    # A year whose totals are refused leaves no room: what its losses are worth is not known.
    limit = np.where(is_known, _loss_limit_usd(rows, inputs.users, session.year) / value, -np.inf)
    homes = rows.select(pl.col("household_id").unique(maintain_order=True)).with_row_index("h")
    home = rows.join(homes, on="household_id", maintain_order="left")["h"].to_numpy().astype(np.int64)
    windows = wash_windows(inputs.wash_windows, homes, universe, session, settings.wash_window_days)
    return AccountTax(
        short_rate=np.where(deferred, 0.0, rates.short[chosen]),
        long_rate=np.where(deferred, 0.0, rates.long[chosen]),
        short_net=share[:, 0],
        long_net=share[:, 1],
        carryover=share[:, 2],
        loss_limit=np.where(deferred, 0.0, limit),
        year_fraction=float(year_fraction(np.datetime64(session))),
        is_locked=windows.loss_sold[home],
    )


def _taxable_value(accounts: pl.DataFrame, book: Book) -> np.ndarray:
    """Value of the taxable accounts of each account's tax unit, > 0; of a deferred account its own; (A,)."""
    deferred = accounts["is_tax_deferred"].to_numpy()
    unit = accounts["tax_unit_id"].rank("dense").to_numpy().astype(np.int64) - 1
    total = np.bincount(unit, np.where(deferred, 0.0, np.maximum(book.value, 0.0)))
    return np.maximum(np.where(deferred, book.value, total[unit]), 1e-9)


def _year_so_far(accounts: pl.DataFrame, years: pl.DataFrame, year: int) -> tuple[np.ndarray, np.ndarray]:
    """Short and long net of a year without what was carried in, the losses carried in, and whether they are known.

    ``ml.tax_unit_years`` has Schedule D lines 7 and 15, which are less what was carried in, and what goes to the next
    year: carried in is what the year before handed on (nothing where there is no such row).

    Returns
    -------
    found : ndarray of shape (R, 3)
        USD; the last column >= 0.
    is_known : ndarray of shape (R,)
        bool; False where the unit's totals are refused. A unit without a row has sold nothing.
    """
    names = ("st_net_usd", "lt_net_usd", "st_carryover_usd", "lt_carryover_usd")
    absent = [pl.lit(None, pl.Float64).alias(name) for name in names if name not in years.columns]
    years = years.with_columns(absent).with_columns(pl.col(names).cast(pl.Float64))

    def of_year(wanted: int, columns: tuple[str, ...]) -> pl.DataFrame:
        rows = years.filter(pl.col("tax_year") == wanted).select(
            "tax_unit_id", *columns, is_there=pl.lit(True)
        )
        return accounts.select("tax_unit_id").join(rows, on="tax_unit_id", how="left", maintain_order="left")

    now, before = of_year(year, names[:2]), of_year(year - 1, names[2:])
    carried = before.select(pl.col(names[2:]).fill_null(0.0).abs()).to_numpy()
    lines = now.select(pl.col(names[:2])).to_numpy()
    has_row = now["is_there"].fill_null(False).to_numpy()
    nets = np.where(has_row[:, None], np.nan_to_num(lines) + carried, 0.0)
    is_known = ~has_row | np.isfinite(lines).all(axis=1)
    return np.column_stack([nets, carried.sum(axis=1)]), is_known


def _loss_limit_usd(accounts: pl.DataFrame, users: pl.DataFrame, year: int) -> np.ndarray:
    """What of a year's losses lowers other income, by the owner's filing status; (R,)."""
    known = users.filter(pl.col("tax_year").fill_null(year) <= year).sort("tax_year", nulls_last=False)
    latest = known.unique("user_id", keep="last").select(
        "user_id", is_separate=pl.col("filing_status") == "married_separate"
    )
    separate = accounts.select("user_id").join(latest, on="user_id", how="left", maintain_order="left")
    is_separate = separate["is_separate"].fill_null(False).to_numpy()
    return np.where(is_separate, LOSS_LIMIT_SEPARATE_USD, LOSS_LIMIT_USD)
