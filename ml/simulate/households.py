"""Households that trade on any price panel: users, accounts, transactions, goals, and the truth apart.

Decisions at a session use prices up to it, and every random draw is addressed by (user, session,
purpose): more users or a longer price history leave earlier rows as they were, provided that
``start_date`` and ``opening_years`` are given (their defaults look at the end of the data).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

import numpy as np
import polars as pl

from ml.simulate.archetypes import ARCHETYPES, RANDOM, P, PopulationMix, draw_parameters, ira_parameters
from ml.simulate.book import (
    BUY,
    DIVIDEND,
    DRIVERS,
    EV_ACTIVE,
    EV_AMOUNT,
    EV_ASSET,
    EV_DEN,
    EV_DRIVER,
    EV_FEE,
    EV_FILL,
    EV_KIND,
    EV_NUM,
    EV_ORDER,
    EV_PRICE,
    EV_QTY,
    EV_SESSION,
    EV_SLOT,
    KINDS,
    SELL,
    SPLIT,
    WITHDRAWAL,
)
from ml.simulate.counter_rng import spawned_keys, uniform, uniforms, uniforms_at
from ml.simulate.engine import AccountRows, run_accounts
from ml.simulate.goals import Statement, compose
from ml.simulate.panel import PricePanel, build_panel, price_span
from ml.simulate.people import HOUSEHOLD_SPAWN, USER_SPAWN, accounts_frame, user_id, users_frame
from ml.types import OBJECTIVES, SECTORS

_SESSIONS_A_YEAR = 252
_IRA_SEQUENCE = 500_000
_UTC = pl.Datetime("us", "UTC")
_MONEY, _SHARES = pl.Decimal(20, 6), pl.Decimal(24, 9)
_EMPTY_COLUMNS = {
    "settled_date": pl.Date,
    "acquired_date": pl.Date,
    "cost_basis_usd": _MONEY,
    "fair_market_value_usd": _MONEY,
    "related_asset_id": pl.String,
    "basis_fraction": pl.Decimal(20, 12),
    "underlying_asset_id": pl.String,
    "option_right": pl.String,
    "strike_usd": _MONEY,
    "expiry_date": pl.Date,
}
TRANSACTION_COLUMNS = (
    "transaction_id account_id traded_at kind asset_id quantity price_usd amount_usd fees_usd order_id "
    "lot_reference settled_date acquired_date cost_basis_usd fair_market_value_usd related_asset_id "
    "ratio_new ratio_old basis_fraction underlying_asset_id option_right strike_usd expiry_date known_at"
).split()


@dataclass(frozen=True)
class HouseholdFrames:
    """Contract frames of simulated households, and what produced them.

    Parameters
    ----------
    users, accounts, transactions, goals:
        Contract columns of ``brokerage__*`` and ``goals__statements`` with ``known_at``, sorted by key.
    truth:
        Per user: archetype, second_archetype, second_share, switch_date, switch_to,
        stated_objective, is_statement_consistent. Never written where the night reads.
    decisions:
        Per buy and sell: transaction_id, driver (rule, liquidity, december, ...) and the objective
        in force. Truth as well.
    """

    users: pl.DataFrame
    accounts: pl.DataFrame
    transactions: pl.DataFrame
    goals: pl.DataFrame
    truth: pl.DataFrame
    decisions: pl.DataFrame


def generate_households(
    prices: pl.DataFrame,
    sessions: pl.DataFrame,
    *,
    users: int,
    seed: int,
    start_date: date | None = None,
    opening_years: float | None = None,
    corporate_actions: pl.DataFrame | None = None,
    exclude_assets: tuple[str, ...] = (),
    mix: PopulationMix | None = None,
    workers: int = 1,
) -> HouseholdFrames:
    """Generate households and their trades to the end of the prices.

    Parameters
    ----------
    prices:
        asset_id, trade_date, price_usd, asset_class, price_basis, optionally sector; one row per
        asset and day. Only sessions are traded, and an asset only on days on which it has a bar.
    sessions:
        session_no, session_date, open_at, close_at (UTC); may reach beyond the prices.
    users, seed:
        How many users and which population; user i is the same for every ``users`` > i.
    start_date:
        First possible opening of an account. None: 1 January eight years before the last price's
        year, or the first price.
    opening_years:
        Accounts open evenly over so many years from the start. None: 5, or 60 % of what the data
        holds where ``start_date`` is None and the data is shorter. Users who open after the data
        ends are absent.
    corporate_actions:
        market__corporate_actions rows; holders get split and dividend rows, and leave assets with an
        announced merger before it takes effect.
    exclude_assets:
        Never traded (the benchmark).
    mix:
        Shares of archetypes and complications.
    workers:
        Threads; the result does not depend on it.

    Raises
    ------
    ValueError
        If ``users`` is below 1 or the prices are unusable (see :func:`ml.simulate.panel.build_panel`).
    """
    blocks = list(
        iter_household_blocks(
            prices, sessions, users=users, seed=seed, start_date=start_date, opening_years=opening_years,
            corporate_actions=corporate_actions, exclude_assets=exclude_assets, mix=mix, workers=workers,
        )
    )  # fmt: skip
    if len(blocks) == 1:
        return blocks[0]
    names = [f.name for f in fields(HouseholdFrames)]
    return HouseholdFrames(**{name: pl.concat([getattr(b, name) for b in blocks]) for name in names})


def iter_household_blocks(
    prices: pl.DataFrame,
    sessions: pl.DataFrame,
    *,
    users: int,
    seed: int,
    start_date: date | None = None,
    opening_years: float | None = None,
    corporate_actions: pl.DataFrame | None = None,
    exclude_assets: tuple[str, ...] = (),
    mix: PopulationMix | None = None,
    workers: int = 1,
    block: int = 4096,
) -> Iterator[HouseholdFrames]:
    """Yield :func:`generate_households` in blocks of users, for populations larger than memory."""
    if users < 1:
        raise ValueError(f"users must be at least 1 but is {users}")
    start, years = _opening_window(prices, start_date, opening_years)
    panel = build_panel(
        prices, sessions, start_date=start, corporate_actions=corporate_actions, exclude_assets=exclude_assets
    )
    for first in range(0, users, block):
        numbers = np.arange(first, min(first + block, users))
        yield _block(panel, numbers, seed, years, mix or PopulationMix(), workers)


def _opening_window(prices: pl.DataFrame, start: date | None, years: float | None) -> tuple[date, float]:
    """Return the first opening date and the years over which accounts open."""
    if start is not None:
        return start, 5.0 if years is None else years
    first, last = price_span(prices)
    start = max(first, date(last.year - 8, 1, 1))
    return start, min(5.0, 0.6 * (last - start).days / 365.25) if years is None else years


def _block(
    panel: PricePanel, numbers: np.ndarray, seed: int, years: float, mix: PopulationMix, workers: int
) -> HouseholdFrames:
    """Simulate the users of the given running numbers and return their frames."""
    keys = spawned_keys(seed, USER_SPAWN, len(numbers), int(numbers[0]))
    opened = panel.start + np.floor(uniforms(keys, 220) * max(years * _SESSIONS_A_YEAR, 1)).astype(np.int64)
    present = opened < len(panel.session_date)
    keys, numbers, opened = keys[present], numbers[present], opened[present]
    pairs = numbers // 2
    unique, inverse = np.unique(pairs, return_inverse=True)
    households = np.array([spawned_keys(seed, HOUSEHOLD_SPAWN, 1, int(p))[0] for p in unique], np.uint64)[
        inverse
    ]
    joint = uniforms(households, 221) < mix.joint_share
    table = draw_parameters(keys, mix)
    users = users_frame(seed, numbers, keys, households, joint)
    users = users.with_columns(_stamps(panel.open_at[opened]).alias("known_at"))
    has_ira = (uniforms(keys, 222) < mix.ira_share) & (table[:, P["archetype"]] < RANDOM)
    ira_opened = opened + np.floor(uniforms(keys, 223) * 500).astype(np.int64) * (uniforms(keys, 224) < 0.5)
    owner = np.concatenate(
        [np.arange(len(keys)), np.flatnonzero(has_ira & (ira_opened < len(panel.session_date)))]
    )
    is_ira = np.arange(len(owner)) >= len(keys)
    order = np.lexsort((is_ira, owner))
    owner, is_ira = owner[order], is_ira[order]
    both = np.where(is_ira[:, None], ira_parameters(table, keys)[owner], table[owner])
    begins = np.where(is_ira, ira_opened[owner], opened[owner])
    # The IRA draws apart from the taxable account: same investor, another address.
    account_keys = np.where(is_ira, keys[owner] ^ np.uint64(0xA5A5A5A5A5A5A5A5), keys[owner])
    accounts = accounts_frame(seed, users, owner, numbers[owner], keys[owner], both, is_ira).with_columns(
        pl.Series("opened_date", panel.session_date[begins]).cast(pl.Date),
        _stamps(panel.open_at[begins]).alias("known_at"),
    )
    rows = run_accounts(panel, both, account_keys, begins, workers=workers)
    transactions, decisions = _transactions(panel, rows, accounts, numbers[owner], is_ira, account_keys, seed)
    goals, stated = _goals(panel, table, keys, numbers, opened, seed, mix)
    return HouseholdFrames(
        users=users,
        accounts=accounts,
        transactions=transactions,
        goals=goals,
        truth=_truth(panel, table, numbers, opened, seed)
        .join(stated, on="user_id", how="left")
        .sort("user_id"),
        decisions=decisions,
    )


def _stamps(microseconds: np.ndarray) -> pl.Series:
    """Return a UTC timestamp column of microseconds since 1970."""
    return pl.Series("at", microseconds, dtype=pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _decimal(values: np.ndarray, digits: int, dtype: pl.DataType) -> pl.Series:
    """Return integers in units of 10**-digits as an exact decimal column."""
    return (pl.Series("v", values).cast(pl.Decimal(38, digits)) / Decimal(10**digits)).cast(dtype)


def _transactions(
    panel: PricePanel,
    rows: AccountRows,
    accounts: pl.DataFrame,
    owner_number: np.ndarray,
    is_ira: np.ndarray,
    account_keys: np.ndarray,
    seed: int,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return brokerage__transactions rows and the decision truth of all accounts."""
    e, account = rows.events, rows.event_account
    sequence = rows.event_number + np.where(is_ira[account], _IRA_SEQUENCE, 0)
    kind = e[:, EV_KIND]
    traded = (kind == BUY) | (kind == SELL)
    stamps = _stamps(_trade_times(panel, e, account, account_keys))
    order_number = e[:, EV_ORDER] + np.where(is_ira[account], _IRA_SEQUENCE, 0)
    frame = pl.DataFrame(
        {
            "user": owner_number[account],
            "sequence": sequence,
            "order": order_number,
            "account_row": account,
            "event": rows.event_number,
            "account_id": accounts["account_id"].gather(account),
            "traded_at": stamps,
            "kind": pl.Series(KINDS).gather(kind),
            "asset_id": pl.Series([*panel.asset_ids, None]).gather(
                e[:, EV_ASSET] % (len(panel.asset_ids) + 1)
            ),
            "quantity": _decimal(e[:, EV_QTY], 9, _SHARES),
            "price_usd": _decimal(e[:, EV_PRICE], 6, _MONEY),
            "amount_usd": _decimal(e[:, EV_AMOUNT], 2, _MONEY),
            "fees_usd": _decimal(e[:, EV_FEE], 2, _MONEY),
            "ratio_new": pl.Series(e[:, EV_NUM]).cast(_SHARES),
            "ratio_old": pl.Series(e[:, EV_DEN]).cast(_SHARES),
            "traded": traded,
            "split": kind == SPLIT,
            "counted": traded | (kind == SPLIT) | (kind == DIVIDEND),
            "driver": pl.Series(DRIVERS).gather(e[:, EV_DRIVER]),
            "active_objective": pl.Series([*ARCHETYPES, None]).gather(
                e[:, EV_ACTIVE] % (len(ARCHETYPES) + 1)
            ),
        }
    )
    frame = frame.with_columns(
        _identifier(seed, "sequence").alias("transaction_id"),
        pl.when("traded").then(_identifier(seed, "order", "o")).alias("order_id"),
        pl.when("counted").then("quantity").alias("quantity"),
        pl.when("traded").then("price_usd").alias("price_usd"),
        pl.when("split").then("ratio_new").alias("ratio_new"),
        pl.when("split").then("ratio_old").alias("ratio_old"),
        pl.col("traded_at").alias("known_at"),
        *[pl.lit(None, dtype=t).alias(c) for c, t in _EMPTY_COLUMNS.items()],
    )
    frame = frame.join(_lot_references(rows, frame, seed), on=["account_row", "event"], how="left")
    frame = frame.sort("transaction_id")
    decisions = frame.filter(pl.col("traded")).select("transaction_id", "driver", "active_objective")
    return frame.select(TRANSACTION_COLUMNS), decisions


def _identifier(seed: int, column: str, mark: str = "") -> pl.Expr:
    """Return s<seed>-<user>-<mark><number> from the columns ``user`` and ``column``."""
    number = pl.col(column).cast(pl.String).str.zfill(6)
    return pl.format(
        "s{}-{}-{}{}", pl.lit(str(seed)), pl.col("user").cast(pl.String).str.zfill(6), pl.lit(mark), number
    )


def _trade_times(panel: PricePanel, e: np.ndarray, account: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return UTC microseconds: orders in the last 45 minutes before the close, the rest in the morning."""
    session, kind = e[:, EV_SESSION], e[:, EV_KIND]
    late = (kind == BUY) | (kind == SELL) | (kind == WITHDRAWAL)
    jitter = (uniforms_at(keys[account], session, 400, e[:, EV_SLOT]) * 30).astype(np.int64)
    seconds = -2700 + 45 * e[:, EV_SLOT] + jitter + 7 * e[:, EV_FILL]
    morning = np.select([kind == SPLIT, kind == DIVIDEND], [0, 60], 600)
    return np.where(
        late, panel.close_at[session] + seconds * 1_000_000, panel.open_at[session] + morning * 1_000_000
    )


def _lot_references(rows: AccountRows, frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return account_row, event, lot_reference of sales by specific identification."""
    uses = pl.DataFrame(
        {
            "account_row": rows.use_account,
            "event": rows.uses[:, 0],
            "lot_event": rows.uses[:, 1],
            "qty": _decimal(rows.uses[:, 2], 9, _SHARES).cast(pl.String),
        }
    )
    lots = frame.select("account_row", pl.col("event").alias("lot_event"), "user", "sequence")
    uses = uses.join(lots, on=["account_row", "lot_event"], how="left", maintain_order="left")
    name = _identifier(seed, "sequence")
    qty = pl.col("qty").str.strip_chars_end("0").str.strip_chars_end(".")
    named = uses.with_columns(name.alias("name"), (name + ":" + qty).alias("part"))
    grouped = named.group_by("account_row", "event", maintain_order=True).agg("name", "part")
    reference = (
        pl.when(pl.col("name").list.len() == 1)
        .then(pl.col("name").list.first())
        .otherwise(pl.col("part").list.join(";"))
    )
    return grouped.select("account_row", "event", reference.alias("lot_reference"))


def _goals(
    panel: PricePanel,
    table: np.ndarray,
    keys: np.ndarray,
    numbers: np.ndarray,
    opened: np.ndarray,
    seed: int,
    mix: PopulationMix,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return goals__statements rows and, per user, the first stated objective and its consistency."""
    has_goal = uniforms(keys, 230) < mix.goal_share
    agrees = uniforms(keys, 231) < 0.8
    other = np.floor(uniforms(keys, 232) * 6).astype(int)
    again = uniforms(keys, 233) < 0.2
    rows, stated = [], []
    for i in np.flatnonzero(has_goal):
        p, key = table[i], keys[i]
        archetype = int(p[P["archetype"]])
        honest = agrees[i] and archetype < RANDOM
        primary = OBJECTIVES[archetype if honest else other[i]]
        second = int(p[P["second"]])
        blend = OBJECTIVES[second] if honest and p[P["second_share"]] > 0 else None
        sector = int(p[P["excluded_sector"]])
        sector_name = SECTORS[sector] if sector >= 0 else None
        times = [(int(uniform(key, -1, 234, 0) * 200), Statement(primary, blend, sector_name, None))]
        if p[P["plan_after"]] >= 0:
            need = int(p[P["plan_amount"]]) // 100
            times.append((int(p[P["plan_after"]]) - 21, Statement(primary, blend, sector_name, need)))
        if p[P["switch_after"]] >= 0:
            turned = OBJECTIVES[int(p[P["switch_to"]])] if honest else primary
            times.append((int(p[P["switch_after"]]) + 5, Statement(turned, None, sector_name, None)))
        elif again[i]:
            times.append(
                (300 + int(uniform(key, -1, 235, 0) * 500), Statement(primary, blend, sector_name, None))
            )
        stated.append(
            (user_id(seed, numbers[i]), primary, archetype < RANDOM and primary == OBJECTIVES[archetype])
        )
        for n, (after, statement) in enumerate(times):
            t = opened[i] + after
            if t < len(panel.session_date):
                at = panel.open_at[t] + int(uniform(key, -1, 236, n) * 5 * 3600) * 1_000_000
                text = compose(statement, key, n)
                rows.append((f"g{seed}-{numbers[i]:06d}-{n}", user_id(seed, numbers[i]), at, text))
    schema = {"statement_id": pl.String, "user_id": pl.String, "at": pl.Int64, "text": pl.String}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    stamps = _stamps(frame["at"].to_numpy())
    frame = frame.with_columns(stamps.alias("stated_at"), stamps.alias("known_at"))
    labels = {"user_id": pl.String, "stated_objective": pl.String, "is_statement_consistent": pl.Boolean}
    frame = frame.select("statement_id", "user_id", "stated_at", "text", "known_at").sort("statement_id")
    return frame, pl.DataFrame(stated, schema=labels, orient="row")


def _truth(
    panel: PricePanel, table: np.ndarray, numbers: np.ndarray, opened: np.ndarray, seed: int
) -> pl.DataFrame:
    """Return each user's archetype, mixture and switch; a switch beyond the data is not told."""
    at = opened + table[:, P["switch_after"]].astype(np.int64)
    switched = (table[:, P["switch_after"]] >= 0) & (at < len(panel.session_date))
    day = panel.session_date[np.where(switched, at, 0)]
    mixed = table[:, P["second_share"]] > 0
    names = pl.Series(ARCHETYPES)
    return pl.DataFrame(
        {
            "user_id": [user_id(seed, n) for n in numbers],
            "archetype": names.gather(table[:, P["archetype"]].astype(np.int64)),
            "second_archetype": names.gather(table[:, P["second"]].astype(np.int64)),
            "second_share": table[:, P["second_share"]],
            "switch_date": pl.Series(day).cast(pl.Date),
            "switch_to": names.gather(table[:, P["switch_to"]].astype(np.int64)),
        }
    ).with_columns(
        pl.when(pl.Series(mixed)).then("second_archetype").alias("second_archetype"),
        pl.when(pl.Series(switched)).then("switch_date").alias("switch_date"),
        pl.when(pl.Series(switched)).then("switch_to").alias("switch_to"),
    )
