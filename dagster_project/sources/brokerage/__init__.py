"""Brokers' own files: one module per format, a typed statement, and its loading into the raw tables."""
