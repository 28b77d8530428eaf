import numpy as np
import pytest

from ml.backtest.results import WITHOUT_HARVESTING, BacktestResult
from ml.types import OBJECTIVES
from tests.test_ml.test_backtest.trials import make_trial

WINDOWS = {
    "thirty_years": ("1992-01-03", 220),
    "development_2002_2004": ("2002-01-04", 60),
    "development_2005_2007": ("2005-01-07", 60),
}
PROFILES = {"untaxed": 0.0, "P1": -3e-4, "P2": -5e-4}
DRAWS = 39


def build_trials() -> list[BacktestResult]:
    """Four baselines and the experts on three windows; harvesting wins 1e-4 a week by tax alone."""
    rng = np.random.default_rng(0)
    found = []
    for window, (start, weeks) in WINDOWS.items():
        market = 0.002 + 0.02 * rng.standard_normal(weeks)
        paths = {
            "equal_weight_monthly": market,
            "equal_weight_harvesting": market + 0.002 * rng.standard_normal(weeks),
            "momentum_12_1": market + 5e-4 + 0.01 * rng.standard_normal(weeks),
            "cash": np.full(weeks, 3e-4),
        }
        for strategy, path in paths.items():
            for profile, tax in PROFILES.items():
                for cost in (5, 10):
                    saved = 1e-4 if "harvest" in strategy and profile != "untaxed" else 0.0
                    returns = path + tax + saved - 1e-6 * cost
                    found.append(
                        make_trial(
                            strategy,
                            log_returns=returns,
                            window=window,
                            start=start,
                            profile=profile,
                            cost_bp=cost,
                            cash_weight=float(strategy == "cash"),
                            harvested_loss_usd=900.0 * ("harvest" in strategy),
                        )
                    )
        for objective in OBJECTIVES:
            returns = 0.6 * market + 0.004 * rng.standard_normal(weeks)
            chosen = 50.0 if objective == "long_term_gains_only" else 0.0
            found.append(
                make_trial(
                    "experts_fixed_router",
                    objective=objective,
                    log_returns=returns,
                    window=window,
                    start=start,
                    cash_weight=0.3,
                    voluntary_short_gain_usd=chosen,
                )
            )
    for strategy in ("equal_weight_monthly", "momentum_12_1"):
        for profile, cost in (("untaxed", 0), ("P1", 10)):
            found.append(
                make_trial(
                    strategy,
                    log_returns=0.01 * rng.standard_normal(3),
                    window="paper_14_days",
                    start="2007-12-07",
                    profile=profile,
                    cost_bp=cost,
                )
            )
    return found


# Weekly drift and noise beside equal weight of a policy under each objective, and its lead over its twin.
POLICY_PATHS = {
    "short_term_alpha": (4e-4, 0.0005, 1e-4),
    "short_term_gain": (2e-4, 0.003, 1e-4),
    "long_term_gain": (9e-4, 0.003, 1e-4),
    "capital_preservation": (0.0, 0.001, 0.0),
    "tax_loss_harvesting": (0.0, 0.003, 3e-4),
    "long_term_gains_only": (6e-4, 0.003, 1e-4),
}


def policy_trials(trials: list[BacktestResult], seed: int = 0) -> list[BacktestResult]:
    """A policy and its twin on the development windows; long_term_gain alone chooses short-term gains."""
    found = []
    for window, (start, weeks) in WINDOWS.items():
        if window == "thirty_years":
            continue
        rng = np.random.default_rng([seed, weeks, int(start[:4])])
        key = (window, "equal_weight_monthly", "P1", 10)
        (peer,) = (t for t in trials if (t.key.window, t.key.strategy, t.key.profile, t.key.cost_bp) == key)
        market = np.diff(np.log(peer.wealth_usd))
        for objective, (drift, noise, lead) in POLICY_PATHS.items():
            part = 0.3 if objective == "capital_preservation" else 1.0
            apart = rng.standard_normal(weeks)
            path = part * market + drift + noise * (apart - apart.mean())
            gain = 70.0 if objective == "long_term_gain" else 0.0
            for name, returns in (("policy", path), (f"policy{WITHOUT_HARVESTING}", path - lead)):
                found.append(
                    make_trial(
                        name,
                        objective=objective,
                        log_returns=returns,
                        window=window,
                        start=start,
                        seed=seed,
                        voluntary_short_gain_usd=gain,
                    )
                )
    return found


@pytest.fixture(scope="session")
def trials():
    return build_trials()


@pytest.fixture(scope="session")
def with_policy(trials):
    return [*trials, *policy_trials(trials)]
