"""The compiled ledger over all households at once, equal to the reference engine to the unit."""

from ml.tax.bulk.ledger import BulkBooks, BulkLedger
from ml.tax.bulk.run import BulkReport, run_bulk, run_bulk_batches

__all__ = ["BulkBooks", "BulkLedger", "BulkReport", "run_bulk", "run_bulk_batches"]
