"""DDL of the tables in schema ``ml`` that Python writes and dbt reads back as sources.

One place states their columns; ``Warehouse.bootstrap`` creates them, dbt's staging models and
contracts are tested against them. Raw tables are described in ``sources/contracts.py``.
"""

from collections.abc import Mapping
from typing import Any

from ml.types import EXPERTS, OBJECTIVES

_WEIGHT = "decimal(12, 9)"
_USD = "decimal(20, 6)"
_QUANTITY = "decimal(24, 9)"


def _columns(*pairs: tuple[str, str]) -> dict[str, str]:
    return dict(pairs)


def _objective_columns(prefix: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{prefix}_{objective}", _WEIGHT) for objective in OBJECTIVES)


ML_TABLES: dict[str, dict[str, str]] = {
    # The one night that is being computed: dbt reads its cut from here, so that no dbt
    # variable changes between nights and partial parsing stays on.
    "night": _columns(
        ("as_of_date", "date"),
        ("as_of_at", "timestamptz"),
        ("source", "varchar"),
        ("price_sources", "varchar"),
        ("household_source", "varchar"),
        ("users", "bigint"),
        ("seed", "bigint"),
        ("data_dir", "varchar"),
    ),
    # The accounts and users that the night covers (a user without an account has a null account_id).
    "night_accounts": _columns(("account_id", "varchar"), ("user_id", "varchar")),
    "tax_lots": _columns(
        ("as_of_date", "date"),
        ("state_date", "date"),
        ("account_id", "varchar"),
        ("asset_id", "varchar"),
        ("lot_id", "varchar"),
        ("quantity", _QUANTITY),
        ("cost_basis_usd", _USD),
        ("acquired_date", "date"),
        ("hp_start_date", "date"),
        ("first_long_term_date", "date"),
        ("wash_adjustment_usd", _USD),
        ("origin", "varchar"),
        ("source_transaction_id", "varchar"),
        ("is_basis_known", "boolean"),
    ),
    "account_cash": _columns(
        ("as_of_date", "date"), ("state_date", "date"), ("account_id", "varchar"), ("cash_usd", _USD)
    ),
    "realized_gains": _columns(
        ("as_of_date", "date"),
        ("account_id", "varchar"),
        ("asset_id", "varchar"),
        ("sale_transaction_id", "varchar"),
        ("lot_id", "varchar"),
        ("piece_no", "integer"),
        ("trade_date", "date"),
        ("acquired_date", "date"),
        ("hp_start_date", "date"),
        ("quantity", _QUANTITY),
        ("proceeds_usd", _USD),
        ("cost_basis_usd", _USD),
        ("gain_usd", _USD),
        ("disallowed_usd", _USD),
        ("recognized_usd", _USD),
        ("term", "varchar"),
        ("is_provisional", "boolean"),
        ("is_permanent", "boolean"),
        ("is_voluntary", "boolean"),
        ("tax_year", "integer"),
        ("convention_codes", "varchar"),
    ),
    "tax_unit_years": _columns(
        ("as_of_date", "date"),
        ("tax_unit_id", "varchar"),
        ("tax_year", "integer"),
        ("st_net_usd", _USD),
        ("lt_net_usd", _USD),
        ("ordinary_dividends_usd", _USD),
        ("qualified_dividends_usd", _USD),
        ("interest_usd", _USD),
        ("disallowed_usd", _USD),
        ("provisional_disallowed_usd", _USD),
        ("st_carryover_usd", _USD),
        ("lt_carryover_usd", _USD),
        ("status", "varchar"),
        ("reason", "varchar"),
        ("st_rate", "double"),
        ("lt_rate", "double"),
        ("rate_assumption", "varchar"),
        ("not_modelled", "varchar"),
    ),
    "ledger_issues": _columns(
        ("as_of_date", "date"),
        ("account_id", "varchar"),
        ("transaction_id", "varchar"),
        ("status", "varchar"),
        ("reason", "varchar"),
    ),
    "wash_windows": _columns(
        ("as_of_date", "date"),
        ("household_id", "varchar"),
        ("asset_id", "varchar"),
        ("account_id", "varchar"),
        ("kind", "varchar"),
        ("trade_date", "date"),
        ("quantity", _QUANTITY),
        ("is_tax_deferred", "boolean"),
    ),
    # One vector an asset, date and model, kept for good: a night adds only what is missing. The length is
    # the model's (128 components for the packaged one) and checked before every write.
    "chronos_embeddings": _columns(
        ("as_of_date", "date"),
        ("asset_id", "varchar"),
        ("model_id", "varchar"),
        ("window_sessions", "integer"),
        ("embedding", "float[]"),
    ),
    # One vector an asset and session, by the encoder in use; the sessions are those of the night's week,
    # since a target is recomputed as of the session that set it.
    "asset_embeddings": _columns(
        ("as_of_date", "date"),
        ("state_date", "date"),
        ("asset_id", "varchar"),
        ("model_id", "varchar"),
        ("embedding", "float[]"),
    ),
    # Only ever added to: what was trained and what a night uses.
    "model_registry": _columns(
        ("kind", "varchar"),
        ("model_id", "varchar"),
        ("event", "varchar"),
        ("event_at", "timestamptz"),
        ("compatibility_id", "varchar"),
        ("requires", "varchar"),
        ("profile", "varchar"),
        ("location", "varchar"),
        ("run_id", "varchar"),
        ("note", "varchar"),
    ),
    "training_metrics": _columns(
        ("run_id", "varchar"),
        ("kind", "varchar"),
        ("model_id", "varchar"),
        ("profile", "varchar"),
        ("seed", "bigint"),
        ("phase", "varchar"),
        ("step", "bigint"),
        ("metric", "varchar"),
        ("value", "double"),
    ),
    "rec_portfolios": _columns(
        ("as_of_date", "date"),
        ("account_id", "varchar"),
        ("recommendation_id", "varchar"),
        ("user_id", "varchar"),
        ("household_id", "varchar"),
        ("status", "varchar"),
        ("reason", "varchar"),
        *_objective_columns("p"),
        *_objective_columns("revealed"),
        ("identified", "boolean"),
        ("confidence", _WEIGHT),
        ("stated_objective", "varchar"),
        ("n_revealed", "double"),
        ("n_stated", "double"),
        ("disagreement", "double"),
        *((f"e_{expert}", _WEIGHT) for expert in EXPERTS),
        ("turnover_ratio", _WEIGHT),
        ("expected_tax_usd", _USD),
        ("harvested_loss_usd", _USD),
        ("n_orders", "integer"),
        ("policy_id", "varchar"),
    ),
    "rec_target_weights": _columns(
        ("as_of_date", "date"),
        ("account_id", "varchar"),
        ("asset_id", "varchar"),
        ("current_weight", _WEIGHT),
        ("target_weight", _WEIGHT),
        ("action", "varchar"),
        ("quantity", _QUANTITY),
        ("notional_usd", _USD),
        ("reason_code", "varchar"),
    ),
    "rec_lot_orders": _columns(
        ("as_of_date", "date"),
        ("account_id", "varchar"),
        ("asset_id", "varchar"),
        ("lot_id", "varchar"),
        ("quantity", _QUANTITY),
        ("term", "varchar"),
        ("gain_usd", _USD),
        ("tax_usd", _USD),
        ("wash_sale_state", "varchar"),
    ),
    "audit_nights": _columns(
        ("as_of_date", "date"),
        ("run_id", "varchar"),
        ("published_at", "timestamptz"),
        ("content_hash", "varchar"),
        ("n_portfolios", "bigint"),
        ("n_orders", "bigint"),
        ("inputs_snapshot_id", "bigint"),
        ("settings_hash", "varchar"),
    ),
    # One row per pair of columns; of the project as it stands, not of a night. A column without a source has
    # one row without upstream and an origin that says why.
    "column_lineage": _columns(
        ("downstream_schema", "varchar"),
        ("downstream_table", "varchar"),
        ("downstream_column", "varchar"),
        ("downstream_depth", "integer"),
        ("upstream_schema", "varchar"),
        ("upstream_table", "varchar"),
        ("upstream_column", "varchar"),
        ("kind", "varchar"),
        ("via", "varchar"),
        ("origin", "varchar"),
        ("code_version", "varchar"),
    ),
}


_DUCKDB_TYPES = {
    "String": "varchar",
    "Boolean": "boolean",
    "Date": "date",
    "Float64": "double",
    "Int64": "bigint",
    "List(Float32)": "float[]",
}


def _from_polars(schema: Mapping[str, Any], *, is_nightly: bool = True) -> dict[str, str]:
    """DuckDB columns of a polars schema; of a night's table the night's date first."""
    columns = {"as_of_date": "date"} if is_nightly else {}
    for name, dtype in schema.items():
        kind = str(dtype)
        if kind.startswith("Decimal"):
            columns[name] = f"decimal({dtype.precision}, {dtype.scale})"
        elif kind.startswith("Datetime"):
            columns[name] = "timestamptz"
        elif kind.startswith("Int"):
            columns[name] = "bigint" if kind == "Int64" else "integer"
        else:
            columns[name] = _DUCKDB_TYPES[kind]
    return columns


def ml_tables() -> dict[str, dict[str, str]]:
    """Every table of schema ``ml`` with its columns; those that a module of ``ml`` defines come from it."""
    from ml.backtest.tables import RESULTS_SCHEMA
    from ml.backtest.trials import TRIALS_SCHEMA
    from ml.features.behaviour import BEHAVIOUR_SCHEMA
    from ml.intent.parse import PARSED_SCHEMA
    from ml.personalization.mix import MIX_SCHEMA
    from ml.personalization.serve import REVEALED_SCHEMA
    from ml.tax.broker_view import BROKER_DIFFERENCES
    from ml.tax.form_8949 import FORM_8949
    from ml.tax.wash_frames import WASH_SALES
    from ml.tax.year_summary import TAX_YEAR_SUMMARY

    return {
        **ML_TABLES,
        "behaviour": _from_polars(BEHAVIOUR_SCHEMA),
        "parsed_intents": _from_polars(PARSED_SCHEMA),
        "user_adapters": _from_polars(REVEALED_SCHEMA),
        "user_mixes": _from_polars(MIX_SCHEMA),
        "wash_sales": _from_polars(WASH_SALES),
        "form_8949": _from_polars(FORM_8949),
        "tax_year_summary": _from_polars(TAX_YEAR_SUMMARY),
        "broker_differences": _from_polars(BROKER_DIFFERENCES),
        "trials": _from_polars(TRIALS_SCHEMA, is_nightly=False),
        "backtest_results": _from_polars(RESULTS_SCHEMA, is_nightly=False),
    }


def ml_ddl() -> list[str]:
    """The ``create table`` statements of schema ``ml``."""
    return [
        f"create table if not exists ml.{name} ({', '.join(f'{c} {t}' for c, t in columns.items())})"
        for name, columns in ml_tables().items()
    ]
