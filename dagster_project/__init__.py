"""The Dagster code location: the only package that imports dagster. Thin: read, call ``ml``, write, record."""
