"""What the policy is given for one decision, as tensors.

What belongs here: the bundle of network inputs. What does not: how features are scaled (``state.py``),
the network (``model.py``).
"""

from dataclasses import dataclass, fields, replace

import torch

from ml.policy.market_window import MarketWindow
from ml.policy.state import PortfolioState


@dataclass(frozen=True, slots=True)
class Observation:
    """B decisions over N assets, float32.

    Attributes
    ----------
    embedding : Tensor of shape (B, N, 64) or (1, N, 64)
        One row where all decisions see one market.
    position : Tensor of shape (B, N, 12)
        :data:`ml.policy.state.POSITION_FEATURES`.
    account : Tensor of shape (B, 9)
        :data:`ml.policy.state.ACCOUNT_FEATURES`.
    mix : Tensor of shape (B, 6)
        Weights of the objectives.
    regime : Tensor of shape (B, 5)
        Raw; the network normalises.
    weight : Tensor of shape (B, N + 1)
        Current weights, cash last, rows summing to 1.
    is_tradeable : Tensor of shape (B, N)
        bool.
    """

    embedding: torch.Tensor
    position: torch.Tensor
    account: torch.Tensor
    mix: torch.Tensor
    regime: torch.Tensor
    weight: torch.Tensor
    is_tradeable: torch.Tensor

    def take(self, rows: torch.Tensor) -> "Observation":
        """The decisions at some positions."""
        return Observation(
            **{
                f.name: value if len(value) == 1 and f.name == "embedding" else value[rows]
                for f in fields(self)
                for value in (getattr(self, f.name),)
            }
        )

    @classmethod
    def concatenate(cls, parts: "list[Observation]") -> "Observation":
        """The decisions of several observations, one after the other."""
        return cls(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(cls)})


def observe(
    state: PortfolioState, embedding: torch.Tensor, regime: torch.Tensor, mix: torch.Tensor
) -> Observation:
    """Bundle a state with its market and its objectives.

    Parameters
    ----------
    state : PortfolioState
    embedding : Tensor of shape (B, N, 64) or (1, N, 64)
    regime : Tensor of shape (B, 5)
    mix : Tensor of shape (B, 6)
    """
    taxable = ~state.is_tax_deferred
    seen = replace(state, short_rate=state.short_rate * taxable, long_rate=state.long_rate * taxable)
    weight = torch.cat([state.weight, state.cash_weight[:, None]], 1).clamp(min=0).float()
    return Observation(
        embedding=embedding.float(),
        position=seen.position_features(),
        account=seen.account_features(),
        mix=mix.float(),
        regime=regime.float(),
        weight=weight / weight.sum(1, keepdim=True).clamp(min=1e-12),
        is_tradeable=state.is_tradeable,
    )


def observe_window(
    window: MarketWindow, t: int, group: torch.Tensor, state: PortfolioState, mix: torch.Tensor
) -> Observation:
    """Bundle the environment's state at week t; ``group`` (B,) is each portfolio's universe."""
    return observe(state, window.embedding[group, t], window.regime[group, t], mix)
