"""Thresholds keep placebos out."""

import numpy as np

from ml.personalization.identification import choose_thresholds
from ml.personalization.posterior import Posterior
from ml.types import OBJECTIVES

LIMITS = {"placebo_share": 0.03, "accuracy": 0.85}


def test_thresholds_keep_placebos_out():
    rng = np.random.default_rng(0)
    sure = np.eye(6)[rng.integers(0, 6, 200)] * 0.7 + 0.05
    archetypes = np.array([OBJECTIVES[i] for i in sure.argmax(axis=1)], dtype=object)
    archetypes[:40] = "random_trader"
    evidence = np.where(np.arange(200) < 40, 0.005, 0.05)
    posterior = Posterior(sure, evidence, np.full(200, 50), np.full(200, 50.0))
    probability, least, figures = choose_thresholds(posterior, archetypes, **LIMITS)
    assert probability <= 0.75 and least > 0.005
    assert figures["identified_share"] == 1.0 and figures["placebos"] == 0.0
    # Nothing keeps the limits where placebos look like anyone: the strictest pair stands.
    alike = Posterior(sure, np.full(200, 0.09), np.full(200, 50), np.full(200, 50.0))
    assert choose_thresholds(alike, archetypes, **LIMITS)[:2] == (0.94, 0.08)
