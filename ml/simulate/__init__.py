"""Calibrated generators with known truth: a market and the households that trade on it.

``market`` draws multi-asset prices, volumes, dividends and splits; ``households`` draws people,
their accounts, their trades on any price panel (simulated or real) and their goals in words. The
truth that produced a household is returned beside the frames, never inside one that the night
reads.
"""
