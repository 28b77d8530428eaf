"""Sums over a user's latest decisions, by hand."""

import numpy as np
import pytest

from ml.personalization.evidence import population_vector
from ml.personalization.posterior import user_posteriors


def test_no_choice_reveals_nothing():
    posterior = user_posteriors(
        np.zeros((2, 6)),
        np.zeros((2, 7)),
        np.array([0, 2]),
        np.zeros(2),
        np.zeros(2),
        users=3,
        random_share=0.1,
    )
    np.testing.assert_allclose(posterior.probabilities, np.tile(population_vector(), (3, 1)))
    assert not posterior.n_revealed.any() and not posterior.mean_evidence.any()


def test_only_the_latest_250_count():
    log_p = np.zeros((300, 7))
    log_p[:50, 0], log_p[50:, 4] = 3.0, 3.0
    zeros, ones = np.zeros(300, dtype=np.int64), np.ones(300)
    posterior = user_posteriors(np.zeros((300, 6)), log_p, zeros, ones, ones, users=1, random_share=0.1)
    share = np.exp(np.logaddexp(3 + np.log(0.9), np.log(0.1)))
    expected = (250 * share / (share + 5) + 5 * population_vector()[4]) / 255
    assert posterior.probabilities[0, 4] == pytest.approx(expected)
    assert posterior.n_informative[0] == 250 and posterior.n_revealed[0] == 100.0
