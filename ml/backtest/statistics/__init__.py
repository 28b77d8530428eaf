"""Intervals and tests for weekly paths: what a difference between two strategies is worth believing.

What belongs here: resampling, intervals, Sharpe tests, tests of many strategies, the scores of the evaluation.
What does not: how a path came about (``ml/backtest/simulate.py``), pages (``ml/backtest/report``).
"""
