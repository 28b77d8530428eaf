"""Personalisation: what a user's trades reveal, what he states, and the mix of objectives served.

``evidence`` reads the counts of ``ml/features/behaviour.py``; ``mix`` combines revealed and stated
objectives with the population by the Dirichlet rule.
"""
