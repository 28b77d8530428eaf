"""The simulated market against the figures of real ones; estimators against series whose truth is known."""

import math

import numpy as np
import pytest

from ml.simulate.calibration import main, simulated_facts, table
from ml.simulate.calibration_targets import TARGETS, Target
from ml.simulate.stylised_facts import autocorrelation, hill, leverage, lot_facts, structure_facts
from ml.simulate.volatility_fits import fit_garch, fit_regimes

SEEDS = (1, 2, 3, 4)
# Not met over 20 seeds, and why.
NOT_MET = {
    # one history's small reversal after a week; the simulator has none
    "acf r 5 p10", "acf r 5 p50", "acf r 5 p90",
    # months of turmoil leave fatter tails of monthly sums, and more of the years see some of it
    "kurtosis 21d p50", "kurtosis 21d p90", "pair correlation median year",
    # jumps on results dilute the clustering of single stocks' moves, and what a GARCH fit sees of it
    "acf |r| 1 p50", "leverage p10", "gjr alpha p50", "gjr persistence p50",
}  # fmt: skip
# Measured after 2016: no parameter follows them.
LATER_NOT_MET = {
    "volatility of bonds 1.9y", "volatility of credit", "volatility of high yield", "volatility of commodity",
    "correlation of commodity", "kurtosis of crypto", "regime calm stay",
}  # fmt: skip


@pytest.fixture(scope="module")
def facts() -> dict[str, np.ndarray]:
    """Facts of a few seeds at the size of the figures; the command's twenty take minutes."""
    return simulated_facts(SEEDS)


def _held() -> list[Target]:
    return [t for t in TARGETS if t.name not in (LATER_NOT_MET if t.is_later else NOT_MET)]


@pytest.mark.parametrize("target", _held(), ids=lambda t: f"{t.name}{' (later)' if t.is_later else ''}")
def test_fact_is_met(facts, target):
    # the median of a few histories scatters about that of twenty
    scatter = 2 * np.nanstd(facts[target.name], ddof=1) / math.sqrt(len(SEEDS))
    assert target.low - scatter <= np.nanmedian(facts[target.name]) <= target.high + scatter


def test_most_facts_are_met(facts):
    assert {t.name for t in TARGETS} <= set(facts)
    lines: list[str] = []
    met, shown = table(facts, lines.append)
    assert len(lines) == shown + 3
    assert met >= 0.8 * shown


def test_the_command_prints_the_table(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["calibration", "--seeds", "1", "--assets", "60"])
    main()
    assert "index leverage" in capsys.readouterr().out


def test_signs_that_any_market_shows(facts):
    mean = {name: values.mean() for name, values in facts.items()}
    assert mean["kurtosis p50"] > 1.5 > mean["kurtosis 21d p50"]
    assert mean["acf |r| 1 p50"] > mean["acf |r| 20 p50"] > mean["acf |r| 120 p50"]
    assert mean["index leverage"] < mean["leverage p50"] < 0
    assert mean["pair correlation same sector"] > mean["pair correlation other sector"]


def test_garch_fit_finds_its_parameters():
    rng = np.random.default_rng(3)
    alpha, gamma, beta, nu, h = 0.03, 0.12, 0.88, 7.0, 1.0
    returns = np.empty(12_000)
    for t, shock in enumerate(rng.standard_t(nu, len(returns)) * math.sqrt((nu - 2) / nu)):
        returns[t] = math.sqrt(h) * shock
        h = 1 - alpha - gamma / 2 - beta + (alpha + gamma * (shock < 0)) * returns[t] ** 2 + beta * h
    fit = fit_garch(0.01 * returns)
    assert (fit.alpha, fit.gamma, fit.beta) == pytest.approx((alpha, gamma, beta), abs=0.03)
    assert fit.nu == pytest.approx(nu, abs=1.5)
    assert fit.persistence == pytest.approx(0.97, abs=0.015)


def test_regime_fit_finds_its_parameters():
    rng = np.random.default_rng(5)
    state, states = 0, []
    for draw in rng.uniform(size=20_000):
        state = 1 - state if draw < (1 / 80, 1 / 30)[state] else state
        states.append(state)
    scale = np.where(states, 0.018, 0.007)
    fit = fit_regimes(np.where(states, -0.0005, 0.0007) + scale * rng.normal(size=len(states)))
    assert fit.sd == pytest.approx((0.007, 0.018), rel=0.05)
    assert fit.mean == pytest.approx((0.0007, -0.0005), abs=5e-4)
    assert fit.stay_sessions == pytest.approx((80, 30), rel=0.25)
    assert fit.turbulent_share == pytest.approx(np.mean(states), abs=0.03)


def test_facts_of_series_whose_truth_is_known():
    rng = np.random.default_rng(7)
    noise = rng.normal(size=(40_000, 2))
    x = noise.copy()
    x[1:] += 0.5 * noise[:-1]
    assert autocorrelation(x, 1) == pytest.approx([0.4, 0.4], abs=0.03)
    assert hill(rng.pareto(3.0, (40_000, 2)) + 1) == pytest.approx([3.0, 3.0], abs=0.3)
    assert leverage(noise) == pytest.approx([0.0, 0.0], abs=0.02)
    market, own = rng.normal(size=(4_000, 1)), rng.normal(size=(4_000, 40))
    facts = structure_facts(market + own, np.arange(40) % 2)
    assert facts["pair correlation p50"] == pytest.approx(0.5, abs=0.03)
    assert facts["eigenvalue share 1"] == pytest.approx(0.5 + 0.5 / 40, abs=0.03)
    assert facts["beta p50"] == pytest.approx(1.0, abs=0.03)


def test_lots_are_stated_at_one_drift():
    r = np.full((600, 3), -0.001)
    facts = lot_facts(r, index_drift=0.001)
    assert facts["lot loss after 21"] == 0.0
    assert facts["lot >+20% after 252"] == 1.0
    assert facts["lot ever <=-10% within 252"] == 0.0
    assert lot_facts(r, index_drift=-0.001)["lot ever <=-10% within 252"] == 1.0
    walk = np.random.default_rng(2).normal(0, 0.01, (700, 2))
    drift = np.expm1(walk).mean()
    level = np.vstack([np.zeros(2), np.cumsum(walk, axis=0)])
    ever = [np.expm1(level[t + 1 : t + 253].min(axis=0) - level[t]) <= -0.1 for t in range(len(level) - 252)]
    assert lot_facts(walk, drift)["lot ever <=-10% within 252"] == pytest.approx(np.mean(ever), abs=1e-12)
