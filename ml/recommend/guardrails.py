"""What no recommendation may do, checked from the rows and the inputs alone.

What belongs here: rules over the three result frames, written without the code that made them, so
that a fault there shows here. What does not: soft preferences (band, cost). The night calls
:func:`require_guardrails` before it writes; the checks call :func:`check_guardrails` on what was written.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from ml.policy.objectives import long_term_gains_only_in_force
from ml.recommend.inputs import NightInputs, RecommendSettings
from ml.recommend.schema import (
    NEW_LOT_ID,
    NO_ACCOUNT_PREFIX,
    REASON_CODES,
    SHORT_GAINS_LAST,
    NightResult,
)
from ml.recommend.targets import policy_mix
from ml.types import (
    ACTIONS,
    CASH_ASSET_ID,
    RECOMMENDATION_STATUSES,
    TAX_DEFERRED_ACCOUNT_TYPES,
    TERMS,
    WASH_SALE_STATES,
)

_KEYS = {
    "portfolios": ["account_id"],
    "target_weights": ["account_id", "asset_id"],
    "lot_orders": ["account_id", "asset_id", "lot_id"],
}
_LOSS_USD = -1e-4  # below the rounding of a float price times an exact quantity


@dataclass(frozen=True)
class Violation:
    """One broken rule.

    Attributes
    ----------
    rule : str
        Short name of the rule.
    account_id : str
        Where.
    detail : str
        A sentence with the offending values.
    """

    rule: str
    account_id: str
    detail: str


class GuardrailError(RuntimeError):
    """A night's result broke a rule and must not be written."""


def require_guardrails(
    result: NightResult, inputs: NightInputs, settings: RecommendSettings | None = None
) -> None:
    """Raise if any rule is broken.

    Raises
    ------
    GuardrailError
        Names the number of violations and the first five.
    """
    violations = check_guardrails(result, inputs, settings)
    if violations:
        shown = "; ".join(f"{v.rule} in account {v.account_id!r}: {v.detail}" for v in violations[:5])
        raise GuardrailError(
            f"night of {inputs.as_of_date}: {len(violations)} guardrail violations, nothing may be written: {shown}"
        )


def check_guardrails(
    result: NightResult, inputs: NightInputs, settings: RecommendSettings | None = None
) -> list[Violation]:
    """Check every rule.

    Parameters
    ----------
    result : NightResult
    inputs : NightInputs
        What the result was made from.
    settings : RecommendSettings, optional
        For the cost, the wash window and the number of names.

    Returns
    -------
    list of Violation
        Empty if all rules hold; in the order of the rules, then of accounts.
    """
    settings = settings or RecommendSettings()
    view = _View.build(result, inputs)
    rules = (
        _identity,
        _vocabularies,
        _weights,
        _actions,
        _lots,
        _totals,
        _washes,
        _cash,
        _permissions,
        _term_mask,
    )
    return [violation for rule in rules for violation in rule(view, settings)]


@dataclass(frozen=True)
class _View:
    """Result and inputs, with accounts' facts joined to orders and weights."""

    result: NightResult
    inputs: NightInputs
    accounts: pl.DataFrame
    prices: pl.DataFrame
    weights: pl.DataFrame
    orders: pl.DataFrame

    @classmethod
    def build(cls, result: NightResult, inputs: NightInputs) -> "_View":
        """Join lots, prices and accounts to every order."""
        night = inputs.as_of_date
        accounts = inputs.accounts.select(
            "account_id",
            "user_id",
            pl.coalesce("household_id", "user_id").alias("household_id"),
            pl.col("account_type").is_in(TAX_DEFERRED_ACCOUNT_TYPES).alias("is_tax_deferred"),
        )
        prices = inputs.prices.filter(pl.col("as_of_date") == night).select(
            "asset_id", "price_usd", "is_stale"
        )
        lots = inputs.lots.filter(pl.col("state_date") == night).select(
            "account_id",
            "asset_id",
            "lot_id",
            pl.col("quantity").alias("lot_quantity"),
            pl.col("cost_basis_usd").cast(pl.Float64).alias("lot_basis"),
            "first_long_term_date",
        )
        exempt = inputs.assets.select(
            "asset_id", (pl.col("tax_treatment") == "digital_asset").fill_null(False).alias("is_wash_exempt")
        )
        share = pl.col("quantity").cast(pl.Float64) / pl.col("lot_quantity").cast(pl.Float64)
        orders = (
            result.lot_orders.join(accounts, on="account_id", how="left")
            .join(prices, on="asset_id", how="left")
            .join(exempt, on="asset_id", how="left")
            .join(lots, on=["account_id", "asset_id", "lot_id"], how="left")
            .with_columns(
                (pl.col("lot_id") == NEW_LOT_ID).alias("is_buy"),
                (pl.col("quantity").cast(pl.Float64) * pl.col("price_usd")).alias("value"),
                pl.col("is_wash_exempt").fill_null(False),
            )
            .with_columns((pl.col("value") - pl.col("lot_basis") * share).alias("true_gain"))
            .sort("account_id", "asset_id", "lot_id")
        )
        weights = result.target_weights.join(accounts, on="account_id", how="left").sort(
            "account_id", "asset_id"
        )
        return cls(result, inputs, accounts, prices, weights, orders)


def _each(rule: str, frame: pl.DataFrame, sentence: str, *columns: str) -> Iterator[Violation]:
    """One violation per row; ``sentence`` has a ``{}`` per column."""
    accounts, values = frame["account_id"], [frame[name] for name in columns]
    for account, *row in zip(accounts, *values, strict=True):
        yield Violation(rule, str(account), sentence.format(*row))


def _identity(view: _View, settings: RecommendSettings) -> Iterator[Violation]:
    """One row per account and key, the night's date everywhere, weight rows exactly where status is ok."""
    for name, key in _KEYS.items():
        frame = getattr(view.result, name)
        repeated = frame.filter(pl.struct(key).is_duplicated()).unique(key).sort(key)
        yield from _each("unique_key", repeated, f"several rows of {name} with {key[-1]} {{!r}}", key[-1])
        other = frame.filter(pl.col("as_of_date") != view.inputs.as_of_date)
        yield from _each("as_of_date", other, f"a row of {name} is dated {{}}", "as_of_date")
    rows = view.result.portfolios
    absent = view.accounts.join(rows, on="account_id", how="anti").sort("account_id")
    yield from _each("every_account", absent, "account of user {} has no portfolio row", "user_id")
    strange = rows.join(view.accounts, on="account_id", how="anti").filter(
        ~pl.col("account_id").str.starts_with(NO_ACCOUNT_PREFIX)
    )
    yield from _each("every_account", strange, "portfolio row of user {} for an unknown account", "user_id")
    ok = rows.filter(pl.col("status") == "ok")
    for name in ("target_weights", "lot_orders"):
        outside = getattr(view.result, name).join(ok, on="account_id", how="anti")
        yield from _each(
            "status_without_rows", outside, f"{name} has a row for {{}} without status ok", "asset_id"
        )
    cash = view.weights.filter(pl.col("asset_id") == CASH_ASSET_ID)
    missing = ok.join(cash, on="account_id", how="anti")
    yield from _each("cash_row", missing, "status {} but no cash row", "status")


def _vocabularies(view: _View, settings: RecommendSettings) -> Iterator[Violation]:
    """Closed lists hold, and every status but ok says why."""
    for frame, column, allowed in (
        (view.result.portfolios, "status", RECOMMENDATION_STATUSES),
        (view.result.target_weights, "action", ACTIONS),
        (view.result.target_weights, "reason_code", REASON_CODES),
        (view.result.lot_orders, "term", TERMS),
        (view.result.lot_orders, "wash_sale_state", WASH_SALE_STATES),
    ):
        unknown = frame.filter(~pl.col(column).is_in(allowed) | pl.col(column).is_null())
        yield from _each("vocabulary", unknown, f"{column} is {{!r}}", column)
    silent = view.result.portfolios.filter(
        (pl.col("status") != "ok") & (pl.col("reason").fill_null("").str.len_chars() == 0)
    )
    yield from _each("reason", silent, "status {} without a reason", "status")


def _weights(view: _View, settings: RecommendSettings) -> Iterator[Violation]:
    """Weights are not negative and sum to exactly one; no more names than allowed."""
    negative = view.weights.filter(pl.col("target_weight") < 0)
    yield from _each("weight_negative", negative, "{} has target weight {}", "asset_id", "target_weight")
    negative = view.weights.filter((pl.col("current_weight") < 0) & (pl.col("asset_id") != CASH_ASSET_ID))
    yield from _each("weight_negative", negative, "{} has current weight {}", "asset_id", "current_weight")
    sums = view.weights.group_by("account_id").agg(
        pl.col("target_weight").cast(pl.Decimal(38, 9)).sum().alias("target"),
        pl.col("current_weight").cast(pl.Decimal(38, 9)).sum().alias("current"),
        (pl.col("asset_id") != CASH_ASSET_ID).sum().alias("names"),
        ((pl.col("asset_id") != CASH_ASSET_ID) & (pl.col("current_weight") > 0)).sum().alias("held"),
    )
    off = sums.filter((pl.col("target") != 1) | (pl.col("current") != 1)).sort("account_id")
    yield from _each("weight_sum", off, "target weights sum to {}, current to {}", "target", "current")
    # A holding below 1e-9 of V shows no current weight; it cannot have a target either.
    many = sums.filter(pl.col("names") > pl.max_horizontal("held", pl.lit(settings.max_names))).sort(
        "account_id"
    )
    yield from _each("max_names", many, "{} names, {} of them held", "names", "held")


def _actions(view: _View, settings: RecommendSettings) -> Iterator[Violation]:
    """Actions agree with weights, quantities and orders."""
    assets = view.weights.filter(pl.col("asset_id") != CASH_ASSET_ID)
    change = pl.col("target_weight") - pl.col("current_weight")
    expected = (
        pl.when(change > 0)
        .then(pl.lit("buy"))
        .when(change < 0)
        .then(pl.lit("sell"))
        .otherwise(pl.lit("hold"))
    )
    wrong = assets.with_columns(expected.alias("expected")).filter(pl.col("action") != pl.col("expected"))
    yield from _each(
        "action_weight", wrong, "{}: action {} but weights say {}", "asset_id", "action", "expected"
    )
    is_zero = (pl.col("quantity") == 0) & (pl.col("notional_usd") == 0)
    is_idle = (pl.col("action") == "hold") | (pl.col("asset_id") == CASH_ASSET_ID)
    wrong = view.weights.filter((is_idle & ~is_zero) | (~is_idle & (pl.col("quantity") <= 0)))
    yield from _each(
        "action_quantity", wrong, "{}: action {} with quantity {}", "asset_id", "action", "quantity"
    )
    traded = view.orders.group_by("account_id", "asset_id").agg(
        pl.col("quantity").cast(pl.Decimal(38, 9)).sum().alias("ordered"),
        pl.col("is_buy").any().alias("any_buy"),
        pl.col("is_buy").all().alias("all_buy"),
    )
    both = assets.filter(pl.col("action") != "hold").join(
        traded, on=["account_id", "asset_id"], how="full", coalesce=True
    )
    is_buy = pl.col("action") == "buy"
    agrees = (
        (pl.col("quantity") == pl.col("ordered"))
        & (pl.col("any_buy") == is_buy)
        & (pl.col("all_buy") == is_buy)
    )
    wrong = both.filter(~agrees.fill_null(False)).sort("account_id", "asset_id")
    yield from _each(
        "action_orders",
        wrong,
        "{}: action {} of {}, lot orders of {}",
        "asset_id",
        "action",
        "quantity",
        "ordered",
    )


def _lots(view: _View, settings: RecommendSettings) -> Iterator[Violation]:
    """Sells name lots that exist, do not exceed them, and state their term and gain."""
    sells = view.orders.filter(~pl.col("is_buy"))
    unknown = sells.filter(pl.col("lot_quantity").is_null())
    yield from _each("lot_unknown", unknown, "{}: lot {} is not held", "asset_id", "lot_id")
    beyond = sells.filter((pl.col("quantity") > pl.col("lot_quantity")) | (pl.col("quantity") <= 0))
    yield from _each(
        "lot_exceeded",
        beyond,
        "{}: {} of lot {} holding {}",
        "asset_id",
        "quantity",
        "lot_id",
        "lot_quantity",
    )
    is_long = pl.col("first_long_term_date") <= view.inputs.as_of_date
    expected = (
        pl.when(pl.col("is_buy"))
        .then(pl.lit("none"))
        .when(is_long)
        .then(pl.lit("long"))
        .otherwise(pl.lit("short"))
    )
    wrong = view.orders.with_columns(expected.alias("expected")).filter(pl.col("term") != pl.col("expected"))
    yield from _each("lot_term", wrong, "{}: lot {} is {}, not {}", "asset_id", "lot_id", "expected", "term")
    taxed = pl.when("is_tax_deferred").then(0.0).otherwise("true_gain")
    gap = (pl.col("gain_usd").cast(pl.Float64) - pl.col("taxed")).abs()
    off = sells.with_columns(taxed.alias("taxed")).filter(gap > 1e-3 + 1e-9 * pl.col("value"))
    yield from _each(
        "lot_gain", off, "{}: lot {} states gain {}, is {}", "asset_id", "lot_id", "gain_usd", "true_gain"
    )


def _totals(view: _View, settings: RecommendSettings) -> Iterator[Violation]:
    """Portfolio rows agree with their orders."""
    by_lot = view.orders.group_by("account_id").agg(
        pl.col("tax_usd").cast(pl.Decimal(38, 6)).sum().alias("tax"),
        (-pl.col("gain_usd").cast(pl.Decimal(38, 6))).clip(0).sum().alias("loss"),
        pl.len().alias("count"),
    )
    joined = view.result.portfolios.join(by_lot, on="account_id", how="left").with_columns(
        pl.col("tax").fill_null(0), pl.col("loss").fill_null(0), pl.col("count").fill_null(0)
    )
    for column, total in (("expected_tax_usd", "tax"), ("harvested_loss_usd", "loss"), ("n_orders", "count")):
        off = joined.filter(pl.col(column) != pl.col(total))
        yield from _each("portfolio_total", off, f"{column} is {{}}, its orders sum to {{}}", column, total)


def _washes(view: _View, settings: RecommendSettings) -> Iterator[Violation]:
    """No order washes a harvested loss, neither tonight's nor one of the window."""
    night = view.inputs.as_of_date
    orders = view.orders.filter(~pl.col("is_wash_exempt"))
    losses = orders.filter(~pl.col("is_buy") & ~pl.col("is_tax_deferred") & (pl.col("true_gain") < _LOSS_USD))
    buys = orders.filter("is_buy")
    key = ["household_id", "asset_id"]
    crossing = losses.join(buys, on=key, how="semi")
    yield from _each(
        "wash_tonight",
        crossing,
        "{}: lot {} is sold at a loss and bought in the household",
        "asset_id",
        "lot_id",
    )
    since = night - timedelta(days=settings.wash_window_days)
    recent = view.inputs.wash_windows.filter(pl.col("trade_date").is_between(since, night))
    purchases = recent.filter(pl.col("kind") == "purchase")
    washed = losses.join(purchases, on=key, how="semi")
    yield from _each(
        "wash_back", washed, "{}: loss lot {} is sold after a purchase in the window", "asset_id", "lot_id"
    )
    sales = recent.filter((pl.col("kind") == "loss_sale") & ~pl.col("is_tax_deferred"))
    washing = buys.join(sales, on=key, how="semi")
    yield from _each("wash_forward", washing, "{} is bought after a loss sale in the window", "asset_id")


def _cash(view: _View, settings: RecommendSettings) -> Iterator[Violation]:
    """No negative cash after orders and their estimated cost."""
    signed = pl.col("value") * (pl.when("is_buy").then(-1.0).otherwise(1.0)) - settings.cost_ratio * pl.col(
        "value"
    )
    flows = (
        view.orders.sort("account_id", "asset_id", "lot_id")
        .group_by("account_id", maintain_order=True)
        .agg(signed.sum().alias("flow"), pl.col("value").sum().alias("traded"))
    )
    cash = view.inputs.cash.filter(pl.col("state_date") == view.inputs.as_of_date)
    ok = view.result.portfolios.filter(pl.col("status") == "ok").select("account_id")
    after = ok.join(cash, on="account_id", how="left").join(flows, on="account_id", how="left")
    after = after.with_columns(
        (pl.col("cash_usd").cast(pl.Float64).fill_null(0.0) + pl.col("flow").fill_null(0.0)).alias("after")
    )
    # A tenth of a cent, and the rounding of float prices on large orders.
    short = after.filter(pl.col("after") < -1e-3 - 1e-9 * pl.col("traded").fill_null(0.0))
    yield from _each("cash_negative", short.sort("account_id"), "cash after the orders is {}", "after")


def _permissions(view: _View, settings: RecommendSettings) -> Iterator[Violation]:
    """Nothing stale is traded; benchmarks and excluded assets are never bought."""
    idle = view.orders.filter(pl.col("is_stale").fill_null(True))
    yield from _each("stale_traded", idle, "{} has no fresh price", "asset_id")
    buys = view.orders.filter("is_buy")
    marked = buys.filter(pl.col("asset_id").is_in(list(view.inputs.benchmark_asset_ids)))
    yield from _each("benchmark_bought", marked, "{} is a benchmark", "asset_id")
    barred = (
        view.inputs.constraints.select("user_id", pl.col("excluded_asset_ids").alias("asset_id"))
        .explode("asset_id")
        .with_columns(pl.col("asset_id").cast(pl.String))
    )
    against = buys.join(barred, on=["user_id", "asset_id"], how="semi")
    yield from _each("excluded_bought", against, "{} is excluded by the user's goal", "asset_id")


def _term_mask(view: _View, settings: RecommendSettings) -> Iterator[Violation]:
    """Where only long-term gains may be chosen, a short-term gain serves a cash need and buys nothing."""
    mix, known = policy_mix(view.accounts, view.inputs.mixes)
    avoid = view.accounts.select("user_id").join(
        view.inputs.constraints, on="user_id", how="left", maintain_order="left"
    )["avoid_short_term_gains"]
    avoid = avoid.cast(pl.Boolean).fill_null(False).to_numpy()
    mix[~known] = 0.0
    in_force = long_term_gains_only_in_force(mix, avoid, view.accounts["is_tax_deferred"].to_numpy())
    masked = view.accounts.filter(pl.Series(in_force)).select("account_id")
    orders = view.orders.join(masked, on="account_id", how="semi")
    gains = orders.filter(
        ~pl.col("is_buy") & (pl.col("term") == "short") & (pl.col("true_gain") > -_LOSS_USD)
    )
    forced = view.result.portfolios.filter(
        pl.col("reason").fill_null("").str.contains(SHORT_GAINS_LAST, literal=True)
    )
    buying = orders.filter("is_buy").select("account_id")
    allowed = forced.join(buying, on="account_id", how="anti")
    chosen = gains.join(allowed, on="account_id", how="anti")
    yield from _each("short_term_gain", chosen, "{}: lot {} realises a short-term gain", "asset_id", "lot_id")
