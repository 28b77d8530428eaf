"""The exact US federal tax-lot ledger.

What belongs here: lots, holding periods, wash sales, netting and rates as pure functions of
frames. What does not: reading the warehouse, orders and recommendations.
"""
