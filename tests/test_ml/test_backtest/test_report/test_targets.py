"""Targets: which there are, on which side of its margin each is met."""

from dataclasses import replace

import numpy as np
import pytest

from ml.backtest.report.comparisons import Comparisons
from ml.backtest.report.selection import Setting, TrialSet
from ml.backtest.report.targets import targets
from ml.backtest.statistics.sharpe import WEEKS_PER_YEAR
from ml.types import OBJECTIVES
from tests.test_ml.test_backtest.test_report.conftest import DRAWS

DEVELOPMENT = Setting(("development_2002_2004", "development_2005_2007"))
BEHIND = "not worse than its analytic experts by more than"


def _met(trials, words: str) -> dict[str, bool]:
    found = targets(Comparisons(TrialSet(trials), draws=DRAWS), DEVELOPMENT)
    return {aim["name"]: aim["met"] for aim in found if words in aim["name"]}


def _behind(trials, bp: float, short_gain: float = 0.0):
    """A policy that is the experts less so many basis points a year, and the experts."""
    made = []
    for t in trials:
        if t.key.strategy == "experts_fixed_router":
            less = np.exp(-1e-4 * bp / WEEKS_PER_YEAR * np.arange(len(t.wealth_usd)))
            key = replace(t.key, strategy="policy")
            gain = np.full_like(t.voluntary_short_gain_usd, short_gain)
            made.append(replace(t, key=key, wealth_usd=t.wealth_usd * less, voluntary_short_gain_usd=gain))
    return [*trials, *made]


def test_a_policy_may_be_25_bp_behind_its_analytic_experts(trials):
    for bp, expected in ((20, True), (30, False)):
        found = _met(_behind(trials, bp), f"{BEHIND} 25 bp a year of after-tax growth")
        assert len(found) == len(OBJECTIVES) - 1 and set(found.values()) == {expected}


@pytest.mark.parametrize(("bp", "expected"), [(0, True), (200, False)])
def test_short_term_alpha_is_compared_by_its_information_ratio(trials, bp, expected):
    found = _met(_behind(trials, bp), f"short_term_alpha: {BEHIND} 0.05 of information ratio")
    assert list(found.values()) == [expected]


def test_a_void_score_is_not_as_good_as_any(trials):
    found = _met(_behind(trials, 0, short_gain=1.0), BEHIND)
    missed = [name for name, met in found.items() if not met]
    assert len(missed) == 1 and missed[0].startswith("long_term_gains_only")


def test_experts_have_no_target_against_themselves(trials):
    assert _met(trials, BEHIND) == {}
    lone = [t for t in _behind(trials, 0) if t.key.strategy != "experts_fixed_router"]
    assert _met(lone, BEHIND) == {}


def test_harvesting_is_aimed_at_against_the_twin_and_the_mechanical_one(with_policy):
    found = _met(with_policy, "tax_loss_harvesting: tax alpha")
    assert found == {
        "tax_loss_harvesting: tax alpha against policy_without_harvesting above 0 (lower 95 % bound)": True
    }
    assert len(_met(with_policy, "against mechanical harvesting")) == 1


def test_one_policy_is_aimed_at_where_all_six_objectives_were_run(with_policy):
    found = _met(with_policy, "one policy for six objectives")
    assert (
        len(found) == 2
        and found["one policy for six objectives: own objective strictly best in at least four"]
    )
    five = [t for t in with_policy if t.key.objective != "short_term_gain"]
    assert _met(five, "one policy for six objectives") == {}
