"""What every night of the default must show of its models: run after the nights, on their warehouse.

A policy that says something: portfolios away from equal weight, harvesting accounts that harvest,
long_term_gains_only accounts without a chosen short-term gain, the packaged policy deciding for all.
"""

import sys

import polars as pl

from dagster_project.query import fetch
from dagster_project.settings import Settings
from ml.policy.alarms import active_shares
from ml.types import OBJECTIVES

LEADING = " ".join(
    f"when p_{name} >= greatest({', '.join('p_' + other for other in OBJECTIVES)}) then '{name}'"
    for name in OBJECTIVES
)
CURRENT = f"(select *, case {LEADING} end as objective from serving.rec_portfolios__current)"


def _frame(query: str) -> pl.DataFrame:
    names, rows = fetch(Settings.from_env(), query)
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)


def main() -> int:
    """Print each measure and its floor; the exit status is 1 if one is missed."""
    failures = []

    def judge(name: str, found: float, ok: bool) -> None:
        print(f"{'ok  ' if ok else 'FAIL'} {name}: {found}")
        if not ok:
            failures.append(name)

    portfolios = _frame("select * from serving.rec_portfolios__current")
    weights = _frame("select account_id, asset_id, target_weight from serving.rec_target_weights__current")
    served = portfolios.filter(pl.col("status") == "ok")
    analytic = served.filter(pl.col("policy_id") == "analytic").height
    judge("accounts decided by the analytic experts", analytic, analytic == 0 and served.height > 0)
    assets = _frame(
        "select count(distinct asset_id) as n from ml.asset_embeddings "
        "where as_of_date = (select max(as_of_date) from serving.rec_portfolios__current)"
    )["n"][0]
    for row in active_shares(weights, portfolios, assets).iter_rows(named=True):
        name = f"active share, {row['objective']} ({row['accounts']} accounts, floor {row['floor']})"
        judge(name, round(row["active_share"], 3), row["active_share"] >= row["floor"])
    bad = _frame(
        f"select count(*) as n from serving.rec_lot_orders__current as orders inner join {CURRENT} as p "
        "on orders.account_id = p.account_id where p.objective = 'long_term_gains_only' and orders.term = 'short' "
        "and orders.gain_usd > 0 and p.reason not like '%involuntary%'"
    )["n"][0]
    judge("short-term gains chosen under long_term_gains_only", bad, bad == 0)
    # A lot that may be sold at a loss: 5 % and 50 USD below basis, no purchase of the household in 30 days, in an
    # account that may choose its lots.
    harvest = _frame(
        f"""
        with accounts as (
            select p.account_id, d.household_id from {CURRENT} as p
            inner join core.dim_accounts as d on p.account_id = d.account_id
            where p.objective = 'tax_loss_harvesting' and p.status = 'ok' and d.account_type = 'taxable'
              and coalesce(d.lot_method, 'fifo') not in ('fifo', 'lifo', 'average')
        ), losses as (
            select distinct a.account_id from accounts as a
            inner join tax.tax_lots__daily as l on a.account_id = l.account_id
            inner join core.fct_asset_prices__daily as x on l.asset_id = x.asset_id and l.as_of_date = x.as_of_date
            where l.as_of_date = (select max(as_of_date) from serving.rec_portfolios__current)
              and not x.is_stale and l.quantity * x.price_usd <= 0.95 * l.cost_basis_usd
              and l.cost_basis_usd - l.quantity * x.price_usd >= 50
              and not exists (
                select 1 from ml.wash_windows as w where w.as_of_date = l.as_of_date
                and w.household_id = a.household_id and w.asset_id = l.asset_id and w.kind = 'purchase')
        )
        select count(*) as n, count(sold.account_id) as sold from losses left join (
            select distinct account_id from serving.rec_lot_orders__current where gain_usd < 0
        ) as sold on losses.account_id = sold.account_id
        """
    )
    share = harvest["sold"][0] / max(harvest["n"][0], 1)
    judge(
        f"share of {harvest['n'][0]} harvesting accounts with a free loss lot that sell one",
        round(share, 3),
        share == 1,
    )
    print(f"{len(failures)} failed" if failures else "all met")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
