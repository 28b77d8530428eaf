"""The environment's step, compiled: numba for the CPU (:mod:`ml.policy.kernels.step`), CUDA C++ for a GPU.

What belongs here: one step's arithmetic, on plain arrays. What does not: tensors' owners, checks, the market's
preparation (``ml.policy.env``). Both kernels follow the slow portfolio in ``tests/test_ml/test_policy``.
"""
