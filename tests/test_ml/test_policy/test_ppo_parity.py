"""Whole PPO updates equal torchrl's to the bit: loss, backward, clipped gradient, Adam, several minibatches."""

import copy
import warnings
from dataclasses import fields

import pytest
import torch

from ml.policy.config import LossWeights, PolicyConfig
from ml.policy.dirichlet import MaskedDirichlet
from ml.policy.model import MoEPolicy
from ml.policy.observation import Observation
from ml.policy.ppo import PpoBatch, act_distribution, descend, ppo_loss
from tests.test_ml.test_policy.policy_helpers import random_observation

# Powers of two, so that a mean of quotients is the quotient of a mean, to the bit.
ROWS, ASSETS, BATCH = 128, 7, 32
RATE, CLIP, CLIP_NORM, ENTROPY, VALUE = 3e-3, 0.2, 0.5, 0.25, 0.5
TERMS_OF_TORCHRL = LossWeights(VALUE, (ENTROPY, ENTROPY), (0.0, 0.0), 0.0, 0.0, 0.0)


@pytest.fixture(autouse=True)
def deterministic():
    """One thread and deterministic algorithms."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def experience(model: MoEPolicy, objective: int, seed: int) -> PpoBatch:
    """Decisions of an earlier policy, all assets tradeable, all portfolios of one objective."""
    seen = random_observation(ROWS, ASSETS, seed)
    mix = torch.eye(6)[torch.full((ROWS,), objective)]
    seen = Observation(
        **{one.name: getattr(seen, one.name) for one in fields(seen)}
        | {"mix": mix, "is_tradeable": torch.ones(ROWS, ASSETS, dtype=torch.bool)}
    )
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        acts = act_distribution(model, model(seen), seen)
        share = acts.sample(g)
        # Some ratios beyond the clip on either side.
        old = acts.log_prob(share) + 0.3 * torch.randn(ROWS, generator=g)
    return PpoBatch(
        seen,
        share,
        old,
        torch.randn(ROWS, generator=g),
        torch.randn(ROWS, 6, generator=g),
        share,
        torch.full((ROWS, 4), 0.25),
    )


class Shared(torch.nn.Module):
    """Our network for torchrl: the actor runs it, the critic reads the value of the same pass."""

    def __init__(self, model: MoEPolicy, objective: int) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, *parts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen = Observation(*parts)
        output = self.model(seen)
        return act_distribution(self.model, output, seen).alpha, output.value[
            :, self.objective : self.objective + 1
        ]


class Passed(torch.nn.Module):
    """The critic: what the actor's pass has left."""

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return value.view_as(value)


def their_loss_of(model: MoEPolicy, objective: int):
    """torchrl's loss around our network; the Dirichlet is torch's."""
    from tensordict.nn import TensorDictModule
    from torchrl.modules import ProbabilisticActor
    from torchrl.objectives import ClipPPOLoss

    keys = [one.name for one in fields(Observation)]
    actor = ProbabilisticActor(
        TensorDictModule(Shared(model, objective), in_keys=keys, out_keys=["concentration", "seen_value"]),
        in_keys=["concentration"],
        out_keys=["action"],
        distribution_class=torch.distributions.Dirichlet,
        return_log_prob=True,
    )
    critic = TensorDictModule(Passed(), in_keys=["seen_value"], out_keys=["state_value"])
    return ClipPPOLoss(
        actor,
        critic,
        clip_epsilon=CLIP,
        entropy_coeff=ENTROPY / (ASSETS + 1),
        critic_coeff=VALUE,
        loss_critic_type="l2",
        normalize_advantage=False,
        functional=False,
    )


def as_theirs(batch: PpoBatch, objective: int):
    from tensordict import TensorDict

    rows = len(batch.share)
    return TensorDict(
        {one.name: getattr(batch.seen, one.name) for one in fields(Observation)}
        | {
            "action": batch.share,
            "action_log_prob": batch.log_prob,
            "advantage": batch.advantage[:, None],
            "value_target": batch.returns[:, objective : objective + 1],
        },
        [rows],
    )


@pytest.mark.parametrize(("objective", "seed"), [(0, 0), (3, 1), (5, 2)])
def test_whole_updates_equal_torchrls_to_the_bit(objective, seed):
    pytest.importorskip("torchrl")
    torch.manual_seed(seed)
    ours = MoEPolicy(PolicyConfig(hidden=16, head_hidden=8))
    theirs, before = copy.deepcopy(ours), copy.deepcopy(ours)
    our_adam = torch.optim.Adam(ours.parameters(), lr=RATE)
    their_adam = torch.optim.Adam(theirs.parameters(), lr=RATE)
    data = experience(ours, objective, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = their_loss_of(theirs, objective)
    order = torch.randperm(ROWS, generator=torch.Generator().manual_seed(seed))
    clipped = []
    for epoch in range(2):
        for rows in order.split(BATCH):
            batch = data.take(rows)
            loss, terms = ppo_loss(ours, batch, TERMS_OF_TORCHRL, CLIP, 0.0)
            descend(ours, our_adam, loss, RATE, CLIP_NORM)

            parts = peer(as_theirs(batch, objective))
            their_adam.zero_grad()
            (parts["loss_objective"] + parts["loss_critic"] + parts["loss_entropy"]).backward()
            norm = torch.nn.utils.clip_grad_norm_(theirs.parameters(), CLIP_NORM)
            their_adam.step()

            assert torch.equal(terms["policy"], parts["loss_objective"])
            assert torch.equal(VALUE * terms["value_loss"], parts["loss_critic"])
            assert torch.equal(-ENTROPY * terms["entropy"], parts["loss_entropy"])
            assert 0 < float(terms["clip_fraction"]) < 1
            clipped.append(float(norm) > CLIP_NORM)
            other = dict(theirs.named_parameters())
            differ = [name for name, one in ours.named_parameters() if not torch.equal(one, other[name])]
            assert not differ, f"epoch {epoch}: {differ}"
    assert any(clipped)
    moved = [not torch.equal(a, b) for a, b in zip(ours.parameters(), before.parameters(), strict=True)]
    assert sum(moved) > len(moved) // 2


def test_a_masked_density_is_that_of_the_entries_inside():
    g = torch.Generator().manual_seed(3)
    mean, mask = torch.rand(5, 8, generator=g), torch.rand(5, 8, generator=g) < 0.6
    mask[:, -1] = True
    acts = MaskedDirichlet.around(mean, torch.full((5,), 40.0), mask)
    share = acts.sample(g)
    for row in range(5):
        inside = torch.distributions.Dirichlet(acts.alpha[row][mask[row]].double())
        of_row = share[row][mask[row]].double()
        value = float(inside.log_prob(of_row / of_row.sum()))
        assert float(acts.log_prob(share)[row]) == pytest.approx(value, rel=1e-4, abs=1e-4)
        assert float(acts.entropy()[row]) == pytest.approx(float(inside.entropy()), rel=1e-4, abs=1e-4)
