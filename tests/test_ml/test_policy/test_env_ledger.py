"""The environment against the exact ledger on paths where both follow the same lots."""

from datetime import date, timedelta

import pytest
import torch

from ml.policy.env import TaxLotEnv
from ml.policy.env_config import EnvConfig
from ml.tax.ledger import LedgerResult, run_ledger
from tests.benchmarks._agreement import compare
from tests.test_ml.test_policy.env_oracle import EPOCH
from tests.test_ml.test_policy.env_worlds import one_portfolio, priced_window
from tests.test_ml.test_tax.conftest import build_inputs

Trade = tuple[str, int, float]  # day (a Monday), shares bought or sold, price in USD
HIFO_YEARS: list[Trade] = [
    ("2022-01-10", 1000, 50.0),
    ("2022-03-07", 1000, 60.0),
    ("2022-05-02", 1000, 45.0),
    ("2022-07-11", -1200, 55.0),  # 1000 of 60 at a loss, 200 of 50 at a gain
    ("2023-02-06", -800, 70.0),  # the rest of 50, long-term
    ("2023-10-02", -600, 40.0),  # 45, long-term, at a loss
]
WASHED_AFTER: list[Trade] = [
    ("2022-01-10", 1000, 50.0),
    ("2022-06-06", -1000, 40.0),
    ("2022-06-13", 1000, 41.0),
    ("2023-02-06", -500, 60.0),  # long-term only with the days tacked
]
WASHED_BEFORE: list[Trade] = [
    ("2022-01-10", 1000, 50.0),
    ("2022-06-06", 1000, 44.0),
    ("2022-06-27", -1000, 40.0),
    ("2023-07-03", -1000, 45.0),
]
PARTLY_WASHED: list[Trade] = [
    ("2022-01-10", 1000, 50.0),
    ("2022-06-06", -1000, 40.0),
    ("2022-06-13", 400, 41.0),
    ("2022-09-05", -400, 30.0),
]


def replay(trades: list[Trade]) -> tuple[dict[int, tuple[float, float, float]], TaxLotEnv]:
    """Nets less carryovers, and disallowed losses, by year in USD."""
    start, last = date.fromisoformat(trades[0][0]), date(2024, 1, 15)
    mondays = [start + timedelta(days=7 * i) for i in range((last - start).days // 7 + 1)]
    by_day = {date.fromisoformat(day): (shares, price) for day, shares, price in trades}
    prices, price = [], 0.0
    for monday in mondays:
        price = by_day.get(monday, (0, price))[1]
        prices.append(price)
    window = priced_window(prices, [(monday - EPOCH).days for monday in mondays])
    portfolio = one_portfolio(cash=200_000.0, loss_limit_ratio=torch.tensor([3000.0], dtype=torch.float64))
    env = TaxLotEnv(window, portfolio, EnvConfig(dtype=torch.float64))
    years: dict[int, tuple[float, float, float]] = {}
    disallowed, held = 0.0, 0
    for t, monday in enumerate(mondays[:-1]):
        held += by_day.get(monday, (0, 0.0))[0]
        weight = held * prices[t] / env.pretax_value.item()
        info = env.step(torch.tensor([[weight, 1 - weight]], dtype=torch.float64)).info
        disallowed = (0.0 if monday.day <= 7 and monday.month == 1 else disallowed) + info[
            "disallowed"
        ].item()
        if mondays[t + 1].year == monday.year:
            short = env.account.short_net - env.account.short_carry
            long = env.account.long_net - env.account.long_carry
            years[monday.year] = (short.item(), long.item(), disallowed)
    return years, env


def exact(trades: list[Trade]) -> LedgerResult:
    rows = [
        {
            "day": day,
            "kind": "buy" if shares > 0 else "sell",
            "quantity": abs(shares),
            "amount_usd": -shares * price,
        }
        for day, shares, price in trades
    ]
    return run_ledger(build_inputs(rows, methods={"T1": "hifo"}), as_of_date=date(2024, 1, 15))


@pytest.mark.parametrize("trades", [HIFO_YEARS, WASHED_AFTER, WASHED_BEFORE, PARTLY_WASHED])
def test_years_equal_the_exact_ledger_to_the_cent(trades: list[Trade]) -> None:
    years, env = replay(trades)
    result = exact(trades)
    units = {row["tax_year"]: row for row in result.tax_unit_years.iter_rows(named=True)}
    for year in (2022, 2023):
        short, long, disallowed = years[year]
        row = units[year]
        assert short == pytest.approx(float(row["st_net_usd"]), abs=0.005), year
        assert long == pytest.approx(float(row["lt_net_usd"]), abs=0.005), year
        assert disallowed == pytest.approx(float(row["disallowed_usd"]), abs=0.005), year
    assert env.account.short_carry.item() == pytest.approx(float(units[2023]["st_carryover_usd"]), abs=0.005)
    assert env.account.long_carry.item() == pytest.approx(float(units[2023]["lt_carryover_usd"]), abs=0.005)
    open_basis = float(result.open_lots["cost_basis_usd"].sum() or 0)
    book = env.lot_book
    assert (book.shares * book.basis).sum().item() == pytest.approx(open_basis, abs=0.005)


def test_random_portfolios_end_where_the_exact_ledger_ends() -> None:
    found = compare("weekly", 25, EnvConfig(dtype=torch.float64))
    assert found.difference_bp.std() > 0.01  # folding and matching do differ
    assert found.quantile(0.5) < 10 and found.quantile(0.95) < 30


def test_without_wash_sales_and_folding_nothing_differs() -> None:
    # purchases two months apart wash nothing, and 64 slots fold nothing: what is left is rounding
    found = compare("bimonthly", 15, EnvConfig(lots_per_asset=64, dtype=torch.float64))
    assert found.quantile(1.0) < 1e-4
