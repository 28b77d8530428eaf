"""Augmented views of a batch: what is hidden from the network and what it must find again.

What belongs here: random hiding and noise. What does not: gathering cells (``dataset.py``).
"""

from dataclasses import dataclass, replace

import torch

from ml.encoder.config import TrainConfig
from ml.encoder.model import EncoderInput, run_of
from ml.encoder.normalize import ChannelWindow
from ml.features.catalog import FEATURES
from ml.features.panel import CHANNELS

_SECTORS = run_of([i for i, spec in enumerate(FEATURES) if spec.family == "sector"])
_CLASSES = run_of([i for i, spec in enumerate(FEATURES) if spec.family == "class"])
_NOISY = run_of([CHANNELS.index(name) for name in ("return", "range", "gap")])


@dataclass(frozen=True)
class View:
    """An input with parts hidden.

    Attributes
    ----------
    inputs : EncoderInput
    is_hidden_patch : Tensor of shape (B, N, P)
    is_hidden_feature : Tensor of shape (B, N, 50)
    """

    inputs: EncoderInput
    is_hidden_patch: torch.Tensor
    is_hidden_feature: torch.Tensor


def make_view(inputs: EncoderInput, config: TrainConfig, generator: torch.Generator) -> View:
    """Hide patches, features and Chronos embeddings of some assets at random, and add noise to days."""
    device = inputs.features.device

    def chance(shape: tuple[int, ...], share: float) -> torch.Tensor:
        return torch.rand(shape, generator=generator, device=device) < share

    b, n = inputs.is_asset.shape
    hidden_patch = chance((b, n, config.encoder.n_patches), config.hide_patches)
    hidden_feature = chance(tuple(inputs.features.shape), config.hide_features)
    for columns, most in ((_SECTORS, config.hide_sectors), (_CLASSES, config.hide_classes)):
        # Flags of one family go together, or those that are left would tell the hidden one.
        share = most * torch.rand((b, 1), generator=generator, device=device)
        whole = torch.rand((b, n), generator=generator, device=device) < share
        hidden_feature[..., columns] = whole[..., None]
    noise = torch.zeros_like(inputs.channels.values)
    shape = noise[..., _NOISY].shape
    noise[..., _NOISY] = config.noise * torch.randn(shape, generator=generator, device=device)
    values = inputs.channels.values + noise * inputs.channels.is_known
    view = replace(
        inputs,
        channels=ChannelWindow(values, inputs.channels.is_known, inputs.channels.levels),
        features=torch.where(hidden_feature, 0.0, inputs.features),
        has_chronos=inputs.has_chronos & ~chance((b, n), config.hide_chronos),
    )
    return View(view, hidden_patch, hidden_feature)
