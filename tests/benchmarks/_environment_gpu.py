"""The environment's CUDA kernel on one GPU: portfolio-steps a second, and agreement with the CPU's kernel.

``python -m tests.benchmarks._environment_gpu [--portfolios 65536 131072] [--out FILE]`` needs torch with CUDA, its
bindings (``cuda.bindings``) and numba, nothing of the warehouse. Weights are random, drawn on the device before the
clock starts; each step writes the observation, the rewards and the report. Times are CUDA events' medians.
"""

import argparse
import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.policy.env import TaxLotEnv
from ml.policy.env_config import EnvConfig, PortfolioParams
from ml.policy.market_window import MarketWindow
from ml.policy.start_portfolios import random_portfolios

ASSETS, LOTS, GROUPS, WEEKS, WARM = 32, 8, 256, 52, 12
TARGET = 100e6
COPY_BYTES = 1 << 30


def market(groups: int, weeks: int, assets: int, seed: int) -> MarketWindow:
    """Random walks with weekly decisions and a fill a day later."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0005, 0.02, (groups, 2 * (weeks + 1), assets))
    price = torch.from_numpy(50 * np.exp(steps.cumsum(1))).float()
    flags = torch.zeros(groups, weeks + 1, assets, dtype=torch.bool)
    return MarketWindow(
        decision_price=price[:, 0::2].contiguous(),
        fill_price=price[:, 1::2].contiguous(),
        fill_day=(19_000 + 7 * torch.arange(weeks + 1)).int().expand(groups, -1).contiguous(),
        is_tradeable=~flags,
        is_delisted=flags,
        embedding=torch.zeros(groups, weeks + 1, 1, 64).expand(-1, -1, assets, -1),
        regime=torch.full((groups, weeks + 1, 5), 0.15),
        cash_return=torch.full((groups, weeks + 1), 0.0004),
    )


def random_weights(count: int, assets: int, seed: int, device: str) -> list[torch.Tensor]:
    """Eight draws from the simplex."""
    generator = torch.Generator(device).manual_seed(seed)
    drawn = torch.empty(8, count, assets + 1, device=device).exponential_(generator=generator)
    return list(drawn / drawn.sum(-1, keepdim=True))


def agreement(seed: int = 0) -> dict[str, float]:
    """Largest difference of any output between the kernels over a year, float64 and float32."""
    found = {}
    for dtype in (torch.float64, torch.float32):
        window = market(4, WEEKS, 13, seed)
        params = random_portfolios(window, 64, seed, no_short_gains_share=0.3)
        config = EnvConfig(dtype=dtype)
        cpu = TaxLotEnv(window, params, config)
        gpu = TaxLotEnv(window.to("cuda"), params.to("cuda"), config)
        worst = 0.0
        weights = random_weights(len(params.group), 13, seed, "cpu")
        for t in range(WEEKS):
            target = weights[t % 8]
            one, other = cpu.step(target), gpu.step(target.to("cuda"))
            for name, value in one.info.items():
                worst = max(worst, float((value - other.info[name].cpu()).abs().max()))
            worst = max(worst, float((one.reward - other.reward.cpu()).abs().max()))
        found[str(dtype).removeprefix("torch.")] = worst
    return found


def copy_rate() -> float:
    """Bytes a second that a device-to-device copy reads and writes."""
    source = torch.empty(COPY_BYTES, dtype=torch.uint8, device="cuda").random_()
    target = torch.empty_like(source)
    return 2 * COPY_BYTES / median_seconds(lambda _: target.copy_(source), 20)


def median_seconds(work: Any, repeats: int) -> float:
    """Median of CUDA events around each call, after three calls."""
    for i in range(3):
        work(i)
    times = []
    for i in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work(i)
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    return float(np.median(times))


@functools.cache
def on_gpu(count: int) -> tuple[MarketWindow, PortfolioParams]:
    """A market and portfolios on the device."""
    window = market(GROUPS, WEEKS, ASSETS, 1)
    return window.to("cuda"), random_portfolios(window, count // GROUPS, 1).to("cuda")


def speed(count: int, resident: int | None = None) -> dict[str, float]:
    """Portfolio-steps a second of the whole step call and of the kernel alone, over a year of random trading."""
    window, params = on_gpu(count)
    env = TaxLotEnv(window, params, EnvConfig(lots_per_asset=LOTS))
    kernel: Any = env._kernel
    kernel.resident = resident or kernel.resident
    weights = random_weights(len(params.group), ASSETS, 1, "cuda")
    for t in range(WARM):
        env.step(weights[t % 8])
    torch.cuda.synchronize()
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for t in range(WARM, WEEKS):
        env.step(weights[t % 8])
    end.record()
    torch.cuda.synchronize()
    seconds = begin.elapsed_time(end) / 1e3 / (WEEKS - WARM)
    lots = float((env.lot_book.shares > 0).float().sum(-1).mean())
    env.reset()
    for t in range(WARM):
        env.step(weights[t % 8])
    books, outputs = env._books, kernel.outputs(env._books)
    alone = median_seconds(
        lambda i: kernel.launch(books, outputs, weights[i % 8], WARM + i % 30, trades=True), 30
    )
    return {
        "resident_blocks": kernel.resident,
        "portfolios": len(params.group),
        "step_calls_per_s": len(params.group) / seconds,
        "kernel_per_s": len(params.group) / alone,
        "mean_lots": lots,
        "ratio_to_target": len(params.group) / seconds / TARGET,
    }


def write(rows: dict[str, Any], path: Path | None) -> None:
    """Keep what is known so far."""
    if path:
        path.write_text(json.dumps(rows, indent=1) + "\n")


def main() -> int:
    """Print a table and write it as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--portfolios", type=int, nargs="+", default=[65_536, 262_144])
    parser.add_argument("--resident", type=int, nargs="+", default=[5], help="blocks a multiprocessor")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("no CUDA device: this benchmark runs on a GPU", file=sys.stderr)
        return 1
    begun = time.perf_counter()
    rows: dict[str, Any] = {"device": torch.cuda.get_device_name(), "copy_bytes_per_s": copy_rate()}
    rows["speed"] = []
    for resident in arguments.resident:
        for count in arguments.portfolios:
            rows["speed"].append(speed(count, resident))
            print(f"{time.perf_counter() - begun:6.1f} s  {rows['speed'][-1]}", flush=True)
            write(rows, arguments.out)
    rows["largest_difference_from_cpu"] = agreement()
    print(json.dumps(rows, indent=1))
    write(rows, arguments.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
