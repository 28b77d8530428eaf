"""The encoder: own branch, Chronos branch and the gate between them.

What belongs here: the network from normalised inputs to embeddings, with the heads that training reads.
What does not: normalisation (``normalize.py``), losses, and the whitening of what is served
(``embed.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import nn

from ml.encoder.config import EMBEDDING_SIZE, N_LEVELS, WINDOW, EncoderConfig
from ml.encoder.layers import CrossAssetBlock, SelfBlock, comovement
from ml.encoder.normalize import ChannelWindow
from ml.features.catalog import FEATURES
from ml.features.panel import CHANNELS, N_FEATURES

N_CHANNELS = len(CHANNELS)
_RETURN, _MARKET = CHANNELS.index("return"), CHANNELS.index("market")
LABELS = tuple(i for i, spec in enumerate(FEATURES) if spec.unit == "flag")
"""Positions of the class and sector flags among the features."""


def run_of(positions: Sequence[int]) -> slice:
    """Neighbouring positions as a slice: a list would be copied to the device at every use.

    Raises
    ------
    ValueError
        They are no neighbours: a catalog in another order.
    """
    first = positions[0]
    if list(positions) != list(range(first, first + len(positions))):
        raise ValueError(
            f"positions {list(positions)} are no neighbours: keep each family of columns together"
        )
    return slice(first, first + len(positions))


_LABELS = run_of(LABELS)


@dataclass(frozen=True)
class EncoderInput:
    """B dates x N assets, normalised.

    Attributes
    ----------
    channels : ChannelWindow
        Of shape (B, N).
    features : Tensor of shape (B, N, 50)
        Normal scores.
    chronos : Tensor of shape (B, N, chronos_size)
        Whitened Chronos embeddings; not read where there is none.
    has_chronos : Tensor of shape (B, N)
        bool.
    is_asset : Tensor of shape (B, N)
        bool; False: absent or padding.
    """

    channels: ChannelWindow
    features: torch.Tensor
    chronos: torch.Tensor
    has_chronos: torch.Tensor
    is_asset: torch.Tensor

    @classmethod
    def concatenate(cls, inputs: "Sequence[EncoderInput]") -> "EncoderInput":
        """Inputs with the same number of assets, one after the other along the dates."""
        windows = [one.channels for one in inputs]
        channels = [torch.cat([getattr(w, one.name) for w in windows]) for one in fields(ChannelWindow)]
        rest = [torch.cat([getattr(i, one.name) for i in inputs]) for one in fields(cls)[1:]]
        return cls(ChannelWindow(*channels), *rest)


@dataclass(frozen=True)
class EncoderOutput:
    """What the network makes of an :class:`EncoderInput`.

    Attributes
    ----------
    z : Tensor of shape (B, N, 64)
        Embeddings before whitening; 0 where there is no asset.
    own : Tensor of shape (B, N, 64)
        Own branch alone.
    gate : Tensor of shape (B, N, 64)
        Share of the own branch; 1 where there is no Chronos embedding.
    tokens : Tensor of shape (B, N, P, width)
        States of the patches, for reconstruction.
    """

    z: torch.Tensor
    own: torch.Tensor
    gate: torch.Tensor
    tokens: torch.Tensor


@dataclass(frozen=True)
class HeadOutput:
    """Predictions of the self-supervised heads.

    Attributes
    ----------
    patches : Tensor of shape (B, N, 64, 5)
        Channels, from the states of their patches and z.
    features : Tensor of shape (B, N, 50)
        Normal scores, from z.
    log_volatility : Tensor of shape (B, N)
        Log of the daily volatility of the next 21 sessions, against 1 %.
    rank : Tensor of shape (B, N)
        Return of the next 21 sessions, ranked among the date's assets to [-1, 1].
    projected : Tensor of shape (B, N, 64)
        What the contrastive loss compares.
    """

    patches: torch.Tensor
    features: torch.Tensor
    log_volatility: torch.Tensor
    rank: torch.Tensor
    projected: torch.Tensor


class CrossAssetEncoder(nn.Module):
    """z = g * own + (1 - g) * P chronos, with g = sigmoid(W [own; chronos]).

    The own branch reads the 64-session window as patches, the 50 features, and the other assets of the
    date. No identifier enters, and assets are treated alike: permuting them permutes z.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        width, size = config.width, EMBEDDING_SIZE
        facts = N_FEATURES + N_LEVELS + (len(LABELS) if config.has_comovement else 0)
        self.patch_embedding = nn.Linear(2 * N_CHANNELS * config.patch + N_LEVELS, width)
        self.position = nn.Parameter(torch.randn(config.n_patches, width) * 0.02)
        self.hidden_patch = nn.Parameter(torch.randn(width) * 0.02)
        self.temporal = nn.ModuleList(SelfBlock(width, config.heads) for _ in range(config.temporal_layers))
        self.temporal_norm = nn.LayerNorm(width)
        self.feature_mlp = nn.Sequential(nn.Linear(facts, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.join = nn.Sequential(nn.Linear(3 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.cross_asset = nn.ModuleList(
            CrossAssetBlock(width, config.heads, config.inducing) for _ in range(config.asset_layers)
        )
        self.own_norm = nn.LayerNorm(width)
        self.own_out = nn.Linear(width, size)
        self.shortcut = nn.Linear(facts, size, bias=False)
        self.chronos_out = nn.Linear(config.chronos_size, size)
        self.gate = nn.Linear(size + config.chronos_size, size)
        self.heads = _Heads(config)

    def forward(self, inputs: EncoderInput, is_hidden: torch.Tensor | None = None) -> EncoderOutput:
        """Embed.

        Parameters
        ----------
        inputs : EncoderInput
        is_hidden : Tensor of shape (B, N, P), optional
            bool; patches that the network must do without.
        """
        own, tokens = self._own(inputs, is_hidden)
        branches = self.config.branches
        has_chronos = inputs.has_chronos[..., None] & (branches != "own")
        chronos = torch.where(has_chronos, inputs.chronos, 0.0)
        if branches == "chronos":
            gate = torch.zeros_like(own)
        else:
            gate = torch.sigmoid(self.gate(torch.cat([own, chronos], dim=-1)))
            gate = torch.where(has_chronos, gate, 1.0)
        z = gate * own + (1 - gate) * self.chronos_out(chronos)
        z = torch.where(inputs.is_asset[..., None], z, 0.0)
        return EncoderOutput(z, own, gate, tokens)

    def facts(self, inputs: EncoderInput, is_hidden: torch.Tensor | None = None) -> torch.Tensor:
        """What the own branch knows without a weight: features, levels and co-movement, (B, N, facts)."""
        known = [inputs.features, inputs.channels.levels]
        if self.config.has_comovement:
            days = inputs.channels.is_known[..., _RETURN] & inputs.channels.is_known[..., _MARKET]
            if is_hidden is not None:
                days = days & ~is_hidden.repeat_interleave(self.config.patch, dim=-1)
            values = inputs.channels.values
            # Single precision also under autocast: small differences of long sums.
            with torch.autocast(values.device.type, enabled=False):
                known.append(
                    comovement(
                        values[..., _RETURN],
                        values[..., _MARKET],
                        days,
                        inputs.features[..., _LABELS],
                        inputs.is_asset,
                    )
                )
        return torch.cat(known, dim=-1)

    def _own(self, inputs: EncoderInput, is_hidden: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Own branch (B, N, 64) and states of the patches (B, N, P, width); zeros if it is left out."""
        b, n = inputs.is_asset.shape
        if self.config.branches == "chronos":
            own = inputs.features.new_zeros(b, n, EMBEDDING_SIZE)
            return own, own.new_zeros(b, n, self.config.n_patches, self.config.width)
        tokens = self._tokens(inputs.channels, is_hidden)
        facts = self.facts(inputs, is_hidden)
        asset = self.join(torch.cat([tokens.mean(2), tokens[:, :, -1], self.feature_mlp(facts)], dim=-1))
        for block in self.cross_asset:
            asset = block(asset, inputs.is_asset)
        return self.own_out(self.own_norm(asset)) + self.shortcut(facts), tokens

    def _tokens(self, channels: ChannelWindow, is_hidden: torch.Tensor | None) -> torch.Tensor:
        b, n = channels.levels.shape[:2]
        patches = self.config.n_patches
        days = torch.cat([channels.values, channels.is_known.to(channels.values.dtype)], dim=-1)
        flat = days.reshape(b * n, patches, -1)
        levels = channels.levels.reshape(b * n, 1, N_LEVELS).expand(-1, patches, -1)
        tokens = self.patch_embedding(torch.cat([flat, levels], dim=-1))
        if is_hidden is not None:
            tokens = torch.where(is_hidden.reshape(b * n, patches, 1), self.hidden_patch, tokens)
        tokens = tokens + self.position
        for block in self.temporal:
            tokens = block(tokens)
        return self.temporal_norm(tokens).view(b, n, patches, -1)


class _Heads(nn.Module):
    """What training asks of the embeddings; not used when serving."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width, size = config.width, EMBEDDING_SIZE
        self.context = nn.Linear(size, width)
        self.patches = nn.Linear(width, config.patch * N_CHANNELS)
        self.features = nn.Linear(size, N_FEATURES)
        self.forward_looking = nn.Linear(size, 2)
        self.projection = nn.Sequential(nn.Linear(size, width), nn.GELU(), nn.Linear(width, size))

    def forward(self, out: EncoderOutput) -> HeadOutput:
        """Predict."""
        b, n = out.z.shape[:2]
        states = nn.functional.gelu(out.tokens + self.context(out.z)[:, :, None])
        patches = self.patches(states).reshape(b, n, WINDOW, N_CHANNELS)
        ahead = self.forward_looking(out.z)
        return HeadOutput(patches, self.features(out.z), ahead[..., 0], ahead[..., 1], self.projection(out.z))


def n_parameters(model: nn.Module) -> int:
    """Trainable numbers of a model."""
    return sum(one.numel() for one in model.parameters())
