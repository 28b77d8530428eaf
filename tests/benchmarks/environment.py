"""Steps a second of the tax-lot environment on one CPU thread, beside two environments of FinRL.

Ours keeps 8 lots an asset (highest basis first, wash sales, netting, carryovers, costs, dividends), writes the
observation, six rewards and the report; FinRL's keep shares and cash. A step of ours is one portfolio's week in a
batch of 1,024; FinRL's environments step one portfolio at a time. All get random actions drawn beforehand, all
times are CPU seconds of the thread, medians of five rounds in which each runs in turn.

``finrl`` imports brokers' clients in its ``__init__``, which nobody needs here: its two environments are loaded as
files of the installed package. Without it (``uv sync --group finrl``) the rows say so.
"""

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import numpy as np
import pandas as pd
import torch

from ml.policy.env import TaxLotEnv
from ml.policy.env_config import EnvConfig
from ml.policy.start_portfolios import random_portfolios
from tests.benchmarks._environment_gpu import ASSETS, TARGET, market, random_weights, speed

LOTS, UNIVERSES, EACH, WEEKS, WARM, ROUNDS = 8, 64, 16, 52, 12, 5
TARGETS: Final = {20: 30, 30: 50}
GPU_PORTFOLIOS: Final = 65_536
INDICATORS: Final = (
    "macd",
    "boll_ub",
    "boll_lb",
    "rsi_30",
    "cci_30",
    "dx_30",
    "close_30_sma",
    "close_60_sma",
)
TRADING, PORTFOLIO = "env_stock_trading.env_stocktrading_np", "env_portfolio_allocation.env_portfolio"
INSTALL: Final = "finrl is not installed: uv run --group finrl python -m tests.benchmarks environment"


def run() -> list[dict[str, Any]]:
    """Compare the environments at 20 and 30 assets."""
    torch.set_num_threads(1)
    rows = []
    for assets, target in TARGETS.items():
        timed: dict[str, Callable[[], float]] = {"ours": ours(assets)}
        missing = importlib.util.find_spec("finrl") is None
        if not missing:
            timed |= {TRADING: finrl_trading(assets), PORTFOLIO: finrl_portfolio(assets)}
        found: dict[str, list[float]] = {name: [] for name in timed}
        for _ in range(ROUNDS):
            for name, work in timed.items():
                found[name].append(work())
        rate = {name: statistics.median(values) for name, values in found.items()}
        for peer, aim in ((TRADING, f", aim {target} times"), (PORTFOLIO, "")):
            row = {
                "work": f"a step, {assets} assets, K = {LOTS}, one CPU thread{aim}",
                "ours": rate["ours"],
                "peer": f"finrl.meta.{peer}",
                "unit": "steps/s",
            }
            if missing:
                rows.append(row | {"skipped": INSTALL})
            else:
                rows.append(row | {"peer_value": rate[peer], "ratio": rate["ours"] / rate[peer]})
    return [*rows, on_gpu()]


def on_gpu() -> dict[str, Any]:
    """The row of one GPU; its ratio is to the aim."""
    work = f"a step call, {ASSETS} assets, K = {LOTS}, {GPU_PORTFOLIOS:,} portfolios, aim {TARGET / 1e6:.0f} million"
    row: dict[str, Any] = {"work": work, "unit": "steps/s"}
    if not torch.cuda.is_available():
        return row | {"skipped": "no CUDA device here; DECISIONS.md has an H100's figures"}
    rate = speed(GPU_PORTFOLIOS)["step_calls_per_s"]
    return row | {"ours": rate, "ratio": rate / TARGET, "machine": torch.cuda.get_device_name()}


def ours(assets: int) -> Callable[[], float]:
    """A round: the portfolio-steps a second after lots have filled up."""
    window = market(UNIVERSES, WEEKS, assets, 1)
    generator = torch.Generator().manual_seed(1)
    pays = torch.rand(window.decision_price.shape, generator=generator) < 1 / 13  # each quarter
    window = replace(window, dividend=0.005 * window.decision_price * pays)
    params = random_portfolios(window, EACH, 1)
    env = TaxLotEnv(window, params, EnvConfig(lots_per_asset=LOTS))
    weights = random_weights(len(params.group), assets, 1, "cpu")

    def once() -> float:
        env.reset()
        for t in range(WARM):
            env.step(weights[t % 8])
        begin = time.thread_time()
        for t in range(WARM, WEEKS):
            env.step(weights[t % 8])
        return (WEEKS - WARM) * len(params.group) / (time.thread_time() - begin)

    once()  # compiles
    return once


def finrl_trading(assets: int, days: int = 2000) -> Callable[[], float]:
    """A round: steps a second of FinRL's numpy environment."""
    rng = np.random.default_rng(0)
    config = {
        "price_array": _prices(rng, days, assets),
        "tech_array": rng.normal(size=(days, len(INDICATORS) * assets)),
        "turbulence_array": np.zeros(days),
        "if_train": True,
    }
    env = _module(TRADING).StockTradingEnv(config)
    actions = rng.uniform(-1, 1, (days, assets))

    def once() -> float:
        env.reset()
        begin = time.thread_time()
        for t in range(days - 1):
            env.step(actions[t])
        return (days - 1) / (time.thread_time() - begin)

    return once


def finrl_portfolio(assets: int, days: int = 300) -> Callable[[], float]:
    """A round: steps a second of FinRL's portfolio environment, its last (which draws pictures) left out."""
    rng = np.random.default_rng(0)
    close = _prices(rng, days, assets)
    frame = pd.DataFrame(
        {
            "date": np.repeat(np.arange(days), assets),
            "tic": np.tile([f"T{i}" for i in range(assets)], days),
            "close": close.ravel(),
            "cov_list": [np.eye(assets)] * (days * assets),
        }
        | {name: rng.normal(size=days * assets) for name in INDICATORS},
        index=np.repeat(np.arange(days), assets),
    )
    env = _module(PORTFOLIO).StockPortfolioEnv(
        frame, assets, 100, 1e6, 0.001, 1e-4, assets, assets, list(INDICATORS)
    )
    actions = rng.uniform(0, 1, (days, assets))

    def once() -> float:
        env.reset()
        begin = time.thread_time()
        for t in range(days - 2):
            env.step(actions[t])
        return (days - 2) / (time.thread_time() - begin)

    return once


def _prices(rng: np.random.Generator, days: int, assets: int) -> np.ndarray:
    return 50 * np.exp(rng.normal(0, 0.02, (days, assets)).cumsum(0))


def _module(name: str) -> ModuleType:
    """A file of the installed finrl, without what its package imports."""
    package = importlib.util.find_spec("finrl")
    assert package is not None and package.submodule_search_locations
    path = Path(package.submodule_search_locations[0], "meta", *name.split(".")).with_suffix(".py")
    spec = importlib.util.spec_from_file_location(f"finrl_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
