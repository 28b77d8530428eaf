"""Both builds of a night on a small lake: dims and facts as of the night, publication, unchanged nights, failures."""

import datetime as dt

import polars as pl
import pytest

from dagster_project.sources.calendar import session_frame
from ml.types import EXPERTS, OBJECTIVES
from tests.test_dbt.lake import Lake

pytestmark = pytest.mark.slow

NIGHTS = [dt.date(2020, 3, 30), dt.date(2020, 3, 31)]


def _at(day: dt.date, hour: int = 12) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC)


def _fill_market(lake: Lake) -> None:
    days = session_frame().filter(pl.col("session_date").is_between(dt.date(2020, 1, 2), NIGHTS[1]))
    for i, asset_id in enumerate(("AAA", "BBB")):
        close = 100.0 + 10 * i + pl.int_range(days.height, eager=True) % 7
        lake.add(
            "market__daily_bars",
            days.select(
                asset_id=pl.lit(asset_id), trade_date="session_date", known_at="close_at"
            ).with_columns(close=close, high=close + 1, low=close - 1, volume=pl.lit(1e4)),
        )
    fact = {"symbol": "AAA", "name": "A", "asset_class": "equity", "currency": "USD"}
    fact |= {"tax_treatment": "security", "price_basis": "as_traded"}
    lake.add(
        "market__assets",
        pl.DataFrame(
            [
                {"asset_id": a, "known_at": _at(d), "sector": s, **fact}
                for a, d, s in (
                    ("AAA", dt.date(2020, 1, 2), "Energy"),
                    ("AAA", dt.date(2020, 2, 3), "Utilities"),
                    ("AAA", dt.date(2020, 4, 1), "Materials"),
                    ("BBB", dt.date(2020, 1, 2), "Energy"),
                )
            ]
        ),
    )
    rates = [
        (dt.date(2020, 3, 27), 0.1, 30),
        (dt.date(2020, 3, 27), 0.2, 31),
        (dt.date(2020, 3, 31), 9.0, 32),
    ]
    lake.add(
        "market__rates",
        pl.DataFrame(
            [
                {
                    "rate_date": d,
                    "tenor": "3m",
                    "rate_pct": r,
                    "known_at": _at(dt.date(2020, 3, 1)) + dt.timedelta(k - 1),
                }
                for d, r, k in rates
            ]
        ),
    )


def _fill_brokerage(lake: Lake) -> None:
    start = _at(dt.date(2020, 1, 2))
    users = [
        {"user_id": "u1", "tax_year": None, "household_id": "h1", "filing_status": "single", "known_at": start},
        {"user_id": "u1", "tax_year": 2020, "household_id": "h1", "filing_status": "married_joint", "known_at": start},
        {"user_id": "u2", "tax_year": None, "household_id": "h2", "filing_status": "single", "known_at": start},
        {"user_id": "u2", "tax_year": None, "household_id": "h2", "filing_status": "married_joint",
         "known_at": _at(dt.date(2020, 4, 2))},
    ]  # fmt: skip
    lake.add("brokerage__users", pl.DataFrame(users, infer_schema_length=None))
    accounts = [
        {"account_id": f"a{i}", "user_id": f"u{i}", "household_id": f"h{i}", "account_type": "taxable",
         "lot_method": "fifo", "fractional": True, "known_at": start}
        for i in (1, 2)
    ]  # fmt: skip
    lake.add("brokerage__accounts", pl.DataFrame(accounts))
    transactions = [
        {"transaction_id": t, "account_id": a, "traded_at": _at(d), "traded_at_is_date": False, "trade_date": d,
         "kind": "buy", "asset_id": "AAA", "quantity": 1.0, "price_usd": 100.0, "amount_usd": -100.0, "fees_usd": 0.0,
         "known_at": _at(k)}
        for t, a, d, k in (
            ("t1", "a1", dt.date(2020, 2, 3), dt.date(2020, 2, 3)),
            ("t1", "a1", dt.date(2020, 2, 3), dt.date(2020, 4, 1)),
            ("t2", "a2", dt.date(2020, 2, 3), dt.date(2020, 2, 3)),
        )
    ]  # fmt: skip
    lake.add("brokerage__transactions", pl.DataFrame(transactions))
    lake.add(
        "goals__statements",
        pl.DataFrame(
            [{"statement_id": "g1", "user_id": "u1", "stated_at": start, "text": "grow", "known_at": start}]
        ),
    )


def _recommend(lake: Lake, night: dt.date, *, weight: float = 1.0) -> None:
    """What the recommendation step would write for one account."""
    objectives = ", ".join(
        f"{1 if i == 0 else 0} as {p}_{o}" for p in ("p", "revealed") for i, o in enumerate(OBJECTIVES)
    )
    experts = ", ".join(f"0.25 as e_{e}" for e in EXPERTS)
    with lake.connection() as con:
        con.execute(
            "insert into lake.ml.rec_portfolios by name "
            "select ? as as_of_date, 'a1' as account_id, 'r' as recommendation_id, "
            f"'u1' as user_id, 'h1' as household_id, 'ok' as status, {objectives}, {experts}, false as identified, "
            "0.5 as confidence, 1 as n_orders",
            [night],
        )
        con.execute(
            "insert into lake.ml.rec_target_weights by name "
            "select ? as as_of_date, 'a1' as account_id, 'AAA' as asset_id, "
            "0 as current_weight, ? as target_weight, 'buy' as action, 1 as quantity, 100 as notional_usd",
            [night, weight],
        )
        con.execute(
            "insert into lake.ml.rec_lot_orders by name select ? as as_of_date, 'a1' as account_id, 'AAA' as asset_id, "
            "'new' as lot_id, 1 as quantity, 'none' as term, 'clear' as wash_sale_state",
            [night],
        )


def _publish(lake: Lake, night: dt.date) -> None:
    with lake.connection() as con:
        con.execute(
            "insert into lake.ml.audit_nights by name select ? as as_of_date, 'run' as run_id", [night]
        )


@pytest.fixture(scope="module")
def built(lake: Lake) -> Lake:
    """The first night, core and serving, recommended and published."""
    _fill_market(lake)
    _fill_brokerage(lake)
    statuses = lake.build(NIGHTS[0])
    assert set(statuses.values()) <= {"success", "pass"}, statuses
    _recommend(lake, NIGHTS[0])
    statuses = lake.build(NIGHTS[0], select="tag:serving")
    assert set(statuses.values()) <= {"success", "pass"}, statuses
    return lake


def test_dims_are_as_of_the_night(built: Lake) -> None:
    assets = built.read("select * from core.dim_assets where asset_id = 'AAA' order by known_at")
    assert assets["sector"].to_list() == ["Energy", "Utilities"], "the facts of April are not known in March"
    assert assets["superseded_at"].to_list() == [_at(dt.date(2020, 2, 3)), None]
    accounts = built.read("select account_id, tax_unit_id from core.dim_accounts order by account_id")
    assert accounts.rows() == [("a1", "household:h1"), ("a2", "user:u2")]
    assert built.read("select rate_pct from core.fct_rates").rows() == [(0.1,)]
    assert built.read("select text from core.fct_goal_statements").rows() == [("grow",)]


def test_transactions_keep_their_versions(built: Lake) -> None:
    rows = built.read("select transaction_id, known_at, tax_unit_id from core.fct_transactions order by 1, 2")
    assert rows["transaction_id"].to_list() == ["t1", "t1", "t2"]
    assert rows["tax_unit_id"].to_list() == ["household:h1", "household:h1", "user:u2"]


def test_sessions_know_weeks_and_months(built: Lake) -> None:
    rows = built.read(
        "select session_date, is_week_first, is_month_first from core.dim_sessions "
        "where session_date between date '2020-05-22' and date '2020-06-02' order by 1"
    )
    weeks = rows.filter("is_week_first")["session_date"].to_list()
    assert weeks == [dt.date(2020, 5, 26), dt.date(2020, 6, 1)], "Memorial Day: the week begins on Tuesday"
    assert rows.filter("is_month_first")["session_date"].to_list() == [dt.date(2020, 6, 1)]


def test_unit_tests_pass(built: Lake) -> None:
    result = built.dbt("test", "--select", "resource_type:unit_test")
    assert "ERROR=0" in result.stdout and "PASS=0" not in result.stdout


def test_only_published_nights_are_served(built: Lake) -> None:
    assert built.read("select * from serving.rec_portfolios__daily").is_empty()
    assert built.read("select * from serving.rec_portfolios__current").is_empty()
    _publish(built, NIGHTS[0])
    _recommend(built, NIGHTS[1])
    for table in ("rec_portfolios", "rec_target_weights", "rec_lot_orders"):
        for view in ("daily", "current"):
            served = built.read(f"select as_of_date from serving.{table}__{view}")
            assert served["as_of_date"].to_list() == [NIGHTS[0]], (table, view)
    _publish(built, NIGHTS[1])
    assert built.read("select as_of_date from serving.rec_portfolios__current")["as_of_date"].to_list() == [
        NIGHTS[1]
    ]
    assert built.read("select * from serving.rec_portfolios__daily").height == 2


def test_an_unchanged_night_writes_nothing(built: Lake) -> None:
    built.build(NIGHTS[0])
    snapshots = "select max(snapshot_id) as id from lake.snapshots()"
    before = built.read(snapshots)["id"][0]
    built.dbt("build", "--select", "tag:core", "--exclude", "resource_type:unit_test")
    assert built.read(snapshots)["id"][0] == before


def test_commits_carry_the_run(built: Lake) -> None:
    messages = built.read("select distinct commit_message from lake.snapshots() where author = 'dbt'")
    assert any("features.feat_asset_metadata__daily" in m for m in messages["commit_message"].to_list())


def test_bad_weights_fail_before_they_are_published(built: Lake) -> None:
    night = dt.date(2020, 3, 27)
    _recommend(built, night, weight=0.9)
    built.night(night)
    result = built.dbt(
        "build", "--select", "tag:serving", "--exclude", "resource_type:unit_test", check=False
    )
    assert result.returncode != 0
    assert "sums_to_one" in result.stdout


def test_a_missing_night_is_an_error_that_says_what_to_do(built: Lake) -> None:
    with built.connection() as con:
        con.execute("delete from lake.ml.night")
    result = built.dbt("run", "--select", "int_assets__planned", check=False)
    assert result.returncode != 0
    assert "ml.night holds 0 rows" in result.stdout
