"""Seeded market and account panels, shared by the policy tests."""

from datetime import date

import numpy as np
import pytest

from ml.policy.experts import AccountPanel, MarketPanel
from ml.policy.panels import REQUIRED_FEATURES


def make_market(seed: int = 0, assets: int = 6, sessions: int = 252, **overrides) -> MarketPanel:
    """Equities with one common factor; ``overrides`` replace panel fields or, by name, features."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(0.0, 0.01, size=(sessions, 1))
    returns = 0.0003 + factor * rng.uniform(0.5, 1.5, assets) + rng.normal(0.0, 0.01, (sessions, assets))
    features = {name: np.zeros(assets) for name in REQUIRED_FEATURES}
    features["class__equity"] = np.ones(assets)
    features["risk__volatility_252d_ann"] = returns.std(axis=0, ddof=1) * np.sqrt(252)
    features["momentum__return_252d_ex_21d_log"] = rng.normal(0.08, 0.2, assets)
    features["momentum__return_21d_log"] = rng.normal(0.0, 0.05, assets)
    features.update({k: np.asarray(v) for k, v in overrides.items() if k in features})
    return MarketPanel(
        as_of_date=date(2022, 12, 28),
        asset_ids=tuple(f"asset_{i}" for i in range(assets)),
        features=features,
        returns=np.asarray(overrides.get("returns", returns)),
        tradeable=np.asarray(overrides.get("tradeable", np.ones(assets, dtype=bool))),
        market_volatility_63d_ann=overrides.get("market_volatility_63d_ann", 0.16),
    )


def make_accounts(weights, lots=(), is_tax_deferred=None) -> AccountPanel:
    """Build accounts from rows of weights and lots (account, asset, weight, gain, value, days)."""
    weights = np.atleast_2d(np.asarray(weights, dtype=np.float64))
    columns = [np.array([lot[i] for lot in lots]) for i in range(6)] if lots else [np.zeros(0)] * 6
    days = columns[5].astype(int)
    return AccountPanel(
        account_ids=tuple(f"account_{i}" for i in range(len(weights))),
        current_weights=weights,
        lot_account=columns[0].astype(int),
        lot_asset=columns[1].astype(int),
        lot_weight=columns[2].astype(float),
        lot_gain_ratio=columns[3].astype(float),
        lot_value_usd=columns[4].astype(float),
        lot_is_long_term=days <= 0,
        lot_days_to_long_term=days,
        is_tax_deferred=np.zeros(len(weights), dtype=bool)
        if is_tax_deferred is None
        else np.asarray(is_tax_deferred),
    )


def random_accounts(seed: int, accounts: int, assets: int) -> AccountPanel:
    """Random holdings of one to three lots per held asset, gains from -40 % to +80 %, some basis unknown."""
    rng = np.random.default_rng(seed)
    held = rng.random((accounts, assets)) < 0.5
    raw = np.concatenate([rng.random((accounts, assets)) * held, rng.random((accounts, 1))], axis=1)
    weights = raw / raw.sum(axis=1, keepdims=True)
    lots = []
    for account, asset in np.argwhere(held):
        parts = rng.dirichlet(np.ones(rng.integers(1, 4)))
        for part in parts:
            gain = np.nan if rng.random() < 0.05 else rng.uniform(-0.4, 0.8)
            weight = weights[account, asset] * part
            lots.append((account, asset, weight, gain, weight * 50_000.0, rng.integers(-400, 366)))
    return make_accounts(weights, lots, is_tax_deferred=rng.random(accounts) < 0.3)


@pytest.fixture
def market() -> MarketPanel:
    return make_market()


@pytest.fixture(scope="session")
def build():
    """The builders, for tests that vary their input."""

    class Builders:
        market = staticmethod(make_market)
        accounts = staticmethod(make_accounts)
        random = staticmethod(random_accounts)

    return Builders
