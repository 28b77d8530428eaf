"""Policies: who should hold what. Analytic experts today, the learned mixture on the same borders later.

``objectives`` names the six objectives and the fixed router, ``covariance`` the shrunk risk model and
the long-only minimum-variance solver, ``experts`` the four analytic experts.
"""
