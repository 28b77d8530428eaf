"""Where raw rows come from: packages, files, simulators. Pure: no orchestrator, no warehouse.

In reading order: ``contracts`` (the raw tables), ``batches`` (what a source hands over),
``packaged`` / ``files`` / ``simulated`` (the sources), ``ingest`` (what becomes of each row).
"""
