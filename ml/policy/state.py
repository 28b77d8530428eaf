"""What the policy sees of a portfolio: one definition for training and for the night.

What belongs here: the position and account features and their scaling, from per-asset aggregates.
What does not: how aggregates come about (``env.py`` from its lots, ``serve.py`` from the night's lots).
All inputs are ratios of account value V, so that a portfolio of any size looks alike.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

MAX_LOGIT: Final = 6.0  # beyond exp(-6) of a position is nothing left to sell
HARVEST_YEARS: Final = 2.0  # years of the deduction against income for which losses are realised ahead
HARVEST_OUT_SHARE: Final = (
    0.25  # assets out of the portfolio at a time; else a fall of all would crowd the rest
)
HARVEST_LEAST_PART: Final = 0.1  # of a position's losses; less is not worth the trade
POSITION_FEATURES: Final = (
    "weight",  # w
    "relative_weight",  # w N / (1 + w N): against equal weight, in [0, 1)
    "unrealized_gain",  # tanh of (gain - loss) / max(w, 1e-6)
    "short_gain",  # 10 x short-term unrealised gain / V, capped at 1 (so the next three)
    "short_loss",
    "long_gain",
    "long_loss",
    "days_to_long",  # days until the first short-term gain lot turns long-term / 365; 0 = none
    "is_locked",  # a loss of the asset was realised within 30 days: buying would wash it
    "worth_harvesting",  # log(share of the position not worth harvesting, at least exp(-6)) / 6: 0 = nothing to harvest
    "is_held",
    "is_tradeable",
)
ACCOUNT_FEATURES: Final = (
    "cash_weight",
    "short_net",  # tanh(10 x year-to-date short-term net / V)
    "long_net",
    "carryover",  # tanh(10 x carryovers (losses, >= 0) / V)
    "short_rate",
    "long_rate",
    "is_tax_deferred",
    "year_fraction",  # 0 on 1 January, 1 on 31 December
    "log_assets",  # log(number of tradeable assets) / log(500)
)


def year_fraction(days: np.ndarray | np.datetime64) -> np.ndarray:
    """Where in its year each day lies: 0 on 1 January, 1 on 31 December.

    Parameters
    ----------
    days : ndarray or datetime64[D]
        Days since 1970-01-01, or datetime64[D]; any shape.
    """
    dates = days.astype("datetime64[D]")
    years = dates.astype("datetime64[Y]")
    start, after = years.astype("datetime64[D]"), (years + 1).astype("datetime64[D]")
    return (dates - start).astype(np.int64) / ((after - start).astype(np.int64) - 1)


@dataclass(frozen=True, slots=True)
class PortfolioState:
    """Aggregates of B portfolios over N assets; gains and losses are >= 0 and shares of V.

    Attributes
    ----------
    weight, short_gain, short_loss, long_gain, long_loss : Tensor of shape (B, N)
        Value and unrealised results of the open lots.
    days_to_long : Tensor of shape (B, N)
        Smallest number of days until a short-term gain lot is long-term; 0 where there is none.
    harvestable : Tensor of shape (B, N)
        Value of the lots whose loss counts (5 % of cost and 50 USD, taxable accounts), a part of ``weight``.
    is_locked, is_tradeable : Tensor of shape (B, N)
        bool.
    cash_weight, short_net, long_net, carryover, loss_limit, short_rate, long_rate, is_tax_deferred, year_fraction :
        Tensor of shape (B,)
        Nets, carryover and the yearly deduction of losses against income in shares of V.
    """

    weight: torch.Tensor
    short_gain: torch.Tensor
    short_loss: torch.Tensor
    long_gain: torch.Tensor
    long_loss: torch.Tensor
    days_to_long: torch.Tensor
    harvestable: torch.Tensor
    is_locked: torch.Tensor
    is_tradeable: torch.Tensor
    cash_weight: torch.Tensor
    short_net: torch.Tensor
    long_net: torch.Tensor
    carryover: torch.Tensor
    loss_limit: torch.Tensor
    short_rate: torch.Tensor
    long_rate: torch.Tensor
    is_tax_deferred: torch.Tensor
    year_fraction: torch.Tensor

    @property
    def loss_room(self) -> torch.Tensor:
        """Losses that tax can soon use, (B,) in shares of V, >= 0.

        The year's gains less losses carried in, and two years' deduction against income (IRC 1211(b), 1212(b)).
        A loss beyond it lowers no tax for years and costs a trade now.
        """
        used = self.short_net + self.long_net - self.carryover
        return (used + HARVEST_YEARS * self.loss_limit).clamp(min=0)

    def worth_harvesting(self) -> torch.Tensor:
        """Weight of each position in loss lots worth realising now, (B, N): a part of ``harvestable``.

        Deepest first (losses over the position's value), while tax can use them (:attr:`loss_room`) and at most a
        quarter of the assets, at least one, is sold or waits out its wash window. Equally deep positions share the
        room that is left; where not all of them find a place, none is sold: only depth may prefer one.
        """
        held = self.harvestable * self.is_tradeable
        loss = (self.short_loss + self.long_loss) * (held > 0)
        depth = torch.where(held > 0, loss / self.weight.clamp(min=1e-9), -1.0)
        order = depth.argsort(dim=1, descending=True)
        sorted_depth = depth.gather(1, order).neg().contiguous()
        first = torch.searchsorted(sorted_depth, depth.neg().contiguous())
        after = torch.searchsorted(sorted_depth, depth.neg().contiguous(), right=True)
        deeper = torch.nn.functional.pad(loss.gather(1, order).cumsum(1), (1, 0))
        before = deeper.gather(1, first)
        level = deeper.gather(1, after) - before
        part = ((self.loss_room[:, None] - before) / level.clamp(min=1e-12)).clamp(0, 1)
        part = torch.where(part < HARVEST_LEAST_PART, 0, part)
        # A locked asset is out already: selling more of it takes no further place.
        is_out = self.is_locked & self.is_tradeable
        waiting = torch.nn.functional.pad((is_out & (held > 0)).gather(1, order).int().cumsum(1), (1, 0))
        place = after - waiting.gather(1, after)
        allowed = (HARVEST_OUT_SHARE * self.is_tradeable.sum(1)).floor().clamp(min=1) - is_out.sum(1)
        return torch.where(is_out | (place <= allowed[:, None]), held * part, 0)

    def position_features(self) -> torch.Tensor:
        """:data:`POSITION_FEATURES` scaled; (B, N, 12) float32."""
        count = self.is_tradeable.sum(1, keepdim=True).clamp(min=1)
        relative = self.weight * count
        kept = 1 - self.worth_harvesting() / self.weight.clamp(min=1e-9)
        gain = self.short_gain + self.long_gain - self.short_loss - self.long_loss
        columns = [
            self.weight,
            relative / (1 + relative),
            torch.tanh(gain / self.weight.clamp(min=1e-6)) * (self.weight > 0),
            *(
                (10 * x).clamp(max=1)
                for x in (self.short_gain, self.short_loss, self.long_gain, self.long_loss)
            ),
            self.days_to_long / 365,
            self.is_locked.float(),
            # The logit that sells just what is worth it: an expert that harvests needs no more than this column.
            torch.log(kept.clamp(min=math.exp(-MAX_LOGIT), max=1)) / MAX_LOGIT,
            (self.weight > 0).float(),
            self.is_tradeable.float(),
        ]
        return torch.stack(columns, -1).float()

    def account_features(self) -> torch.Tensor:
        """:data:`ACCOUNT_FEATURES` scaled; (B, 9) float32."""
        count = self.is_tradeable.sum(1).clamp(min=1).float()
        columns = [
            self.cash_weight,
            torch.tanh(10 * self.short_net),
            torch.tanh(10 * self.long_net),
            torch.tanh(10 * self.carryover),
            self.short_rate,
            self.long_rate,
            self.is_tax_deferred.float(),
            self.year_fraction,
            torch.log(count) / torch.log(torch.tensor(500.0, device=count.device)),
        ]
        return torch.stack(columns, -1).float()
