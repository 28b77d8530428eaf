"""The GPU's kernel: its source run on the CPU against the CPU's own kernel, and compiled for a GPU."""

import ctypes
import importlib.util
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ml.policy.env import TaxLotEnv
from ml.policy.env_config import EnvConfig
from ml.policy.env_market import holders_of
from ml.policy.kernels import cuda_step
from ml.policy.kernels.layout import Books, Outputs
from tests.test_ml.test_policy.env_worlds import delisted, make_window, random_params, random_target

HEADER = Path(__file__).with_name("cuda_on_cpu.h")
LOTS, WEEKS = 3, 56


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cuda")


def library(folder: Path, assets: int, fills: int) -> ctypes.CDLL:
    """``step.cu`` compiled for the CPU."""
    given = cuda_step.defines(torch.float64, LOTS, fills, assets, 1)
    target = folder / f"step{assets}.so"
    options = [f"-D{name}={value}" for name, value in given.items()]
    paths = [f"-I{cuda_step.SOURCE.parent}", "-x", "c++", str(HEADER), "-o", str(target)]
    # glibc has a `step` of its own, hence -Bsymbolic
    command = ["g++", "-std=c++17", "-O1", "-w", "-shared", "-fPIC", "-Wl,-Bsymbolic", *options, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return ctypes.CDLL(str(target))


class OnCpu(cuda_step.CudaKernel):
    """The GPU's kernel whose launch is a call."""

    code: ctypes.CDLL

    def launch(self, books: Books, outputs: Outputs, target: torch.Tensor, t: int, *, trades: bool) -> None:
        given = self.arguments(books, outputs, target, t, trades=trades)
        count, _, assets = books.shares.shape
        self.code.launch(ctypes.byref(given), -(-count // cuda_step.threads_of(assets)[1]))


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")
@pytest.mark.parametrize("assets", [5, 40])  # one warp a portfolio, and two
def test_both_kernels_give_the_same_weeks(folder: Path, assets: int) -> None:
    window = delisted(make_window(groups=2, weeks=WEEKS, assets=assets, seed=assets), asset=1, week=20)
    window = replace(window, dividend=0.001 * window.decision_price * (~window.is_delisted))
    params = random_params(window, 3, assets)
    params = replace(
        params, **{name: getattr(params, name)[..., :LOTS] for name in ("lot_shares", "lot_basis", "lot_day")}
    )
    config = EnvConfig(dtype=torch.float64, lots_per_asset=LOTS)
    one, other = TaxLotEnv(window, params, config), TaxLotEnv(window, params, config)
    kernel = other._kernel = OnCpu(other._rows.market, holders_of(params, WEEKS, config), config)
    kernel.code = library(folder, assets, kernel._fills)
    other.reset()
    drawn, seen = (
        torch.Generator().manual_seed(0),
        dict.fromkeys(("involuntary", "disallowed", "tax_paid"), 0.0),
    )
    for _ in range(one.weeks):
        target = random_target(one.state(), drawn)
        a, b = one.step(target), other.step(target)
        torch.testing.assert_close(b.reward, a.reward, rtol=0, atol=1e-9)
        for name, value in a.info.items():
            torch.testing.assert_close(b.info[name], value, rtol=0, atol=1e-9, msg=name)
        for name in ("weight", "short_gain", "long_loss", "days_to_long", "harvestable", "is_locked"):
            torch.testing.assert_close(getattr(b.state, name), getattr(a.state, name), rtol=0, atol=1e-9)
        for mine, its in zip(one.lot_book, other.lot_book, strict=True):
            held = one.lot_book.shares > 0
            torch.testing.assert_close(its * held, mine * held, rtol=1e-9, atol=1e-9)
        for name in seen:
            seen[name] += float(a.info[name].abs().sum())
    assert all(value > 0 for value in seen.values()), seen


@pytest.mark.skipif(importlib.util.find_spec("cuda") is None, reason="torch without CUDA's compiler")
@pytest.mark.parametrize("assets", [32, 1000])
def test_it_compiles_for_a_gpu(assets: int) -> None:
    code = cuda_step.compiled("sm_90", cuda_step.defines(torch.float32, 8, 4, assets, 1))
    assert code[:4] == b"\x7fELF"


def test_more_assets_than_threads_are_refused() -> None:
    with pytest.raises(ValueError, match="1025 assets"):
        cuda_step.threads_of(1025)
