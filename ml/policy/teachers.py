"""The four analytic experts on the environment's tensors: what the warm start teaches.

What belongs here: the account side of ``experts.py`` for B portfolios of an environment. What does not: the
market side, which ``windows.py`` takes from ``experts.plan_market``. The rules and constants are those of
``experts.py``, with one difference: a harvested asset goes into its one most correlated substitute, and
where that is itself harvested in the account, into cash and from there over all assets.
"""

import torch

from ml.policy.env import LotValues
from ml.policy.experts import CASH_BUFFER, GROWTH_DRIFT, OVERWEIGHT_LIMIT, TRIM_RATE
from ml.policy.market_window import MarketWindow
from ml.policy.state import PortfolioState
from ml.types import EXPERTS


def teacher_targets(
    window: MarketWindow, t: int, group: torch.Tensor, state: PortfolioState, lots: LotValues
) -> torch.Tensor:
    """Target portfolio of each expert for each portfolio.

    Parameters
    ----------
    window : MarketWindow
        With ``expert_target`` and ``substitute``.
    t : int
        The week.
    group : Tensor of shape (B,)
        Each portfolio's universe.
    state : PortfolioState
    lots : LotValues

    Returns
    -------
    Tensor of shape (B, 4, N + 1)
        Order of :data:`ml.types.EXPERTS`, cash last; >= 0, rows summing to 1.

    Raises
    ------
    ValueError
        If the window holds no portfolios of the experts.
    """
    if window.expert_target is None or window.substitute is None:
        raise ValueError("MarketWindow.expert_target or .substitute is None: cut windows with make_windows")
    current = torch.cat([state.weight, state.cash_weight[:, None]], 1).clamp(min=0)
    current = current / current.sum(1, keepdim=True)
    tradeable = state.is_tradeable
    portfolios = window.expert_target[group, t].to(current.dtype)
    around = _around_stuck(portfolios, current, tradeable)
    targets = {
        "momentum": around[:, 0],
        "growth": _growth(around[:, 1], current),
        "defensive": around[:, 2],
        "tax_aware": _tax_aware(current, tradeable, lots, window.substitute[group, t]),
    }
    stacked = torch.stack([targets[name] for name in EXPERTS], 1).clamp(min=0)
    return stacked / stacked.sum(-1, keepdim=True)


def _around_stuck(portfolios: torch.Tensor, current: torch.Tensor, tradeable: torch.Tensor) -> torch.Tensor:
    stuck = torch.nn.functional.pad(current[:, :-1] * ~tradeable, (0, 1))[:, None]
    return stuck + (1 - stuck.sum(-1, keepdim=True)) * portfolios


def _growth(goal: torch.Tensor, current: torch.Tensor) -> torch.Tensor:
    shortfall = (goal - current).relu()[:, :-1]
    total = shortfall.sum(1)
    spend = torch.minimum((current[:, -1] - goal[:, -1]).relu(), total)
    part = spend / torch.where(total > 0, total, 1)
    moved = current + torch.cat([shortfall * part[:, None], -spend[:, None]], 1)
    return (moved + GROWTH_DRIFT * (goal - moved)).relu()


def _tax_aware(
    current: torch.Tensor, tradeable: torch.Tensor, lots: LotValues, substitute: torch.Tensor
) -> torch.Tensor:
    held = current[:, :-1]
    harvested = torch.minimum(lots.harvestable * tradeable, held)
    free = torch.minimum(lots.free * tradeable, held)
    kept = held - harvested
    names = tradeable.sum(1, keepdim=True).clamp(min=1).to(held.dtype)
    limit = (2.0 / names).clamp(min=OVERWEIGHT_LIMIT)
    trim = torch.minimum(TRIM_RATE * (kept - limit).relu(), (free - harvested).relu())
    has_one = (substitute >= 0) & (harvested.gather(1, substitute.clamp(min=0)) <= 0)
    moved = torch.where(has_one, harvested, 0)
    target = (kept - trim).scatter_add(1, substitute.clamp(min=0), moved)
    cash = current[:, -1] + trim.sum(1) + (harvested - moved).sum(1)
    open_to_buy = tradeable & (harvested <= 0)
    count = open_to_buy.sum(1)
    spend = torch.where(count > 0, (cash - CASH_BUFFER).relu(), 0)
    target = target + open_to_buy * (spend / count.clamp(min=1))[:, None]
    return torch.cat([target, (cash - spend)[:, None]], 1).relu()
