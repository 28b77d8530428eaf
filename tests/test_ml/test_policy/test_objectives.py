"""The fixed router, the tax-deferred fallback and the mask rule."""

import numpy as np
import pytest

from ml.policy.objectives import (
    EXPERT_MIX_MATRIX,
    OBJECTIVE_SPECS,
    blend_targets,
    effective_mix,
    expert_weights,
    long_term_gains_only_in_force,
)
from ml.types import EXPERTS, OBJECTIVES


def test_specs_cover_the_objectives_in_order():
    assert tuple(OBJECTIVE_SPECS) == OBJECTIVES
    assert [OBJECTIVE_SPECS[o].horizon_sessions for o in OBJECTIVES[:3]] == [21, 63, 756]
    assert OBJECTIVE_SPECS["short_term_alpha"].gamma == pytest.approx(0.788127, abs=1e-6)  # exp(-5/21)


def test_router_rows_are_simplices_led_by_the_obvious_expert():
    np.testing.assert_allclose(EXPERT_MIX_MATRIX.sum(axis=1), 1.0, atol=1e-15)
    leaders = dict(zip(OBJECTIVES, np.array(EXPERTS)[EXPERT_MIX_MATRIX.argmax(axis=1)], strict=True))
    assert leaders["short_term_alpha"] == leaders["short_term_gain"] == "momentum"
    assert leaders["long_term_gain"] == "growth"
    assert leaders["capital_preservation"] == "defensive"
    assert leaders["tax_loss_harvesting"] == "tax_aware"


def test_blend_by_hand():
    # Half alpha, half preservation: experts (.40, .10, .45, .05).
    mix = np.array([[0.5, 0, 0, 0.5, 0, 0]])
    targets = np.zeros((1, 4, 3))
    targets[0, 0] = [1, 0, 0]
    targets[0, 1] = [0, 1, 0]
    targets[0, 2] = [0, 0, 1]
    targets[0, 3] = [0.5, 0.5, 0]
    blended, experts = blend_targets(targets, mix)
    np.testing.assert_allclose(experts, [[0.40, 0.10, 0.45, 0.05]], atol=1e-15)
    np.testing.assert_allclose(blended, [[0.425, 0.125, 0.45]], atol=1e-15)


def test_tax_deferred_accounts_move_harvesting_to_growth():
    mix = np.array([[0.1, 0.1, 0.2, 0.1, 0.4, 0.1]] * 2)
    moved = effective_mix(mix, np.array([False, True]))
    np.testing.assert_allclose(moved[0], mix[0])
    np.testing.assert_allclose(moved[1], [0.1, 0.1, 0.6, 0.1, 0.0, 0.1])
    assert mix[1, 4] == 0.4  # the input is left alone


@pytest.mark.parametrize("row", [[1.2, -0.2, 0, 0, 0, 0], [0.5, 0, 0, 0, 0, 0], [np.nan, 1, 0, 0, 0, 0]])
def test_a_row_that_is_no_mix_is_refused(row):
    with pytest.raises(ValueError, match="mix row 0"):
        expert_weights(np.array([row]))


def test_mask_rule():
    mix = np.array(
        [
            [0.1, 0.1, 0.2, 0.1, 0.1, 0.4],  # strictly largest
            [0.1, 0.0, 0.4, 0.1, 0.0, 0.4],  # a tie does not bind
            [0.0, 0.0, 1.0, 0.0, 0.0, 0.0],  # the intent binds
            [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],  # but never where no tax is due
        ]
    )
    avoid = np.array([False, False, True, True])
    deferred = np.array([False, False, False, True])
    assert long_term_gains_only_in_force(mix, avoid, deferred).tolist() == [True, False, True, False]
