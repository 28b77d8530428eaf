"""The closed vocabularies that every layer shares: they are column values, spelled one way.

What belongs here: names and value sets that cross package borders. What does not: table
schemas (``dagster_project/sources/contracts.py``), feature specifications
(``ml/features/catalog.py``) and anything that computes.
"""

from typing import Final

OBJECTIVES: Final = (
    "short_term_alpha",
    "short_term_gain",
    "long_term_gain",
    "capital_preservation",
    "tax_loss_harvesting",
    "long_term_gains_only",
)
EXPERTS: Final = ("momentum", "growth", "defensive", "tax_aware")
ACTIONS: Final = ("buy", "hold", "sell")

ASSET_CLASSES: Final = (
    "equity",
    "equity_etf",
    "bond_etf",
    "reit",
    "commodity",
    "currency",
    "crypto",
    "cash",
)
SECTORS: Final = (
    "Energy",
    "Materials",
    "Industrials",
    "Consumer Discretionary",
    "Consumer Staples",
    "Health Care",
    "Financials",
    "Information Technology",
    "Communication Services",
    "Utilities",
    "Real Estate",
)
TAX_TREATMENTS: Final = (
    "security",
    "digital_asset",
    "collectible_28",
    "section_1256",
    "section_988",
    "partnership",
)
PRICE_BASES: Final = ("as_traded", "accumulating")
FILING_STATUSES: Final = ("single", "married_joint", "married_separate", "head_of_household")
ACCOUNT_TYPES: Final = ("taxable", "traditional_ira", "roth_ira", "401k", "hsa")
TAX_DEFERRED_ACCOUNT_TYPES: Final = ("traditional_ira", "roth_ira", "401k", "hsa")
LOT_METHODS: Final = ("fifo", "lifo", "hifo", "specific_id", "average", "min_tax")
CORPORATE_ACTION_KINDS: Final = (
    "dividend",
    "capital_gain_distribution",
    "return_of_capital",
    "split",
    "stock_dividend",
    "spin_off",
    "merger",
    "symbol_change",
)
TRANSACTION_KINDS: Final = (
    "buy",
    "sell",
    "short_sale",
    "buy_to_cover",
    "dividend",
    "interest",
    "capital_gain_distribution",
    "reinvestment",
    "return_of_capital",
    "split",
    "stock_dividend",
    "spin_off",
    "merger",
    "cash_in_lieu",
    "symbol_change",
    "transfer_in",
    "transfer_out",
    "journal",
    "fee",
    "withholding",
    "deposit",
    "withdrawal",
    "gift_in",
    "gift_out",
    "inheritance",
    "option_open",
    "option_close",
    "option_exercise",
    "option_assignment",
    "option_expiry",
)
RECOMMENDATION_STATUSES: Final = (
    "ok",
    "hold_unknown_basis",
    "no_price",
    "restricted",
    "no_account",
    "error",
)
WASH_SALE_STATES: Final = ("clear", "locked", "provisional", "would_wash", "permanent")
TERMS: Final = ("short", "long", "none")

CASH_ASSET_ID: Final = "cash_usd"
STALE_AFTER_SESSIONS: Final = 5
