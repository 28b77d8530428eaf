"""Floors on the policy that ships."""

import numpy as np
import pytest

from ml.models import WEIGHTS
from ml.policy.account_state import AccountTax
from ml.policy.serve import PolicyServer
from ml.types import OBJECTIVES

SHIPPED = ("policy", "policy-quick")  # the full one, and what `taxloom train` gives
ACCOUNTS, ASSETS = 200, 30


@pytest.fixture(scope="module")
def night(build):
    """Random accounts in a market whose embeddings are as wide as whitened ones."""
    rng = np.random.default_rng(2)
    market = build.market(assets=ASSETS)
    accounts = build.random(4, ACCOUNTS, ASSETS)
    ones, zeros = np.ones(ACCOUNTS), np.zeros(ACCOUNTS)
    locked = np.zeros((ACCOUNTS, ASSETS), dtype=bool)
    tax = AccountTax(0.4 * ones, 0.2 * ones, zeros, zeros, zeros, 0.15 * ones, 0.5, locked)
    return market, rng.normal(size=(ASSETS, 64)).astype(np.float32), np.full(5, 0.12), accounts, tax


def targets(night, name, objective, embeddings=None):
    market, vectors, regime, accounts, tax = night
    mix = np.tile(np.eye(6)[OBJECTIVES.index(objective)], (ACCOUNTS, 1))
    vectors = vectors if embeddings is None else embeddings
    mask = np.zeros(ACCOUNTS, dtype=bool)
    return PolicyServer.load(WEIGHTS / name).targets(market, vectors, regime, accounts, tax, mix, mask)[0]


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_it_is_active(night, name, objective):
    weights = targets(night, name, objective)
    active = 0.5 * (np.abs(weights[:, :-1] - 1 / ASSETS).sum(1) + weights[:, -1])
    assert active.mean() >= (0.05 if objective == "tax_loss_harvesting" else 0.2)


@pytest.mark.parametrize("name", SHIPPED)
def test_objectives_and_embeddings_matter(night, name):
    current = night[3].current_weights[:, :-1]

    def actions(objective):
        change = targets(night, name, objective)[:, :-1] - current
        return np.sign(change) * (np.abs(change) > 0.01)

    for other in ("capital_preservation", "tax_loss_harvesting", "long_term_gains_only"):
        assert (actions("short_term_alpha") != actions(other)).any(1).mean() > 0.2, other
    shuffled = targets(night, name, "short_term_alpha", np.roll(night[1], 7, axis=0))
    assert 0.5 * np.abs(shuffled - targets(night, name, "short_term_alpha")).sum(1).mean() > 0.02
