"""Walk-forward backtests after costs and after lot-level tax.

What belongs here: windows, strategies, baselines, fills, wealth after tax, trials and their results.
What does not: the ledger (``ml/tax``), how an expert or a policy forms its targets (``ml/policy``).
"""
