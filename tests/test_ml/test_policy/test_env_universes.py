"""Universes of any size and batches of any size; cash that runs out."""

from dataclasses import fields, replace

import pytest
import torch

from ml.policy.env import StepResult, TaxLotEnv
from ml.policy.env_config import EnvConfig, PortfolioParams
from ml.policy.market_window import MarketWindow
from ml.policy.start_portfolios import random_portfolios
from tests.test_ml.test_policy.env_worlds import (
    delisted,
    make_window,
    one_portfolio,
    priced_window,
    random_params,
    random_target,
)

DOUBLE = EnvConfig(dtype=torch.float64, lots_per_asset=4)
DECEMBER = [19_350, 19_357, 19_364, 19_371, 19_378]  # 2022-12-24, 31, 2023-01-07, 14, 21


def played(
    window: MarketWindow, params: PortfolioParams, targets: list, config: EnvConfig
) -> list[StepResult]:
    env = TaxLotEnv(window, params, config)
    return [env.step(target) for target in targets]


def targets_for(window: MarketWindow, params: PortfolioParams) -> list[torch.Tensor]:
    env, generator, found = TaxLotEnv(window, params, DOUBLE), torch.Generator().manual_seed(3), []
    for _ in range(env.weeks):
        found.append(random_target(env.state(), generator))
        env.step(found[-1])
    return found


def chosen(params: PortfolioParams, rows: torch.Tensor) -> PortfolioParams:
    return PortfolioParams(**{f.name: getattr(params, f.name)[rows] for f in fields(params)})


def test_a_portfolio_knows_nothing_of_its_neighbours() -> None:
    window = delisted(make_window(groups=3, weeks=20, assets=4, seed=5), asset=1, week=12)
    params = random_params(window, 7, seed=6)  # 21: a block of 16 and a part of one, universes mixed
    params = chosen(params, torch.randperm(21, generator=torch.Generator().manual_seed(1)))
    targets = targets_for(window, params)
    together = played(window, params, targets, replace(DOUBLE, threads=2))
    for rows in (torch.tensor([20]), torch.tensor([4, 17, 9])):
        alone = played(window, chosen(params, rows), [target[rows] for target in targets], DOUBLE)
        for one, other in zip(together, alone, strict=True):
            assert torch.equal(one.reward[rows], other.reward)
            assert torch.equal(one.state.harvestable[rows], other.state.harvestable)
            assert all(torch.equal(value[rows], other.info[name]) for name, value in one.info.items())


def test_a_batch_may_be_empty() -> None:
    window = make_window(weeks=2)
    params = chosen(random_params(window, 2, seed=0), torch.zeros(0, dtype=torch.int64))
    env = TaxLotEnv(window, params, DOUBLE)
    assert env.step(torch.zeros(0, 6)).reward.shape == (0, 6)
    assert env.lot_book.shares.shape == (0, 5, 4)


@pytest.mark.parametrize("assets", [1, 3, 33])
def test_padding_changes_nothing(assets: int) -> None:
    window = make_window(groups=2, weeks=15, assets=assets + 2, seed=assets)
    window.is_tradeable[..., assets:] = False
    small = {
        name: getattr(window, name)[:, :, :assets].contiguous()
        for name in ("decision_price", "fill_price", "is_tradeable", "is_delisted", "embedding")
    }
    params = random_params(window, 5, seed=2)
    held = {name: getattr(params, name)[:, :assets] for name in ("lot_shares", "lot_basis", "lot_day")}
    targets = targets_for(window, params)
    bare = [torch.cat([target[:, :assets], target[:, -1:]], 1) for target in targets]
    wide = played(window, params, targets, DOUBLE)
    narrow = played(replace(window, **small), replace(params, **held), bare, DOUBLE)
    assert (params.lot_shares[:, assets:] == 0).all()
    for one, other in zip(wide, narrow, strict=True):
        torch.testing.assert_close(one.reward, other.reward, rtol=0, atol=1e-12)
        torch.testing.assert_close(one.state.weight[:, :assets], other.state.weight, rtol=0, atol=1e-12)


def test_tax_due_sells_what_cash_lacks_and_no_more() -> None:
    # a gain of 10 taxed at 30 %: 3 fall due in January, when everything stands in the second asset
    window = priced_window([10.0] * 5, DECEMBER, assets=2)
    env = TaxLotEnv(window, one_portfolio(assets=2, cash=0.0, lots=[(0, 1.0, 1e-9, 19_300)]), DOUBLE)
    invested = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    env.step(invested)
    env.step(invested)
    assert (env.cash.item(), env.account.tax_due.item()) == (0.0, pytest.approx(3.0))
    info = env.step(invested).info
    assert info["tax_paid"].item() == pytest.approx(3.0)
    assert info["involuntary"].item() == pytest.approx(3.0)
    assert (env.cash.item(), env.account.tax_due.item()) == (
        pytest.approx(0.0, abs=1e-12),
        pytest.approx(0.0),
    )
    assert env.pretax_value.item() == pytest.approx(7.0)


@pytest.mark.parametrize("is_tradeable", [True, False])
def test_a_tax_above_all_there_is_stays_due(is_tradeable: bool) -> None:
    window = priced_window([10.0, 10.0, 1.0, 1.0, 1.0], DECEMBER, assets=2)
    window.is_tradeable[0, 2:] = is_tradeable
    env = TaxLotEnv(window, one_portfolio(assets=2, cash=0.0, lots=[(0, 1.0, 1e-9, 19_300)]), DOUBLE)
    invested = torch.tensor([[0.0, 1.0, 0.0]], dtype=torch.float64)
    env.step(invested)
    env.step(invested)
    paid = env.step(invested).info["tax_paid"].item()  # 3 are due, the shares bring 1
    assert paid == pytest.approx(1.0 if is_tradeable else 0.0)
    assert env.cash.item() == 0.0
    assert env.account.tax_due.item() == pytest.approx(3.0 - paid)
    assert env.wealth.item() < 0.0  # the debt counts


def test_a_withdrawal_is_cut_to_what_tax_leaves() -> None:
    flow = torch.tensor([[0.0, -50.0, 0.0, 0.0]], dtype=torch.float64)
    window = priced_window([10.0] * 5, [19_000 + 7 * i for i in range(5)])
    env = TaxLotEnv(window, one_portfolio(cash=0.5, lots=[(0, 1.0, 10.0, 18_900)], weekly_flow=flow), DOUBLE)
    hold = torch.tensor([[1.0, 0.0]], dtype=torch.float64) * 10 / 10.5
    env.step(hold)
    info = env.step(hold).info
    assert info["flow"].item() == pytest.approx(-10.5)
    assert (env.cash.item(), env.pretax_value.item()) == (0.0, 0.0)
    assert torch.isfinite(env.step(hold).reward).all()


def test_drawn_flows_are_paid_and_change_nothing_else() -> None:
    window = make_window(groups=2, weeks=30, assets=4, seed=1)
    without, params = random_portfolios(window, 40, 1), random_portfolios(window, 40, 1, flow_share=0.5)
    assert without.weekly_flow is None
    assert torch.equal(without.lot_basis, params.lot_basis)
    assert torch.equal(without.no_short_gains, params.no_short_gains)
    flow = params.weekly_flow
    assert flow is not None
    assert 0.3 < (flow != 0).any(1).double().mean() < 0.7
    assert (flow > 0).any() and (flow < -0.05).any()
    env, generator, paid = TaxLotEnv(window, params, DOUBLE), torch.Generator().manual_seed(0), []
    for _ in range(env.weeks):
        paid.append(env.step(random_target(env.state(), generator)).info["flow"])
        assert (env.cash >= 0).all()
    torch.testing.assert_close(torch.stack(paid, 1), flow, rtol=0, atol=1e-9)
