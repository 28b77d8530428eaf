"""A stated horizon caps what is outside bonds and cash; what is freed goes to them."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.recommend.guardrails import check_guardrails
from ml.recommend.horizon import horizon_caps
from ml.recommend.inputs import RecommendSettings
from ml.recommend.night import recommend_night

DAY = date(2022, 12, 28)


def _cap(end: date | None) -> float:
    accounts = pl.DataFrame({"user_id": ["u"], "target_date": [DAY]})
    constraints = pl.DataFrame({"user_id": ["u"], "horizon_to": pl.Series([end], dtype=pl.Date)})
    return float(horizon_caps(accounts, constraints, DAY, RecommendSettings())[0])


@pytest.mark.parametrize(
    ("months", "cap"), [(0, 0.30), (15, 0.475), (30, 0.65), (60, 1.0), (240, 1.0), (-1, 1.0)]
)
def test_the_glide_path(months, cap):
    end = DAY + timedelta(days=round(months * 365.25 / 12))
    assert _cap(end) == pytest.approx(cap, abs=0.01)


def test_without_a_horizon_nothing_is_capped():
    assert _cap(None) == 1.0


def test_another_users_horizon_is_not_ours():
    accounts = pl.DataFrame(
        {"user_id": ["a", "b"], "target_date": [None, None]}, schema_overrides={"target_date": pl.Date}
    )
    constraints = pl.DataFrame({"user_id": ["b"], "horizon_to": [DAY]})
    assert horizon_caps(accounts, constraints, DAY, RecommendSettings()).tolist() == [1.0, 0.30]


def test_a_near_horizon_moves_targets_to_bonds_and_cash(hand_night, wanting):
    """Half equity, a quarter bonds, a quarter cash: with 30 % allowed, bonds and cash have 35 % each."""
    near = [{"user_id": "u0", "horizon_to": date(2022, 12, 31)}]
    prices = {"A": 100.0, "BOND": 50.0}
    wanted = wanting(a0={"A": 0.5, "BOND": 0.25})
    settings = RecommendSettings(turnover_cap=1.0)
    free = hand_night(cash={"a0": 100_000.0}, prices=prices)
    bound = hand_night(cash={"a0": 100_000.0}, prices=prices, constraints=near)
    weights = {}
    for name, night in (("free", free), ("bound", bound)):
        result = recommend_night(night, settings, wanted)
        assert check_guardrails(result, night, settings) == []
        weights[name] = dict(
            result.target_weights.select("asset_id", pl.col("target_weight").cast(pl.Float64)).iter_rows()
        )
    assert weights["free"]["A"] == pytest.approx(0.5, abs=0.03)
    assert weights["bound"]["A"] == pytest.approx(0.30, abs=0.03)
    assert weights["bound"]["BOND"] == pytest.approx(0.35, abs=0.03)
    assert np.isclose(sum(weights["bound"].values()), 1.0)
