"""The compiled ledger over all households at once, equal to the reference engine to the unit."""

from ml.tax.bulk.run import BulkReport, run_bulk

__all__ = ["BulkReport", "run_bulk"]
