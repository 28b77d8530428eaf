"""Tax lots of B portfolios as tensors: sorting, HIFO sales by term, purchases with folding.

What belongs here: operations on lots that need no price history and no tax account. What does not: wash
sales (``wash_window.py``), netting (``tax_account.py``). Nothing loops over portfolios, assets or lots.

Terms. A lot is long-term when held more than 365 days. The law counts to the anniversary of the purchase
(``ml.tax.holding_period``): where the year holds a 29 February, that is one day later than here.
"""

from dataclasses import dataclass

import torch

from ml.policy.env_config import LONG_TERM_DAYS


@dataclass(frozen=True, slots=True)
class LotBook:
    """K lots per portfolio and asset; a slot with 0 shares is free.

    Attributes
    ----------
    shares : Tensor of shape (B, N, K)
        >= 0.
    basis : Tensor of shape (B, N, K)
        Basis per share, adjusted for purchase costs and disallowed losses.
    day : Tensor of shape (B, N, K)
        int32 start of the holding period, days since 1970-01-01.
    """

    shares: torch.Tensor
    basis: torch.Tensor
    day: torch.Tensor

    @classmethod
    def from_start(
        cls, shares: torch.Tensor, basis: torch.Tensor, day: torch.Tensor, lots: int, dtype: torch.dtype
    ) -> "LotBook":
        """Copy start lots into a book with ``lots`` slots.

        Raises
        ------
        ValueError
            If there are more start lots than slots.
        """
        missing = lots - shares.shape[-1]
        if missing < 0:
            raise ValueError(
                f"start lots have {shares.shape[-1]} slots per asset and the book has {lots}: "
                "raise EnvConfig.lots_per_asset or fold the start lots"
            )
        pad = torch.nn.functional.pad
        return cls(
            pad(shares.to(dtype), (0, missing)),
            pad(basis.to(dtype), (0, missing)),
            pad(day.int(), (0, missing)),
        )

    def is_long(self, today: torch.Tensor) -> torch.Tensor:
        """Say which lots are long-term on ``today`` (B, 1, 1); shape (B, N, K)."""
        return today - self.day > LONG_TERM_DAYS

    def in_runs(self, today: torch.Tensor) -> "LotBook":
        """Order the slots: long-term lots, short-term lots, free slots; each run by basis ascending.

        One sort serves two keys: -1 / basis of the long run is negative and rises with the basis as the
        positive basis of the short run does.
        """
        key = torch.where(self.is_long(today), -1.0 / self.basis, self.basis)
        key = torch.where(self.shares > 0, key, torch.inf)
        order = torch.argsort(key, dim=-1, stable=True)
        return LotBook(
            self.shares.gather(-1, order), self.basis.gather(-1, order), self.day.gather(-1, order)
        )

    def hifo_sale(
        self,
        quantity: torch.Tensor,
        net_price: torch.Tensor,
        today: torch.Tensor,
        may_take_short_gains: torch.Tensor,
    ) -> torch.Tensor:
        """Choose the lots of a sale; the book must be in runs.

        Parameters
        ----------
        quantity : Tensor of shape (B, N)
            Shares to sell, >= 0; what the lots cannot give is cut.
        net_price : Tensor of shape (B, N)
            Price less cost: above a lot's basis the lot has a gain.
        today : Tensor of shape (B, 1, 1)
            Day of the sale.
        may_take_short_gains : Tensor of shape (B, N)
            bool; False: lots with a short-term gain are left.

        Returns
        -------
        Tensor of shape (B, N, K)
            Shares sold of each lot: short-term losses first, then the long-term run (its losses, then its
            gains), then short-term gains, each run from its tail, where the basis is highest.
        """
        is_long = self.is_long(today)
        long_total = (self.shares * is_long).sum(-1)
        short_loss = (self.shares * (~is_long & (self.basis > net_price[..., None]))).sum(-1)
        reached = self.shares.cumsum(-1)
        total = reached[..., -1]
        from_losses = torch.minimum(quantity, short_loss)
        from_long = torch.minimum(quantity - from_losses, long_total)
        from_gains = (quantity - from_losses - from_long) * may_take_short_gains
        run_sale = torch.where(is_long, from_long[..., None], (from_losses + from_gains)[..., None])
        run_end = torch.where(is_long, long_total[..., None], total[..., None])
        return (run_sale - (run_end - reached)).clamp(min=0).minimum(self.shares)

    def without(self, sold: torch.Tensor) -> "LotBook":
        """Take sold shares (B, N, K) out."""
        return LotBook(self.shares - sold, self.basis, self.day)

    def with_purchase(
        self, quantity: torch.Tensor, basis: torch.Tensor, day: torch.Tensor, today: torch.Tensor
    ) -> "LotBook":
        """Add one lot per asset; where no slot is free, fold the closest pair of one term.

        Parameters
        ----------
        quantity, basis : Tensor of shape (B, N)
            Shares bought (0: no purchase) and basis per share.
        day : Tensor of shape (B, N)
            int32 start of the holding period.
        today : Tensor of shape (B, 1, 1)
            Day of the purchase.

        Notes
        -----
        The pair may hold the new lot. A folded lot has the sum of shares, the share-weighted basis and the
        later day. A full asset is in runs without gaps, so that pairs are neighbours.
        """
        lots = self.shares.shape[-1]
        new_shares, new_basis, new_day = quantity[..., None], basis[..., None], day[..., None]
        free = self.shares <= 0
        has_room = free.any(-1, keepdim=True)
        first_free = free & (free.cumsum(-1) == 1)
        folded = (new_shares > 0) & ~has_room
        slot, takes_new = self._closest_pair(new_basis, new_day, today)
        place = torch.arange(lots, device=slot.device)
        is_fold = folded & (place == slot)

        other_shares = torch.where(takes_new, new_shares, self.shares.roll(-1, -1))
        other_basis = torch.where(takes_new, new_basis, self.basis.roll(-1, -1))
        other_day = torch.where(takes_new, new_day, self.day.roll(-1, -1))
        both = self.shares + other_shares
        mean = (self.shares * self.basis + other_shares * other_basis) / torch.where(is_fold, both, 1)
        shares = torch.where(is_fold, both, self.shares)
        mean_basis = torch.where(is_fold, mean, self.basis)
        later = torch.where(is_fold, torch.maximum(self.day, other_day), self.day)

        is_new = (new_shares > 0) & torch.where(folded, ~takes_new & (place == slot + 1), first_free)
        return LotBook(
            torch.where(is_new, new_shares, shares),
            torch.where(is_new, new_basis, mean_basis),
            torch.where(is_new, new_day, later),
        )

    def _closest_pair(
        self, new_basis: torch.Tensor, new_day: torch.Tensor, today: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find the slot of the pair's first lot and whether its second is the new lot; (B, N, 1) each."""
        lots = self.shares.shape[-1]
        is_long = self.is_long(today)
        to_next = (self.basis.roll(-1, -1) - self.basis).abs()
        to_next = torch.where(is_long == is_long.roll(-1, -1), to_next, torch.inf)
        to_next[..., -1] = torch.inf
        to_new = (self.basis - new_basis).abs()
        to_new = torch.where(is_long == (today - new_day > LONG_TERM_DAYS), to_new, torch.inf)
        closest = torch.cat([to_next, to_new], -1).argmin(-1, keepdim=True)
        return closest % lots, closest >= lots
