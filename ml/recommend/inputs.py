"""What a night is given: the inputs' frames and the settings of the recommendation step.

What belongs here: shapes, defaults, and the check that every column is there. What does not: the
reading of tables (``dagster_project``) and anything that decides.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from datetime import date

import polars as pl

_COLUMNS: dict[str, tuple[str, ...]] = {
    "sessions": ("session_date",),
    "users": (
        "user_id",
        "household_id",
        "tax_year",
        "filing_status",
        "state",
        "ordinary_taxable_income_usd",
        "magi_usd",
        "st_carryover_usd",
        "lt_carryover_usd",
    ),
    "accounts": (
        "account_id",
        "user_id",
        "household_id",
        "tax_unit_id",
        "account_type",
        "lot_method",
        "is_fractional",
    ),
    "assets": ("asset_id", "asset_class", "tax_treatment", "delisted_date"),
    "prices": ("as_of_date", "asset_id", "price_usd", "total_return_log", "is_stale"),
    "features": ("as_of_date", "asset_id"),
    "lots": (
        "state_date",
        "account_id",
        "asset_id",
        "lot_id",
        "quantity",
        "cost_basis_usd",
        "acquired_date",
        "first_long_term_date",
    ),
    "cash": ("state_date", "account_id", "cash_usd"),
    "tax_unit_years": (
        "tax_unit_id",
        "tax_year",
        "st_net_usd",
        "lt_net_usd",
        "ordinary_dividends_usd",
        "qualified_dividends_usd",
        "interest_usd",
        "st_rate",
        "lt_rate",
        "status",
        "reason",
    ),
    "wash_windows": (
        "household_id",
        "asset_id",
        "account_id",
        "kind",
        "trade_date",
        "quantity",
        "is_tax_deferred",
    ),
    "mixes": ("user_id",),
    "constraints": (
        "user_id",
        "excluded_asset_ids",
        "liquidity_amount_usd",
        "liquidity_share",
        "liquidity_by",
        "avoid_short_term_gains",
        "horizon_to",
        "intent_changed_date",
    ),
    "issues": ("account_id", "status", "reason"),
    "embeddings": ("state_date", "asset_id", "embedding"),
    "market_returns": ("as_of_date", "market_return_log"),
}
NO_EMBEDDINGS = pl.DataFrame(
    schema={"state_date": pl.Date, "asset_id": pl.String, "embedding": pl.List(pl.Float32)}
)
NO_MARKET_RETURNS = pl.DataFrame(schema={"as_of_date": pl.Date, "market_return_log": pl.Float64})


@dataclass(frozen=True)
class RecommendSettings:
    """Choices of the recommendation step; ratios are shares of account value V unless said otherwise.

    Attributes
    ----------
    band_ratio, band_relative : float
        No-trade band: drift of at most 1 % of V, or of at most 20 % of the larger of current and
        target weight, is held (inside either is inside).
    loss_ratio, loss_usd : float
        A loss counts from 5 % of the lot's cost and 50 USD.
    cash_move_ratio : float
        A new target is taken when cash moved by more than this between two sessions.
    max_names : int
        Names an account may have; held names all stay, new ones fill up to it.
    min_target_ratio : float
        A target below it is no reason to open a new position.
    drift_aversion : float
        kappa of ``kappa / 2 * drift**2`` against tax and cost in shares of V: with 4, a position is
        trimmed until its drift is a quarter of the tax rate on the next lot (15 % tax on a lot that
        is half gain: 1.9 % of V).
    cost_ratio : float
        Linear transaction cost per dollar traded.
    turnover_cap : float
        Largest (buys + sells) / 2V a night; a cash need may exceed it.
    min_notional_usd : float
        Smallest order in a fractional account; elsewhere it is one share.
    quantity_step : int
        Smallest step in a fractional account, in 1e-9 shares.
    wash_window_days : int
        Days on each side of a loss sale, both ends included.
    margin_ratio : float
        A cash debt up to this share of V is repaid by involuntary sales; beyond it the account is
        restricted, since margin is not modelled.
    liquidity_horizon_days : int
        A stated liquidity need becomes a cash reserve this many days before its date.
    rate_rounds : int
        Rounds in which marginal rates and orders are brought to agree.
    horizon_glide_months, horizon_floor_ratio : float
        Within so many months of a stated horizon's end the share outside bonds and cash is capped; the
        cap falls evenly from 1 to the floor.
    default_st_rate, default_lt_rate : float
        Marginal rates of a tax unit without a year summary; said in the portfolio's reason.
    chunk_accounts : int
        Accounts solved at once (whole households); bounds memory, never the result.
    """

    band_ratio: float = 0.01
    band_relative: float = 0.20
    loss_ratio: float = 0.05
    loss_usd: float = 50.0
    cash_move_ratio: float = 0.02
    max_names: int = 60
    min_target_ratio: float = 1e-4
    drift_aversion: float = 4.0
    cost_ratio: float = 0.001
    turnover_cap: float = 0.50
    min_notional_usd: float = 1.0
    quantity_step: int = 1_000
    wash_window_days: int = 30
    margin_ratio: float = 0.05
    liquidity_horizon_days: int = 92
    rate_rounds: int = 5
    horizon_glide_months: float = 60.0
    horizon_floor_ratio: float = 0.30
    default_st_rate: float = 0.24
    default_lt_rate: float = 0.15
    chunk_accounts: int = 1_024

    def content_hash(self) -> str:
        """Hash what can change a result: every field but ``chunk_accounts``."""
        values = {name: value for name, value in asdict(self).items() if name != "chunk_accounts"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class NightInputs:
    """Everything a night reads, as frames; columns as in the tables they come from.

    Attributes
    ----------
    as_of_date : datetime.date
        The night's session.
    sessions : polars.DataFrame
        ``core.dim_sessions``: at least session_date for the current week and the 252 before.
    users, accounts : polars.DataFrame
        Latest known rows; a user without account is listed in ``users`` alone. ``users`` may hold
        several rows per user (tax years).
    assets : polars.DataFrame
        Latest known ``core.dim_assets``.
    benchmark_asset_ids : tuple of str
        Never bought and never a candidate.
    prices : polars.DataFrame
        ``core.fct_asset_prices__daily`` of the last 252 sessions and the current week.
    features : polars.DataFrame
        ``features.feat_asset_metadata__daily`` of the current week's sessions.
    lots, cash : polars.DataFrame
        ``ml.tax_lots``, ``ml.account_cash``: one state_date per session of the week up to as_of_date.
    tax_unit_years : polars.DataFrame
        ``ml.tax_unit_years``.
    wash_windows : polars.DataFrame
        kind ``loss_sale`` or ``purchase`` of the last 30 days.
    mixes : polars.DataFrame
        ``ml.user_mixes``: p_, revealed_ columns, identified, confidence, stated_objective,
        n_revealed, n_stated.
    constraints : polars.DataFrame
        At most a row per user: excluded_asset_ids (list), liquidity_amount_usd, liquidity_share,
        liquidity_by, avoid_short_term_gains, horizon_to, intent_changed_date.
    issues : polars.DataFrame
        Accounts that the ledger refused.
    inputs_version, models_version, settings_version : str
        Hashes that go into every recommendation_id.
    embeddings : polars.DataFrame
        ``ml.asset_embeddings`` of the week's sessions; without them the analytic experts decide.
    market_returns : polars.DataFrame
        as_of_date, market_return_log of the last 252 sessions, for the policy's regime features.
    """

    as_of_date: date
    sessions: pl.DataFrame
    users: pl.DataFrame
    accounts: pl.DataFrame
    assets: pl.DataFrame
    benchmark_asset_ids: tuple[str, ...]
    prices: pl.DataFrame
    features: pl.DataFrame
    lots: pl.DataFrame
    cash: pl.DataFrame
    tax_unit_years: pl.DataFrame
    wash_windows: pl.DataFrame
    mixes: pl.DataFrame
    constraints: pl.DataFrame
    issues: pl.DataFrame
    inputs_version: str
    models_version: str
    settings_version: str
    embeddings: pl.DataFrame = field(default_factory=NO_EMBEDDINGS.clone)
    market_returns: pl.DataFrame = field(default_factory=NO_MARKET_RETURNS.clone)

    def __post_init__(self) -> None:
        """Check that every frame has the columns that are read, and one row per account."""
        for item in fields(self):
            wanted = _COLUMNS.get(item.name, ())
            missing = [name for name in wanted if name not in getattr(self, item.name).columns]
            if missing:
                raise ValueError(f"night inputs: frame {item.name!r} lacks the columns {missing}: add them")
        for name, key in (
            ("accounts", "account_id"),
            ("assets", "asset_id"),
            ("mixes", "user_id"),
            ("constraints", "user_id"),
        ):
            frame = getattr(self, name)
            repeated = frame.filter(pl.col(key).is_duplicated())[key]
            if len(repeated):
                raise ValueError(
                    f"night inputs: frame {name!r} has several rows for {key} {repeated.min()!r}: "
                    "pass the latest known row only"
                )

    @property
    def week_sessions(self) -> list[date]:
        """Sessions of the current week (Monday on) up to as_of_date, oldest first."""
        week = pl.col("session_date").dt.truncate("1w")
        start = pl.lit(self.as_of_date).dt.truncate("1w")
        chosen = self.sessions.filter((week == start) & (pl.col("session_date") <= self.as_of_date))
        found = chosen["session_date"].unique().sort().to_list()
        if not found or found[-1] != self.as_of_date:
            raise ValueError(
                f"night inputs: {self.as_of_date} is not in 'sessions': pass core.dim_sessions, or take a session"
            )
        return found
