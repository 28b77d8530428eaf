"""The account side of the four analytic experts: what each wants of B portfolios, given the market's side.

What belongs here: from a market's portfolios (``experts.py``), holdings and lots to targets, for a night's accounts
and for the environment's portfolios alike. What does not: mixing experts (``objectives.py``).

Every expert spends idle cash at once and moves what is held slowly: a signal that takes weeks to fade does not pay for
a week's turnover. What cannot be traded keeps its weight.
"""

from typing import Final

import torch

from ml.policy.market_window import MarketWindow
from ml.policy.state import PortfolioState
from ml.types import EXPERTS

MOMENTUM_RATE: Final = 0.10  # share of the gap to the winners closed each week
DEFENSIVE_RATE: Final = 0.25
OVERWEIGHT_LIMIT: Final = 1.5  # times its goal: what a position may grow to before it is trimmed
TRIM_RATE: Final = 0.25
CASH_BUFFER: Final = 0.005  # cash that growth and tax_aware leave for fees


def teacher_targets(
    window: MarketWindow, t: int, group: torch.Tensor, state: PortfolioState, free: torch.Tensor
) -> torch.Tensor:
    """Target portfolio of each expert for each portfolio of an environment.

    Parameters
    ----------
    window : MarketWindow
        With ``expert_target``.
    t : int
        The week.
    group : Tensor of shape (B,)
        Each portfolio's universe.
    state : PortfolioState
    free : Tensor of shape (B, N)
        Weight in lots whose sale realises no short-term gain.

    Returns
    -------
    Tensor of shape (B, 4, N + 1)
        As :func:`account_targets`.

    Raises
    ------
    ValueError
        If the window holds no portfolios of the experts.
    """
    if window.expert_target is None:
        raise ValueError("MarketWindow.expert_target is None: cut windows with make_windows")
    return account_targets(window.expert_target[group, t], state, free)


def account_targets(portfolios: torch.Tensor, state: PortfolioState, free: torch.Tensor) -> torch.Tensor:
    """Target portfolio of each expert for each account.

    Parameters
    ----------
    portfolios : Tensor of shape (B, 3, N + 1) or (1, 3, N + 1)
        Of momentum, growth and defensive, cash last, from the market alone.
    state : PortfolioState
        B accounts.
    free : Tensor of shape (B, N)
        Weight in lots whose sale realises no short-term gain.

    Returns
    -------
    Tensor of shape (B, 4, N + 1)
        Order of :data:`ml.types.EXPERTS`, cash last; >= 0, rows summing to 1.
    """
    current = torch.cat([state.weight, state.cash_weight[:, None]], 1).clamp(min=0)
    current = current / current.sum(1, keepdim=True)
    tradeable = state.is_tradeable
    goals = _around_stuck(portfolios.to(current.dtype), current, tradeable)
    free = torch.minimum(free * tradeable, current[:, :-1])
    is_open = tradeable & ~state.is_locked
    targets = {
        "momentum": _towards(goals[:, 0], current, MOMENTUM_RATE),
        "growth": _patient(goals[:, 1], current, free, is_open, CASH_BUFFER),
        "defensive": _towards(goals[:, 2], current, DEFENSIVE_RATE),
        "tax_aware": _tax_aware(current, free, state),
    }
    stacked = torch.stack([targets[name] for name in EXPERTS], 1).clamp(min=0)
    return stacked / stacked.sum(-1, keepdim=True)


def _around_stuck(portfolios: torch.Tensor, current: torch.Tensor, tradeable: torch.Tensor) -> torch.Tensor:
    """Scale portfolios (B, K, N + 1) to what each account's untradeable holdings leave."""
    stuck = torch.nn.functional.pad(current[:, :-1] * ~tradeable, (0, 1))[:, None]
    return stuck + (1 - stuck.sum(-1, keepdim=True)) * portfolios


def _towards(goal: torch.Tensor, current: torch.Tensor, rate: float) -> torch.Tensor:
    """Put idle cash where the goal wants more, then close a part of the gap that is left."""
    shortfall = (goal - current).relu()[:, :-1]
    spend = torch.minimum((current[:, -1] - goal[:, -1]).relu(), shortfall.sum(1))
    moved = current + torch.cat([_shared(spend, shortfall), -spend[:, None]], 1)
    return moved + rate * (goal - moved)


def _patient(
    goal: torch.Tensor, held: torch.Tensor, free: torch.Tensor, is_open: torch.Tensor, buffer: float
) -> torch.Tensor:
    """Let positions drift: trim slowly what is far above its goal, from free lots, and spend cash on shortfalls.

    Parameters
    ----------
    goal, held : Tensor of shape (B, N + 1)
        Wanted and held, cash last.
    free : Tensor of shape (B, N)
        What may be trimmed.
    is_open : Tensor of shape (B, N)
        bool: what may be bought.
    buffer : float
        Cash that is not spent.
    """
    position, wanted = held[:, :-1], goal[:, :-1]
    trim = torch.minimum(TRIM_RATE * (position - OVERWEIGHT_LIMIT * wanted).relu(), free)
    position = position - trim
    cash = held[:, -1] + trim.sum(1)
    shortfall = (wanted - position).relu() * is_open
    spend = torch.minimum((cash - buffer).relu(), shortfall.sum(1))
    position, cash = position + _shared(spend, shortfall), cash - spend
    # Where nothing is short of its goal, what is left goes over everything open.
    rest = torch.where(is_open.any(1), (cash - buffer).relu(), 0)
    position = position + _shared(rest, is_open.to(position.dtype))
    return torch.cat([position, (cash - rest)[:, None]], 1)


def _tax_aware(current: torch.Tensor, free: torch.Tensor, state: PortfolioState) -> torch.Tensor:
    """Equal weight held patiently, less what is worth harvesting, which stays out while buying would wash it."""
    harvested = torch.minimum(state.worth_harvesting(), current[:, :-1])
    kept = current[:, :-1] - harvested
    is_open = state.is_tradeable & ~state.is_locked & (harvested <= 0)
    fixed = torch.where(is_open, 0, kept)
    left = (1 - fixed.sum(1) - CASH_BUFFER).relu()
    goal = torch.cat(
        [fixed + _shared(left, is_open.to(kept.dtype)), torch.full_like(left, CASH_BUFFER)[:, None]], 1
    )
    held = torch.cat([kept, (current[:, -1] + harvested.sum(1))[:, None]], 1)
    return _patient(goal, held, (free - harvested).relu(), is_open, CASH_BUFFER)


def _shared(amount: torch.Tensor, parts: torch.Tensor) -> torch.Tensor:
    """Split an amount (B,) in proportion to parts (B, N) >= 0; 0 where there are none."""
    total = parts.sum(1, keepdim=True)
    return amount[:, None] * parts / torch.where(total > 0, total, 1)
