"""What each Python step reads: one query a table, cut by what was known at the night's close.

A step opens one ``NightReader``: every query of the step sees the same snapshot, and none sees
a row whose ``known_at`` is later than ``as_of_at``. What does not belong here: any computation
beyond choosing rows and versions.
"""

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from dagster_project.resources.warehouse import Warehouse, WarehouseError

if TYPE_CHECKING:
    from ml.features.panel import FeaturePanel

# Every feature looks back at most this many sessions; experts read as many returns.
RETURN_WINDOW_SESSIONS = 252
WASH_WINDOW_DAYS = 30


@dataclass(frozen=True)
class NightReader:
    """Reads of one step of one night.

    Parameters
    ----------
    warehouse : Warehouse
        The lake.
    as_of_date : datetime.date
        The night's session.
    as_of_at : datetime.datetime
        Its close, UTC; rows known later do not exist for this night.
    snapshot : int
        The snapshot that every query is pinned to.
    """

    warehouse: Warehouse
    as_of_date: dt.date
    as_of_at: dt.datetime
    snapshot: int

    @classmethod
    def open(cls, warehouse: Warehouse, as_of_date: dt.date) -> "NightReader":
        """Pin the newest snapshot and look the session's close up.

        Raises
        ------
        WarehouseError
            The date is not a session, or another night is being computed in this warehouse.
        """
        snapshot = warehouse.snapshot_id()
        night = warehouse.read("select as_of_date, as_of_at from ml.night", snapshot=snapshot)
        if night.height != 1 or night["as_of_date"][0] != as_of_date:
            found = night["as_of_date"].to_list()
            raise WarehouseError(
                f"ml.night holds {found}, not {as_of_date}: materialise the ingest assets of this partition first "
                "(`taxloom nightly --as-of` does), one night at a time"
            )
        return cls(warehouse, as_of_date, night["as_of_at"][0], snapshot)

    @classmethod
    def of_current_night(cls, warehouse: Warehouse) -> "NightReader":
        """Read as of the night that the warehouse holds, for steps that belong to no session.

        Raises
        ------
        WarehouseError
            No night was computed yet.
        """
        if warehouse.exists:
            snapshot = warehouse.snapshot_id()
            night = warehouse.read("select as_of_date, as_of_at from ml.night", snapshot=snapshot)
            if night.height == 1:
                return cls(warehouse, night["as_of_date"][0], night["as_of_at"][0], snapshot)
        raise WarehouseError("the warehouse holds no night yet: run `taxloom nightly` first, then train")

    def query(self, sql: str, **params: object) -> pl.DataFrame:
        """Run a query; ``$as_of_at`` and ``$as_of_date`` are bound where the text names them."""
        bound = {"as_of_at": self.as_of_at, "as_of_date": self.as_of_date, **params}
        used = {name: value for name, value in bound.items() if f"${name}" in sql}
        return self.warehouse.read(sql, used or None, snapshot=self.snapshot)

    def known(self, table: str, order_by: str, *, where: str = "true") -> pl.DataFrame:
        """All rows of an event table that were known."""
        return self.query(
            f"select * from {table} where known_at <= $as_of_at and {where} order by {order_by}"
        )

    def latest(self, table: str, key: str, *, where: str = "true") -> pl.DataFrame:
        """The newest known version of each key."""
        return self.query(
            f"select * from {table} where known_at <= $as_of_at and {where} "
            f"qualify row_number() over (partition by {key} order by known_at desc) = 1 order by {key}"
        )

    def sessions(self) -> pl.DataFrame:
        """Every session up to the night."""
        return self.query(
            "select * from core.dim_sessions where session_date <= $as_of_date order by session_no"
        )

    def week_sessions(self) -> pl.DataFrame:
        """``state_date, close_at`` of the sessions of the night's week, up to the night."""
        return self.query(
            "select session_date as state_date, close_at from core.dim_sessions "
            "where session_date <= $as_of_date and date_trunc('week', session_date) = "
            "date_trunc('week', $as_of_date::date) order by session_date"
        )

    def accounts(self) -> pl.DataFrame:
        """Accounts that the night covers, newest known version."""
        return self.latest(
            "core.dim_accounts",
            "account_id",
            where="account_id in (select account_id from ml.night_accounts)",
        )

    def users(self) -> pl.DataFrame:
        """Users that the night covers, newest known version of each tax year."""
        return self.latest(
            "core.dim_users", "user_id, tax_year", where="user_id in (select user_id from ml.night_accounts)"
        )

    def assets(self) -> pl.DataFrame:
        """Asset facts, newest known version."""
        return self.latest("core.dim_assets", "asset_id")

    def transactions(self) -> pl.DataFrame:
        """Transactions of the covered accounts, newest known version of each id."""
        return self.query(
            "select * from core.fct_transactions where known_at <= $as_of_at "
            "and account_id in (select account_id from ml.night_accounts) "
            "qualify row_number() over (partition by transaction_id order by known_at desc) = 1 "
            "order by account_id, traded_at, source_file, source_line, transaction_id"
        )

    def corporate_actions(self) -> pl.DataFrame:
        """Market-wide corporate actions, newest known version."""
        return self.latest("core.fct_corporate_actions", "asset_id, ex_date, kind")

    def goal_statements(self) -> pl.DataFrame:
        """Statements of the covered users."""
        return self.known(
            "core.fct_goal_statements",
            "user_id, stated_at, statement_id",
            where="user_id in (select user_id from ml.night_accounts)",
        )

    def bars(self) -> pl.DataFrame:
        """Raw bars, every version known, of the days that :meth:`prices` looks back on."""
        return self.query(
            "select * from raw.market__daily_bars where known_at <= $as_of_at and trade_date <= $as_of_date and "
            "trade_date > $as_of_date::date - $days::integer order by asset_id, trade_date, source, known_at",
            days=math.ceil((RETURN_WINDOW_SESSIONS + 10) * 365 / 252),
        )

    def prices(self) -> pl.DataFrame:
        """Prices of the last ``RETURN_WINDOW_SESSIONS`` + 10 sessions."""
        return self.query(
            "select * from core.fct_asset_prices__daily where as_of_date <= $as_of_date and session_no > "
            "(select session_no from core.dim_sessions where session_date = $as_of_date) - $sessions "
            "order by as_of_date, asset_id",
            sessions=RETURN_WINDOW_SESSIONS + 10,
        )

    def price_history(self) -> pl.DataFrame:
        """Prices and returns of every session up to the night."""
        return self.query(
            "select as_of_date, asset_id, price_usd, total_return_log, is_stale from core.fct_asset_prices__daily "
            "where as_of_date <= $as_of_date order by as_of_date, asset_id"
        )

    def features(self) -> pl.DataFrame:
        """Feature rows of the sessions of the night's week."""
        return self.query(
            "select * from features.feat_asset_metadata__daily where as_of_date <= $as_of_date and "
            "as_of_date >= date_trunc('week', $as_of_date::date) order by as_of_date, asset_id"
        )

    def window_start(self, sessions: int) -> dt.date:
        """First of the ``sessions`` sessions that end with the night's; the calendar's first if fewer are known."""
        days = self.sessions()["session_date"]
        return days[max(len(days) - sessions, 0)]

    def market_returns(self, first: dt.date, last: dt.date) -> pl.DataFrame:
        """as_of_date, market_return_log of the market that the settings name, as known at the night."""
        return self.query(
            "select sessions.session_date as as_of_date, market.market_return_log "
            "from intermediate.int_market__returned as market "
            "inner join core.dim_sessions as sessions on market.session_no = sessions.session_no "
            "where sessions.session_date between $first and $last and (select session_no from core.dim_sessions "
            "where session_date = $as_of_date) between market.vintage_from and market.vintage_until - 1 order by 1",
            first=first,
            last=last,
        )

    def week_panel(self, window_sessions: int) -> tuple["FeaturePanel", list[dt.date]]:
        """The panel that embeds every session of the night's week, and those sessions.

        Parameters
        ----------
        window_sessions : int
            Sessions that one embedding reads, its own included.
        """
        week = self.week_sessions()["state_date"].to_list()
        first = self.window_start(len(week) + window_sessions)
        return self.panel(first, self.as_of_date, source=f"night {self.as_of_date}"), week

    def panel(self, first: dt.date, last: dt.date, *, source: str) -> "FeaturePanel":
        """Features, returns and bars of the sessions from ``first`` to ``last`` as dense arrays.

        Versions are those known at the night's close; assets that only measure the market are left out.
        """
        from dagster_project.sources.packaged_facts import BENCHMARK_ASSET_IDS
        from ml.features.frames_panel import panel_from_frames

        span = {"first": first, "last": last}
        prices = self.query(
            "select * from core.fct_asset_prices__daily where as_of_date between $first and $last "
            "order by as_of_date, asset_id",
            **span,
        )
        features = self.query(
            "select * from features.feat_asset_metadata__daily where as_of_date between $first and $last "
            "order by as_of_date, asset_id",
            **span,
        )
        bars = self.query(
            "select trade_date as as_of_date, asset_id, source, open, high, low, close from raw.market__daily_bars "
            "where known_at <= $as_of_at and trade_date between $first and $last "
            "qualify row_number() over (partition by asset_id, trade_date, source order by known_at desc) = 1 "
            "order by trade_date, asset_id",
            **span,
        ).join(
            prices.select("as_of_date", "asset_id", "source"),
            on=["as_of_date", "asset_id", "source"],
            how="semi",
        )
        market = self.market_returns(first, last)
        return panel_from_frames(
            prices, features, bars, market, exclude=tuple(BENCHMARK_ASSET_IDS), source=source
        )

    def partition(self, table: str, order_by: str) -> pl.DataFrame:
        """This night's rows of a Python-written table."""
        return self.query(f"select * from {table} where as_of_date = $as_of_date order by {order_by}")
