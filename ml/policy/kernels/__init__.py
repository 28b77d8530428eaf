"""The environment's step as compiled loops: :mod:`cpu <ml.policy.kernels.step>` and Triton.

What belongs here: one step's arithmetic, on plain arrays. What does not: tensors' owners, checks, the market's
preparation (``ml.policy.env``). Both kernels follow the slow portfolio in ``tests/test_ml/test_policy``.
"""
