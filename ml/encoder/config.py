"""Sizes of the encoder and of its training runs.

What belongs here: plain values, and the profiles that name sets of them. What does not: tensors.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

WINDOW: Final = 64
"""Sessions that one embedding reads."""
EMBEDDING_SIZE: Final = 64
LEVELS: Final[tuple[str, ...]] = (
    "volatility_64d",
    "market_volatility_64d",
    "volatility_21d_ratio",
    "volatility_10d_ratio",
    "volatility_5d_ratio",
    "range_64d_ratio",
    "range_21d_ratio",
    "range_5d_ratio",
    "market_volatility_21d_ratio",
    "market_volatility_5d_ratio",
    "beta_64d",
    "correlation_64d",
)
"""Constants of a window; `normalize.py` says how they are computed."""
N_LEVELS: Final = len(LEVELS)
BRANCHES: Final = ("fused", "own", "chronos")


class EncoderConfigError(ValueError):
    """Values that make no encoder; the message names them."""


@dataclass(frozen=True)
class EncoderConfig:
    """The network.

    Attributes
    ----------
    width : int
        Of all hidden layers.
    patch : int
        Sessions that one token covers; divides the window.
    temporal_layers, asset_layers : int
        Transformer layers over the patches of an asset, and over the assets of a date.
    heads : int
        Of every attention; divides the width.
    inducing : int
        Learned tokens through which assets attend to each other: cost grows with assets, not their square.
    chronos_size : int
        Length of the Chronos embeddings.
    branches : str
        ``fused``; ``own`` and ``chronos`` leave the other branch out, for ablations.
    has_comovement : bool
        Whether the own branch reads how an asset moves with the assets of each class and sector.
    """

    width: int = 64
    patch: int = 8
    temporal_layers: int = 2
    asset_layers: int = 1
    heads: int = 4
    inducing: int = 16
    chronos_size: int = 128
    branches: str = "fused"
    has_comovement: bool = True

    def __post_init__(self) -> None:
        """Check that the sizes fit together."""
        if WINDOW % self.patch:
            raise EncoderConfigError(f"patch {self.patch} does not divide the window of {WINDOW} sessions")
        if self.width % self.heads:
            raise EncoderConfigError(f"heads {self.heads} does not divide the width {self.width}")
        if self.branches not in BRANCHES:
            raise EncoderConfigError(f"branches {self.branches!r} are unknown: choose from {list(BRANCHES)}")

    @property
    def n_patches(self) -> int:
        """Tokens of a window."""
        return WINDOW // self.patch

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "EncoderConfig":
        """From :meth:`as_dict`.

        Raises
        ------
        EncoderConfigError
            Names that are missing or unknown: the checkpoint is of another version.
        """
        known = {one.name for one in fields(cls)}
        if set(values) != known:
            raise EncoderConfigError(f"encoder sizes {sorted(set(values) ^ known)} are missing or unknown")
        return cls(**values)


@dataclass(frozen=True)
class LossWeights:
    """How much each term of the loss counts."""

    patch: float = 0.5
    feature: float = 2.0
    contrast: float = 0.05
    volatility: float = 2.0
    rank: float = 0.1
    variance: float = 1.0
    covariance: float = 0.2


@dataclass(frozen=True)
class TrainConfig:
    """One training run; with the panels and the seed it fixes the weights on one kind of device.

    Attributes
    ----------
    profile : str
        Name of the set of values; recorded in the checkpoint.
    encoder : EncoderConfig
    weights : LossWeights
    steps, warmup_steps : int
        Optimiser steps in all, and of linear warm-up; then cosine decay to a hundredth.
    dates_per_step, assets_per_date, fewest_assets_per_date : int
        A batch: every step draws its number of assets a date between the fewest and the most, log-uniformly,
        and as many dates as keep the cells of a step; both views of every sample are seen in it.
    peak_rate, weight_decay, clip_norm : float
        AdamW.
    chronos_series : int
        (asset, date) pairs embedded by Chronos, over all panels; training draws its dates from those.
    hide_patches, hide_features, hide_chronos : float
        Shares of inputs hidden from a view.
    hide_sectors, hide_classes : float
        Each date of a view hides all sector flags (all class flags) of a share of its assets; the share is
        drawn between 0 and this.
    noise : float
        Standard deviation of the noise on a view's channels, in units of daily volatility.
    temperature : float
        Of the contrastive loss.
    whitening_floor : float
        Added to the variances before the embeddings are whitened, so that noise is not blown up.
    between_weight : float
        How much more variance between dates and classes is scaled down than variance between assets.
    report_every, check_from, save_every : int
        Steps between metrics rows, before the first check for collapse, between training states.
    """

    profile: str = "quick"
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    steps: int = 400
    warmup_steps: int = 40
    dates_per_step: int = 4
    assets_per_date: int = 48
    fewest_assets_per_date: int = 12
    peak_rate: float = 2e-3
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    chronos_series: int = 18_000
    hide_patches: float = 0.3
    hide_features: float = 0.2
    hide_chronos: float = 0.3
    hide_sectors: float = 0.8
    hide_classes: float = 0.3
    noise: float = 0.1
    temperature: float = 0.2
    whitening_floor: float = 0.05
    between_weight: float = 4.0
    report_every: int = 50
    check_from: int = 200
    save_every: int = 1000

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


PROFILES: Final = {
    "quick": TrainConfig(),
    "full": TrainConfig(
        profile="full",
        encoder=EncoderConfig(width=96, temporal_layers=3, asset_layers=2, inducing=32),
        steps=6_000,
        warmup_steps=300,
        dates_per_step=32,
        assets_per_date=128,
        fewest_assets_per_date=16,
        peak_rate=1.5e-3,
        chronos_series=2_000_000,
        report_every=500,
        check_from=1_000,
        save_every=1_000,
    ),
}
