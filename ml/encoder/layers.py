"""Attention blocks: over the patches of a window, and over the assets of a date.

What belongs here: layers that know nothing of markets. What does not: the encoder built from them.
"""

import torch
from torch import nn
from torch.nn import functional

_SMALL = 0.02


class Attention(nn.Module):
    """Multi-head attention of queries over keys, with a mask of keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, queries: torch.Tensor, keys: torch.Tensor, is_key: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Attend.

        Parameters
        ----------
        queries : Tensor of shape (B, Q, width)
        keys : Tensor of shape (B, K, width)
        is_key : Tensor of shape (B, K), optional
            bool; every row needs at least one.
        """
        b, n, width = queries.shape
        size = width // self.heads
        q = self.query(queries).view(b, n, self.heads, size).transpose(1, 2)
        k, v = self.key_value(keys).view(b, -1, 2, self.heads, size).permute(2, 0, 3, 1, 4)
        mask = None if is_key is None else is_key[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out(mixed.transpose(1, 2).reshape(b, n, width))


class FeedForward(nn.Sequential):
    """Two linear layers with GELU between."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class SelfBlock(nn.Module):
    """Pre-norm transformer layer over the tokens of one window."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.feed_forward = FeedForward(width, 2 * width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, P, width) to the same shape."""
        normed = self.before(tokens)
        tokens = tokens + self.attention(normed, normed)
        return tokens + self.feed_forward(self.between(tokens))


class CrossAssetBlock(nn.Module):
    """Assets read each other through a few learned tokens.

    Induced set attention (Lee et al. 2019, Set Transformer, equation 9): permutation-equivariant, any
    number of assets, cost proportional to it. One key that is always there keeps a date without assets
    finite.
    """

    def __init__(self, width: int, heads: int, inducing: int) -> None:
        super().__init__()
        self.inducing = nn.Parameter(torch.randn(inducing, width) * _SMALL)
        self.always = nn.Parameter(torch.randn(1, width) * _SMALL)
        self.before, self.middle, self.between = (nn.LayerNorm(width) for _ in range(3))
        self.gather = Attention(width, heads)
        self.spread = Attention(width, heads)
        self.feed_forward = FeedForward(width, 2 * width)

    def forward(self, assets: torch.Tensor, is_asset: torch.Tensor) -> torch.Tensor:
        """(B, N, width) to the same shape; `is_asset` (B, N) bool says which rows may be read."""
        b = len(assets)
        normed = self.before(assets)
        keys = torch.cat([self.always.expand(b, 1, -1), normed], dim=1)
        is_key = functional.pad(is_asset, (1, 0), value=True)
        induced = self.inducing.expand(b, -1, -1)
        summary = induced + self.gather(induced, keys, is_key)
        assets = assets + self.spread(normed, self.middle(summary))
        return assets + self.feed_forward(self.between(assets))


def comovement(
    returns: torch.Tensor,
    market: torch.Tensor,
    is_known: torch.Tensor,
    labels: torch.Tensor,
    is_asset: torch.Tensor,
) -> torch.Tensor:
    """How each asset's returns move with the mean return of the other assets of each label.

    The market's part is taken out of every asset, each remainder is scaled to length one, and an asset is
    left out of its own label's mean. Linear attention without parameters: queries and keys are the
    remainders, values the labels, so that cost grows with the assets, not with their square.

    Parameters
    ----------
    returns, market : Tensor of shape (B, N, T)
    is_known : Tensor of shape (B, N, T)
        bool; days that may be read.
    labels : Tensor of shape (B, N, F)
        0 or 1; an asset whose label is hidden has none.
    is_asset : Tensor of shape (B, N)
        bool.

    Returns
    -------
    Tensor of shape (B, N, F)
        Between -1 and 1, shrunk towards 0 where a label has few assets.
    """
    read = is_known & is_asset[..., None]
    r, m = torch.where(read, returns, 0.0), torch.where(read, market, 0.0)
    slope = (r * m).sum(-1, keepdim=True) / m.square().sum(-1, keepdim=True).clamp(min=1e-9)
    unit = functional.normalize(r - slope * m, dim=-1, eps=1e-6)
    labels = torch.where(is_asset[..., None], labels, 0.0)
    mean = labels.transpose(1, 2) @ unit
    along = unit @ mean.transpose(1, 2)
    length = unit.square().sum(-1, keepdim=True)
    others = along - labels * length
    squared = mean.square().sum(-1)[:, None] - 2 * labels * along + labels.square() * length
    return others / (squared.clamp(min=0) + 1).sqrt()
