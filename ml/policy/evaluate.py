"""What a policy is worth on windows that it never saw: six scores under each of six objectives.

What belongs here: playing held-out windows under one objective at a time, the 6 x 6 table, comparison with the
analytic experts, paired intervals. What does not: training (``train.py``), after-tax results by the exact ledger
(``ml/backtest``): the environment's tax is an approximation, so that these figures choose between policies and
report none.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch

from ml.policy.env_config import PortfolioParams
from ml.policy.episodes import Action, Actor, Players, blend, play
from ml.policy.market_window import MarketWindow
from ml.policy.measures import active_share, expert_load
from ml.policy.model import MoEPolicy
from ml.policy.objectives import effective_mix, long_term_gains_only_in_force
from ml.policy.observation import Observation
from ml.policy.start_portfolios import random_portfolios
from ml.policy.windows import take_groups
from ml.types import EXPERTS, OBJECTIVES

BASIS_POINTS: Final = 1e4
_DRAWS: Final = 2000
_LEVEL: Final = 0.95
_UNIVERSES_A_PASS: Final = 32
_NO_GAIN_BP: Final = 1e-3  # rounding of float32
_LONG_ONLY: Final = OBJECTIVES.index("long_term_gains_only")

ActorFor = Callable[[torch.Tensor], Actor]
"""Mixes (B, 6) of the portfolios -> the rule that acts for them."""


@dataclass(frozen=True)
class Scores:
    """Mean weekly rewards of one rule under each objective.

    Attributes
    ----------
    reward : ndarray of shape (6, 6, G)
        Basis points of value a week; row = objective that the rule was given, column = objective whose reward
        it is, in each of G universes.
    active_share : ndarray of shape (6,)
        Mean ``0.5 sum |w - 1/N|`` under each objective.
    turnover : ndarray of shape (6,)
        Mean share of value traded a week.
    short_gain : ndarray of shape (6,)
        Mean net short-term gain chosen in a week, in basis points of the first value.
    """

    reward: np.ndarray
    active_share: np.ndarray
    turnover: np.ndarray
    short_gain: np.ndarray

    @property
    def is_void(self) -> np.ndarray:
        """Conditionings (rows) that count nothing for ``long_term_gains_only``: they chose short-term gains."""
        return self.short_gain > _NO_GAIN_BP

    @property
    def table(self) -> np.ndarray:
        """Means over universes, (6, 6)."""
        return self.reward.mean(-1)


@dataclass(frozen=True)
class Difference:
    """A paired difference with its interval.

    Attributes
    ----------
    mean, lower95, upper95 : float
        Basis points a week.
    """

    mean: float
    lower95: float
    upper95: float

    def as_dict(self) -> dict[str, float]:
        """JSON values."""
        return {"mean": self.mean, "lower95": self.lower95, "upper95": self.upper95}


def policy_actor(model: MoEPolicy) -> ActorFor:
    """The policy's deterministic action."""

    def actor(mix: torch.Tensor) -> Actor:
        def act(seen: Observation, teacher: torch.Tensor) -> Action:
            return Action.fixed(model.mean_action(model(seen), seen))

        return act

    return actor


def expert_blend_actor(mix: torch.Tensor) -> Actor:
    """The analytic experts, blended by the fixed router."""

    def act(seen: Observation, teacher: torch.Tensor) -> Action:
        return Action.fixed(blend(teacher, mix))

    return act


def single_expert_actor(name: str) -> ActorFor:
    """One analytic expert alone, whatever the objective."""
    index = EXPERTS.index(name)

    def actor(mix: torch.Tensor) -> Actor:
        def act(seen: Observation, teacher: torch.Tensor) -> Action:
            return Action.fixed(teacher[:, index])

        return act

    return actor


def equal_weight_actor(mix: torch.Tensor) -> Actor:
    """Equal weight of everything that can be traded, every week."""

    def act(seen: Observation, teacher: torch.Tensor) -> Action:
        even = seen.is_tradeable.to(seen.weight.dtype)
        even = even / even.sum(-1, keepdim=True).clamp(min=1)
        cash = (even.sum(-1, keepdim=True) == 0).to(even.dtype)
        return Action.fixed(torch.cat([even, cash], -1))

    return act


def score(actor_for: ActorFor, window: MarketWindow, per_universe: int, seed: int) -> Scores:
    """Play every universe six times, once for each objective, with the same portfolios.

    Parameters
    ----------
    actor_for : callable
        Mixes (B, 6) -> actor.
    window : MarketWindow
        G universes that training has not seen.
    per_universe : int
        Taxable portfolios drawn in each; tax-deferred accounts, in which harvesting means nothing, are drawn
        as taxable ones.
    seed : int
        Of the portfolios: equal seeds make scores of two rules paired.

    Returns
    -------
    Scores
    """
    groups = window.sizes[0]
    count = len(OBJECTIVES)
    reward = np.zeros((count, count, groups))
    share, turnover, short_gain = (np.zeros((count, groups)) for _ in range(3))
    for start in range(0, groups, _UNIVERSES_A_PASS):
        chosen = torch.arange(
            start, min(start + _UNIVERSES_A_PASS, groups), device=window.decision_price.device
        )
        part = take_groups(window, chosen)
        portfolios = random_portfolios(part, per_universe, seed + start)
        portfolios = replace(portfolios, is_tax_deferred=torch.zeros_like(portfolios.is_tax_deferred))
        for row in range(count):
            players = _with_objective(part, portfolios, row)
            episode = play(players, actor_for(players.mix))
            by_universe = episode.reward.mean(0).view(len(chosen), per_universe, count).mean(1)
            reward[row, :, start : start + len(chosen)] = by_universe.cpu().double().numpy().T * BASIS_POINTS
            active = active_share(episode.target, episode.is_tradeable).mean(0)
            share[row, start : start + len(chosen)] = _by_universe(active, len(chosen))
            turnover[row, start : start + len(chosen)] = _by_universe(episode.turnover.mean(0), len(chosen))
            gain = _by_universe(episode.short_gain.mean(0), len(chosen))
            short_gain[row, start : start + len(chosen)] = gain * BASIS_POINTS
    return Scores(reward, share.mean(1), turnover.mean(1), short_gain.mean(1))


def _by_universe(values: torch.Tensor, groups: int) -> np.ndarray:
    return values.view(groups, -1).mean(1).cpu().double().numpy()


def _with_objective(window: MarketWindow, portfolios: PortfolioParams, objective: int) -> Players:
    """The same portfolios, all pursuing one objective."""
    count, device = len(portfolios.group), portfolios.group.device
    mix = np.zeros((count, len(OBJECTIVES)))
    mix[:, objective] = 1.0
    deferred = np.zeros(count, dtype=bool)
    mix = effective_mix(mix, deferred)
    masked = long_term_gains_only_in_force(mix, deferred, deferred)
    held = replace(portfolios, no_short_gains=torch.from_numpy(masked).to(device))
    return Players(window, held, torch.from_numpy(mix).float().to(device))


def paired(ours: np.ndarray, theirs: np.ndarray, clusters: np.ndarray, seed: int = 0) -> Difference:
    """Mean difference over universes with a bootstrap interval over clusters of universes.

    Universes cut from one span of time of one market share its path and are drawn together.

    Parameters
    ----------
    ours, theirs : ndarray of shape (G,)
    clusters : ndarray of shape (G,)
        Equal numbers: the same span.
    seed : int
    """
    difference = ours - theirs
    labels, place = np.unique(clusters, return_inverse=True)
    sums = np.bincount(place, difference, len(labels))
    sizes = np.bincount(place, minlength=len(labels))
    drawn = np.random.default_rng(seed).integers(len(labels), size=(_DRAWS, len(labels)))
    means = sums[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return Difference(float(difference.mean()), float(low), float(high))


@dataclass(frozen=True)
class DiagonalRow:
    """How conditioning on an objective compares with conditioning on the best other one.

    Attributes
    ----------
    objective : str
    best_other : str
        The other conditioning with the highest score in this objective's column.
    against_best : Difference
        Own conditioning less the best other's.
    has_rival : bool
        False: every other conditioning is void in this column, and the comparison is with the best of those.
    counts : bool
        False: the own conditioning is void itself.
    """

    objective: str
    best_other: str
    against_best: Difference
    has_rival: bool = True
    counts: bool = True

    @property
    def is_best(self) -> bool:
        """Strictly the best conditioning."""
        return self.counts and (self.against_best.mean > 0 or not self.has_rival)

    @property
    def is_within(self) -> bool:
        """Best, or within the paired 95 % interval of the best."""
        return self.counts and (self.against_best.upper95 >= 0 or not self.has_rival)


def diagonal(scores: Scores, clusters: np.ndarray) -> list[DiagonalRow]:
    """Compare each objective's own conditioning with the best other one, in its own column.

    For ``long_term_gains_only`` a conditioning that chose short-term gains is void: it is no rival.
    """
    rows = []
    for column, name in enumerate(OBJECTIVES):
        means = scores.table[:, column].copy()
        is_rival = np.arange(len(OBJECTIVES)) != column
        if column == _LONG_ONLY:
            is_rival &= ~scores.is_void
        means[~is_rival & (is_rival.any() | (np.arange(len(means)) == column))] = -np.inf
        other = int(means.argmax())
        gap = paired(scores.reward[column, column], scores.reward[other, column], clusters)
        own_counts = not (column == _LONG_ONLY and scores.is_void[column])
        rows.append(DiagonalRow(name, OBJECTIVES[other], gap, bool(is_rival.any()), own_counts))
    return rows


def against(ours: Scores, theirs: Scores, clusters: np.ndarray) -> dict[str, Difference]:
    """Paired differences of two rules, each objective under its own conditioning."""
    return {
        name: paired(ours.reward[i, i], theirs.reward[i, i], clusters) for i, name in enumerate(OBJECTIVES)
    }


@torch.no_grad()
def router_information(model: MoEPolicy, window: MarketWindow) -> dict[str, Any]:
    """How the router tells objectives apart and reacts to the regime.

    Returns
    -------
    dict
        ``load``: mean share of each expert by objective, (6, 4); ``mutual_information_nats``: between the
        objective, drawn evenly, and the expert, drawn from the router's shares; ``regime_deviation``: mean
        standard deviation over regimes of an expert's share under one objective.
    """
    device = window.decision_price.device
    regime = window.regime.flatten(0, 1).to(device)
    loads, spread = [], []
    for index in range(len(OBJECTIVES)):
        mix = torch.zeros(len(regime), len(OBJECTIVES), device=device)
        mix[:, index] = 1.0
        shares = model.router_shares(mix, regime)
        loads.append(expert_load(shares, mix)[index])
        spread.append(shares.std(0).mean())
    load = torch.stack(loads).double().cpu()
    marginal = load.mean(0, keepdim=True)
    information = (load * (load.clamp(min=1e-12) / marginal).log()).sum(1).mean()
    return {
        "load": load.tolist(),
        "mutual_information_nats": float(information),
        "regime_deviation": float(torch.stack(spread).mean()),
    }
