"""The six rewards of a week and the state they need.

What belongs here: rewards from values before and after. What does not: how values come about (``env.py``).
"""

import math
from dataclasses import dataclass

import torch

from ml.policy.env_config import EnvConfig
from ml.policy.market_window import REGIME_FEATURES, MarketWindow
from ml.policy.objectives import DECISION_STEP_SESSIONS

_VOLATILITY = REGIME_FEATURES.index("market_volatility_63d_ann")
_SESSIONS_PER_YEAR = 252


@dataclass(frozen=True, slots=True)
class RewardInputs:
    """One week of B portfolios; (B,) each, in units of the initial value.

    Attributes
    ----------
    pretax_before, pretax_after, wealth_before, wealth_after : Tensor
        Values at the two decisions, before and after tax.
    flow : Tensor
        Deposit less withdrawal.
    tax_paid : Tensor
        Tax paid in cash.
    credited : Tensor
        Tax value of the losses realised and allowed.
    disallowed : Tensor
        Losses disallowed.
    """

    pretax_before: torch.Tensor
    pretax_after: torch.Tensor
    wealth_before: torch.Tensor
    wealth_after: torch.Tensor
    flow: torch.Tensor
    tax_paid: torch.Tensor
    credited: torch.Tensor
    disallowed: torch.Tensor


class RewardTracker:
    """Rewards of B portfolios over one window.

    Equal weight is the mean simple return, before tax and cost, of the assets tradeable at a decision until
    the next. It is subtracted from after-tax returns too: no action moves it, so that it shifts a reward
    and leaves every comparison of actions as it is.

    Parameters
    ----------
    window : MarketWindow
    config : EnvConfig
    group : Tensor of shape (B,)
        Universe of each portfolio.
    """

    def __init__(self, window: MarketWindow, config: EnvConfig, group: torch.Tensor) -> None:
        self._config, self._group = config, group
        price = window.decision_price.to(config.dtype)
        listed = (window.is_tradeable & ~window.is_delisted)[:, :-1].to(config.dtype)
        change = (price[:, 1:] / price[:, :-1] - 1) * listed
        self._equal = torch.log1p(change.sum(-1) / listed.sum(-1).clamp(min=1))
        weekly = math.sqrt(DECISION_STEP_SESSIONS / _SESSIONS_PER_YEAR)
        self._sigma = window.regime[..., _VOLATILITY].to(config.dtype) * weekly

    def reset(self, like: torch.Tensor) -> None:
        """Begin an episode; ``like`` has shape (B,)."""
        self._index = torch.zeros_like(like)
        self._peak = torch.zeros_like(like)

    def rewards(self, week: RewardInputs, t: int) -> torch.Tensor:
        """Rewards (B, 6) of week t, in the order of :data:`ml.types.OBJECTIVES`.

        With r the weekly log return of after-tax wealth, flows taken out, and e that of equal weight:
        short_term_alpha r before tax - e; short_term_gain and long_term_gain r - e; capital_preservation
        r - 2 x rise of the drawdown - 0.5 x max(0, -r - 1.65 sigma), sigma the market's weekly standard
        deviation over 63 sessions; tax_loss_harvesting credited / V - 10 x (r before tax - e)^2 -
        disallowed / V; long_term_gains_only r.
        """
        config = self._config
        equal = self._equal[:, t].index_select(0, self._group)
        sigma = self._sigma[:, t].index_select(0, self._group)
        after_tax = self._log_return(week.wealth_after, week.wealth_before + week.flow)
        pretax = self._log_return(week.pretax_after, week.pretax_before + week.flow - week.tax_paid)
        rise = self._drawdown_rise(after_tax)
        shortfall = (-after_tax - config.shortfall_sigmas * sigma).relu()
        relative = after_tax - equal
        value = week.wealth_before.clamp(min=config.wealth_floor)
        preservation = after_tax - config.drawdown_weight * rise - config.shortfall_weight * shortfall
        harvesting = (week.credited - week.disallowed) / value
        harvesting = harvesting - config.tracking_weight * (pretax - equal).square()
        return torch.stack([pretax - equal, relative, relative, preservation, harvesting, after_tax], -1)

    def _log_return(self, after: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
        floor = self._config.wealth_floor
        return torch.log(after.clamp(min=floor) / before.clamp(min=floor))

    def _drawdown_rise(self, log_return: torch.Tensor) -> torch.Tensor:
        """Advance the return index; by how much its drawdown rose, as a share of its peak."""
        drawdown = 1 - torch.exp(self._index - self._peak)
        self._index = self._index + log_return
        self._peak = torch.maximum(self._peak, self._index)
        return (1 - torch.exp(self._index - self._peak) - drawdown).relu()
