"""The pure library: frames and tensors in, frames and tensors out. No dagster, no duckdb, no environment."""
