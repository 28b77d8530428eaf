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
