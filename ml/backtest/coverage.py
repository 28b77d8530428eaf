"""``python -m ml.backtest.coverage``: how often the 95 percent interval holds the truth, on simulated paths.

What belongs here: processes whose truth is known, the count. What does not: the intervals themselves
(``statistics/intervals.py``).
"""

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from ml.backtest.statistics.intervals import MEAN, SmoothFunction, studentised_interval
from ml.backtest.statistics.sharpe import SHARPE, WEEKS_PER_YEAR, sharpe_moments

MEAN_WEEKLY: Final = 0.0004  # 2 percent a year, as a paired difference might have
DEVIATION_WEEKLY: Final = 0.01
AR_COEFFICIENT: Final = 0.1
GARCH_ALPHA: Final = 0.08
GARCH_BETA: Final = 0.90
BURN_IN: Final = 500
WEEKS: Final = (780, 312)
# 380 of 400 is 95 percent exactly; more draws narrow the interval's own noise, not its coverage.
COVERAGE_DRAWS: Final = 399


def independent_paths(paths: int, weeks: int, rng: np.random.Generator) -> np.ndarray:
    """Normal differences, (paths, weeks)."""
    return MEAN_WEEKLY + DEVIATION_WEEKLY * rng.standard_normal((paths, weeks))


def autoregressive_paths(paths: int, weeks: int, rng: np.random.Generator) -> np.ndarray:
    """Stationary AR(1) with coefficient 0.1 and the same variance, (paths, weeks)."""
    shocks = DEVIATION_WEEKLY * math.sqrt(1 - AR_COEFFICIENT**2) * rng.standard_normal((weeks, paths))
    out = np.empty((weeks, paths))
    out[0] = DEVIATION_WEEKLY * rng.standard_normal(paths)
    for t in range(1, weeks):
        out[t] = AR_COEFFICIENT * out[t - 1] + shocks[t]
    return MEAN_WEEKLY + out.T


def garch_paths(paths: int, weeks: int, rng: np.random.Generator) -> np.ndarray:
    """GARCH(1, 1) of the same unconditional variance, alpha 0.08 and beta 0.90, (paths, weeks)."""
    shocks = rng.standard_normal((weeks + BURN_IN, paths))
    level = DEVIATION_WEEKLY**2
    variance, out = np.full(paths, level), np.empty((weeks + BURN_IN, paths))
    for t in range(weeks + BURN_IN):
        out[t] = np.sqrt(variance) * shocks[t]
        variance = (1 - GARCH_ALPHA - GARCH_BETA) * level + GARCH_ALPHA * out[t] ** 2 + GARCH_BETA * variance
    return MEAN_WEEKLY + out[BURN_IN:].T


PROCESSES: Final[dict[str, Callable[[int, int, np.random.Generator], np.ndarray]]] = {
    "independent": independent_paths,
    "AR(0.1)": autoregressive_paths,
    "GARCH(1,1)": garch_paths,
}
# All three have the same mean and unconditional variance, so that one truth serves them all.
TRUTHS: Final[dict[str, tuple[SmoothFunction, float]]] = {
    "mean": (MEAN, MEAN_WEEKLY),
    "Sharpe": (SHARPE, math.sqrt(WEEKS_PER_YEAR) * MEAN_WEEKLY / DEVIATION_WEEKLY),
}


@dataclass(frozen=True, slots=True)
class Coverage:
    """How often intervals held the truth.

    Attributes
    ----------
    process, statistic : str
    weeks, paths : int
    share : float
        Of the paths whose interval holds the truth.
    too_low, too_high : float
        Shares whose interval lies wholly below, wholly above the truth.
    mean_width : float
        In the statistic's unit.
    """

    process: str
    statistic: str
    weeks: int
    paths: int
    share: float
    too_low: float
    too_high: float
    mean_width: float


def measure_coverage(
    process: str, statistic: str, weeks: int, *, paths: int, draws: int = COVERAGE_DRAWS, seed: int = 0
) -> Coverage:
    """Count how often the studentised interval holds the truth.

    Parameters
    ----------
    process : str
        Key of :data:`PROCESSES`.
    statistic : str
        ``mean`` or ``Sharpe``.
    weeks, paths, draws, seed : int
    """
    rng = np.random.default_rng([seed, list(PROCESSES).index(process), weeks])
    function, truth = TRUTHS[statistic]
    below = above = 0
    width = 0.0
    for i, path in enumerate(PROCESSES[process](paths, weeks, rng)):
        values = sharpe_moments(path) if statistic == "Sharpe" else path
        found = studentised_interval(values, function, draws=draws, seed=seed * paths + i)
        below += found.upper95 < truth
        above += found.lower95 > truth
        width += found.upper95 - found.lower95
    share = 1 - (below + above) / paths
    return Coverage(process, statistic, weeks, paths, share, below / paths, above / paths, width / paths)


def main(arguments: list[str] | None = None) -> int:
    """Print a table of coverages; return 1 if one at 780 weeks is outside 93 to 97 percent."""
    parser = argparse.ArgumentParser(prog="python -m ml.backtest.coverage", description=main.__doc__)
    parser.add_argument("--paths", type=int, default=1000, help="simulated paths a row (default 1000)")
    parser.add_argument("--draws", type=int, default=COVERAGE_DRAWS, help="resamples a path (default 399)")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    print(f"{'process':<12} {'statistic':<9} {'weeks':>5}  covered  below  above  mean width")
    missed, start = [], time.perf_counter()
    for weeks in WEEKS:
        for statistic in TRUTHS:
            for process in PROCESSES:
                print(f"{process}, {statistic}, {weeks} weeks ...", end="\r", file=sys.stderr, flush=True)
                row = measure_coverage(
                    process, statistic, weeks, paths=chosen.paths, draws=chosen.draws, seed=chosen.seed
                )
                print(
                    f"{process:<12} {statistic:<9} {weeks:>5}  {row.share:7.1%}  {row.too_low:5.1%}"
                    f"  {row.too_high:5.1%}  {row.mean_width:10.5f}"
                )
                if weeks == WEEKS[0] and not 0.93 <= row.share <= 0.97:
                    missed.append(f"{process}, {statistic}: {row.share:.1%}")
    print(f"{chosen.paths} paths a row, {chosen.draws} resamples a path, {time.perf_counter() - start:.0f} s")
    if missed:
        print(f"outside 93 to 97 percent at {WEEKS[0]} weeks: {'; '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
