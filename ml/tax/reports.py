"""The tables that are made from a finished ledger: Form 8949, year summaries, broker differences."""

from datetime import date

import polars as pl

from ml.tax.broker_view import broker_differences, broker_view
from ml.tax.form_8949 import form_8949
from ml.tax.ledger import LedgerInputs, LedgerResult
from ml.tax.settings import TaxSettings
from ml.tax.year_summary import tax_year_summary


def tax_reports(
    inputs: LedgerInputs, result: LedgerResult, as_of_date: date, settings: TaxSettings | None = None
) -> dict[str, pl.DataFrame]:
    """Return the report tables of a night by name.

    Parameters
    ----------
    inputs : LedgerInputs
        The frames the ledger ran on, cut at the night's close.
    result : LedgerResult
        Of :func:`ml.tax.ledger.run_ledger` or ``ledger_states`` for the same date and settings.
    as_of_date : datetime.date
        The night.
    settings : TaxSettings, optional
        Conventions of the ledger.

    Returns
    -------
    dict of str to polars.DataFrame
        ``form_8949``, ``tax_year_summary`` and ``broker_differences``.
    """
    broker = broker_view(inputs, result, as_of_date, settings)
    return {
        "form_8949": form_8949(inputs, result, broker),
        "tax_year_summary": tax_year_summary(inputs, result),
        "broker_differences": broker_differences(result, broker, as_of_date),
    }
