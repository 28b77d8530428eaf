"""Personalisation: what a user's trades reveal, what he states, and the mix of objectives served.

Two ways from trades to objectives: ``evidence`` reads the counts of ``ml/features/behaviour.py``; ``serve``
fits a rank-2 adapter per user on a head that ``population`` trained, over the decisions of
``ml/features/decisions.py``. ``mix`` combines revealed and stated objectives with the population by the
Dirichlet rule.
"""
