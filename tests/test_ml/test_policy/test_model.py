import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.policy.config import PolicyConfig
from ml.policy.dirichlet import MaskedDirichlet
from ml.policy.model import MoEPolicy, mean_weights
from ml.policy.observation import Observation
from tests.test_ml.test_policy.policy_helpers import random_observation


@pytest.fixture(scope="module")
def model() -> MoEPolicy:
    torch.manual_seed(0)
    return MoEPolicy(PolicyConfig(hidden=32, head_hidden=16)).eval()


def test_z_of_zero_holds_exactly():
    seen = random_observation(20, 7)
    held = mean_weights(torch.zeros(20, 7), torch.zeros(20), seen, 6.0)
    assert torch.allclose(held, seen.weight, atol=1e-7)


def test_a_target_is_reached_by_the_z_that_it_asks_for():
    """Held: z = log(target / w); unheld: z = N target, as far as the clamp allows."""
    seen = random_observation(50, 7, seed=1)
    seen = Observation(
        **{**{n: getattr(seen, n) for n in seen.__slots__}, "is_tradeable": torch.ones(50, 7) > 0}
    )
    goal = torch.softmax(torch.randn(50, 8, generator=torch.Generator().manual_seed(2)), -1)
    w, target = seen.weight[:, :-1], goal[:, :-1]
    held = w > 0
    scale = 7.0
    low = torch.log((target / w.clamp(min=1e-12)).clamp(min=1e-9))
    # A held asset that is bought gets w exp(z) + z / N: solve for z by bisection.
    lo, hi = torch.minimum(low, torch.zeros_like(low)) - 1, torch.full_like(low, 6.0)
    for _ in range(60):
        mid = (lo + hi) / 2
        value = w * mid.exp() + mid.relu() / scale
        lo, hi = torch.where(value < target, mid, lo), torch.where(value < target, hi, mid)
    z = torch.where(held, lo, scale * target)
    cash, wanted = seen.weight[:, -1], goal[:, -1]
    lo, hi = torch.full_like(cash, -6), torch.full_like(cash, 6)
    for _ in range(60):
        mid = (lo + hi) / 2
        value = cash * mid.exp() + 0.1 * mid.relu()
        lo, hi = torch.where(value < wanted, mid, lo), torch.where(value < wanted, hi, mid)
    found = mean_weights(z, lo, seen, 6.0)
    assert (found - goal).abs().max() < 2e-3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 60))
def test_mean_weights_are_a_portfolio_and_leave_the_untradeable_alone(seed, size):
    seen = random_observation(8, 6, seed)
    z = torch.randn(8, 6, generator=torch.Generator().manual_seed(seed)) * size
    found = mean_weights(z, z[:, 0], seen, 6.0)
    assert torch.isfinite(found).all()
    assert (found >= 0).all()
    assert torch.allclose(found.sum(1), torch.ones(8), atol=1e-5)
    stuck = ~seen.is_tradeable
    assert torch.allclose(found[:, :-1][stuck], seen.weight[:, :-1][stuck], atol=1e-6)


def test_permuting_assets_permutes_actions_and_nothing_else(model):
    seen = random_observation(10, 8)
    order = torch.randperm(8, generator=torch.Generator().manual_seed(1))
    with_cash = torch.cat([order, torch.tensor([8])])
    shuffled = Observation(
        seen.embedding[:, order],
        seen.position[:, order],
        seen.account,
        seen.mix,
        seen.regime,
        seen.weight[:, with_cash],
        seen.is_tradeable[:, order],
    )
    one, two = model(seen), model(shuffled)
    ours, theirs = model.mean_action(one, seen), model.mean_action(two, shuffled)
    assert torch.allclose(ours[:, with_cash], theirs, atol=1e-6)
    assert torch.allclose(one.value, two.value, atol=1e-5)


def test_a_shared_embedding_row_equals_the_same_row_for_each(model):
    seen = random_observation(5, 6)
    shared = Observation(**{n: getattr(seen, n) for n in seen.__slots__} | {"embedding": seen.embedding[:1]})
    each = Observation(
        **{n: getattr(seen, n) for n in seen.__slots__} | {"embedding": seen.embedding[:1].expand(5, -1, -1)}
    )
    assert torch.allclose(model(shared).logits, model(each).logits, atol=1e-6)


def test_the_mixture_weighs_the_experts_logits(model):
    seen = random_observation(5, 6)
    out = model(seen)
    by_hand = sum(out.experts[:, k, None, None] * out.expert_logits[:, k] for k in range(4))
    assert torch.allclose(out.logits, by_hand, atol=1e-6)
    assert torch.allclose(out.experts.sum(1), torch.ones(5), atol=1e-6)
    assert ((out.kappa >= 10) & (out.kappa <= 1e4)).all()


def test_the_masked_dirichlet_is_torchs_on_the_mask():
    g = torch.Generator().manual_seed(0)
    mean = torch.rand(6, 5, generator=g) + 0.05
    mask = torch.ones(6, 5, dtype=torch.bool)
    mask[:, 2] = False
    ours = MaskedDirichlet.around(mean, torch.full((6,), 40.0), mask)
    share = ours.sample(g)
    assert (share[:, 2] == 0).all()
    assert torch.allclose(share.sum(1), torch.ones(6), atol=1e-6)
    kept = [0, 1, 3, 4]
    theirs = torch.distributions.Dirichlet(ours.alpha[:, kept].double())
    assert torch.allclose(ours.log_prob(share).double(), theirs.log_prob(share[:, kept].double()), atol=1e-4)
    assert torch.allclose(ours.entropy().double(), theirs.entropy(), atol=1e-4)


def test_samples_have_the_mean_of_the_action():
    mean = torch.tensor([[0.5, 0.3, 0.0, 0.2]]).expand(20_000, -1)
    mask = torch.tensor([True, True, False, True]).expand_as(mean)
    acts = MaskedDirichlet.around(mean, torch.full((20_000,), 50.0), mask)
    found = acts.sample(torch.Generator().manual_seed(3)).mean(0)
    assert torch.allclose(found, mean[0], atol=0.005)
