"""Rates and orders agree: the rate on every sold lot is the marginal one at the nets after all of tonight's."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import pytest

from ml.recommend.inputs import RecommendSettings
from ml.recommend.night import recommend_night
from ml.recommend.settle import UNSETTLED, UnitTaxes, settle
from ml.recommend.status import Rates
from ml.tax.schedule_d import TaxUnitYear, marginal, total_tax
from ml.types import TAX_DEFERRED_ACCOUNT_TYPES

CAP = 3_000_000_000  # the limit of a net loss against other income, in 1e-6 USD


@pytest.mark.parametrize("seed", [3, 8])
def test_the_rate_of_every_sale_is_that_of_the_nets_after_all_sales(make_night, seed):
    inputs = make_night(seed)
    result = recommend_night(inputs)
    deferred = pl.col("account_type").is_in(TAX_DEFERRED_ACCOUNT_TYPES)
    accounts = inputs.accounts.with_columns(deferred.alias("is_tax_deferred"))
    taxes = UnitTaxes.build(accounts, inputs)
    sold = result.lot_orders.filter(pl.col("term") != "none", pl.col("gain_usd") != 0)
    by_account = (
        sold.group_by("account_id", "term")
        .agg((pl.col("gain_usd").sum() * 1_000_000).cast(pl.Int64).alias("gain"))
        .pivot("term", index="account_id", values="gain")
    )
    gains = accounts.select("account_id").join(by_account, on="account_id", how="left", maintain_order="left")
    short, long = (gains[term].fill_null(0).to_numpy() for term in ("short", "long"))
    rates = np.stack(taxes.after(taxes.sums(short), taxes.sums(long))[:2])
    unsettled = set(
        result.portfolios.filter(pl.col("reason").str.contains(UNSETTLED, literal=True))["account_id"]
    )
    checked = 0
    for row in sold.iter_rows(named=True):
        position = accounts["account_id"].index_of(row["account_id"])
        unit = taxes.unit[position]
        if unit < 0 or row["account_id"] in unsettled:
            continue
        expected = float(row["gain_usd"]) * rates[0 if row["term"] == "short" else 1, unit]
        assert float(row["tax_usd"]) == pytest.approx(expected, abs=2e-6)
        checked += 1
    assert checked > 5


def test_rates_before_tonight_are_the_marginal_ones_of_the_ledgers_nets(make_night):
    inputs = make_night(5)
    accounts = inputs.accounts.with_columns(
        pl.col("account_type").is_in(TAX_DEFERRED_ACCOUNT_TYPES).alias("is_tax_deferred")
    )
    taxes = UnitTaxes.build(accounts, inputs)
    assert len(taxes.years) == inputs.tax_unit_years.height
    zero = np.zeros(len(taxes.years), dtype=np.int64)
    short, long, added = taxes.after(zero, zero)
    for i, year in enumerate(taxes.years):
        assert (short[i], long[i]) == marginal(year)
    assert not added.any()
    assert (taxes.unit[accounts["is_tax_deferred"].to_numpy()] == -1).all()


@dataclass
class _Harvest:
    """One account that realises all of its loss if the short rate pays for the drift, else none."""

    short_gain: np.ndarray
    long_gain: np.ndarray
    burden: np.ndarray


def _harvester(loss: int, drift: float, tried: list[float]):
    def attempt(short, long):
        tried.append(float(short[0]))
        sells = short[0] * loss / 1e6 > drift
        return _Harvest(
            np.array([-loss if sells else 0]),
            np.zeros(1, dtype=np.int64),
            np.array([drift if sells else 0.0]),
        )

    return attempt


@pytest.mark.parametrize(("drift", "harvests"), [(500.0, True), (2_000.0, False)])
def test_a_unit_that_swings_takes_its_best_round(drift, harvests):
    # 24 % on the first 3,000 of a loss of 20,000, nothing beyond: either rate asks for the other's orders.
    year = TaxUnitYear(2022, "single", "TX", 120_000_000_000, 120_000_000_000)
    taxes = UnitTaxes(np.array([0]), (year,))
    rate = marginal(year)
    loss, tried = 20_000_000_000, []
    nothing = np.array([""], dtype=object)
    rates = Rates(np.array([rate[0]]), np.array([rate[1]]), nothing, nothing)
    result, unsettled = settle(_harvester(loss, drift, tried), rates, taxes, RecommendSettings())
    assert unsettled.tolist() == [True]
    assert len(tried) == RecommendSettings().rate_rounds + 1
    saved = (total_tax(year) - total_tax(replace(year, short=-loss))) / 1e6
    assert saved == pytest.approx(0.24 * CAP / 1e6)
    assert (saved > drift) == harvests
    assert bool(result.short_gain[0]) == harvests


def test_rates_that_no_order_moves_are_solved_once():
    year = TaxUnitYear(2022, "single", "TX", 120_000_000_000, 120_000_000_000)
    taxes = UnitTaxes(np.array([0]), (year,))
    tried: list[float] = []
    nothing = np.array([""], dtype=object)
    rates = Rates(*(np.array([r]) for r in marginal(year)), nothing, nothing)
    _, unsettled = settle(_harvester(1_000_000_000, 1e9, tried), rates, taxes, RecommendSettings())
    assert len(tried) == 1
    assert not unsettled.any()
