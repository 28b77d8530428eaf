"""From raw values to network inputs: quantile tables for features, per-window scales for channels.

What belongs here: transforms whose statistics come from training rows (features) or from the asset's own
window (channels). Nothing here reads other rows of the batch that is scored, so an asset's inputs do not
depend on who else is scored.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch

from ml.features.catalog import FEATURES
from ml.features.panel import CHANNELS, N_FEATURES

N_KNOTS: Final = 65
SCORE_LIMIT: Final = 3.0
MAX_FIT_ROWS: Final = 200_000
"""More rows than this are thinned evenly: a table of 65 knots does not gain from more."""
CHANNEL_LIMIT: Final = 6.0
REFERENCE_VOLATILITY: Final = 0.01
"""Daily volatility whose log level is zero."""
MIN_DAILY_VOLATILITY: Final = 1e-5
LEVEL_RANGE: Final = (-5.0, 3.0)
RATIO_LIMIT: Final = 2.0
BETA_RANGE: Final = (-2.0, 4.0)
_RANGE_VARIANCE: Final = 4 * math.log(2)
"""Squared log range of a random walk over its variance (Parkinson 1980)."""

_RETURN, _RANGE, _GAP, _VOLUME, _MARKET = (
    CHANNELS.index(name) for name in ("return", "range", "gap", "volume", "market")
)
_IS_FLAG: Final = tuple(spec.unit == "flag" for spec in FEATURES)


class NormalizationError(ValueError):
    """Rows that no table can be fitted on, or of another shape; the message names both."""


@dataclass(frozen=True)
class FeatureNormalizer:
    """A monotone map of each column to roughly normal scores; flags pass through.

    Attributes
    ----------
    knots : Tensor of shape (50, 65)
        Ascending raw values; repeated at the end where the column takes fewer distinct quantiles.
    scores : Tensor of shape (50, 65)
        Score of each knot, in [-3, 3]; between knots the map is linear, outside it is flat.
    """

    knots: torch.Tensor
    scores: torch.Tensor

    @classmethod
    def fit(cls, features: torch.Tensor) -> "FeatureNormalizer":
        """Fit the tables on training rows.

        Parameters
        ----------
        features : Tensor of shape (R, 50)
            Raw values; a nan is left out of its column.

        Raises
        ------
        NormalizationError
            Another width, or no rows.
        """
        if features.ndim != 2 or features.shape[1] != N_FEATURES or not len(features):
            raise NormalizationError(
                f"features of shape {tuple(features.shape)}: give (rows, {N_FEATURES}), at least one row"
            )
        rows = features[:: math.ceil(len(features) / MAX_FIT_ROWS)].double().cpu()
        tables = [_table(rows[:, column]) for column in range(N_FEATURES)]
        return cls(torch.stack([knots for knots, _ in tables]), torch.stack([scores for _, scores in tables]))

    def __call__(self, features: torch.Tensor) -> torch.Tensor:
        """Scores of raw features (..., 50); nan becomes 0, the middle of its column.

        Raises
        ------
        NormalizationError
            Another width.
        """
        if features.shape[-1] != N_FEATURES:
            raise NormalizationError(f"{features.shape[-1]} features, the tables are for {N_FEATURES}")
        known = torch.isfinite(features)
        values = torch.where(known, features, 0.0).float()
        columns = values.reshape(-1, N_FEATURES).T.contiguous()
        right = torch.searchsorted(self.knots, columns).clamp(1, N_KNOTS - 1)
        x0, x1 = self.knots.gather(1, right - 1), self.knots.gather(1, right)
        y0, y1 = self.scores.gather(1, right - 1), self.scores.gather(1, right)
        step = x1 - x0
        part = ((columns - x0) / torch.where(step > 0, step, 1.0)).clamp(0, 1)
        scored = (y0 + (y1 - y0) * part).T.reshape(values.shape)
        is_flag = torch.tensor(_IS_FLAG, device=features.device)
        return torch.where(known, torch.where(is_flag, values.clamp(0, 1), scored), 0.0)

    def to(self, device: torch.device | str) -> "FeatureNormalizer":
        """The same tables on another device."""
        return FeatureNormalizer(self.knots.to(device), self.scores.to(device))


def _table(column: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    known = column[torch.isfinite(column)]
    if not len(known):
        return torch.zeros(N_KNOTS), torch.zeros(N_KNOTS)
    levels = torch.linspace(0, 1, N_KNOTS, dtype=torch.float64)
    quantiles = torch.quantile(known, levels).float()
    normal = torch.special.ndtri(levels).clamp(-SCORE_LIMIT, SCORE_LIMIT)
    knots, group = torch.unique_consecutive(quantiles, return_inverse=True)
    if len(knots) == 1:
        return knots.expand(N_KNOTS).contiguous(), torch.zeros(N_KNOTS)
    # A value that many rows share gets the mean score of its quantiles.
    total = torch.zeros(len(knots), dtype=torch.float64).index_add_(0, group, normal)
    scores = (total / torch.bincount(group)).float()
    rest = N_KNOTS - len(knots)
    return torch.cat([knots, knots[-1:].expand(rest)]), torch.cat([scores, scores[-1:].expand(rest)])


@dataclass(frozen=True)
class ChannelWindow:
    """Channels of windows as the network reads them.

    Attributes
    ----------
    values : Tensor of shape (..., 64, 5)
        Return, range, gap and market in units of daily volatility, log volume about its mean; 0 = missing.
    is_known : Tensor of shape (..., 64, 5)
        bool.
    levels : Tensor of shape (..., 12)
        One per name of :data:`ml.encoder.config.LEVELS`: log daily volatility of the asset and of the market
        over the window, against 1 %; logs of what shorter windows and day ranges say over the asset's (the
        market's) own; slope on the market and correlation with it. 0 where too little is known.
    """

    values: torch.Tensor
    is_known: torch.Tensor
    levels: torch.Tensor


def normalize_channels(raw: torch.Tensor) -> ChannelWindow:
    """Scale each window by its own trailing volatility.

    The volatility is the root mean square of the window's returns, so that a window of any scale gives the
    same values; the scale itself goes into ``levels``.

    Parameters
    ----------
    raw : Tensor of shape (..., 64, 5)
        ``FeaturePanel.channels`` of 64 sessions, oldest first; nan = missing.
    """
    known = torch.isfinite(raw)
    values = torch.where(known, raw, 0.0)
    counts = known.sum(-2)
    rms = (values.square().sum(-2) / counts.clamp(min=1)).sqrt()
    own = rms[..., _RETURN].clamp(min=MIN_DAILY_VOLATILITY)
    market = rms[..., _MARKET].clamp(min=MIN_DAILY_VOLATILITY)
    scale = torch.ones_like(rms)
    for channel in (_RETURN, _RANGE, _GAP):
        scale[..., channel] = own
    scale[..., _MARKET] = market
    centre = torch.zeros_like(rms)
    centre[..., _VOLUME] = values[..., _VOLUME].sum(-1) / counts[..., _VOLUME].clamp(min=1)
    scaled = ((values - centre[..., None, :]) / scale[..., None, :]).clamp(-CHANNEL_LIMIT, CHANNEL_LIMIT)
    volatilities = (torch.stack([own, market], dim=-1) / REFERENCE_VOLATILITY).log().clamp(*LEVEL_RANGE)
    # No list as an index: it would be copied to the device, which a captured graph cannot repeat.
    has_both = torch.stack([counts[..., _RETURN], counts[..., _MARKET]], dim=-1) > 0
    volatilities = torch.where(has_both, volatilities, 0.0)
    levels = torch.cat([volatilities, _ratios(values, known, own, market), _slope(values, known)], dim=-1)
    return ChannelWindow(torch.where(known, scaled, 0.0), known, levels)


def _ratios(
    values: torch.Tensor, known: torch.Tensor, own: torch.Tensor, market: torch.Tensor
) -> torch.Tensor:
    """Log ratios to the window's volatility, (..., 8): returns, ranges, the market's returns."""
    # A day's variance from its range, plus the overnight move that no range holds.
    by_range = values[..., _RANGE].square() / _RANGE_VARIANCE + values[..., _GAP].square()
    has_range = known[..., _RANGE] & (values[..., _RANGE] > 0)
    found = []
    for squares, is_known, against, spans in (
        (values[..., _RETURN].square(), known[..., _RETURN], own, (21, 10, 5)),
        (torch.where(has_range, by_range, 0.0), has_range, own, (64, 21, 5)),
        (values[..., _MARKET].square(), known[..., _MARKET], market, (21, 5)),
    ):
        for span in spans:
            count = is_known[..., -span:].sum(-1)
            rms = (squares[..., -span:].sum(-1) / count.clamp(min=1)).sqrt().clamp(min=MIN_DAILY_VOLATILITY)
            ratio = (rms / against).log().clamp(-RATIO_LIMIT, RATIO_LIMIT)
            found.append(torch.where(2 * count > span, ratio, 0.0))
    return torch.stack(found, dim=-1)


def _slope(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Slope on the market through zero, and cosine with it, (..., 2); 0 with under half of the days."""
    both = known[..., _RETURN] & known[..., _MARKET]
    r = torch.where(both, values[..., _RETURN], 0.0)
    m = torch.where(both, values[..., _MARKET], 0.0)
    cross, wide, own = (r * m).sum(-1), m.square().sum(-1), r.square().sum(-1)
    tiny = MIN_DAILY_VOLATILITY**2
    enough = (2 * both.sum(-1) > both.shape[-1]) & (wide > tiny) & (own > tiny)
    slope = (cross / wide.clamp(min=tiny)).clamp(*BETA_RANGE)
    cosine = cross / (wide.clamp(min=tiny) * own.clamp(min=tiny)).sqrt()
    return torch.where(enough[..., None], torch.stack([slope, cosine], dim=-1), 0.0)
