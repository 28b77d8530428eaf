"""Concurrency pools. A leaf module."""

# One writer at a time: DuckLake's SQLite catalog refuses a commit that another one overtook.
WAREHOUSE_WRITER = "warehouse_writer"
