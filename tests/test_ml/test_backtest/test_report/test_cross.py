"""The cross table: every score of every conditioning, its voids, and the own one against the best of the others."""

from dataclasses import replace

import numpy as np
import pytest

from ml.backtest.report.comparisons import Comparisons
from ml.backtest.report.cross import CROSS_SCORES, cross_section, cross_table
from ml.backtest.report.selection import Setting, TrialSet
from ml.backtest.statistics.score_definitions import SCORES
from ml.backtest.statistics.sharpe import WEEKS_PER_YEAR
from ml.types import OBJECTIVES
from tests.test_ml.test_backtest.test_report.conftest import DRAWS, POLICY_PATHS, policy_trials

DEVELOPMENT = Setting(("development_2002_2004", "development_2005_2007"))


@pytest.fixture(scope="module")
def figures(with_policy):
    return Comparisons(TrialSet(with_policy), draws=DRAWS)


@pytest.fixture(scope="module")
def found(figures):
    return cross_table(figures, DEVELOPMENT)


def _row(found, score, objective):
    return next(row for row in found.diagonal if (row.own.score, row.own.objective) == (score, objective))


def test_every_conditioning_has_every_score(found, figures):
    assert (found.strategy, found.objectives, len(found.cells)) == ("policy", OBJECTIVES, 6 * 7)
    assert [o for o, _ in CROSS_SCORES].count("capital_preservation") == 2
    for cell in found.cells:
        expected = figures.score(cell.score, cell.run, DEVELOPMENT)
        if cell.score == "tax_alpha_bp":
            lead = 1e4 * WEEKS_PER_YEAR * POLICY_PATHS[cell.given][2]
            assert cell.found.estimate == pytest.approx(lead, abs=1e-9)
        else:
            assert cell.found == expected


def test_the_best_of_each_column_by_hand(found):
    for row in found.diagonal:
        sign = 1 if SCORES[row.own.score].higher_is_better else -1
        column = [
            cell
            for cell in found.cells
            if (cell.objective, cell.score) == (row.own.objective, row.own.score) and not cell.is_void
        ]
        others = {cell.given: sign * cell.found.estimate for cell in column if cell.given != cell.objective}
        assert row.other.given == max(others, key=others.get)
        assert row.is_best == (sign * row.own.found.estimate > max(others.values()))
        assert row.difference.estimate == pytest.approx(
            row.own.found.estimate - row.other.found.estimate, abs=1e-9
        )


def test_a_short_term_gain_voids_one_column_alone(found):
    void = [(cell.given, cell.objective) for cell in found.cells if cell.is_void]
    assert void == [("long_term_gain", "long_term_gains_only")]
    # It grew most, and would have been the best of that column.
    assert _row(found, "after_tax_cagr_pct", "long_term_gain").is_best
    only = _row(found, "after_tax_cagr_pct", "long_term_gains_only")
    assert only.is_best and only.other.given != "long_term_gain"


def test_leads_over_twins_are_compared_without_the_noise_of_the_paths(found):
    row = _row(found, "tax_alpha_bp", "tax_loss_harvesting")
    assert row.difference.estimate == pytest.approx(1e4 * WEEKS_PER_YEAR * 2e-4)
    assert row.difference.upper95 - row.difference.lower95 < 1e-6
    assert found.against == "policy_without_harvesting"


def test_less_is_better_of_losses(found):
    for score in ("max_drawdown_pct", "cvar95_pct"):
        row = _row(found, score, "capital_preservation")
        assert row.is_best and row.is_within and row.difference.estimate < 0


def test_an_objective_with_two_scores_counts_only_if_both_do(found):
    assert set(found.best) <= set(found.within) and "capital_preservation" in found.best
    spoilt = tuple(
        replace(row, is_best=False) if row.own.score == "cvar95_pct" else row for row in found.diagonal
    )
    assert "capital_preservation" not in replace(found, diagonal=spoilt).best


def test_within_is_what_the_interval_does_not_rule_out(with_policy):
    """Under its own objective growth is as the best other's but for noise, then far below."""
    for drop, within in ((0.0, True), (-0.004, False)):
        shifted = [
            replace(t, wealth_usd=t.wealth_usd * np.exp((drop - 5e-4) * np.arange(len(t.wealth_usd))))
            if (t.key.strategy, t.key.objective) == ("policy", "long_term_gain")
            else t
            for t in with_policy
        ]
        found = cross_table(Comparisons(TrialSet(shifted), draws=DRAWS), DEVELOPMENT)
        row = _row(found, "after_tax_cagr_pct", "long_term_gain")
        assert (row.is_best, row.is_within) == (False, within)
        assert (row.difference.upper95 >= 0) == within


def test_an_own_score_that_is_void_is_neither_best_nor_within(trials):
    found = cross_table(Comparisons(TrialSet(trials), draws=DRAWS), DEVELOPMENT)
    row = _row(found, "after_tax_cagr_pct", "long_term_gains_only")
    assert found.strategy == "experts_fixed_router" and row.own.is_void
    assert not row.is_best and not row.is_within and np.isnan(row.difference.estimate)
    assert found.against == "equal_weight_monthly"


def test_an_objective_whose_others_are_all_void_says_so(with_policy):
    others = {"short_term_alpha", "short_term_gain", "capital_preservation", "tax_loss_harvesting"}
    chosen = [
        replace(t, voluntary_short_gain_usd=t.voluntary_short_gain_usd + 1)
        if t.key.objective in others
        else t
        for t in with_policy
    ]
    figures = Comparisons(TrialSet(chosen), draws=DRAWS)
    row = _row(cross_table(figures, DEVELOPMENT), "after_tax_cagr_pct", "long_term_gains_only")
    assert row.is_best and row.is_within and row.other is None
    told, _, diagonal = cross_section(figures, DEVELOPMENT.windows, "cross", "x").parts
    assert "long_term_gains_only is best because every other score is void." in told
    assert dict(diagonal.rows)["long_term_gains_only"][-1].text == "best: all others are void"


def test_the_first_of_several_seeds_is_shown_and_named(trials, with_policy):
    figures = Comparisons(TrialSet([*with_policy, *policy_trials(trials, seed=1)]), draws=DRAWS)
    found = cross_table(figures, DEVELOPMENT)
    assert found.seeds == (0, 1) and {cell.run.seed for cell in found.cells} == {0}
    section = cross_section(figures, DEVELOPMENT.windows, "cross", "x")
    assert "policy, seed 0, the first of 2:" in section.parts[1].caption


def test_the_section_says_how_many_are_best(found, figures):
    section = cross_section(figures, DEVELOPMENT.windows, "cross", "One strategy for six objectives")
    told, table, diagonal = section.parts
    assert f"in {len(found.best)} of 6" in told and f"in {len(found.within)} of 6" in told
    assert [name for name, _ in table.rows] == list(OBJECTIVES)
    for i in range(len(CROSS_SCORES)):
        assert sum(cells[i].is_clear for _, cells in table.rows) == 1
    assert len(diagonal.rows) == 7 and dict(diagonal.rows)["tax_loss_harvesting"][-1].text == "best"


def test_one_objective_is_no_cross_table(trials, with_policy):
    lone = [t for t in with_policy if t.key.objective in ("none", "long_term_gain")]
    figures = Comparisons(TrialSet(lone), draws=DRAWS)
    assert cross_table(figures, DEVELOPMENT) is None
    assert cross_section(figures, DEVELOPMENT.windows, "cross", "x") is None
    none = Comparisons(TrialSet([t for t in trials if t.key.objective == "none"]), draws=DRAWS)
    assert cross_table(none, DEVELOPMENT) is None
