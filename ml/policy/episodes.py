"""Episodes: many portfolios played through the environment, and what is kept of them.

What belongs here: drawing portfolios with objectives, playing them with some rule of action, and the
decisions as one table. What does not: how an action is chosen or learned from.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ml.policy.config import TrainConfig
from ml.policy.env import TaxLotEnv
from ml.policy.env_config import PortfolioParams
from ml.policy.market_window import MarketWindow
from ml.policy.objectives import EXPERT_MIX_MATRIX, effective_mix, long_term_gains_only_in_force
from ml.policy.observation import Observation, observe_window
from ml.policy.start_portfolios import random_portfolios
from ml.policy.teachers import teacher_targets
from ml.policy.windows import take_groups
from ml.types import OBJECTIVES

MIX_CONCENTRATION = 0.5  # of the Dirichlet that mixes are drawn from: most have one or two large weights


@dataclass(frozen=True, slots=True)
class Action:
    """What is done with B decisions.

    Attributes
    ----------
    target : Tensor of shape (B, N + 1)
        Weights given to the environment.
    share : Tensor of shape (B, N + 1)
        The Dirichlet's sample behind it; the target where there is none.
    log_prob : Tensor of shape (B,)
        0 where nothing was sampled.
    """

    target: torch.Tensor
    share: torch.Tensor
    log_prob: torch.Tensor

    @classmethod
    def fixed(cls, target: torch.Tensor) -> "Action":
        """An action that was not sampled."""
        return cls(target, target, target.new_zeros(len(target)))


Actor = Callable[[Observation, torch.Tensor], Action]
"""(B decisions, targets of the experts (B, 4, N + 1)) -> action."""


@dataclass(frozen=True, slots=True)
class Players:
    """B portfolios in their universes, with their objectives.

    Attributes
    ----------
    window : MarketWindow
    portfolios : PortfolioParams
    mix : Tensor of shape (B, 6)
    """

    window: MarketWindow
    portfolios: PortfolioParams
    mix: torch.Tensor


@dataclass(frozen=True, slots=True)
class Episode:
    """T weeks of B portfolios; decision r is week ``r // B`` of portfolio ``r % B``.

    Attributes
    ----------
    players : Players
    position, account, weight, is_tradeable : Tensor of shape (T, B, ...)
        As in :class:`Observation`; embeddings and regimes stay in the window.
    teacher : Tensor of shape (T, B, 4, N + 1)
    target, share : Tensor of shape (T, B, N + 1)
    log_prob, turnover, short_gain : Tensor of shape (T, B)
        The last: net short-term gain of the week in units of the first value, where no sale was forced.
    reward : Tensor of shape (T, B, 6)
    last : Observation
        At the end, for the bootstrap.
    """

    players: Players
    position: torch.Tensor
    account: torch.Tensor
    weight: torch.Tensor
    is_tradeable: torch.Tensor
    teacher: torch.Tensor
    target: torch.Tensor
    share: torch.Tensor
    log_prob: torch.Tensor
    turnover: torch.Tensor
    short_gain: torch.Tensor
    reward: torch.Tensor
    last: Observation

    @property
    def decisions(self) -> int:
        """T * B."""
        return self.log_prob.numel()

    def seen(self, rows: torch.Tensor) -> Observation:
        """The observations of some decisions."""
        week, b = rows // len(self.players.mix), rows % len(self.players.mix)
        group, window = self.players.portfolios.group[b], self.players.window
        return Observation(
            embedding=window.embedding[group, week],
            position=self.position[week, b],
            account=self.account[week, b],
            mix=self.players.mix[b],
            regime=window.regime[group, week],
            weight=self.weight[week, b],
            is_tradeable=self.is_tradeable[week, b],
        )


def draw_players(window: MarketWindow, config: TrainConfig, seed: int) -> Players:
    """Draw universes, portfolios and objectives.

    One objective each for most portfolios of a universe, in equal numbers, and drawn mixes for the rest.
    In tax-deferred accounts harvesting counts as long_term_gain, as in the night.

    Parameters
    ----------
    window : MarketWindow
        The universes to draw from; the players' window holds the drawn ones.
    config : TrainConfig
        ``universes``, ``per_universe``, ``mixed_share``.
    seed : int
    """
    rng = np.random.default_rng([seed, 1])
    available = window.sizes[0]
    order = np.concatenate([rng.permutation(available) for _ in range(-(-config.universes // available))])
    device = window.decision_price.device
    chosen = take_groups(window, torch.from_numpy(order[: config.universes]).to(device))
    portfolios = random_portfolios(chosen, config.per_universe, seed)
    count = config.universes * config.per_universe
    mix = rng.dirichlet(np.full(len(OBJECTIVES), MIX_CONCENTRATION), count)
    is_mixed = rng.permutation(count) < round(config.mixed_share * count)
    pure = np.flatnonzero(~is_mixed)
    mix[pure] = np.eye(len(OBJECTIVES))[rng.permutation(len(pure)) % len(OBJECTIVES)]
    deferred = portfolios.is_tax_deferred.cpu().numpy()
    mix = effective_mix(mix, deferred)
    masked = long_term_gains_only_in_force(mix, np.zeros(count, dtype=bool), deferred)
    portfolios = replace(portfolios, no_short_gains=torch.from_numpy(masked).to(device))
    return Players(chosen, portfolios, torch.from_numpy(mix).float().to(device))


def play(players: Players, act: Actor) -> Episode:
    """Play all weeks.

    Parameters
    ----------
    players : Players
    act : callable
        Called without gradients.
    """
    env = TaxLotEnv(players.window, players.portfolios)
    state, group = env.reset(), players.portfolios.group
    kept: dict[str, list[torch.Tensor]] = {}
    with torch.no_grad():
        for week in range(env.weeks):
            seen = observe_window(players.window, week, group, state, players.mix)
            teacher = teacher_targets(players.window, week, group, state, env.lot_values().free)
            action = act(seen, teacher)
            result = env.step(action.target)
            state = result.state
            row = {
                "position": seen.position,
                "account": seen.account,
                "weight": seen.weight,
                "is_tradeable": seen.is_tradeable,
                "teacher": teacher,
                "target": action.target,
                "share": action.share,
                "log_prob": action.log_prob,
                "turnover": result.info["turnover"],
                "short_gain": result.info["short_realized"].relu() * (result.info["involuntary"] <= 0),
                "reward": result.reward,
            }
            for name, values in row.items():
                kept.setdefault(name, []).append(values)
        last = observe_window(players.window, env.weeks, group, state, players.mix)
    return Episode(players, **{name: torch.stack(values) for name, values in kept.items()}, last=last)


def fixed_router(mix: torch.Tensor) -> torch.Tensor:
    """Shares of the experts by the fixed router, (B, 4)."""
    matrix = torch.from_numpy(EXPERT_MIX_MATRIX.copy()).to(mix.device, mix.dtype)
    return mix @ matrix


def blend(teacher: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
    """The experts' targets (..., B, 4, N + 1) blended by the fixed router, (..., B, N + 1)."""
    return torch.einsum("bk,...bkn->...bn", fixed_router(mix), teacher)
