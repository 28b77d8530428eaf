"""Lineage of what the step ``tax_lots`` writes: lots, gains, wash sales and the reports on them.

What belongs here: one entry for each column of the ledger's tables. What does not: the other steps
(``steps.py``).
"""

from typing import Final

from dagster_project.python_lineage.declared import (
    ACCOUNTS,
    ACTIONS,
    ASSETS,
    NIGHT,
    TRADES,
    USERS,
    Entry,
    TableLineage,
    columns_of,
    each,
    made_by,
    same,
)

_GAINS, _WASHES, _YEARS = "ml.realized_gains", "ml.wash_sales", "ml.tax_unit_years"


_STATE: Final[dict[str, Entry]] = {**NIGHT, "state_date": columns_of("core.dim_sessions", "session_date")}
_ASSET: Final = columns_of(TRADES, "asset_id", "related_asset_id") + columns_of(ACTIONS, "new_asset_id")
_LOT_ID: Final = columns_of(TRADES, "transaction_id", "order_id")
# Which lots a sale takes: `lot_method` stands for what its rule looks at.
_SHARES: Final = (
    columns_of(
        TRADES, "kind", "trade_date", "quantity", "ratio_new", "ratio_old", "order_id", "lot_reference"
    )
    + columns_of(ACTIONS, "kind", "ex_date", "ratio_new", "ratio_old")
    + columns_of(ACCOUNTS, "lot_method")
)
_PROCEEDS: Final = _SHARES + columns_of(TRADES, "price_usd", "amount_usd", "fees_usd")
_COST: Final = (
    _PROCEEDS
    + columns_of(TRADES, "cost_basis_usd", "fair_market_value_usd", "basis_fraction", "acquired_date")
    + columns_of(ACTIONS, "cash_per_share_usd", "basis_fraction")
    + columns_of(ACCOUNTS, "household_id", "account_type")
    + columns_of(ASSETS, "tax_treatment")
)
_ACQUIRED: Final = columns_of(TRADES, "trade_date", "acquired_date")
# A wash sale lengthens the holding period of the purchase that washed it.
_HELD_SINCE: Final = _COST
_FILER: Final = columns_of(USERS, "filing_status", "state", "ordinary_taxable_income_usd", "magi_usd")
_CARRIED: Final = columns_of(USERS, "st_carryover_usd", "lt_carryover_usd")
_UNIT: Final = columns_of(ACCOUNTS, "tax_unit_id")
_TOLD: Final = columns_of(TRADES, "kind", "asset_id") + columns_of(ASSETS, "asset_class")
_DIVIDENDS: Final = (
    columns_of(TRADES, "kind", "trade_date", "amount_usd")
    + columns_of(ASSETS, "qualified_dividend_ratio")
    + columns_of(ACCOUNTS, "account_type")
)
_NETS: Final = (
    _COST + _DIVIDENDS + _CARRIED + columns_of(USERS, "filing_status", "ordinary_taxable_income_usd")
)
_PIECE: Final = ("account_id", "asset_id", "sale_transaction_id", "lot_id", "piece_no", "trade_date")
# The same rows once more, with the wash sales that a broker sees.
_BROKER: Final = _COST
_TAXES: Final = (
    "federal_tax_usd",
    "niit_usd",
    "state_tax_usd",
    "total_federal_tax_usd",
    "total_niit_usd",
    "total_state_tax_usd",
)
_TABLES: Final[dict[str, dict[str, Entry]]] = {
    "tax_lots": {
        **_STATE,
        "account_id": columns_of(TRADES, "account_id"),
        "asset_id": _ASSET,
        "lot_id": _LOT_ID,
        "quantity": _SHARES,
        "cost_basis_usd": _COST,
        "acquired_date": _ACQUIRED,
        "hp_start_date": _HELD_SINCE,
        "first_long_term_date": _HELD_SINCE,
        "wash_adjustment_usd": _COST,
        "origin": columns_of(TRADES, "kind") + columns_of(ACTIONS, "kind"),
        "source_transaction_id": columns_of(TRADES, "transaction_id"),
        "is_basis_known": columns_of(TRADES, "cost_basis_usd", "amount_usd", "fair_market_value_usd", "kind"),
    },
    "account_cash": {
        **_STATE,
        "account_id": columns_of(ACCOUNTS, "account_id"),
        "cash_usd": columns_of(TRADES, "amount_usd"),
    },
    "realized_gains": {
        **NIGHT,
        "account_id": columns_of(TRADES, "account_id"),
        "asset_id": _ASSET,
        "sale_transaction_id": columns_of(TRADES, "transaction_id"),
        "lot_id": _LOT_ID,
        "piece_no": _SHARES,
        "trade_date": columns_of(TRADES, "trade_date") + columns_of(ACTIONS, "ex_date"),
        "acquired_date": _ACQUIRED,
        "hp_start_date": _HELD_SINCE,
        "quantity": _SHARES,
        "proceeds_usd": _PROCEEDS,
        **each(("cost_basis_usd", "gain_usd", "disallowed_usd", "recognized_usd"), _COST),
        "term": _HELD_SINCE,
        "is_provisional": _COST + columns_of("ml.night", "as_of_date"),
        "is_permanent": _COST,
        "is_voluntary": columns_of(TRADES, "kind") + columns_of(ACTIONS, "kind"),
        "tax_year": columns_of(TRADES, "trade_date") + columns_of(ACTIONS, "ex_date"),
        "convention_codes": _COST,
    },
    "tax_unit_years": {
        **NIGHT,
        "tax_unit_id": _UNIT,
        "tax_year": columns_of(TRADES, "trade_date") + columns_of("ml.night", "as_of_date"),
        **each(("st_net_usd", "lt_net_usd", "st_carryover_usd", "lt_carryover_usd"), _NETS),
        **each(("ordinary_dividends_usd", "qualified_dividends_usd", "interest_usd"), _DIVIDENDS),
        "disallowed_usd": _COST,
        "provisional_disallowed_usd": _COST + columns_of("ml.night", "as_of_date"),
        **each(("status", "reason"), _COST + _TOLD),
        **each(("st_rate", "lt_rate"), _NETS + _FILER),
        "rate_assumption": _FILER,
        "not_modelled": "constant",
    },
    "ledger_issues": {
        **NIGHT,
        "account_id": columns_of(TRADES, "account_id"),
        "transaction_id": columns_of(TRADES, "transaction_id"),
        **each(("status", "reason"), _COST + _TOLD),
    },
    "wash_windows": {
        **NIGHT,
        "household_id": columns_of(ACCOUNTS, "household_id"),
        "asset_id": _ASSET,
        "account_id": columns_of(TRADES, "account_id"),
        "kind": _COST,
        "trade_date": _ACQUIRED,
        "quantity": _SHARES,
        "is_tax_deferred": columns_of(ACCOUNTS, "account_type"),
    },
    "wash_sales": {
        **NIGHT,
        **same(_GAINS, *_PIECE, "quantity", "disallowed_usd", "tax_year", "convention_codes"),
        "replacement_account_id": columns_of(TRADES, "account_id"),
        "replacement_account_type": columns_of(ACCOUNTS, "account_type"),
        "replacement_asset_id": _ASSET,
        "replacement_lot_id": _LOT_ID,
        "replacement_transaction_id": columns_of(TRADES, "transaction_id"),
        "replacement_acquired_date": _ACQUIRED,
        "replacement_quantity": _SHARES,
        "basis_moved_usd": _COST,
        "permanently_disallowed_usd": _COST,
        "days_tacked": _HELD_SINCE,
        "is_across_accounts": columns_of(TRADES, "account_id"),
    },
    "form_8949": {
        **NIGHT,
        "tax_unit_id": _UNIT,
        **same(_GAINS, "tax_year", "account_id", "asset_id", "sale_transaction_id", "term", "quantity"),
        **same(_GAINS, "proceeds_usd", "cost_basis_usd", "is_provisional", "convention_codes"),
        "box": columns_of(_GAINS, "acquired_date", "cost_basis_usd", "tax_year", "term")
        + columns_of(ASSETS, "asset_class", "tax_treatment")
        + columns_of(TRADES, "kind"),
        "description": columns_of(_GAINS, "quantity") + columns_of(ASSETS, "symbol"),
        "acquired": columns_of(_GAINS, "acquired_date") + columns_of(TRADES, "kind"),
        "sold_date": columns_of(_GAINS, "trade_date"),
        **each(
            ("adjustment_code", "adjustment_usd", "adjustment_printed_usd"),
            columns_of(_GAINS, "disallowed_usd"),
        ),
        **each(("gain_usd", "gain_printed_usd"), columns_of(_GAINS, "recognized_usd")),
        "proceeds_printed_usd": columns_of(_GAINS, "proceeds_usd"),
        "cost_basis_printed_usd": columns_of(_GAINS, "cost_basis_usd"),
        **each(("broker_cost_basis_usd", "broker_disallowed_usd"), _BROKER),
    },
    "tax_year_summary": {
        **NIGHT,
        **same(_YEARS, "tax_unit_id", "tax_year", "status", "reason", "st_net_usd", "lt_net_usd"),
        **same(_YEARS, "st_carryover_usd", "lt_carryover_usd", "ordinary_dividends_usd"),
        **same(_YEARS, "qualified_dividends_usd", "interest_usd", "disallowed_usd"),
        **same(_YEARS, "provisional_disallowed_usd", "st_rate", "lt_rate", "rate_assumption", "not_modelled"),
        **same(USERS, "filing_status", "state"),
        "is_income_known": columns_of(USERS, "ordinary_taxable_income_usd"),
        **each(("st_gain_usd", "lt_gain_usd"), columns_of(_GAINS, "recognized_usd", "term")),
        "capital_gain_distributions_usd": columns_of(_YEARS, "lt_net_usd")
        + columns_of(_GAINS, "recognized_usd")
        + _CARRIED,
        "st_carryover_in_usd": columns_of(_YEARS, "st_carryover_usd") + columns_of(USERS, "st_carryover_usd"),
        "lt_carryover_in_usd": columns_of(_YEARS, "lt_carryover_usd") + columns_of(USERS, "lt_carryover_usd"),
        "net_usd": columns_of(_YEARS, "st_net_usd", "lt_net_usd"),
        "loss_limit_usd": columns_of(USERS, "filing_status"),
        "loss_deduction_usd": columns_of(_YEARS, "st_net_usd", "lt_net_usd")
        + columns_of(USERS, "filing_status"),
        **each(
            _TAXES,
            columns_of(_YEARS, "tax_year", "st_net_usd", "lt_net_usd", "ordinary_dividends_usd")
            + columns_of(_YEARS, "qualified_dividends_usd", "interest_usd")
            + _FILER,
        ),
    },
    "broker_differences": {
        **NIGHT,
        **same(_GAINS, "account_id", "asset_id", "sale_transaction_id", "acquired_date", "trade_date"),
        **same(_GAINS, "tax_year", "term", "quantity", "proceeds_usd", "cost_basis_usd"),
        **same(_GAINS, "disallowed_usd", "recognized_usd"),
        "broker_term": _HELD_SINCE,
        "broker_quantity": _SHARES,
        "broker_proceeds_usd": _PROCEEDS,
        **each(("broker_cost_basis_usd", "broker_disallowed_usd", "broker_recognized_usd"), _BROKER),
        "difference_usd": columns_of(_GAINS, "recognized_usd") + _BROKER,
        "explanation": columns_of(_WASHES, "replacement_account_id", "replacement_account_type")
        + columns_of(_WASHES, "replacement_acquired_date", "disallowed_usd", "basis_moved_usd")
        + _BROKER,
    },
}

TAX_LINEAGE: Final[dict[str, TableLineage]] = {
    table: made_by("tax_lots", entries) for table, entries in _TABLES.items()
}
