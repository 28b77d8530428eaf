"""Rates against a random trader: who makes no choice, or a random one, reveals nothing."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.features.behaviour import BEHAVIOUR_SCHEMA
from ml.features.choices import BUY_CELLS, SALE_CELLS
from ml.personalization.evidence import (
    POPULATION,
    log_evidence,
    population_vector,
    revealed_probabilities,
)
from ml.personalization.rates import BUY_RATES, SALE_RATES
from ml.types import OBJECTIVES


def counts_frame(sold: np.ndarray, expected: np.ndarray) -> pl.DataFrame:
    columns = {"user_id": [f"u{i:03d}" for i in range(len(sold))]}
    columns |= {f"sold__{cell}": sold[:, i] for i, cell in enumerate(SALE_CELLS)}
    columns |= {f"sold_expected__{cell}": expected[:, i] for i, cell in enumerate(SALE_CELLS)}
    frame = pl.DataFrame(columns)
    missing = [pl.lit(0).cast(t).alias(n) for n, t in BEHAVIOUR_SCHEMA.items() if n not in frame.columns]
    return frame.with_columns(missing).select(*BEHAVIOUR_SCHEMA)


def draw(seed: int, users: int, choices: int, rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draw sales: every user has his own mix of lots and sells in proportion to rates."""
    rng = np.random.default_rng(seed)
    available = rng.dirichlet(np.full(len(SALE_CELLS), 0.7), users)
    chance = available * rates
    chance /= chance.sum(axis=1, keepdims=True)
    return rng.multinomial(choices, chance).astype(float), available * choices


def test_tables_are_complete_and_positive():
    assert sum(POPULATION.values()) == pytest.approx(1.0, abs=1e-12)
    for table, cells in ((SALE_RATES, SALE_CELLS), (BUY_RATES, BUY_CELLS)):
        assert tuple(table) == OBJECTIVES
        for rates in table.values():
            assert np.ravel(rates).shape == (len(cells),)
            assert (np.ravel(rates) > 0).all()


def test_log_evidence_by_hand():
    # Two cells held alike; rates 3 : 1, so p = (.75, .25) against (.5, .5); a tenth is life.
    value = log_evidence(np.array([[3.0, 1.0]]), np.array([[2.0, 2.0]]), np.array([[3.0, 1.0]]))
    assert value[0, 0] == pytest.approx(3 * np.log(0.9 * 1.5 + 0.1) + np.log(0.9 * 0.5 + 0.1))


def test_no_choice_reveals_nothing():
    empty = revealed_probabilities(
        counts_frame(np.zeros((1, len(SALE_CELLS))), np.zeros((1, len(SALE_CELLS))))
    )
    np.testing.assert_allclose(empty.probabilities[0], population_vector(), atol=1e-12)
    assert empty.n_revealed[0] == 0.0
    assert not empty.identified[0]


def test_random_traders_are_not_identified():
    revealed = revealed_probabilities(counts_frame(*draw(1, 400, 60, np.ones(len(SALE_CELLS)))))
    assert revealed.identified.mean() <= 0.02
    assert revealed.n_revealed.mean() < 15


@pytest.mark.parametrize("objective", ["short_term_gain", "tax_loss_harvesting"])
def test_a_clear_signature_is_identified(objective):
    rates = np.ravel(SALE_RATES[objective])
    revealed = revealed_probabilities(counts_frame(*draw(2, 200, 60, rates)))
    right = revealed.probabilities.argmax(axis=1) == OBJECTIVES.index(objective)
    assert right[revealed.identified].mean() > 0.9
    assert revealed.identified.mean() > 0.5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 5000))
def test_simplex_and_bounds_for_any_counts(seed, choices):
    revealed = revealed_probabilities(counts_frame(*draw(seed, 5, choices, np.ones(len(SALE_CELLS)))))
    np.testing.assert_allclose(revealed.probabilities.sum(axis=1), 1.0, atol=1e-12)
    assert (revealed.probabilities >= 0).all()
    assert ((revealed.n_revealed >= 0) & (revealed.n_revealed <= 100)).all()
