"""Scores of decisions against draws written out unit by unit, and their sum against the counted evidence."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from ml.features.choices import BUY_CELLS, SALE_CELLS
from ml.features.decision_features import DECISION_FEATURES
from ml.features.decisions import Decisions
from ml.personalization.choice_model import choice_strength, counted_log_p, decision_weights
from ml.personalization.rates import BUY_RATES, SALE_RATES
from ml.types import OBJECTIVES

DAYS = [date(2020, 1, day) for day in (2, 3, 6, 7)]


def decisions_of() -> Decisions:
    """A sale, a purchase, an idle session, and an order without a choice."""
    rows = pl.DataFrame(
        {
            "user_id": ["u"] * 4,
            "account_id": ["a"] * 4,
            "trade_date": DAYS,
            "has_order": [True, True, False, True],
        }
    ).with_columns(pl.lit(0.0, pl.Float32).alias(name) for name in DECISION_FEATURES)
    sales = pl.DataFrame({"account_id": ["a"], "trade_date": DAYS[:1]}).with_columns(
        *(pl.lit({0: 2, 5: 1}.get(i, 0)).alias(f"sold__{cell}") for i, cell in enumerate(SALE_CELLS)),
        *(
            pl.lit({0: 3, 5: 4, 9: 2}.get(i, 0)).alias(f"eligible__{cell}")
            for i, cell in enumerate(SALE_CELLS)
        ),
    )
    buys = pl.DataFrame({"account_id": ["a"], "trade_date": DAYS[1:2]}).with_columns(
        *(pl.lit({1: 1}.get(i, 0)).alias(f"bought__{cell}") for i, cell in enumerate(BUY_CELLS)),
        *(pl.lit({1: 2, 8: 6}.get(i, 0)).alias(f"available__{cell}") for i, cell in enumerate(BUY_CELLS)),
    )
    return Decisions(rows, sales, buys)


def test_scores_by_hand():
    log_p = counted_log_p(decisions_of())
    assert log_p.shape == (4, 7)
    for k, objective in enumerate(OBJECTIVES):
        rate = np.ravel(SALE_RATES[objective])
        scale = 3 * rate[0] + 4 * rate[5] + 2 * rate[9]
        expected = 2 * np.log(3 * rate[0] / scale) + np.log(4 * rate[5] / scale)
        assert log_p[0, k] == pytest.approx(expected)
        rate = np.ravel(BUY_RATES[objective])
        expected = 0.25 * np.log(2 * rate[1] / (2 * rate[1] + 6 * rate[8]))
        assert log_p[1, k] == pytest.approx(expected)
    assert log_p[0, 6] == pytest.approx(2 * np.log(3 / 9) + np.log(4 / 9))
    assert log_p[1, 6] == pytest.approx(0.25 * np.log(2 / 8))
    assert (log_p[2:] == 0.0).all()


def test_only_choices_weigh():
    decisions = decisions_of()
    assert decision_weights(decisions, counted_log_p(decisions)).tolist() == [1.0, 1.0, 0.0, 0.0]
    assert choice_strength(decisions).tolist() == [1.0, 0.25, 0.0, 0.0]
