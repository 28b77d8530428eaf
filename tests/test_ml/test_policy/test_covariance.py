"""The risk model handles gaps, and the minimum-variance solution satisfies its optimality conditions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf_shrinkage as sklearn_shrinkage

from ml.policy.covariance import estimate_risk, ledoit_wolf_shrinkage, min_variance_weights


def _returns(seed: int, sessions: int, assets: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    factor = rng.normal(0, 0.01, (sessions, 1))
    return factor * rng.uniform(0.2, 2.0, assets) + rng.normal(0, 1, (sessions, assets)) * rng.uniform(
        0.001, 0.03, assets
    )


def test_shrinkage_equals_sklearn():
    scores = _returns(1, 250, 12)
    assert ledoit_wolf_shrinkage(scores) == pytest.approx(
        sklearn_shrinkage(scores, assume_centered=True), abs=1e-12
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(30, 260))
def test_solution_satisfies_the_optimality_conditions(seed, assets, sessions):
    risk = estimate_risk(_returns(seed, sessions, assets))
    allowed = np.random.default_rng(seed).random(assets) < 0.8
    weights = min_variance_weights(risk, risk.volatility_ann, allowed)
    if not allowed.any():
        assert (weights == 0).all()
        return
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (weights >= 0).all()
    assert (weights[~allowed] == 0).all()
    marginal = risk.volatility_ann * risk.correlate(risk.volatility_ann * weights)
    variance = weights @ marginal
    # Held assets share one marginal variance; no asset left out has a lower one.
    np.testing.assert_allclose(marginal[weights > 0], variance, rtol=1e-7)
    assert (marginal[allowed] >= variance * (1 - 1e-6)).all()


def test_two_uncorrelated_assets_get_inverse_variance_weights():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(4000, 2)) * [0.01, 0.02]
    weights = min_variance_weights(risk := estimate_risk(noise), risk.volatility_ann, np.array([True, True]))
    np.testing.assert_allclose(weights, [0.8, 0.2], atol=0.02)


def test_short_history_counts_as_riskier_than_most():
    returns = _returns(3, 252, 8)
    returns[:-10, 0] = np.nan
    returns[-10:, 0] *= 1e-3  # ten calm sessions prove nothing
    risk = estimate_risk(returns)
    assert not risk.has_history[0]
    assert risk.has_history[1:].all()
    assert risk.volatility_ann[0] == pytest.approx(np.sqrt(np.quantile(risk.volatility_ann[1:] ** 2, 0.75)))


def test_wild_short_history_keeps_its_own_variance():
    returns = _returns(3, 252, 8)
    returns[:-10, 0] = np.nan
    returns[-10:, 0] = np.array([0.3, -0.3] * 5)
    assert estimate_risk(returns).volatility_ann[0] == pytest.approx(
        returns[-10:, 0].std(ddof=1) * np.sqrt(252)
    )


@pytest.mark.parametrize("sessions", [0, 1, 252])
def test_no_history_at_all_gives_equal_weights(sessions):
    risk = estimate_risk(np.full((sessions, 3), np.nan))
    np.testing.assert_allclose(risk.volatility_ann, 0.40)
    np.testing.assert_allclose(min_variance_weights(risk, risk.volatility_ann, np.ones(3, dtype=bool)), 1 / 3)


def test_a_price_that_never_moves_does_not_divide_by_zero():
    returns = _returns(3, 252, 4)
    returns[:, 2] = 0.0
    risk = estimate_risk(returns)
    weights = min_variance_weights(risk, risk.volatility_ann, np.ones(4, dtype=bool))
    assert np.isfinite(weights).all()
    assert weights[2] > 0.9
