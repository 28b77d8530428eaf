"""Exact tax lots: one ledger pass over all households and its reports, ten tables in one transaction."""

import dagster as dg

from dagster_project.assets.night import NIGHT_DEPS, SESSION_ASSET, as_of_date, write_tables
from dagster_project.reads import NightReader
from dagster_project.resources.lake import LakeResource

TABLES = {
    "tax_lots": "Open lots of every account: exact quantity, basis after wash sales, holding period. "
    "state_date is the session whose close the row describes; earlier sessions of the week are kept because "
    "a target is recomputed as of the session that set it.",
    "account_cash": "Cash of every account at the close of each session of the week.",
    "realized_gains": "One row per matched piece of a sale: gain, disallowed part, term, provisional flag.",
    "tax_unit_years": "Schedule D nets, income and marginal rates per tax unit and year.",
    "wash_sales": "One row per washed piece of a sale, with the purchase that washed it and where the loss went.",
    "form_8949": "Form 8949: a row per sale, term and box, exact and in printed dollars.",
    "tax_year_summary": "Per tax unit and year: gains, carryovers in and out, deduction, taxes, assumptions.",
    "broker_differences": "Sales that the broker reports otherwise, with the reason in words.",
    "ledger_issues": "Rows the ledger refused to book or total, with the reason.",
    "wash_windows": "Loss sales and purchases of the last 30 days that can still meet in a wash sale.",
}
_DEPS = [
    *NIGHT_DEPS,
    ["core", "fct_transactions"],
    ["core", "fct_corporate_actions"],
    ["core", "dim_accounts"],
    ["core", "dim_users"],
    ["core", "dim_assets"],
    ["core", "dim_sessions"],
]
# Reports on tables of the same pass.
_MADE_FIRST = {
    "wash_sales": ["realized_gains"],
    "form_8949": ["realized_gains"],
    "tax_year_summary": ["realized_gains", "tax_unit_years"],
    "broker_differences": ["realized_gains", "wash_sales"],
}


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            ["ml", name],
            group_name="tax_lots",
            description=description,
            owners=["team:tax"],
            kinds={"python", "ducklake"},
            deps=[*_DEPS, *(["ml", made_first] for made_first in _MADE_FIRST.get(name, ()))],
        )
        for name, description in TABLES.items()
    ],
    name="tax_lots",
    **SESSION_ASSET,
)
def tax_lots(context: dg.AssetExecutionContext, lake: LakeResource):
    """Run the ledger as of each session of the week and write its tables."""
    from ml.tax.ledger import LedgerInputs, TaxSettings, ledger_states
    from ml.tax.reports import tax_reports

    reader = NightReader.open(lake.open(), as_of_date(context))
    inputs = LedgerInputs(
        transactions=reader.transactions(),
        corporate_actions=reader.corporate_actions(),
        accounts=reader.accounts(),
        users=reader.users(),
        assets=reader.assets(),
        sessions=reader.sessions(),
    )
    settings = TaxSettings()
    result = ledger_states(inputs, reader.week_sessions(), settings)
    frames = {
        "tax_lots": result.open_lots,
        "account_cash": result.account_cash,
        "realized_gains": result.realized_gains,
        "tax_unit_years": result.tax_unit_years,
        "ledger_issues": result.issues,
        "wash_windows": result.wash_windows,
        "wash_sales": result.wash_sales,
        **tax_reports(inputs, result, reader.as_of_date, settings),
    }
    yield from write_tables(context, reader, frames)
