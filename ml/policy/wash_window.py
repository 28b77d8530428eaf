"""Wash sales within the account: what was lost and bought at the fills of the last 30 days.

What belongs here: matching of loss sales with purchases before and after. What does not: lots
(``lot_book.py``) and tax (``tax_account.py``). Source: IRC 1091, 1223(3); 26 CFR 1.1091-1.

Simplifications, beside ``ml.tax`` (whose ledger splits lots): the loss shares of one sale are washed at
their mean loss and mean days held; the washed and the other shares of a purchase form one lot, whose basis
takes the disallowed loss and whose holding period starts earlier by the share-weighted mean of the tacked
days; shares bought before a loss sale take the disallowed loss evenly and are not tacked; a loss
of December that is washed in January is added to the new year's result.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class Disallowed:
    """Losses disallowed per asset, >= 0; (B, N) each.

    Attributes
    ----------
    short, long : Tensor
        By the term of the loss.
    tacked_days : Tensor
        int32 days to set the new lot's holding period back; 0 for purchases before the sale.
    """

    short: torch.Tensor
    long: torch.Tensor
    tacked_days: torch.Tensor


@dataclass(frozen=True, slots=True)
class LossSale:
    """Loss lots of one fill's sales; (B, N) each.

    Attributes
    ----------
    shares : Tensor
        Sold at a loss.
    short, long : Tensor
        Loss by term, >= 0.
    share_days : Tensor
        Sum over those shares of the days held.
    """

    shares: torch.Tensor
    short: torch.Tensor
    long: torch.Tensor
    share_days: torch.Tensor

    def scaled(self, kept: torch.Tensor) -> "LossSale":
        """The same sale with a share ``kept`` of it."""
        return LossSale(self.shares * kept, self.short * kept, self.long * kept, self.share_days * kept)


@dataclass(frozen=True, slots=True)
class WashWindow:
    """The last R fills, oldest first; R is the most fills that lie within 30 days before another.

    Attributes
    ----------
    losses : LossSale
        Tensors of shape (B, N, R): loss sales that a purchase would still wash.
    bought : Tensor of shape (B, N, R)
        Shares bought that have not washed a loss.
    """

    losses: LossSale
    bought: torch.Tensor

    @classmethod
    def empty(cls, like: torch.Tensor, fills: int) -> "WashWindow":
        """Nothing lost or bought; ``like`` has shape (B, N)."""
        zeros = [like.new_zeros(*like.shape, fills) for _ in range(5)]
        return cls(LossSale(*zeros[:4]), zeros[4])

    def is_locked(self, is_open: torch.Tensor) -> torch.Tensor:
        """Say where a purchase would wash a loss; (B, N) bool. ``is_open`` (B, 1, R): within 30 days."""
        return ((self.losses.shares > 0) & is_open).any(-1)

    def match_purchase(
        self, quantity: torch.Tensor, is_open: torch.Tensor
    ) -> tuple["WashWindow", Disallowed, torch.Tensor]:
        """Match a purchase with earlier loss sales, oldest first.

        Returns
        -------
        window : WashWindow
            Less what was matched.
        disallowed : Disallowed
        unused : Tensor of shape (B, N)
            Shares of the purchase that washed nothing.
        """
        matched = _take(self.losses.shares * is_open, quantity)
        part = _ratio(matched, self.losses.shares)
        days = (part * self.losses.share_days).sum(-1)
        disallowed = Disallowed(
            (part * self.losses.short).sum(-1),
            (part * self.losses.long).sum(-1),
            _ratio(days, quantity).round().int(),
        )
        window = WashWindow(self.losses.scaled(1 - part), self.bought)
        return window, disallowed, (quantity - matched.sum(-1)).relu()

    def match_sale(
        self, sale: LossSale, recent_shares: torch.Tensor, is_open: torch.Tensor
    ) -> tuple["WashWindow", Disallowed, LossSale]:
        """Match a loss sale with purchases of the 30 days before that are still held.

        Parameters
        ----------
        sale : LossSale
        recent_shares : Tensor of shape (B, N)
            Shares left in lots not older than 30 days that can replace shares sold.
        is_open : Tensor of shape (B, 1, R)

        Returns
        -------
        window : WashWindow
            Less the purchases used.
        disallowed : Disallowed
        rest : LossSale
            What later purchases may still wash.
        """
        used = _take(self.bought * is_open, torch.minimum(sale.shares, recent_shares))
        part = _ratio(used.sum(-1), sale.shares).clamp(max=1)
        disallowed = Disallowed(
            part * sale.short, part * sale.long, torch.zeros_like(part, dtype=torch.int32)
        )
        return WashWindow(self.losses, self.bought - used), disallowed, sale.scaled(1 - part)

    def advanced(self, sale: LossSale, bought: torch.Tensor) -> "WashWindow":
        """Append this fill and drop the oldest."""
        old = self.losses
        return WashWindow(
            LossSale(
                _append(old.shares, sale.shares),
                _append(old.short, sale.short),
                _append(old.long, sale.long),
                _append(old.share_days, sale.share_days),
            ),
            _append(self.bought, bought),
        )


def _take(available: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Take ``wanted`` (B, N) from ``available`` (B, N, R), first slots first."""
    before = available.cumsum(-1) - available
    return (wanted[..., None] - before).clamp(min=0).minimum(available)


def _ratio(part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    return part / torch.where(whole > 0, whole, 1)


def _append(ring: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return torch.cat([ring[..., 1:], value[..., None]], -1)
