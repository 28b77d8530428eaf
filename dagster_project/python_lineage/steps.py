"""Lineage of what the other Python steps write: ingest, embeddings, intents, mixes, recommendations, publication.

What belongs here: one entry for each column of their tables. What does not: the ledger's (``tax.py``)
and the learned models' (``learned.py``).
"""

from typing import Final

from dagster_project.python_lineage.declared import (
    ACCOUNTS,
    ASSETS,
    FEATURE_STORE,
    NIGHT,
    PRICES,
    STATEMENTS,
    TRADES,
    USERS,
    Entry,
    TableLineage,
    columns_of,
    each,
    made_by,
    same,
)
from ml.features.behaviour import BEHAVIOUR_SCHEMA
from ml.policy.panels import REQUIRED_FEATURES
from ml.types import EXPERTS, OBJECTIVES

_GAINS, _LOTS, _CASH = "ml.realized_gains", "ml.tax_lots", "ml.account_cash"
_INTENTS, _MIXES, _YEARS = "ml.parsed_intents", "ml.user_mixes", "ml.tax_unit_years"


_INGEST: Final = {
    "night": made_by(
        "ingest",
        {
            "as_of_date": columns_of("raw.market__sessions", "session_date"),
            "as_of_at": columns_of("raw.market__sessions", "close_at"),
            **each(("source", "price_sources", "household_source", "users", "seed", "data_dir"), "settings"),
        },
    ),
    "night_accounts": made_by(
        "ingest",
        {
            "account_id": columns_of("raw.brokerage__accounts", "account_id"),
            "user_id": columns_of("raw.brokerage__accounts", "user_id")
            + columns_of("raw.brokerage__users", "user_id"),
        },
    ),
}


_STATEMENT: Final = columns_of(STATEMENTS, "text", "stated_at")
_TRADE_COUNTS: Final = columns_of(TRADES, "user_id", "account_id", "asset_id", "trade_date", "kind")
_SALE_COUNTS: Final = columns_of(
    _GAINS, "account_id", "asset_id", "trade_date", "acquired_date", "gain_usd", "term", "is_voluntary"
) + columns_of(ACCOUNTS, "account_type")
_CAPITAL: Final = (
    columns_of(TRADES, "amount_usd")
    + columns_of(_GAINS, "proceeds_usd", "acquired_date")
    + columns_of(_LOTS, "cost_basis_usd", "acquired_date")
)
_RETURNS: Final = columns_of(PRICES, "total_return_log", "is_stale")
_SALE_CHOICES: Final = (
    _SALE_COUNTS
    + columns_of(_GAINS, "lot_id", "quantity", "cost_basis_usd")
    + columns_of(_LOTS, "lot_id", "quantity", "cost_basis_usd", "acquired_date")
    + columns_of(ACCOUNTS, "lot_method")
    + _RETURNS
)


def _behaviour() -> dict[str, Entry]:
    """Counts by what they count: trades, trades for cash, sales, choices among lots, choices among assets."""
    special: dict[str, Entry] = {
        **NIGHT,
        "user_id": columns_of(ACCOUNTS, "user_id") + columns_of(TRADES, "user_id"),
        "turnover_ann": _TRADE_COUNTS + _CAPITAL,
        **each(("n_replaced_losses",), _SALE_COUNTS + _TRADE_COUNTS + columns_of(TRADES, "amount_usd")),
        **each(("n_rebought_losses",), _SALE_COUNTS + _TRADE_COUNTS),
        **each(("n_sale_choices", "pgr", "plr"), _SALE_CHOICES),
        "n_buy_choices": _TRADE_COUNTS + _RETURNS,
    }
    of_trades = ("n_decisions", "n_buys", "n_sells", "history_days", "decisions_per_year", "n_sells_for_cash")
    special |= each((*of_trades, "n_deposits", "n_withdrawals"), _TRADE_COUNTS)
    by_prefix = {"sold": _SALE_CHOICES, "bought": _TRADE_COUNTS + _RETURNS}
    return {
        column: special.get(column, by_prefix.get(column.split("_")[0], _SALE_COUNTS))
        for column in ("as_of_date", *BEHAVIOUR_SCHEMA)
    }


_CHOICES: Final = columns_of(
    "ml.behaviour", *(c for c in BEHAVIOUR_SCHEMA if c.startswith(("sold_", "bought_")))
)
_STATED: Final = columns_of(_INTENTS, "objective", "secondary", "stated_at")
REVEALED: Final = tuple(f"revealed_{name}" for name in OBJECTIVES)
MIX: Final = tuple(f"p_{name}" for name in OBJECTIVES)
_SHOWN: Final = (
    *REVEALED,
    "identified",
    "confidence",
    "stated_objective",
    "n_revealed",
    "n_stated",
    "disagreement",
)
_INTENT_TEXT: Final = (
    "secondary",
    "horizon_min_months",
    "horizon_max_months",
    "liquidity_amount_usd",
    "liquidity_share",
    "liquidity_from",
    "liquidity_to",
    "risk_tolerance",
    "exclusions",
    "avoid_short_term_gains",
    "harvest_losses",
    "avoid_realising_gains",
    "wash_sale_concern",
    "actionable",
    "not_understood",
    "note",
)
_PERSONALIZATION: Final = {
    "parsed_intents": made_by(
        "parsed_intents",
        {
            **NIGHT,
            **same(STATEMENTS, "statement_id", "user_id", "stated_at"),
            "parser_version": "code",
        },
    )
    | made_by("intent", each(("objective", *_INTENT_TEXT), _STATEMENT), kind="model"),
    "behaviour": made_by("user_mixes", _behaviour()),
    "user_mixes": made_by(
        "user_mixes",
        {
            **NIGHT,
            "user_id": columns_of(USERS, "user_id") + columns_of("ml.behaviour", "user_id"),
            **each(MIX, _CHOICES + _STATED),
            **each((*REVEALED, "identified", "confidence", "n_revealed", "revealed_by"), _CHOICES),
            "n_stated": columns_of(_INTENTS, "stated_at", "objective"),
            "stated_objective": columns_of(_INTENTS, "objective"),
            "disagreement": _CHOICES + _STATED,
            "population_version": "code",
        },
    ),
}

_EMBEDDINGS: Final = {
    "chronos_embeddings": made_by(
        "chronos_embeddings",
        {**NIGHT, **same(PRICES, "asset_id"), **each(("model_id", "window_sessions"), "code")},
    )
    | made_by("chronos", {"embedding": columns_of(PRICES, "total_return_log")}, kind="model")
}

_WORTH: Final = (
    columns_of(_LOTS, "quantity") + columns_of(_CASH, "cash_usd") + columns_of(PRICES, "price_usd")
)
_LIMITS: Final = (
    columns_of(_INTENTS, "exclusions", "liquidity_amount_usd", "liquidity_share", "liquidity_from")
    + columns_of(_INTENTS, "liquidity_to", "horizon_max_months", "objective", "stated_at")
    + columns_of(_INTENTS, "avoid_short_term_gains", "harvest_losses", "avoid_realising_gains")
    + columns_of(ASSETS, "symbol", "name", "asset_class", "sector", "industry", "country")
)
_UNIT_RATES: Final = (
    columns_of(_YEARS, "st_rate", "lt_rate", "st_net_usd", "lt_net_usd", "ordinary_dividends_usd")
    + columns_of(_YEARS, "qualified_dividends_usd", "interest_usd", "status", "tax_year")
    + columns_of(USERS, "filing_status", "state", "ordinary_taxable_income_usd", "magi_usd")
)
# What the target of an account and the orders towards it are decided by.
_DECISION: Final = (
    _WORTH
    + columns_of(FEATURE_STORE, *REQUIRED_FEATURES)
    + columns_of(PRICES, "total_return_log", "is_stale")
    + columns_of(_LOTS, "cost_basis_usd", "acquired_date", "first_long_term_date", "is_basis_known")
    + columns_of(_MIXES, *MIX)
    + _LIMITS
    + _UNIT_RATES
    + columns_of("ml.wash_windows", "kind", "trade_date", "quantity", "is_tax_deferred")
    + columns_of(ASSETS, "tax_treatment", "delisted_date")
    + columns_of(ACCOUNTS, "account_type", "lot_method", "is_fractional")
)
EXPERT_WEIGHTS: Final = tuple(f"e_{name}" for name in EXPERTS)
ORDER_SUMS: Final = ("turnover_ratio", "expected_tax_usd", "harvested_loss_usd", "n_orders")
ORDERED: Final = ("target_weight", "action", "quantity", "notional_usd", "reason_code")
LOT_ORDERED: Final = ("quantity", "gain_usd", "tax_usd", "wash_sale_state")
_REFUSED: Final = columns_of("ml.ledger_issues", "status", "reason") + columns_of(_YEARS, "reason")
_RECOMMENDATIONS: Final = {
    "rec_portfolios": made_by(
        "recommendations",
        {
            **NIGHT,
            "account_id": columns_of(ACCOUNTS, "account_id") + columns_of(USERS, "user_id"),
            "recommendation_id": _DECISION + _REFUSED,
            "user_id": columns_of(ACCOUNTS, "user_id") + columns_of(USERS, "user_id"),
            "household_id": columns_of(ACCOUNTS, "household_id", "user_id")
            + columns_of(USERS, "household_id", "user_id"),
            **each(("status", "reason"), _DECISION + _REFUSED),
            **each(MIX, columns_of(_MIXES, *MIX) + columns_of(ACCOUNTS, "account_type")),
            **same(_MIXES, *_SHOWN),
            **each(
                EXPERT_WEIGHTS,
                columns_of(_MIXES, *MIX) + columns_of(ACCOUNTS, "account_type"),
            ),
            **each(ORDER_SUMS, _DECISION),
        },
    ),
    "rec_target_weights": made_by(
        "recommendations",
        {
            **NIGHT,
            "account_id": columns_of(ACCOUNTS, "account_id"),
            "asset_id": columns_of(PRICES, "asset_id") + columns_of(_LOTS, "asset_id"),
            "current_weight": _WORTH,
            **each(ORDERED, _DECISION),
        },
    ),
    "rec_lot_orders": made_by(
        "recommendations",
        {
            **NIGHT,
            "account_id": columns_of(ACCOUNTS, "account_id"),
            "asset_id": columns_of(PRICES, "asset_id") + columns_of(_LOTS, "asset_id"),
            "lot_id": columns_of(_LOTS, "lot_id"),
            **each(LOT_ORDERED, _DECISION),
            "term": columns_of(_LOTS, "first_long_term_date"),
        },
    ),
}

_PAIR_COLUMNS: Final = (
    "downstream_schema",
    "downstream_table",
    "downstream_column",
    "downstream_depth",
    "upstream_schema",
    "upstream_table",
    "upstream_column",
    "kind",
    "via",
    "origin",
    "code_version",
)
_PUBLICATION: Final = {
    "audit_nights": made_by(
        "audit_nights",
        {
            **NIGHT,
            "run_id": "run",
            "published_at": "clock",
            "content_hash": columns_of("ml.rec_portfolios", "recommendation_id")
            + columns_of("ml.rec_target_weights", "target_weight", "quantity")
            + columns_of("ml.rec_lot_orders", "quantity"),
            "n_portfolios": columns_of("ml.rec_portfolios", "account_id"),
            "n_orders": columns_of("ml.rec_lot_orders", "account_id"),
            "inputs_snapshot_id": "run",
            "settings_hash": "code",
        },
    ),
    # About columns, not about rows: it comes from the project itself.
    "column_lineage": made_by(
        "column_lineage",
        each(_PAIR_COLUMNS, "code"),
    ),
}

STEP_LINEAGE: Final[dict[str, TableLineage]] = {
    **_INGEST,
    **_PERSONALIZATION,
    **_EMBEDDINGS,
    **_RECOMMENDATIONS,
    **_PUBLICATION,
}
