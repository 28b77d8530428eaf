"""One fill's sales of B portfolios: payouts, what the target asks, then what cash needs.

What belongs here: how much of which lot is sold and what it brings. What does not: wash sales
(``wash_window.py``), tax (``tax_account.py``), purchases (``env.py``).
"""

from dataclasses import dataclass

import torch

from ml.policy.lot_book import LotBook
from ml.policy.wash_window import LossSale


@dataclass(frozen=True, slots=True)
class SaleOrder:
    """What decides a sale.

    Attributes
    ----------
    quantity : Tensor of shape (B, N)
        Shares that the target asks to sell, >= 0; delisted assets are sold whole whatever it says.
    price, cost_ratio : Tensor of shape (B, N)
        Of the fill; payouts of delisted assets cost nothing.
    is_delisted, can_be_forced : Tensor of shape (B, N)
        bool.
    may_take_short_gains : Tensor of shape (B,)
        bool, of voluntary sales.
    shortfall : Tensor of shape (B,)
        Cash needed beyond what there is before any sale; <= 0: none.
    today : Tensor of shape (B, 1, 1)
        int32 day of the fill.
    dust : float
        Value below which a lot is not left over.
    """

    quantity: torch.Tensor
    price: torch.Tensor
    cost_ratio: torch.Tensor
    is_delisted: torch.Tensor
    can_be_forced: torch.Tensor
    may_take_short_gains: torch.Tensor
    shortfall: torch.Tensor
    today: torch.Tensor
    dust: float


@dataclass(frozen=True, slots=True)
class Sale:
    """What was sold.

    Attributes
    ----------
    sold, gain : Tensor of shape (B, N, K)
        Shares of each lot and their result after cost.
    is_long : Tensor of shape (B, N, K)
        bool, term at the fill.
    share_days : Tensor of shape (B, N, K)
        Shares sold times days held.
    value, cost, involuntary : Tensor of shape (B,)
        Gross value, cost, and the part of the value that nobody chose.
    """

    sold: torch.Tensor
    gain: torch.Tensor
    is_long: torch.Tensor
    share_days: torch.Tensor
    value: torch.Tensor
    cost: torch.Tensor
    involuntary: torch.Tensor

    def loss_sale(self, taxable: torch.Tensor) -> LossSale:
        """The lots sold at a loss, summed per asset; nothing where ``taxable`` (B,) is 0."""
        is_loss = (self.gain < 0) * taxable[:, None, None]
        loss = -self.gain * is_loss
        return LossSale(
            (self.sold * is_loss).sum(-1),
            (loss * ~self.is_long).sum(-1),
            (loss * self.is_long).sum(-1),
            (self.share_days * is_loss).sum(-1),
        )


def sell(lots: LotBook, order: SaleOrder) -> Sale:
    """Sell HIFO within term; the book must be in runs.

    Cash that is still short comes from every tradeable lot with a loss in proportion to value, then from
    long-term gains, then from short-term gains; it is counted as involuntary, as are payouts.
    """
    net_price = order.price * (1 - order.cost_ratio)
    is_long = lots.is_long(order.today)
    chosen = lots.hifo_sale(
        torch.where(order.is_delisted, 2 * lots.shares.sum(-1), order.quantity),
        net_price,
        order.today,
        order.may_take_short_gains[:, None] | order.is_delisted,
    )
    chosen = _without_dust(lots, chosen, order)
    short_of_cash = (order.shortfall - (chosen.sum(-1) * net_price).sum(-1)).relu()
    forced = _forced(lots.without(chosen), net_price, is_long, short_of_cash, order.can_be_forced)
    sold = _without_dust(lots, chosen + forced, order)
    per_asset = sold.sum(-1) * order.price
    unchosen = (sold - chosen).sum(-1) * order.price + per_asset * order.is_delisted
    return Sale(
        sold,
        sold * (net_price[..., None] - lots.basis),
        is_long,
        sold * (order.today - lots.day),
        per_asset.sum(-1),
        (per_asset * order.cost_ratio).sum(-1),
        unchosen.sum(-1),
    )


def _without_dust(lots: LotBook, sold: torch.Tensor, order: SaleOrder) -> torch.Tensor:
    is_dust = (sold > 0) & ((lots.shares - sold) * order.price[..., None] < order.dust)
    return torch.where(is_dust, lots.shares, sold)


def _forced(
    lots: LotBook,
    net_price: torch.Tensor,
    is_long: torch.Tensor,
    need: torch.Tensor,
    can_be_forced: torch.Tensor,
) -> torch.Tensor:
    """Shares (B, N, K) to sell for ``need`` (B,) of cash, class after class, each in proportion."""
    brings = lots.shares * net_price[..., None] * can_be_forced[..., None]
    is_loss = lots.basis >= net_price[..., None]
    part = torch.zeros_like(brings)
    for members in (is_loss, ~is_loss & is_long, ~is_loss & ~is_long):
        total = (brings * members).sum((-1, -2))
        taken = torch.minimum(need, total)
        share = taken / torch.where(total > 0, total, 1)
        part = torch.where(members, share[:, None, None], part)
        need = need - taken
    return lots.shares * part * can_be_forced[..., None]
