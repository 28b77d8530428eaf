"""Score a Chronos model against naive forecasts on real daily series it never saw.

Weighted quantile loss over 21 days at the nine deciles (Ansari et al. 2024, section 5.1: twice the sum of
pinball losses over the sum of absolute targets, mean over levels), as a ratio to the naive forecast's;
paired bootstrap over forecast origins. Prices: a random walk with trailing-63-day volatility. Absolute
returns: the empirical quantiles of the trailing 63 days.

Run ``python -m ml.chronos.evaluate --model DIR --series BARS.parquet --since 2017-01-01``.
"""

import argparse
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np

from ml.chronos.config import QUANTILES
from ml.chronos.series import DailySeries, load_series

HORIZON: Final = 21
TRAILING: Final = 63
MIN_CONTEXT: Final = 128
BATCH: Final = 256
TARGETS: Final = ("price", "absolute_return")


@dataclass(frozen=True)
class Windows:
    """Forecast problems of one target.

    Attributes
    ----------
    contexts : list of 1-D float arrays
        What the model reads: log prices or absolute returns.
    targets : ndarray, (n, 21)
        Prices over the origin's price, or absolute returns.
    naive : ndarray, (n, levels, 21)
        Quantiles of the naive forecast, in the target's unit.
    origins : ndarray of datetime64[D], (n,)
        Last day of the context.
    """

    contexts: list[np.ndarray]
    targets: np.ndarray
    naive: np.ndarray
    origins: np.ndarray


@dataclass(frozen=True)
class Ratio:
    """Model's weighted quantile loss over the naive forecast's, with its 95 % interval."""

    ratio: float
    low: float
    high: float
    windows: int
    origins: int

    def as_dict(self) -> dict[str, float | int]:
        """Rounded plain values."""
        return {
            "ratio": round(self.ratio, 4),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
            "windows": self.windows,
            "origins": self.origins,
        }


def windows_of(series: list[DailySeries], target: str, since: date, context_length: int = 512) -> Windows:
    """Origins every 21 days of each series, their whole horizon on or after `since`.

    Raises
    ------
    ValueError
        An unknown target, or no series long enough.
    """
    if target not in TARGETS:
        raise ValueError(f"the target {target!r} is unknown: use one of {', '.join(TARGETS)}")
    contexts, targets, naive, origins = [], [], [], []
    for one in series:
        logs, returns = np.log(one.prices), one.log_returns
        first = max(int(np.searchsorted(one.dates, np.datetime64(since))), MIN_CONTEXT + 1)
        for start in range(first, len(logs) - HORIZON + 1, HORIZON):
            trailing = returns[start - 1 - TRAILING : start - 1]
            if trailing.std() == 0:
                continue  # a price that does not move has no scale to compare on
            if target == "price":
                contexts.append(logs[max(0, start - context_length) : start])
                targets.append(np.exp(logs[start : start + HORIZON] - logs[start - 1]))
                naive.append(random_walk_quantiles(trailing))
            else:
                moves = np.abs(returns[max(0, start - 1 - context_length) : start - 1])
                contexts.append(moves)
                targets.append(np.abs(returns[start - 1 : start - 1 + HORIZON]))
                levels = np.quantile(np.abs(trailing), QUANTILES)
                naive.append(np.repeat(levels[:, None], HORIZON, axis=1))
            origins.append(one.dates[start - 1])
    if not contexts:
        raise ValueError(
            f"none of {len(series)} series has {MIN_CONTEXT} days before and {HORIZON} after {since}"
        )
    return Windows(contexts, np.stack(targets), np.stack(naive), np.array(origins))


def random_walk_quantiles(trailing: np.ndarray) -> np.ndarray:
    """Quantiles of price over today's price, (levels, 21): log-normal, no drift, volatility of `trailing`."""
    from scipy.stats import norm

    sizes = trailing.std(ddof=1) * np.sqrt(np.arange(1, HORIZON + 1))
    return np.exp(norm.ppf(QUANTILES)[:, None] * sizes)


def forecast(model: Any, windows: Windows, target: str) -> np.ndarray:
    """Quantiles of a Chronos pipeline, (n, levels, 21), in the target's unit.

    Parameters
    ----------
    model : chronos.BaseChronosPipeline
        T5, Bolt or Chronos-2.
    """
    import torch

    out = []
    for start in range(0, len(windows.contexts), BATCH):
        batch = windows.contexts[start : start + BATCH]
        # A log price is read from its last value on: its level says nothing, and low precision would cost.
        last = np.array([one[-1] for one in batch]) if target == "price" else np.zeros(len(batch))
        inputs = [
            torch.tensor(one - level, dtype=torch.float32) for one, level in zip(batch, last, strict=True)
        ]
        quantiles, _ = model.predict_quantiles(
            inputs, prediction_length=HORIZON, quantile_levels=list(QUANTILES)
        )
        values = quantiles.float().cpu().numpy().transpose(0, 2, 1)
        out.append(np.exp(values) if target == "price" else np.maximum(values, 0))
    return np.concatenate(out)


def pinball(targets: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
    """Twice the pinball loss summed over days, mean over levels, (n,)."""
    levels = np.array(QUANTILES)[:, None]
    error = targets[:, None] - quantiles
    return 2 * np.maximum(levels * error, (levels - 1) * error).mean(1).sum(1)


def loss_ratio(model: np.ndarray, naive: np.ndarray, origins: np.ndarray, seed: int = 0) -> Ratio:
    """Ratio of summed losses and its 95 % interval from 2,000 paired resamples of whole origins.

    The targets' absolute sum is the same on both sides and cancels. Windows of one origin share the day's
    market, so origins are resampled, not windows.
    """
    days, inverse = np.unique(origins, return_inverse=True)
    ours, theirs = (np.bincount(inverse, weights=loss) for loss in (model, naive))
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(days), (2000, len(days)))
    ratios = ours[picks].sum(1) / theirs[picks].sum(1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Ratio(float(ours.sum() / theirs.sum()), float(low), float(high), len(model), len(days))


def score(model: Any, series: list[DailySeries], since: date) -> dict[str, Ratio]:
    """Both targets' ratios of one model on one set of series."""
    scores = {}
    for target in TARGETS:
        windows = windows_of(series, target, since)
        ours = pinball(windows.targets, forecast(model, windows, target))
        scores[target] = loss_ratio(ours, pinball(windows.targets, windows.naive), windows.origins)
    return scores


def main(arguments: list[str] | None = None) -> None:
    """Entry point of ``python -m ml.chronos.evaluate``."""
    parser = argparse.ArgumentParser(prog="python -m ml.chronos.evaluate", description=__doc__)
    parser.add_argument("--model", required=True, help="path or hub id of any Chronos model")
    parser.add_argument("--series", type=Path, required=True, help="daily bars (.parquet or .npz)")
    parser.add_argument("--since", type=date.fromisoformat, default=date(2017, 1, 1), help="first target day")
    parser.add_argument("--output", type=Path, help="JSON file of the scores")
    parser.add_argument("--random-weights", action="store_true", help="control: draw the weights anew")
    given = parser.parse_args(arguments)
    # Imported here: scoring arrays needs no data frames, which a GPU machine may lack.
    from ml.chronos.embed import load_pipeline
    from ml.chronos.model import find_chronos

    model = load_pipeline(find_chronos(given.model))
    if given.random_weights:
        import torch

        torch.manual_seed(0)
        model.model.init_weights()
    series = load_series(given.series)
    print(f"scoring {given.model} on {len(series)} series from {given.since}", flush=True)
    scores = score(model, series, given.since)
    for target, ratio in scores.items():
        print(
            f"{target:16s} ratio {ratio.ratio:.4f}  95 % {ratio.low:.4f} to {ratio.high:.4f}  "
            f"{ratio.windows} windows of {ratio.origins} origins"
        )
    if given.output:
        given.output.write_text(json.dumps({k: v.as_dict() for k, v in scores.items()}, indent=1) + "\n")
        print(f"wrote {given.output}")


if __name__ == "__main__":
    main()
