import pytest
import torch

from ml.policy.gae import generalised_advantages, normalised_by_objective
from ml.policy.ppo import clipped_policy_loss, divergence


def plain_advantages(reward, value, gamma, lam):
    """Sum over all later weeks of (gamma lam)^j delta, by the definition."""
    weeks = len(reward)
    delta = [reward[t] + gamma * value[t + 1] - value[t] for t in range(weeks)]
    return [sum((gamma * lam) ** (j - t) * delta[j] for j in range(t, weeks)) for t in range(weeks)]


def test_advantages_are_the_plain_sums():
    g = torch.Generator().manual_seed(0)
    reward = torch.randn(7, 3, 6, generator=g, dtype=torch.float64)
    value = torch.randn(8, 3, 6, generator=g, dtype=torch.float64)
    gamma = torch.linspace(0.7, 0.99, 6, dtype=torch.float64)
    advantage, returns = generalised_advantages(reward, value, gamma, 0.9)
    for b in range(3):
        for k in range(6):
            plain = plain_advantages(reward[:, b, k], value[:, b, k], gamma[k], 0.9)
            assert advantage[:, b, k].tolist() == pytest.approx([float(x) for x in plain], abs=1e-12)
    assert torch.allclose(returns, advantage + value[:-1])


def test_lambda_of_one_is_the_discounted_return_with_its_bootstrap():
    reward, value = torch.ones(4, 1, 1), torch.zeros(5, 1, 1)
    value[-1] = 10.0
    _, returns = generalised_advantages(reward, value, torch.tensor([0.5]), 1.0)
    assert returns[:, 0, 0].tolist() == pytest.approx([1 + 0.5 + 0.25 + 0.125 + 10 / 16, 3.0, 4.0, 6.0])


def test_advantages_are_normalised_within_each_objective():
    g = torch.Generator().manual_seed(1)
    mix = torch.eye(6)[torch.arange(60) % 6]
    advantage = torch.randn(9, 60, 6, generator=g) * torch.logspace(-3, 3, 6) + torch.arange(6)
    judged = normalised_by_objective(advantage, mix)
    for k in range(6):
        mine = judged[:, mix[:, k] == 1]
        assert float(mine.mean()) == pytest.approx(0.0, abs=1e-4)
        assert float(mine.std(unbiased=False)) == pytest.approx(1.0, abs=1e-4)


def test_the_surrogate_is_clipped_by_hand():
    ratio = torch.tensor([0.5, 1.0, 1.5, 0.5, 1.5])
    advantage = torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0])
    loss, fraction = clipped_policy_loss(ratio.log(), torch.zeros(5), advantage, 0.2)
    assert float(loss) == pytest.approx(-(0.5 + 1.0 + 1.2 - 0.8 - 1.5) / 5)
    assert float(fraction) == pytest.approx(0.8)


def test_the_divergence_is_zero_at_the_target_and_finite_at_zero_weights():
    target = torch.tensor([[0.5, 0.5, 0.0]])
    assert float(divergence(target, target)) == pytest.approx(0.0, abs=1e-7)
    assert torch.isfinite(divergence(target, torch.tensor([[1.0, 0.0, 0.0]]))).all()


# The first pair has a product that float32 holds: then not even the discount is rounded differently.
@pytest.mark.parametrize(("gamma", "lam", "to_the_bit"), [(0.96875, 0.9375, True), (0.97, 0.95, False)])
def test_advantages_equal_torchrls(gamma, lam, to_the_bit):
    functional = pytest.importorskip("torchrl.objectives.value.functional")
    g = torch.Generator().manual_seed(2)
    reward, value = torch.randn(12, 5, 1, generator=g), torch.randn(13, 5, 1, generator=g)
    done = torch.zeros(5, 12, 1, dtype=torch.bool)
    ours = generalised_advantages(reward, value, torch.tensor([gamma]), lam)
    theirs = functional.generalized_advantage_estimate(
        gamma, lam, value[:-1].transpose(0, 1), value[1:].transpose(0, 1), reward.transpose(0, 1), done, done
    )
    for mine, other in zip(ours, theirs, strict=True):
        tolerance = 0.0 if to_the_bit else 1e-6
        torch.testing.assert_close(mine.transpose(0, 1), other, rtol=0.0, atol=tolerance)
