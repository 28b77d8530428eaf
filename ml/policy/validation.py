"""Which network of a training is kept: the best on spans of time that training left out.

What belongs here: the split, the score, the best so far. What does not: held-out markets (``evaluate.py``), which no
choice may see.
"""

from dataclasses import dataclass, replace
from typing import Final

import torch

from ml.policy.config import TrainConfig, is_left_out
from ml.policy.episodes import draw_players, play
from ml.policy.evaluate import policy_actor
from ml.policy.market_window import MarketWindow
from ml.policy.measures import objective_means
from ml.policy.model import MoEPolicy
from ml.policy.windows import take_groups
from ml.types import OBJECTIVES

_UNIVERSES: Final = 32
_PER_UNIVERSE: Final = 12
_SEED: Final = 915_017


def split_spans(windows: MarketWindow, universes_per_range: int) -> tuple[MarketWindow, MarketWindow]:
    """Leave every eighth span out; of fewer spans than that, the last one, and of a single one nothing.

    Parameters
    ----------
    windows : MarketWindow
        Universes span by span, ``universes_per_range`` of each.

    Returns
    -------
    training, validation : MarketWindow
        The same window twice where there is one span.
    """
    places = torch.arange(windows.sizes[0], device=windows.decision_price.device)
    span = places // universes_per_range
    chosen = is_left_out(int(span[-1]) + 1)
    if not any(chosen):
        return windows, windows
    is_out = torch.tensor(chosen, device=span.device)[span]
    return take_groups(windows, places[~is_out]), take_groups(windows, places[is_out])


def validation_score(model: MoEPolicy, windows: MarketWindow, config: TrainConfig) -> float:
    """Mean over objectives of the weekly reward under the own objective, each in units of ``return_scale``.

    The portfolios are the same in every call, so that scores of two networks are paired.
    """
    universes = min(_UNIVERSES, windows.sizes[0])
    drawn = replace(config, universes=universes, per_universe=_PER_UNIVERSE, mixed_share=0.0)
    players = draw_players(windows, drawn, _SEED)
    means = objective_means(play(players, policy_actor(model)(players.mix)).reward, players.mix)
    return float(
        sum(means[name] / float(model.return_scale[i]) for i, name in enumerate(OBJECTIVES)) / len(OBJECTIVES)
    )


@dataclass
class Best:
    """The best network so far; without ``tensors`` there is none."""

    score: float = float("-inf")
    step: int = 0
    tensors: dict[str, torch.Tensor] | None = None

    def offer(self, score: float, step: int, model: MoEPolicy) -> None:
        """Keep a copy of the network if it is better."""
        if score > self.score:
            copied = {name: value.detach().clone() for name, value in model.state_dict().items()}
            self.score, self.step, self.tensors = score, step, copied

    def restore(self, model: MoEPolicy) -> None:
        """Give the kept weights back, if there are any."""
        if self.tensors is not None:
            model.load_state_dict(self.tensors)
