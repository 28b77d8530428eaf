"""The rates of the evidence model: how much oftener than a random trader each objective picks a cell.

What belongs here: two tables and where they come from. What does not: their use (``evidence.py``).

Estimated by ``calibration.estimate_rates`` on 1,500 simulated households (seed 11) on the packaged
prices to 2022-12-28, their noise and life events included, and rounded; 1 = as a random trader.
Simulated random traders have rates of 0.93 to 1.15 throughout, which is what makes 1 the zero of
evidence. Nothing here is learned from a real investor.
"""

from typing import Final

RATES_VERSION: Final = "simulated-11"

# A row per age of the lot (to 5 days, 20, 120, 299, 365, 430, older); columns: lost 5 % and more, lost
# less, gained less than 5 %, gained 5 % and more.
SALE_RATES: Final[dict[str, tuple[tuple[float, ...], ...]]] = {
    "short_term_alpha": (
        (0.81, 0.56, 0.48, 0.78),
        (1.15, 1.07, 1.01, 1.08),
        (1.43, 1.44, 1.49, 1.48),
        (1.00, 1.00, 1.00, 1.00),
        (1.00, 1.00, 1.00, 1.00),
        (1.00, 1.00, 1.00, 1.00),
        (1.00, 1.00, 1.00, 1.00),
    ),
    "short_term_gain": (
        (1.09, 0.60, 0.79, 1.53),
        (1.15, 0.54, 0.70, 1.73),
        (0.83, 0.50, 0.70, 1.69),
        (0.70, 0.65, 0.86, 1.50),
        (0.73, 0.92, 0.93, 1.23),
        (0.78, 0.87, 0.97, 1.14),
        (0.76, 0.88, 1.09, 1.21),
    ),
    "long_term_gain": (
        (0.98, 0.95, 0.97, 0.99),
        (0.94, 0.86, 0.91, 0.96),
        (0.98, 0.89, 0.78, 0.91),
        (0.93, 0.88, 0.85, 0.86),
        (0.96, 0.96, 0.80, 0.73),
        (0.88, 0.92, 1.05, 1.17),
        (0.87, 0.91, 1.02, 1.14),
    ),
    "capital_preservation": (
        (1.00, 1.03, 1.07, 0.99),
        (1.08, 1.06, 0.97, 0.97),
        (1.18, 1.08, 1.06, 1.00),
        (1.16, 0.99, 0.96, 0.95),
        (1.02, 1.05, 0.97, 0.91),
        (1.15, 0.98, 0.99, 0.90),
        (1.31, 1.06, 0.97, 0.93),
    ),
    "tax_loss_harvesting": (
        (1.40, 0.71, 0.79, 0.92),
        (2.11, 0.66, 0.69, 0.68),
        (3.21, 0.42, 0.49, 0.63),
        (3.21, 0.53, 0.57, 0.57),
        (2.17, 0.73, 0.75, 0.68),
        (1.84, 0.74, 0.79, 0.68),
        (2.35, 0.64, 0.65, 0.56),
    ),
    "long_term_gains_only": (
        (0.99, 0.96, 0.88, 1.00),
        (0.97, 0.94, 0.77, 0.88),
        (0.83, 0.78, 0.64, 0.52),
        (0.93, 0.91, 0.59, 0.47),
        (0.90, 1.03, 0.70, 0.53),
        (0.92, 1.04, 1.01, 1.24),
        (0.88, 0.82, 1.12, 1.26),
    ),
}
# A row per third of the last week's return times third of the last month's (down/down, down/flat,
# down/up, flat/down ...); columns: lowest, middle, highest third of volatility.
BUY_RATES: Final[dict[str, tuple[tuple[float, ...], ...]]] = {
    "short_term_alpha": (
        (0.98, 1.03, 1.23),
        (0.79, 0.90, 1.09),
        (0.92, 0.94, 1.29),
        (0.51, 0.50, 0.75),
        (0.43, 0.42, 0.62),
        (0.58, 0.54, 0.79),
        (1.05, 1.19, 1.42),
        (1.17, 1.30, 1.41),
        (1.40, 1.63, 1.84),
    ),
    "short_term_gain": (
        (0.48, 0.53, 0.96),
        (0.60, 0.77, 1.11),
        (0.99, 1.24, 1.99),
        (0.53, 0.52, 0.87),
        (0.68, 0.66, 1.00),
        (1.11, 1.25, 1.66),
        (0.58, 0.53, 1.01),
        (0.68, 0.74, 1.03),
        (1.22, 1.42, 2.20),
    ),
    "long_term_gain": (
        (1.04, 0.95, 1.03),
        (1.01, 0.96, 0.95),
        (0.87, 0.81, 0.94),
        (1.13, 1.01, 1.06),
        (1.26, 0.99, 0.96),
        (1.04, 0.89, 0.88),
        (1.05, 0.94, 1.01),
        (1.07, 0.96, 1.04),
        (0.95, 0.82, 0.89),
    ),
    "capital_preservation": (
        (1.79, 0.82, 0.34),
        (1.97, 0.74, 0.36),
        (1.57, 0.74, 0.37),
        (1.85, 0.79, 0.39),
        (2.15, 0.89, 0.39),
        (1.85, 0.72, 0.41),
        (1.44, 0.80, 0.29),
        (1.82, 0.83, 0.45),
        (1.62, 0.71, 0.27),
    ),
    "tax_loss_harvesting": (
        (1.13, 1.09, 0.73),
        (1.21, 1.01, 0.74),
        (0.80, 0.81, 0.77),
        (1.26, 1.20, 0.81),
        (1.64, 1.33, 0.78),
        (1.00, 0.87, 0.66),
        (0.97, 0.98, 0.69),
        (1.13, 0.93, 0.73),
        (0.82, 0.82, 0.69),
    ),
    "long_term_gains_only": (
        (1.05, 0.98, 0.91),
        (1.09, 0.99, 0.99),
        (0.96, 0.90, 0.95),
        (1.06, 1.06, 1.01),
        (1.23, 1.07, 0.98),
        (1.11, 0.96, 0.87),
        (0.84, 0.91, 0.96),
        (1.10, 0.97, 0.91),
        (0.87, 0.89, 0.92),
    ),
}
