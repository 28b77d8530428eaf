"""The batched fit equals peft's, its gradients autograd's, and no user depends on another."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.personalization.fit import FitConfig, fit_adapters
from ml.personalization.likelihood import (
    decision_losses,
    logit_gradient,
    mixed_log_p,
    responsibilities,
)
from ml.personalization.lora import ADAPTER_SIZE, Head, adapted_logits, pack, start_down, unpack


def head_of(seed: int) -> Head:
    rng = np.random.default_rng(seed)
    return Head(rng.normal(0, 0.3, (6, 32)).astype(np.float32), rng.normal(0, 0.3, 6).astype(np.float32))


def decisions_of(seed: int, counts: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = sum(counts)
    x = np.clip(rng.standard_normal((rows, 32)), -3, 3).astype(np.float32)
    log_p = rng.normal(-2, 0.7, (rows, 7))
    weights = rng.choice([0.25, 1.0], rows)
    return x, log_p, np.repeat(np.arange(len(counts)), counts), weights


def fit_with_peft(x, log_p, weights, head, config, seed) -> np.ndarray:
    """The slow way: one nn.Linear under LoraConfig(r=2, lora_alpha=2), autograd, torch's Adam."""
    dtype = getattr(torch, config.dtype)
    from peft import LoraConfig, get_peft_model

    class Base(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(32, 6)

        def forward(self, rows):
            return self.head(rows)

    base = Base()
    with torch.no_grad():
        base.head.weight.copy_(torch.from_numpy(head.weight))
        base.head.bias.copy_(torch.from_numpy(head.bias))
    model = get_peft_model(base, LoraConfig(r=2, lora_alpha=2, target_modules=["head"])).to(dtype)
    down, up = (getattr(base.head, name)["default"].weight for name in ("lora_A", "lora_B"))
    with torch.no_grad():
        down.copy_(start_down(seed))
    assert not up.any()
    assert [p for p in model.parameters() if p.requires_grad] == [down, up]
    likelihood = torch.from_numpy(mixed_log_p(log_p, config.random_share)).to(dtype)
    weight = torch.from_numpy(weights).to(dtype)
    adam = torch.optim.Adam([down, up], lr=config.learning_rate)
    for _ in range(config.steps):
        adam.zero_grad()
        share = torch.log_softmax(model(torch.from_numpy(x).to(dtype)), dim=1)
        loss = -(weight * torch.logsumexp(share + likelihood, dim=1)).sum()
        (loss + config.l2 * (down.square().sum() + up.square().sum())).backward()
        adam.step()
    return np.concatenate([down.detach().numpy().ravel(), up.detach().numpy().ravel()])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("l2", [0.01, 1.0])
def test_equals_peft(l2, dtype):
    counts = [64, 5, 70, 1]
    x, log_p, user, weights = decisions_of(3, counts)
    config, head = FitConfig(l2=l2, dtype=dtype), head_of(3)
    fitted = fit_adapters(x, log_p, user, weights, head, config, seed=11)
    mixed = mixed_log_p(log_p, config.random_share)
    for number in range(len(counts)):
        at = user == number
        expected = fit_with_peft(x[at], log_p[at], weights[at], head, config, 11)
        np.testing.assert_allclose(fitted.values[number], expected, atol=1e-6, rtol=0)
        logits = adapted_logits(x[at], user[at] * 0, head, expected[None, :])
        loss = np.average(decision_losses(logits, mixed[at]), weights=weights[at])
        assert fitted.loss_after[number] == pytest.approx(loss, abs=1e-6)


# Every length up to 40: short products take other kernels, for one user and for many.
@pytest.mark.skipif(
    not torch.backends.mkl.is_available(), reason="kernels of another BLAS sum in another order"
)
@pytest.mark.parametrize("seed", [0, 1])
def test_has_the_bits_of_peft_in_float32(seed):
    counts = [*range(1, 41), 1, 5, 8, 33, 64, 64, 71, 72, 128, 200, 250]
    x, log_p, user, weights = decisions_of(seed, counts)
    config, head = FitConfig(steps=20, l2=(0.01, 1.0)[seed]), head_of(seed)
    fitted = fit_adapters(x, log_p, user, weights, head, config, seed)
    for number in range(len(counts)):
        at = user == number
        expected = fit_with_peft(x[at], log_p[at], weights[at], head, config, seed)
        np.testing.assert_array_equal(fitted.values[number], expected, err_msg=f"{counts[number]} decisions")


def test_start_is_peft_s_draw():
    torch.manual_seed(4)
    weight = torch.empty(2, 32)
    torch.nn.init.kaiming_uniform_(weight, a=5**0.5)
    torch.testing.assert_close(start_down(4), weight, rtol=0, atol=0)


def test_gradient_is_share_less_responsibility():
    rng = np.random.default_rng(0)
    logits, log_p = rng.normal(size=(3, 9, 6)), rng.normal(-3, 2, size=(3, 9, 6))
    weights = rng.random((3, 9))
    share = torch.softmax(torch.from_numpy(logits), -1).numpy()
    blame = responsibilities(logits.reshape(-1, 6), log_p.reshape(-1, 6)).reshape(3, 9, 6)
    found = logit_gradient(*(torch.from_numpy(one) for one in (logits, log_p, weights)))
    np.testing.assert_allclose(found, weights[..., None] * (share - blame), rtol=1e-9, atol=1e-12)


def test_neither_order_nor_company_of_users_matters():
    counts = [20, 64, 3, 33, 64, 0, 17]
    x, log_p, user, weights = decisions_of(5, counts)
    head, config = head_of(5), FitConfig(block_rows=128)
    whole = fit_adapters(x, log_p, user, weights, head, config, seed=1)
    renamed = np.array([6, 2, 4, 0, 1, 3, 5])
    rows = np.random.default_rng(0).permutation(len(x))
    other = fit_adapters(
        x[rows], log_p[rows], renamed[user[rows]], weights[rows], head, config, seed=1, users=7
    )
    np.testing.assert_allclose(other.values[renamed], whole.values, atol=1e-6, rtol=0)
    np.testing.assert_allclose(other.loss_after[renamed], whole.loss_after, atol=1e-6)
    at = user == 3
    alone = fit_adapters(x[at], log_p[at], user[at] - 3, weights[at], head, config, seed=1)
    np.testing.assert_allclose(alone.values[0], whole.values[3], atol=1e-6, rtol=0)
    # Twice the same is bit for bit the same.
    again = fit_adapters(x, log_p, user, weights, head, config, seed=1)
    np.testing.assert_array_equal(again.values, whole.values)


def test_a_user_without_evidence_keeps_the_shared_head():
    x, log_p, user, weights = decisions_of(6, [8, 8])
    weights[:8] = 0.0
    head = head_of(6)
    fitted = fit_adapters(x, log_p, user, weights, head, FitConfig(), seed=0, users=3)
    down, up = unpack(fitted.values)
    assert not up[0].any() and not up[2].any() and up[1].any()
    np.testing.assert_array_equal(down[0], start_down(0).numpy())
    assert fitted.n_decisions.tolist() == [0, 8, 0]
    assert np.isnan(fitted.loss_after[0]) and fitted.loss_after[1] < fitted.loss_before[1]
    np.testing.assert_allclose(
        adapted_logits(x[:8], user[:8], head, fitted.values), head.logits(x[:8]), atol=1e-6
    )


def test_fit_learns_what_choices_say():
    x, log_p, user, weights = decisions_of(7, [200])
    log_p[:] = -2.0
    log_p[:, 4] = -1.0
    head = Head(np.zeros((6, 32), np.float32), np.zeros(6, np.float32))
    x[:, 0] = 2.0
    fitted = fit_adapters(x, log_p, user, weights, head, FitConfig(l2=0.01), seed=0)
    logits = adapted_logits(x, user, head, fitted.values)
    mean = responsibilities(logits, mixed_log_p(log_p, 0.1)).mean(axis=0)
    assert mean.argmax() == 4 and mean[4] > 0.5


def test_tolerance_stops_early():
    x, log_p, user, weights = decisions_of(8, [30])
    head = head_of(8)
    stopped = fit_adapters(x, log_p, user, weights, head, FitConfig(tolerance=1e9), seed=0)
    assert not unpack(stopped.values)[1].any()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.floats(0.0, 1.0))
def test_responsibilities_are_distributions_and_losses_bounded(seed, rows, random_share):
    rng = np.random.default_rng(seed)
    logits, log_p = rng.normal(0, 5, (rows, 6)), rng.normal(-10, 8, (rows, 7))
    mixed = mixed_log_p(log_p, random_share)
    assert (mixed <= log_p.max(axis=1)[:, None] + 1e-9).all()
    share = responsibilities(logits, mixed)
    np.testing.assert_allclose(share.sum(axis=1), 1.0, atol=1e-12)
    losses = decision_losses(logits, mixed)
    assert (-losses <= mixed.max(axis=1) + 1e-9).all() and (-losses >= mixed.min(axis=1) - 1e-9).all()


def test_pack_and_unpack_are_inverse():
    values = np.random.default_rng(1).standard_normal((4, ADAPTER_SIZE)).astype(np.float32)
    down, up = unpack(values)
    np.testing.assert_array_equal(pack(torch.from_numpy(down.copy()), torch.from_numpy(up.copy())), values)


def test_errors_name_the_decision():
    x, log_p, user, weights = decisions_of(9, [4, 4])
    head = head_of(9)
    with pytest.raises(ValueError, match=r"decision 5 \(user 1\) is not finite"):
        fit_adapters(
            np.where(np.arange(8)[:, None] == 5, np.nan, x), log_p, user, weights, head, FitConfig(), 0
        )
    with pytest.raises(ValueError, match="below 0"):
        fit_adapters(x, log_p, user, weights - 2, head, FitConfig(), 0)
    with pytest.raises(ValueError, match="expected"):
        fit_adapters(x[:, :31], log_p, user, weights, head, FitConfig(), 0)
    with pytest.raises(ValueError, match="random_share 2"):
        mixed_log_p(log_p, 2.0)
    with pytest.raises(ValueError, match="76"):
        unpack(np.zeros((2, 75)))
    with pytest.raises(ValueError, match="head of shapes"):
        Head(np.zeros((6, 31)), np.zeros(6))
