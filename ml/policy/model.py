"""The policy network: a shared trunk, four expert heads, an intent router and six value heads.

What belongs here: from observations to logits, to the mean action and to values. What does not: the
distribution that PPO acts with (``dirichlet.py``), losses (``ppo.py``, ``warm_start.py``).

The network is permutation-equivariant in the assets: an asset sees itself, the account and two pooled
vectors, one over tradeable assets and one weighted by what is held. Nothing knows a name or a position.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import nn
from torch.nn.functional import silu

from ml.policy.config import PolicyConfig
from ml.policy.market_window import EMBEDDING_SIZE, REGIME_FEATURES
from ml.policy.observation import Observation
from ml.policy.state import ACCOUNT_FEATURES, MAX_LOGIT, POSITION_FEATURES
from ml.types import ACTIONS, EXPERTS, OBJECTIVES

BUY, HOLD, SELL = (ACTIONS.index(name) for name in ("buy", "hold", "sell"))
CASH_SCALE: Final = 0.1
"""What a cash z of 1 adds to the cash weight before normalising: unlike an asset's, not 1 / N."""
KAPPA_MIN, KAPPA_MAX = 10.0, 1e4
_EMPTY: Final = 1e-12


@dataclass(frozen=True, slots=True)
class PolicyOutput:
    """What the network says of B decisions.

    Attributes
    ----------
    expert_logits : Tensor of shape (B, 4, N, 3)
        Buy, hold, sell of each expert.
    expert_cash : Tensor of shape (B, 4)
        z of cash of each expert.
    router_logits : Tensor of shape (B, 4)
    value : Tensor of shape (B, 6)
        Return of each objective in units of ``return_scale``.
    kappa : Tensor of shape (B,)
        Concentration of the Dirichlet.
    """

    expert_logits: torch.Tensor
    expert_cash: torch.Tensor
    router_logits: torch.Tensor
    value: torch.Tensor
    kappa: torch.Tensor

    @property
    def experts(self) -> torch.Tensor:
        """Share of each expert, (B, 4)."""
        return torch.softmax(self.router_logits, -1)

    @property
    def logits(self) -> torch.Tensor:
        """Buy, hold and sell logits of the mixture, (B, N, 3): l = sum_k e_k l_k."""
        return torch.einsum("bk,bkna->bna", self.experts, self.expert_logits)

    @property
    def cash_z(self) -> torch.Tensor:
        """Mixed z of cash, (B,)."""
        return (self.experts * self.expert_cash).sum(-1)


class MoEPolicy(nn.Module):
    """Mixture-of-experts actor-critic over portfolios.

    Parameters
    ----------
    config : PolicyConfig

    Attributes
    ----------
    regime_mean, regime_scale : Tensor of shape (5,)
        Of the training windows.
    return_scale : Tensor of shape (6,)
        Standard deviation of each objective's discounted return; set once, before PPO.
    """

    regime_mean: torch.Tensor
    regime_scale: torch.Tensor
    return_scale: torch.Tensor

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.config = config
        width, small = config.hidden, config.head_hidden
        regime, objectives = len(REGIME_FEATURES), len(OBJECTIVES)
        self.embed = nn.Linear(EMBEDDING_SIZE, width)
        self.place = nn.Linear(len(POSITION_FEATURES), width, bias=False)
        self.account = nn.Linear(len(ACCOUNT_FEATURES) + regime, width, bias=False)
        self.inner = nn.Linear(width, width)
        self.pool = nn.Linear(2 * width + len(ACCOUNT_FEATURES) + regime, width)
        self.context = nn.Linear(width, width, bias=False)
        self.outer = nn.Linear(width, width)
        self.final = nn.Linear(width, width)
        self.heads = ExpertHeads(width, small)
        self.cash_heads = nn.ModuleList(_head(width, small, 1) for _ in EXPERTS)
        self.router = _head(objectives + regime, small, len(EXPERTS))
        self.values = nn.ModuleList(_head(width + objectives, small, 1) for _ in OBJECTIVES)
        self.log_kappa = nn.Parameter(torch.full((objectives,), config.kappa_start).log())
        self.register_buffer("regime_mean", torch.zeros(regime))
        self.register_buffer("regime_scale", torch.ones(regime))
        self.register_buffer("return_scale", torch.ones(objectives))

    def forward(self, seen: Observation) -> PolicyOutput:
        """Logits, shares of experts, values and concentration of B decisions."""
        regime = ((seen.regime - self.regime_mean) / self.regime_scale).clamp(-4, 4)
        account = torch.cat([seen.account, regime], -1)
        per_asset = silu(
            self.embed(seen.embedding) + self.place(seen.position) + self.account(account)[:, None]
        )
        per_asset = silu(self.inner(per_asset))
        pooled = silu(self.pool(torch.cat([self._pooled(per_asset, seen), account], -1)))
        hidden = silu(self.outer(per_asset) + self.context(pooled)[:, None])
        hidden = hidden + silu(self.final(hidden))
        valued = torch.cat([pooled, seen.mix], -1)
        return PolicyOutput(
            expert_logits=self.heads(hidden, seen.position),
            expert_cash=torch.cat([head(pooled) for head in self.cash_heads], -1),
            router_logits=self.router(torch.cat([seen.mix, regime], -1)),
            value=torch.cat([head(valued) for head in self.values], -1),
            kappa=(seen.mix @ self.log_kappa).exp().clamp(KAPPA_MIN, KAPPA_MAX),
        )

    def router_shares(self, mix: torch.Tensor, regime: torch.Tensor) -> torch.Tensor:
        """Share of each expert, (B, 4), of mixes (B, 6) and regimes (B, 5) alone."""
        scaled = ((regime - self.regime_mean) / self.regime_scale).clamp(-4, 4)
        return torch.softmax(self.router(torch.cat([mix, scaled], -1)), -1)

    @staticmethod
    def _pooled(per_asset: torch.Tensor, seen: Observation) -> torch.Tensor:
        tradeable = seen.is_tradeable.to(per_asset.dtype)
        share = tradeable / tradeable.sum(1, keepdim=True).clamp(min=1)
        both = torch.stack([share, seen.weight[:, :-1]], 1)
        return torch.bmm(both, per_asset).flatten(1)

    def mean_action(self, output: PolicyOutput, seen: Observation) -> torch.Tensor:
        """Deterministic target weights of the mixture, (B, N + 1)."""
        z = output.logits[..., BUY] - output.logits[..., SELL]
        return mean_weights(z, output.cash_z, seen, self.config.z_limit)

    def expert_actions(self, output: PolicyOutput, seen: Observation) -> torch.Tensor:
        """Target weights if each expert decided alone, (B, 4, N + 1)."""
        z = output.expert_logits[..., BUY] - output.expert_logits[..., SELL]
        return torch.stack(
            [
                mean_weights(z[:, k], output.expert_cash[:, k], seen, self.config.z_limit)
                for k in range(len(EXPERTS))
            ],
            1,
        )


class ExpertHeads(nn.Module):
    """Four heads of one hidden layer each, computed in one product, with a straight path for position features.

    What a tax lot asks for (sell what lost, wait for what turns long-term) is close to linear in them: the
    path learns it within a short warm start.
    """

    def __init__(self, width: int, small: int) -> None:
        super().__init__()
        self.small = small
        self.enter = nn.Linear(width, len(EXPERTS) * small)
        self.straight = nn.Linear(len(POSITION_FEATURES), len(EXPERTS) * len(ACTIONS), bias=False)
        bound = small**-0.5
        self.leave = nn.Parameter(torch.empty(len(EXPERTS), small, len(ACTIONS)).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(len(EXPERTS), 1, len(ACTIONS)))
        with torch.no_grad():
            # The tax-aware expert starts by selling what can be harvested, and learns from there.
            start = self.straight.weight.view(len(EXPERTS), len(ACTIONS), len(POSITION_FEATURES))
            start[EXPERTS.index("tax_aware"), :, POSITION_FEATURES.index("worth_harvesting")] = 0.0
            start[EXPERTS.index("tax_aware"), BUY, POSITION_FEATURES.index("worth_harvesting")] = (
                MAX_LOGIT / 2
            )
            start[EXPERTS.index("tax_aware"), SELL, POSITION_FEATURES.index("worth_harvesting")] = (
                -MAX_LOGIT / 2
            )

    def forward(self, hidden: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        """Logits of each expert, (B, 4, N, 3), of (B, N, width) and (B, N, 12)."""
        count, assets = hidden.shape[:2]
        inner = silu(self.enter(hidden)).view(count, assets, len(EXPERTS), self.small)
        direct = self.straight(position).view(count, assets, len(EXPERTS), len(ACTIONS))
        return torch.einsum("bnks,ksa->bkna", inner, self.leave) + direct.transpose(1, 2) + self.bias


def mean_weights(z: torch.Tensor, cash_z: torch.Tensor, seen: Observation, limit: float) -> torch.Tensor:
    """Turn z = buy - sell logits into target weights: ``m = normalise(w exp(z) + relu(z) / N)``.

    z = 0 holds exactly; an unheld asset is bought from z > 0 on. Assets that cannot be traded keep their
    weight, and the rest of the portfolio is what is distributed.

    Parameters
    ----------
    z : Tensor of shape (B, N)
    cash_z : Tensor of shape (B,)
    seen : Observation
    limit : float
        z is clamped to +-limit.

    Returns
    -------
    Tensor of shape (B, N + 1)
        >= 0, rows summing to 1, cash last.
    """
    movable, stuck = split_weights(seen)
    count = seen.is_tradeable.sum(1, keepdim=True).clamp(min=1)
    z = z.clamp(-limit, limit) * seen.is_tradeable
    cash_z = cash_z.clamp(-limit, limit)[:, None]
    raw = movable * torch.cat([z, cash_z], 1).exp()
    raw = raw + torch.cat([z.relu() / count, cash_z.relu() * CASH_SCALE], 1)
    total = raw.sum(1, keepdim=True)
    left = 1 - stuck.sum(1, keepdim=True)
    return stuck + left * raw / total.clamp(min=_EMPTY)


def split_weights(seen: Observation) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights that can be moved and weights that cannot, each (B, N + 1)."""
    can_move = torch.nn.functional.pad(seen.is_tradeable, (0, 1), value=True)
    movable = torch.where(can_move, seen.weight, 0)
    return movable, seen.weight - movable


def _head(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))
