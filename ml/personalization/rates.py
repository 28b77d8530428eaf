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
        (0.79, 0.43, 0.43, 0.84),
        (0.93, 0.83, 0.83, 1.00),
        (1.16, 1.21, 1.16, 1.17),
        (1.02, 1.02, 0.94, 1.13),
        (1.00, 1.00, 1.00, 1.00),
        (1.00, 1.00, 1.00, 1.00),
        (1.00, 1.00, 1.00, 1.00),
    ),
    "short_term_gain": (
        (1.10, 0.46, 0.71, 1.09),
        (1.08, 0.40, 0.67, 1.54),
        (0.84, 0.35, 0.64, 1.66),
        (0.63, 0.45, 0.71, 1.68),
        (0.66, 0.67, 0.77, 1.50),
        (0.66, 0.82, 0.92, 1.51),
        (0.53, 0.74, 0.93, 1.52),
    ),
    "long_term_gain": (
        (0.99, 0.99, 0.95, 0.99),
        (0.99, 0.89, 0.91, 0.96),
        (0.86, 0.86, 0.98, 0.89),
        (0.82, 0.74, 0.85, 0.90),
        (0.86, 0.93, 0.93, 0.78),
        (0.84, 0.98, 1.06, 1.22),
        (0.64, 0.90, 1.05, 1.17),
    ),
    "capital_preservation": (
        (0.99, 0.98, 0.98, 1.00),
        (1.04, 1.11, 1.10, 0.99),
        (1.06, 1.10, 1.12, 1.09),
        (1.00, 0.99, 1.00, 0.89),
        (1.02, 1.01, 0.94, 1.01),
        (1.11, 1.07, 1.03, 0.97),
        (1.07, 1.10, 1.05, 0.94),
    ),
    "tax_loss_harvesting": (
        (1.25, 0.77, 0.85, 0.97),
        (1.50, 0.77, 0.75, 0.86),
        (2.65, 0.49, 0.61, 0.62),
        (2.82, 0.55, 0.66, 0.59),
        (1.88, 0.85, 0.81, 0.68),
        (1.73, 0.88, 0.92, 0.79),
        (2.21, 0.77, 0.69, 0.65),
    ),
    "long_term_gains_only": (
        (1.01, 1.01, 0.90, 1.01),
        (0.93, 0.95, 0.83, 0.88),
        (0.87, 0.83, 0.60, 0.54),
        (0.86, 0.88, 0.57, 0.45),
        (0.95, 1.01, 0.84, 0.47),
        (0.88, 0.92, 1.02, 1.13),
        (0.78, 0.89, 1.05, 1.30),
    ),
}
# A row per third of the last week's return times third of the last month's (down/down, down/flat,
# down/up, flat/down ...); columns: lowest, middle, highest third of volatility.
BUY_RATES: Final[dict[str, tuple[tuple[float, ...], ...]]] = {
    "short_term_alpha": (
        (0.91, 1.02, 1.26),
        (0.76, 0.92, 1.08),
        (0.88, 0.90, 1.25),
        (0.56, 0.52, 0.86),
        (0.51, 0.49, 0.78),
        (0.57, 0.55, 0.86),
        (1.12, 1.22, 1.45),
        (1.19, 1.27, 1.40),
        (1.39, 1.47, 1.70),
    ),
    "short_term_gain": (
        (0.51, 0.54, 0.96),
        (0.66, 0.78, 1.05),
        (1.11, 1.33, 1.81),
        (0.51, 0.58, 0.86),
        (0.72, 0.75, 1.05),
        (1.06, 1.25, 1.64),
        (0.56, 0.56, 1.04),
        (0.74, 0.74, 1.08),
        (1.22, 1.43, 2.04),
    ),
    "long_term_gain": (
        (1.00, 1.00, 1.08),
        (1.08, 0.93, 0.89),
        (1.02, 0.84, 0.95),
        (1.10, 1.02, 1.02),
        (1.28, 0.99, 0.89),
        (1.05, 0.83, 0.86),
        (1.03, 0.91, 1.04),
        (1.08, 0.92, 0.96),
        (0.94, 0.81, 0.87),
    ),
    "capital_preservation": (
        (1.78, 0.88, 0.38),
        (1.77, 0.81, 0.48),
        (1.32, 0.69, 0.43),
        (1.89, 1.00, 0.47),
        (2.18, 0.90, 0.56),
        (1.64, 0.66, 0.51),
        (1.33, 0.86, 0.40),
        (1.69, 0.76, 0.49),
        (1.52, 0.60, 0.31),
    ),
    "tax_loss_harvesting": (
        (1.10, 1.12, 0.79),
        (1.27, 1.09, 0.78),
        (0.86, 0.88, 0.67),
        (1.23, 1.16, 0.86),
        (1.62, 1.17, 0.81),
        (1.01, 0.79, 0.75),
        (1.01, 0.96, 0.73),
        (1.12, 0.95, 0.77),
        (0.85, 0.80, 0.68),
    ),
    "long_term_gains_only": (
        (0.96, 1.07, 1.01),
        (0.99, 0.99, 0.96),
        (0.87, 0.88, 0.93),
        (1.07, 0.98, 0.99),
        (1.22, 1.04, 1.04),
        (1.01, 0.90, 0.92),
        (0.87, 0.85, 1.01),
        (1.10, 1.06, 0.99),
        (0.91, 0.88, 0.88),
    ),
}
