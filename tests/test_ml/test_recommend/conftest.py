"""Random nights with everything that makes a night hard, from a seed."""

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.policy.panels import REQUIRED_FEATURES
from ml.recommend import NightInputs
from ml.types import LOT_METHODS, OBJECTIVES

AS_OF = date(2022, 11, 30)  # a Wednesday; the week's first session is Monday the 28th
BENCHMARK = "SPX"
USD, QUANTITY = pl.Decimal(20, 6), pl.Decimal(24, 9)


def _sessions(count: int) -> list[date]:
    days = [AS_OF - timedelta(days=i) for i in range(2 * count)]
    return sorted(day for day in days if day.weekday() < 5)[-count:]


def _market(rng: np.random.Generator, n_assets: int, sessions: list[date]) -> dict[str, pl.DataFrame]:
    """Prices with one stale name, one digital asset and one benchmark; features of the week."""
    ids = [f"S{i:02d}" for i in range(n_assets)] + [BENCHMARK]
    returns = rng.normal(0.0003, 0.015, (len(sessions), len(ids)))
    prices = rng.uniform(5, 400, len(ids)) * np.exp(np.cumsum(returns, axis=0))
    stale = np.array([name == "S01" for name in ids])
    frame = pl.DataFrame(
        {
            "as_of_date": np.repeat(np.array(sessions, dtype="datetime64[D]"), len(ids)),
            "asset_id": ids * len(sessions),
            "price_usd": prices.ravel().round(4),
            "total_return_log": returns.ravel(),
            "is_stale": np.tile(stale, len(sessions)),
        }
    )
    week = [s for s in sessions if s >= AS_OF - timedelta(days=AS_OF.weekday())]
    described = [name for name in ids if name != "S01"]
    features = pl.DataFrame(
        {
            "as_of_date": pl.Series([s for s in week for _ in described], dtype=pl.Date),
            "asset_id": described * len(week),
            **{name: rng.normal(0.0, 0.2, len(week) * len(described)) for name in REQUIRED_FEATURES},
        }
    ).with_columns(
        pl.lit(1.0).alias("class__equity"),
        pl.lit(0.0).alias("class__cash"),
        pl.lit(0.0).alias("class__currency"),
        pl.lit(0.25).alias("risk__volatility_252d_ann"),
    )
    assets = pl.DataFrame(
        {
            "asset_id": ids,
            "asset_class": ["bond_etf" if name in ("S01", "S05") else "equity" for name in ids],
            "tax_treatment": ["digital_asset" if name == "S02" else "security" for name in ids],
            "delisted_date": pl.Series([None] * len(ids), dtype=pl.Date),
        }
    )
    return {"prices": frame, "features": features, "assets": assets}


def with_tax_facts(users: pl.DataFrame, **facts: object) -> pl.DataFrame:
    """Add the columns of ``core.dim_users`` that say what a user's tax depends on; null unless given."""
    types = {
        "tax_year": pl.Int32,
        "filing_status": pl.String,
        "state": pl.String,
        **dict.fromkeys(
            ("ordinary_taxable_income_usd", "magi_usd", "st_carryover_usd", "lt_carryover_usd"), USD
        ),
    }
    return users.with_columns(
        pl.lit(facts.get(name)).cast(dtype).alias(name) for name, dtype in types.items()
    )


def with_nets(years: pl.DataFrame, **nets: object) -> pl.DataFrame:
    """Add the year-to-date nets of ``ml.tax_unit_years``; null (rates stay as given) unless given."""
    names = ("st_net_usd", "lt_net_usd", "ordinary_dividends_usd", "qualified_dividends_usd", "interest_usd")
    return years.with_columns(pl.lit(nets.get(name)).cast(USD).alias(name) for name in names)


def _accounts(rng: np.random.Generator, count: int) -> pl.DataFrame:
    users = [f"u{i // 2:03d}" for i in range(count)]
    homes = [f"h{i // 4:03d}" for i in range(count)]
    deferred = rng.random(count) < 0.25
    return pl.DataFrame(
        {
            "account_id": [f"a{i:03d}" for i in range(count)],
            "user_id": users,
            "household_id": homes,
            "tax_unit_id": [f"household:{home}" for home in homes],
            "account_type": np.where(deferred, "roth_ira", "taxable").tolist(),
            "lot_method": rng.choice(LOT_METHODS, count).tolist(),
            "is_fractional": (rng.random(count) < 0.6).tolist(),
        }
    )


def _lots(
    rng: np.random.Generator, accounts: pl.DataFrame, prices: pl.DataFrame, week: list[date]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lots and cash with losses, gains, lots about to turn long-term, and some cash debts and moves."""
    last = dict(prices.filter(pl.col("as_of_date") == AS_OF).select("asset_id", "price_usd").iter_rows())
    names = [name for name in last if name != BENCHMARK]
    lots, cash = [], []
    for account in accounts["account_id"]:
        value = 10 ** rng.uniform(2.5, 6.0)
        held = rng.choice(names, rng.integers(0, min(len(names), 12) + 1), replace=False)
        for asset in sorted(held):
            for k in range(rng.integers(1, 5)):
                quantity = round(value * rng.uniform(0.01, 0.2) / last[asset], int(rng.choice([0, 3, 9])))
                if quantity <= 0:
                    continue
                acquired = AS_OF - timedelta(days=int(rng.choice([5, 100, 364, 365, 366, 367, 700])))
                basis = quantity * last[asset] * rng.uniform(0.4, 1.6)
                lots.append((account, asset, f"{asset}-{k}", quantity, basis, acquired))
        start = value * rng.choice([-0.005, 0.0, 0.02, 0.3, 3.0])
        for session in week:
            start = start + value * 0.2 if rng.random() < 0.1 else start
            cash.append((session, account, start))
    rows = [(s, *lot) for s in week for lot in lots]
    columns = [
        "state_date",
        "account_id",
        "asset_id",
        "lot_id",
        "quantity",
        "cost_basis_usd",
        "acquired_date",
    ]
    types = [pl.Date, pl.String, pl.String, pl.String, pl.Float64, pl.Float64, pl.Date]
    frame = pl.DataFrame(rows, schema=dict(zip(columns, types, strict=True)), orient="row")
    frame = frame.with_columns(
        pl.col("quantity").cast(QUANTITY),
        pl.col("cost_basis_usd").round(6).cast(USD),
        (pl.col("acquired_date").dt.offset_by("1y") + timedelta(days=1)).alias("first_long_term_date"),
    )
    money = pl.DataFrame(
        cash, schema={"state_date": pl.Date, "account_id": pl.String, "cash_usd": pl.Float64}, orient="row"
    )
    return frame, money.with_columns(pl.col("cash_usd").round(6).cast(USD))


def _people(rng: np.random.Generator, accounts: pl.DataFrame, names: list[str]) -> dict[str, pl.DataFrame]:
    users = accounts.select("user_id", "household_id").unique(maintain_order=True)
    count = len(users)
    mix = rng.dirichlet(np.full(len(OBJECTIVES), 0.4), count)
    mixes = users.select("user_id").with_columns(
        [pl.Series(f"p_{o}", mix[:, i]) for i, o in enumerate(OBJECTIVES)]
        + [
            pl.Series(f"revealed_{o}", mix[:, i].round(9)).cast(pl.Decimal(12, 9))
            for i, o in enumerate(OBJECTIVES)
        ]
        + [pl.lit(True).alias("identified"), pl.Series("confidence", mix.max(axis=1).round(9))]
        + [pl.lit(None, dtype=pl.String).alias("stated_objective")]
        + [pl.lit(12.0).alias("n_revealed"), pl.lit(0.0).alias("n_stated")]
    )
    some = rng.random(count) < 0.5
    constraints = users.select("user_id").with_columns(
        pl.Series("excluded_asset_ids", [rng.choice(names, 3).tolist() for _ in range(count)]),
        pl.Series("liquidity_amount_usd", np.where(rng.random(count) < 0.3, 5_000.0, None).tolist(), pl.Float64),
        pl.Series("liquidity_share", np.where(rng.random(count) < 0.3, 0.5, None).tolist(), pl.Float64),
        pl.Series("liquidity_by", rng.choice([None, date(2023, 1, 15), date(2030, 1, 1)], count).tolist(), pl.Date),
        pl.Series("avoid_short_term_gains", rng.random(count) < 0.3),
        pl.Series("horizon_to", rng.choice([None, date(2023, 6, 1), date(2040, 1, 1)], count).tolist(), pl.Date),
        pl.Series("intent_changed_date", rng.choice([None, AS_OF, AS_OF - timedelta(days=1)], count).tolist(), pl.Date),
    )  # fmt: skip
    lonely = pl.DataFrame({"user_id": ["u999"], "household_id": ["h999"]})
    return {
        "mixes": mixes,
        "constraints": constraints.filter(pl.Series(some)),
        "users": with_tax_facts(
            pl.concat([users, lonely]),
            filing_status="married_joint",
            state="CA",
            ordinary_taxable_income_usd=150_000,
            magi_usd=180_000,
        ),
    }


def _windows(rng: np.random.Generator, accounts: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    count = 3 * len(accounts)
    who = accounts.sample(count, with_replacement=True, seed=int(rng.integers(1 << 30)))
    return pl.DataFrame(
        {
            "household_id": who["household_id"],
            "asset_id": rng.choice(names, count).tolist(),
            "account_id": who["account_id"],
            "kind": rng.choice(["loss_sale", "purchase"], count).tolist(),
            "trade_date": [AS_OF - timedelta(days=int(d)) for d in rng.integers(0, 45, count)],
            "quantity": pl.Series(np.ones(count)).cast(QUANTITY),
            "is_tax_deferred": who["account_type"] == "roth_ira",
        }
    )


def build_night(seed: int, n_accounts: int = 24, n_assets: int = 15, sessions: int = 80) -> NightInputs:
    """Make the inputs of one night; equal seeds give equal nights."""
    rng = np.random.default_rng(seed)
    days = _sessions(sessions)
    market = _market(rng, n_assets, days)
    accounts = _accounts(rng, n_accounts)
    week = [s for s in days if s >= AS_OF - timedelta(days=AS_OF.weekday())]
    lots, cash = _lots(rng, accounts, market["prices"], week)
    names = [name for name in market["assets"]["asset_id"] if name != BENCHMARK]
    people = _people(rng, accounts, names)
    units = accounts["tax_unit_id"].unique(maintain_order=True)
    years = pl.DataFrame(
        {
            "tax_unit_id": units,
            "tax_year": 2022,
            "st_rate": rng.uniform(0.1, 0.45, len(units)),
            "lt_rate": rng.uniform(0.0, 0.238, len(units)),
            "status": "ok",
            "reason": "",
        }
    )
    years = with_nets(
        years, ordinary_dividends_usd=0, qualified_dividends_usd=0, interest_usd=0
    ).with_columns(
        pl.Series("st_net_usd", rng.integers(-9_000, 9_000, len(units))).cast(USD),
        pl.Series("lt_net_usd", rng.integers(-9_000, 9_000, len(units))).cast(USD),
    )
    return NightInputs(
        as_of_date=AS_OF,
        sessions=pl.DataFrame({"session_date": days}),
        accounts=accounts,
        benchmark_asset_ids=(BENCHMARK,),
        lots=lots,
        cash=cash,
        tax_unit_years=years[1:],  # the first unit has no year: default rates
        wash_windows=_windows(rng, accounts, names),
        issues=pl.DataFrame(schema={"account_id": pl.String, "status": pl.String, "reason": pl.String}),
        inputs_version="inputs",
        models_version="models",
        settings_version="settings",
        **market,
        **people,
    )


@pytest.fixture(scope="session")
def make_night() -> Callable[..., NightInputs]:
    """The builder of random nights."""
    return build_night


@pytest.fixture(scope="session")
def random_targets() -> Callable:
    """Targets far from what is held: every expert asks for its own random portfolio."""

    def targets_of(market, accounts):
        rng = np.random.default_rng(len(accounts.account_ids))
        shape = (len(accounts.account_ids), 4, len(market.asset_ids) + 1)
        raw = rng.gamma(0.3, 1.0, shape) * np.append(market.tradeable, True)
        return raw / raw.sum(axis=2, keepdims=True)

    return targets_of


WEEK = [AS_OF - timedelta(days=2), AS_OF - timedelta(days=1), AS_OF]


def _hand_prices(assets: dict[str, float], stale: set[str]) -> pl.DataFrame:
    rows = [(s, name, price, 0.0, name in stale) for s in WEEK for name, price in assets.items()]
    schema = {
        "as_of_date": pl.Date,
        "asset_id": pl.String,
        "price_usd": pl.Float64,
        "total_return_log": pl.Float64,
        "is_stale": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def build_hand_night(
    lots: list[tuple] = (),
    cash: dict[str, float] | None = None,
    accounts: list[dict] = ({},),
    prices: dict[str, float] | None = None,
    windows: list[tuple] = (),
    constraints: list[dict] = (),
    mix: dict[str, float] | None = None,
    stale: set[str] = frozenset(),
    treatments: dict[str, str] | None = None,
) -> NightInputs:
    """Make a small night by hand; every price is 100 unless said otherwise.

    ``lots``: (account, asset, lot, quantity, basis or None, acquired date); ``windows``: (household,
    asset, account, kind, trade date, is_tax_deferred). Accounts default to taxable, fractional,
    specific_id, one user and household each, at 30 % short-term and 15 % long-term.
    """
    base = {"account_type": "taxable", "lot_method": "specific_id", "is_fractional": True}
    people = []
    for i, given in enumerate(accounts):
        person = {"account_id": f"a{i}", "user_id": f"u{i}", "household_id": f"h{i}", **base, **given}
        people.append({**person, "tax_unit_id": f"household:{person['household_id']}"})
    frame = pl.DataFrame(people)
    prices = prices or {"A": 100.0, "B": 100.0}
    state = [
        (s, a, n, lot, str(q), None if b is None else str(b), acquired)
        for s in WEEK
        for a, n, lot, q, b, acquired in lots
    ]
    names = ["state_date", "account_id", "asset_id", "lot_id", "quantity", "cost_basis_usd", "acquired_date"]
    types = [pl.Date, pl.String, pl.String, pl.String, pl.String, pl.String, pl.Date]
    lot_frame = pl.DataFrame(state, schema=dict(zip(names, types, strict=True)), orient="row").with_columns(
        pl.col("quantity").cast(QUANTITY),
        pl.col("cost_basis_usd").cast(USD),
        (pl.col("acquired_date").dt.offset_by("1y") + timedelta(days=1)).alias("first_long_term_date"),
    )
    cash = {"a0": 0.0} if cash is None else cash
    money = [(s, a, str(c)) for s in WEEK for a, c in cash.items()]
    mix = mix or {"long_term_gain": 1.0}
    users = with_tax_facts(frame.select("user_id", "household_id").unique(maintain_order=True))
    columns = {
        "user_id": pl.String,
        "excluded_asset_ids": pl.List(pl.String),
        "liquidity_amount_usd": pl.Float64,
        "liquidity_share": pl.Float64,
        "liquidity_by": pl.Date,
        "avoid_short_term_gains": pl.Boolean,
        "horizon_to": pl.Date,
        "intent_changed_date": pl.Date,
    }
    wanted = [{name: item.get(name) for name in columns} for item in constraints]
    window_types = [pl.String, pl.String, pl.String, pl.String, pl.Date, pl.Boolean]
    window_names = ["household_id", "asset_id", "account_id", "kind", "trade_date", "is_tax_deferred"]
    features = pl.DataFrame(
        {
            "as_of_date": pl.Series([s for s in WEEK for n in prices if n not in stale], dtype=pl.Date),
            "asset_id": [n for _ in WEEK for n in prices if n not in stale],
        }
    ).with_columns(
        [pl.lit(1.0 if name == "class__equity" else 0.0).alias(name) for name in REQUIRED_FEATURES]
    )
    return NightInputs(
        as_of_date=AS_OF,
        sessions=pl.DataFrame({"session_date": WEEK}),
        users=users,
        accounts=frame,
        assets=pl.DataFrame(
            {
                "asset_id": list(prices),
                "asset_class": ["bond_etf" if n.startswith("BOND") else "equity" for n in prices],
                "tax_treatment": [(treatments or {}).get(n, "security") for n in prices],
                "delisted_date": pl.Series([None] * len(prices), dtype=pl.Date),
            }
        ),
        benchmark_asset_ids=(),
        prices=_hand_prices(prices, set(stale)),
        features=features,
        lots=lot_frame,
        cash=pl.DataFrame(
            money,
            schema={"state_date": pl.Date, "account_id": pl.String, "cash_usd": pl.String},
            orient="row",
        ).with_columns(pl.col("cash_usd").cast(USD)),
        tax_unit_years=frame.select("tax_unit_id")
        .unique(maintain_order=True)
        .with_columns(
            pl.lit(AS_OF.year).alias("tax_year"),
            pl.lit(0.30).alias("st_rate"),
            pl.lit(0.15).alias("lt_rate"),
            pl.lit("ok").alias("status"),
            pl.lit("").alias("reason"),
        )
        .pipe(with_nets),
        wash_windows=pl.DataFrame(
            list(windows), schema=dict(zip(window_names, window_types, strict=True)), orient="row"
        ).with_columns(pl.lit(1).cast(QUANTITY).alias("quantity")),
        mixes=users.select("user_id").with_columns(
            [pl.lit(mix.get(o, 0.0)).alias(f"p_{o}") for o in OBJECTIVES]
        ),
        constraints=pl.DataFrame(wanted, schema=columns),
        issues=pl.DataFrame(schema={"account_id": pl.String, "status": pl.String, "reason": pl.String}),
        inputs_version="inputs",
        models_version="models",
        settings_version="settings",
    )


@pytest.fixture(scope="session")
def hand_night() -> Callable[..., NightInputs]:
    """The builder of small nights."""
    return build_hand_night


@pytest.fixture(scope="session")
def wanting() -> Callable:
    """Targets by name: ``wanting(a0={"A": 0.5})`` gives every expert of a0 half in A, the rest in cash."""

    def make(**accounts: dict[str, float]) -> Callable:
        def targets_of(market, panel):
            targets = np.zeros((len(panel.account_ids), 4, len(market.asset_ids) + 1))
            for row, account in enumerate(panel.account_ids):
                for name, weight in accounts[account].items():
                    targets[row, :, market.asset_ids.index(name)] = weight
            targets[:, :, -1] = 1.0 - targets[:, :, :-1].sum(axis=2)
            return targets

        return targets_of

    return make
