"""The figures that the market simulator is held against, and how far off counts as met.

Measured on US stocks of 2010-2016 (470 with a full history, 1,761 sessions); facts marked ``is_later`` were
measured on data that end after 2016 (S&P 500 to 2022, funds 2016-2021, crypto 2013-2021): they test the simulator
and no parameter is fitted to them. Tolerances were fixed before any parameter was tuned: a decile may be off by
three tenths of the distance to the next decile, a single figure by about what one history of seven years differs
from the next. Regimes to 2016 are the two-state fit of the S&P 500 of 1990-2016.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SESSIONS: Final = 1761
# Drift of the equal-weighted index of these years, a session: what a lot earns depends on it above all.
INDEX_DRIFT: Final = 0.00064
_DECILE_TOLERANCE = 0.3


@dataclass(frozen=True, slots=True)
class Target:
    """One fact: the measured figure and the interval in which the median over seeds counts as met."""

    name: str
    figure: float
    low: float
    high: float
    is_later: bool = False

    def is_met(self, value: float) -> bool:
        """Whether a simulated median lies in the interval."""
        return self.low <= value <= self.high


def _deciles(name: str, p10: float, p50: float, p90: float) -> Iterator[Target]:
    below, above = _DECILE_TOLERANCE * (p50 - p10), _DECILE_TOLERANCE * (p90 - p50)
    yield _near(f"{name} p10", p10, below)
    yield _near(f"{name} p50", p50, min(below, above))
    yield _near(f"{name} p90", p90, above)


def _near(name: str, figure: float, room: float, *, is_later: bool = False) -> Target:
    return Target(name, figure, figure - room, figure + room, is_later)


def _stocks() -> Iterator[Target]:
    yield from _deciles("volatility", 0.181, 0.259, 0.369)
    yield from _deciles("skewness", -0.812, -0.212, 0.203)
    yield from _deciles("kurtosis", 2.401, 4.714, 14.122)
    yield from _deciles("kurtosis 21d", -0.2, 0.536, 1.953)
    yield from _deciles("hill", 2.756, 3.273, 3.933)
    yield from _deciles("leverage", -0.103, -0.043, 0.002)
    yield from _deciles("acf r 1", -0.067, -0.024, 0.025)
    yield from _deciles("acf r 5", -0.074, -0.036, 0.002)
    yield from _deciles("acf |r| 1", 0.077, 0.134, 0.215)
    yield from _deciles("acf |r| 5", 0.042, 0.1, 0.181)
    yield from _deciles("acf |r| 20", 0.012, 0.064, 0.137)
    yield from _deciles("acf |r| 60", -0.003, 0.031, 0.083)
    yield from _deciles("acf |r| 120", -0.027, 0.006, 0.049)
    yield from _deciles("gjr alpha", 0.0, 0.014, 0.052)
    yield from _deciles("gjr gamma", 0.032, 0.083, 0.154)
    yield from _deciles("gjr beta", 0.841, 0.904, 0.958)
    yield from _deciles("gjr nu", 3.86, 5.699, 7.729)
    yield from _deciles("gjr persistence", 0.922, 0.976, 0.988)
    yield from _deciles("corr |r| volume change", 0.208, 0.294, 0.373)


def _index() -> Iterator[Target]:
    yield _near("index volatility", 0.169, 0.03)
    for lag, figure in ((1, 0.191), (5, 0.225), (20, 0.131), (60, 0.039)):
        yield _near(f"index acf |r| {lag}", figure, 0.06)
    yield _near("index leverage", -0.122, 0.04)
    yield _near("index kurtosis", 4.48, 1.5)
    yield _near("index gjr alpha", 0.0, 0.02)
    yield _near("index gjr gamma", 0.247, 0.08)
    yield _near("index gjr beta", 0.837, 0.05)
    yield _near("index gjr nu", 7.104, 2.0)


def _structure() -> Iterator[Target]:
    yield from _deciles("pair correlation", 0.264, 0.391, 0.544)
    yield _near("pair correlation same sector", 0.48, 0.06)
    yield _near("pair correlation other sector", 0.383, 0.06)
    yield _near("pair correlation highest year", 0.58, 0.1)
    yield _near("pair correlation median year", 0.32, 0.06)
    yield _near("pair correlation lowest year", 0.29, 0.06)
    yield _near("eigenvalue share 1", 0.411, 0.06)
    for rank, figure in ((2, 0.04), (3, 0.023), (4, 0.016), (5, 0.014)):
        yield _near(f"eigenvalue share {rank}", figure, 0.25 * figure)
    yield _near("eigenvalue share first ten", 0.545, 0.06)
    yield from _deciles("beta", 0.581, 0.993, 1.393)
    yield from _deciles("r2 on index", 0.233, 0.403, 0.591)


def _lots() -> Iterator[Target]:
    chances = {
        21: (0.404, 0.056, 0.013),
        63: (0.352, 0.113, 0.086),
        126: (0.301, 0.132, 0.218),
        252: (0.237, 0.125, 0.413),
        504: (0.158, 0.101, 0.664),
    }
    # The longer a lot is held, the more the one history behind these figures decides them.
    room = {21: 0.03, 63: 0.04, 126: 0.05, 252: 0.07, 504: 0.09}
    for sessions, figures in chances.items():
        for name, figure in zip(("loss", "<-10%", ">+20%"), figures, strict=True):
            yield _near(f"lot {name} after {sessions}", figure, min(room[sessions], 0.5 * figure + 0.01))
    yield _near("lot ever <=-10% within 252", 0.441, 0.07)


def _dividends() -> Iterator[Target]:
    yield _near("share of payers", 0.844, 0.04)
    yield from _deciles("dividend yield", 0.007, 0.021, 0.042)
    yield _near("payments a year", 4.0, 0.1)


def _regimes() -> Iterator[Target]:
    room = {
        "calm mean": 0.0003,
        "calm sd": 0.001,
        "calm stay": 25.0,
        "turbulent mean": 0.0006,
        "turbulent sd": 0.003,
        "turbulent stay": 12.0,
        "turbulent share": 0.06,
    }
    to_2016 = (0.00069, 0.00694, 90.0, -0.00055, 0.01779, 36.7, 0.291)
    to_2022 = (0.00078, 0.0067, 73.9, -0.0008, 0.0181, 33.8, 0.312)
    for is_later, figures in ((False, to_2016), (True, to_2022)):
        for (name, tolerance), figure in zip(room.items(), figures, strict=True):
            yield _near(f"regime {name}", figure, tolerance, is_later=is_later)


def _classes() -> Iterator[Target]:
    volatility = {
        "market fund": (0.189, 0.04),
        "bonds 17y": (0.139, 0.035),
        "bonds 7.5y": (0.054, 0.0135),
        "bonds 1.9y": (0.01, 0.005),
        "credit": (0.087, 0.03),
        "high yield": (0.09, 0.0225),
        "commodity": (0.15, 0.0375),
        "reit": (0.228, 0.057),
        "crypto": (1.19, 0.37),
    }
    for name, (figure, room) in volatility.items():
        yield _near(f"volatility of {name}", figure, room, is_later=True)
    correlation = {"bonds 17y": -0.38, "credit": 0.26, "high yield": 0.8, "commodity": 0.24, "reit": 0.76}
    for name, figure in correlation.items():
        yield _near(f"correlation of {name}", figure, 0.15, is_later=True)
    yield _near("correlation within crypto", 0.54, 0.15, is_later=True)
    yield _near("kurtosis of crypto", 11.1, 5.0, is_later=True)


TARGETS: Final[tuple[Target, ...]] = (
    *_stocks(), *_index(), *_structure(), *_lots(), *_dividends(), *_regimes(), *_classes(),
)  # fmt: skip
