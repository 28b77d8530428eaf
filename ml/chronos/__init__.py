"""Chronos: weights of our own for the frozen time-series branch, and embeddings from any Chronos model."""
