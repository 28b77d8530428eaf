"""Co-movement against a plain loop, and what it may not depend on."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.encoder.layers import comovement


def market(seed=0, assets=9, days=64, labels=3):
    """One date: assets of a label share a factor; some days are unknown, the last asset is padding."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, labels, assets)
    wide = rng.standard_normal(days)
    factors = rng.standard_normal((labels, days))
    returns = wide + factors[label] + 0.3 * rng.standard_normal((assets, days))
    known = rng.random((assets, days)) > 0.1
    flags = np.eye(labels)[label]
    flags[rng.random(assets) < 0.3] = 0
    is_asset = np.arange(assets) < assets - 1
    arrays = (returns, np.broadcast_to(wide, returns.shape), known, flags, is_asset)
    return [torch.from_numpy(np.ascontiguousarray(one))[None] for one in arrays]


def by_loop(returns, wide, known, flags, is_asset):
    n, f = flags.shape
    unit = np.zeros_like(returns)
    for i in range(n):
        use = known[i] & is_asset[i]
        if use.any():
            slope = (returns[i, use] @ wide[i, use]) / (wide[i, use] @ wide[i, use])
            unit[i, use] = returns[i, use] - slope * wide[i, use]
            unit[i] /= np.linalg.norm(unit[i])
    out = np.zeros((n, f))
    for i in range(n):
        for k in range(f):
            others = [j for j in range(n) if j != i and is_asset[j] and flags[j, k]]
            total = sum((unit[j] for j in others), np.zeros(returns.shape[1]))
            out[i, k] = unit[i] @ total / np.sqrt(total @ total + 1)
    return out


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_it_is_that_of_a_loop(seed):
    inputs = market(seed)
    expected = by_loop(*(one[0].numpy() for one in inputs))
    np.testing.assert_allclose(comovement(*inputs)[0].numpy(), expected, atol=1e-9)


def test_it_names_the_label_of_assets_whose_flag_is_hidden():
    returns, wide, known, flags, is_asset = market(seed=3, assets=60)
    true = flags.clone()
    flags[0, ::2] = 0
    found = comovement(returns, wide, known, flags, is_asset)[0, ::2]
    told = true[0, ::2].sum(-1) > 0
    told[-1] = False
    right = found.argmax(-1)[told] == true[0, ::2].argmax(-1)[told]
    assert right.double().mean() > 0.95


def test_an_asset_does_not_move_with_itself():
    returns, wide, known, flags, is_asset = market()
    flags[:] = 0
    flags[0, 2, 1] = 1
    found = comovement(returns, wide, known, flags, is_asset)
    assert found[0, 2, 1] == pytest.approx(0, abs=1e-9)
    assert found[0, 3, 1].abs() > 0.01


def test_scale_padding_and_unknown_days_decide_nothing():
    returns, wide, known, flags, is_asset = market()
    expected = comovement(returns, wide, known, flags, is_asset)
    junk = torch.where(known & is_asset[..., None], returns * 7, torch.nan)
    flags[0, -1] = 1
    torch.testing.assert_close(comovement(junk, wide, known, flags, is_asset), expected)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
    permuted = comovement(*(one[:, order] for one in (returns, wide, known, flags, is_asset)))
    torch.testing.assert_close(permuted, expected[:, order])
    nothing = comovement(returns, wide, torch.zeros_like(known), flags, is_asset)
    assert (nothing == 0).all()
