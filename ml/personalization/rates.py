"""The rates of the evidence model: how much oftener than a random trader each objective picks a cell.

What belongs here: two tables and where they come from. What does not: their use (``evidence.py``).

Estimated by ``calibration.estimate_rates`` on 1,500 simulated households (seed 11) on the packaged
prices to 2016-12-30, their noise and life events included, and rounded; 1 = as a random trader.
Simulated random traders have rates of 0.90 to 1.16, which is what makes 1 the zero of
evidence. Nothing here is learned from a real investor.
"""

from typing import Final

RATES_VERSION: Final = "simulated-11"

# A row per age of the lot (to 5 days, 20, 120, 299, 365, 430, older); columns: lost 5 % and more, lost
# less, gained less than 5 %, gained 5 % and more.
SALE_RATES: Final[dict[str, tuple[tuple[float, ...], ...]]] = {
    "short_term_alpha": (
        (0.93, 0.45, 0.50, 0.91),
        (0.95, 0.83, 0.81, 0.90),
        (1.17, 1.04, 1.10, 1.13),
        (1.15, 1.00, 1.13, 1.01),
        (1.05, 1.00, 1.00, 1.02),
        (0.99, 1.00, 1.03, 1.02),
        (1.00, 0.99, 0.99, 1.00),
    ),
    "short_term_gain": (
        (0.96, 0.53, 0.64, 0.96),
        (1.08, 0.39, 0.57, 1.59),
        (0.92, 0.34, 0.52, 1.77),
        (0.68, 0.42, 0.59, 1.74),
        (0.60, 0.60, 0.75, 1.61),
        (0.70, 0.71, 0.76, 1.59),
        (0.49, 0.71, 0.89, 1.64),
    ),
    "long_term_gain": (
        (1.00, 0.92, 1.06, 1.03),
        (1.11, 0.98, 0.84, 0.95),
        (0.85, 0.62, 0.93, 0.87),
        (0.78, 0.81, 0.93, 0.89),
        (0.91, 0.96, 0.83, 0.65),
        (0.76, 0.91, 1.01, 1.23),
        (0.75, 0.87, 1.07, 1.19),
    ),
    "capital_preservation": (
        (1.00, 1.01, 1.01, 1.00),
        (0.99, 1.05, 1.05, 1.00),
        (1.03, 1.03, 0.94, 1.09),
        (1.14, 1.11, 1.08, 1.04),
        (0.98, 1.07, 0.99, 1.04),
        (0.99, 1.04, 1.00, 1.02),
        (0.89, 1.08, 1.01, 0.92),
    ),
    "tax_loss_harvesting": (
        (1.18, 0.75, 0.90, 0.96),
        (1.69, 0.73, 0.75, 0.83),
        (2.49, 0.63, 0.55, 0.57),
        (2.53, 0.72, 0.62, 0.61),
        (1.91, 0.97, 0.81, 0.71),
        (1.51, 1.00, 0.95, 0.67),
        (2.60, 0.87, 0.86, 0.72),
    ),
    "long_term_gains_only": (
        (0.99, 1.02, 0.92, 1.01),
        (0.94, 0.90, 0.75, 0.99),
        (0.77, 0.91, 0.52, 0.55),
        (0.80, 0.80, 0.60, 0.48),
        (0.87, 0.98, 0.75, 0.49),
        (0.87, 0.91, 1.05, 1.28),
        (0.71, 0.98, 1.27, 1.32),
    ),
}
# A row per third of the last week's return times third of the last month's (down/down, down/flat,
# down/up, flat/down ...); columns: lowest, middle, highest third of volatility.
BUY_RATES: Final[dict[str, tuple[tuple[float, ...], ...]]] = {
    "short_term_alpha": (
        (0.88, 0.97, 1.22),
        (0.80, 0.91, 1.08),
        (0.87, 0.94, 1.15),
        (0.57, 0.61, 0.84),
        (0.55, 0.56, 0.91),
        (0.70, 0.60, 0.83),
        (1.02, 1.19, 1.47),
        (1.12, 1.26, 1.35),
        (1.38, 1.40, 1.61),
    ),
    "short_term_gain": (
        (0.51, 0.55, 0.94),
        (0.65, 0.76, 1.12),
        (1.09, 1.24, 1.80),
        (0.51, 0.59, 0.88),
        (0.71, 0.77, 0.99),
        (1.19, 1.22, 1.66),
        (0.57, 0.67, 0.98),
        (0.69, 0.75, 1.07),
        (1.24, 1.43, 1.94),
    ),
    "long_term_gain": (
        (1.11, 1.00, 1.20),
        (0.94, 0.92, 1.11),
        (1.00, 1.04, 1.01),
        (0.96, 0.98, 1.14),
        (0.93, 0.96, 0.97),
        (0.93, 0.94, 1.00),
        (0.87, 0.92, 1.08),
        (0.95, 0.96, 1.06),
        (0.97, 0.92, 1.03),
    ),
    "capital_preservation": (
        (2.07, 0.87, 0.34),
        (1.82, 0.83, 0.50),
        (1.41, 0.82, 0.42),
        (1.69, 0.88, 0.46),
        (1.80, 0.84, 0.62),
        (1.68, 0.69, 0.55),
        (1.46, 0.92, 0.45),
        (1.78, 0.76, 0.54),
        (1.75, 0.73, 0.34),
    ),
    "tax_loss_harvesting": (
        (0.99, 1.15, 0.98),
        (0.98, 1.05, 0.99),
        (0.97, 1.05, 0.85),
        (1.12, 1.07, 0.98),
        (0.99, 1.10, 1.02),
        (0.97, 1.01, 0.90),
        (1.13, 1.15, 0.90),
        (0.92, 1.02, 0.94),
        (0.96, 1.02, 0.89),
    ),
    "long_term_gains_only": (
        (1.00, 1.12, 1.11),
        (0.98, 1.08, 1.01),
        (0.88, 1.02, 0.97),
        (0.97, 1.09, 1.14),
        (0.74, 0.96, 1.04),
        (0.88, 1.03, 1.02),
        (1.00, 1.12, 1.13),
        (0.91, 1.05, 1.03),
        (0.97, 1.07, 0.95),
    ),
}
