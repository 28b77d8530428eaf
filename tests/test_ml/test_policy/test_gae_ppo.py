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


def test_advantages_equal_torchrls():
    functional = pytest.importorskip("torchrl.objectives.value.functional")
    g = torch.Generator().manual_seed(2)
    reward, value = torch.randn(12, 5, 1, generator=g), torch.randn(13, 5, 1, generator=g)
    done = torch.zeros(5, 12, 1, dtype=torch.bool)
    ours, ours_returns = generalised_advantages(reward, value, torch.tensor([0.97]), 0.95)
    theirs, their_returns = functional.generalized_advantage_estimate(
        0.97, 0.95, value[:-1].transpose(0, 1), value[1:].transpose(0, 1), reward.transpose(0, 1), done, done
    )
    assert torch.allclose(ours.transpose(0, 1), theirs, atol=1e-6)
    assert torch.allclose(ours_returns.transpose(0, 1), their_returns, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_loss_and_gradient_equal_torchrls():
    objectives = pytest.importorskip("torchrl.objectives")
    from tensordict import TensorDict
    from tensordict.nn import TensorDictModule
    from torchrl.modules import ProbabilisticActor, ValueOperator

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Softplus())
    actor = ProbabilisticActor(
        TensorDictModule(network, in_keys=["observation"], out_keys=["concentration"]),
        in_keys=["concentration"],
        out_keys=["action"],
        distribution_class=torch.distributions.Dirichlet,
        return_log_prob=True,
    )
    critic = ValueOperator(torch.nn.Linear(3, 1), in_keys=["observation"])
    theirs = objectives.ClipPPOLoss(
        actor, critic, clip_epsilon=0.2, entropy_bonus=False, normalize_advantage=False
    )
    x, advantage = torch.randn(32, 3), torch.randn(32, 1)
    action = torch.distributions.Dirichlet(torch.ones(4)).sample((32,))
    old = torch.distributions.Dirichlet(network(x) + 0.1).log_prob(action).detach()
    data = TensorDict(
        {
            "observation": x,
            "action": action,
            "action_log_prob": old,
            "advantage": advantage,
            "value_target": torch.zeros(32, 1),
        },
        [32],
    )
    their_loss = theirs(data)["loss_objective"]
    their_loss.backward()
    parameters = theirs.actor_network_params.flatten_keys().values()
    their_gradients = {p.shape: p.grad.clone() for p in parameters if p.grad is not None}
    network.zero_grad()
    log_prob = torch.distributions.Dirichlet(network(x)).log_prob(action)
    our_loss, _ = clipped_policy_loss(log_prob, old, advantage[:, 0], 0.2)
    our_loss.backward()
    assert torch.equal(our_loss, their_loss)
    assert len(their_gradients) == 2
    for p in network.parameters():
        assert torch.allclose(p.grad, their_gradients[p.shape], atol=1e-6)
