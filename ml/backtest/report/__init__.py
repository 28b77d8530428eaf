"""The backtest's report: one HTML page and one JSON summary, made from the trials alone.

What belongs here: what readers see. What does not: how a trial came about, how an interval is made.
"""

from ml.backtest.report.write import write_report

__all__ = ["write_report"]
