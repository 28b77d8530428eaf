"""Steps an environment on a CUDA GPU: compiles ``step.cu`` once per shape and launches it on torch's stream.

What belongs here: compiling, arguments, layout of the state on the device. What does not: arithmetic (``step.cu``).
"""

import ctypes
import functools
import importlib
from pathlib import Path
from typing import Any, Final

import torch

from ml.policy.env_config import EnvConfig, PortfolioParams
from ml.policy.kernels import layout as c

SOURCE: Final = Path(__file__).with_name("step.cu")
WARP: Final = 32
MOST_ASSETS: Final = 1024
"""A thread an asset, and a block has no more threads."""
_BLOCK_THREADS: Final = 128
RESIDENT_THREADS: Final = 640
"""Of a multiprocessor, at least: a thread then has about 100 registers, measured the fastest on an H100."""
_POINTERS: Final = (
    *("target", "decision", "fill", "dividend", "flags", "fill_day", "long_day", "open_fills", "year_end"),
    *("cash_return", "equal", "sigma", "group", "holder_flags", "rates", "flow"),
    *("shares", "basis", "day", "ring", "account", "observed", "info", "reward"),
)
_CONSTANTS: Final = (
    *("dust", "wealth_floor", "carry_discount", "drawdown_weight", "shortfall_weight", "shortfall_sigmas"),
    *("tracking_weight", "harvest_loss_ratio"),
)
_COUNTS: Final = ("t", "portfolios", "assets", "rows", "weeks", "trades")


class CudaError(RuntimeError):
    """CUDA's driver or runtime compiler refused; the message says what and why."""


@functools.cache
def arguments_type(dtype: torch.dtype) -> type[ctypes.Structure]:
    """The kernel's one argument as C lays it out."""
    real = ctypes.c_float if dtype == torch.float32 else ctypes.c_double
    fields = [(name, ctypes.c_void_p) for name in _POINTERS] + [(name, real) for name in _CONSTANTS]
    return type(
        "Arguments", (ctypes.Structure,), {"_fields_": [*fields, *((n, ctypes.c_int) for n in _COUNTS)]}
    )


def threads_of(assets: int) -> tuple[int, int]:
    """Threads of a portfolio, and portfolios of a block.

    Raises
    ------
    ValueError
        If there are more assets than a block has threads.
    """
    if assets > MOST_ASSETS:
        raise ValueError(
            f"the window has {assets} assets and the GPU's kernel steps at most {MOST_ASSETS}: step it on the CPU"
        )
    threads = -(-assets // WARP) * WARP
    return threads, _BLOCK_THREADS // WARP if threads == WARP else 1


def defines(dtype: torch.dtype, lots: int, fills: int, assets: int, resident: int) -> dict[str, str]:
    """What ``step.cu`` is compiled with."""
    threads, together = threads_of(assets)
    real = {torch.float32: "float", torch.float64: "double"}[dtype]
    numbers = {"K": lots, "R": fills, "THREADS": threads, "TOGETHER": together, "RESIDENT": resident}
    return {"REAL": real} | {name: str(number) for name, number in numbers.items()}


def compiled(architecture: str, given: dict[str, str]) -> bytes:
    """Machine code of ``step.cu`` for an architecture such as ``sm_90``; no GPU is needed.

    Raises
    ------
    CudaError
        With the compiler's log.
    """
    nvrtc = _bindings("nvrtc")

    program = _done(nvrtc.nvrtcCreateProgram(SOURCE.read_bytes(), b"step.cu", 0, [], []))
    options = [f"--gpu-architecture={architecture}", "--std=c++17", *(f"-D{k}={v}" for k, v in given.items())]
    outcome = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
    log = bytes(_done(nvrtc.nvrtcGetProgramLogSize(program)))  # the bindings write into what they are given
    _done(nvrtc.nvrtcGetProgramLog(program, log))
    if outcome[0] != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise CudaError(f"NVRTC cannot compile {SOURCE} with {options}: {log.decode().strip()}")
    code = bytes(_done(nvrtc.nvrtcGetCUBINSize(program)))
    _done(nvrtc.nvrtcGetCUBIN(program, code))
    _done(nvrtc.nvrtcDestroyProgram(program))
    return code


def _bindings(name: str) -> Any:
    """A module of CUDA's Python bindings, which come with torch for CUDA.

    Raises
    ------
    CudaError
        If they are not installed.
    """
    try:
        return importlib.import_module(f"cuda.bindings.{name}")
    except ImportError as error:
        raise CudaError(
            f"cuda.bindings.{name} cannot be imported ({error}): the GPU's kernel needs torch for CUDA 13 and its "
            "cuda-bindings; step on the CPU without them"
        ) from error


def _done(answer: tuple[Any, ...]) -> Any:
    """The value of a call of CUDA's bindings.

    Raises
    ------
    CudaError
        If it failed.
    """
    if int(answer[0]) != 0:
        raise CudaError(f"CUDA answers {answer[0]!r}")
    return answer[1] if len(answer) > 1 else None


@functools.cache
def _loaded(device: int, dtype: torch.dtype, lots: int, fills: int, assets: int, resident: int) -> Any:
    """The kernel on a device; torch has made its context."""
    driver = _bindings("driver")
    major, minor = torch.cuda.get_device_capability(device)
    code = compiled(f"sm_{major}{minor}", defines(dtype, lots, fills, assets, resident))
    module = _done(driver.cuModuleLoadData(code))
    return _done(driver.cuModuleGetFunction(module, b"step"))


class CudaKernel:
    """The kernel with its state on one GPU; see :class:`ml.policy.kernels.backend.Kernel`."""

    def __init__(self, market: c.Market, holders: c.Holders, config: EnvConfig) -> None:
        self._market, self._holders, self._config = market, holders, config
        self._fills = max(1, int(market.open_fills.max()))
        threads, together = threads_of(market.decision_price.shape[2])
        self.resident = max(1, RESIDENT_THREADS // (threads * together))

    def start(self, portfolios: PortfolioParams) -> c.Books:
        """The state at the start of an episode; lots and fills lie asset by asset."""
        from ml.policy.kernels.backend import padded_lots

        lots = [x.transpose(1, 2).contiguous() for x in padded_lots(portfolios, self._config)]
        count, _, assets = lots[0].shape
        account = lots[0].new_zeros(count, c.ACCOUNT_COLUMNS)
        account[:, c.CASH] = portfolios.cash.to(account.dtype)
        ring = lots[0].new_zeros(count, self._fills, c.RING_COLUMNS, assets)
        return c.Books(lots[0], lots[1], lots[2], ring, account, lots[0].new_zeros(0))

    def lots(self, books: c.Books) -> tuple[torch.Tensor, ...]:
        """Shares, basis and day of the lots, (B, N, K): views of the running state."""
        return tuple(x.transpose(1, 2) for x in (books.shares, books.basis, books.day))

    def value(self, books: c.Books, t: int) -> torch.Tensor:
        """Value the portfolios at decision t; what is seen of the assets, (B, 9, N)."""
        outputs = self.outputs(books)
        self.launch(books, outputs, outputs.observed, t, trades=False)
        return outputs.observed

    def step(self, books: c.Books, target: torch.Tensor, t: int) -> c.Outputs:
        """Trade at fill t and value at decision t + 1."""
        outputs = self.outputs(books)
        self.launch(books, outputs, target.detach().to(books.shares.dtype).contiguous(), t, trades=True)
        return outputs

    def outputs(self, books: c.Books) -> c.Outputs:
        """Room for what a step gives."""
        count, _, assets = books.shares.shape
        new = books.shares.new_empty
        return c.Outputs(
            new(count, c.OBSERVED_COLUMNS, assets), new(count, len(c.INFO)), new(count, len(c.REWARDS))
        )

    def arguments(
        self, books: c.Books, outputs: c.Outputs, target: torch.Tensor, t: int, *, trades: bool
    ) -> ctypes.Structure:
        """The kernel's argument."""
        m, h = self._market, self._holders
        count, _, assets = books.shares.shape
        tensors = (
            *(
                target,
                m.decision_price,
                m.fill_price,
                m.dividend,
                m.flags,
                m.fill_day,
                m.long_day,
                m.open_fills,
            ),
            *(m.is_year_end, m.cash_return, m.equal, m.sigma, h.group, h.flags, h.rates, h.flow),
            *(books.shares, books.basis, books.day, books.ring, books.account, *outputs),
        )
        constants = (getattr(self._config, name) for name in _CONSTANTS)
        counts = (t, count, assets, m.fill_day.shape[1], h.flow.shape[1], int(trades))
        return arguments_type(books.shares.dtype)(*(x.data_ptr() for x in tensors), *constants, *counts)

    def launch(
        self, books: c.Books, outputs: c.Outputs, target: torch.Tensor, t: int, *, trades: bool
    ) -> None:
        """Put the kernel on torch's current stream."""
        count, lots, assets = books.shares.shape
        device = books.shares.device
        if count == 0:
            return
        with torch.cuda.device(device):
            index = torch.cuda.current_device()
            function = _loaded(index, books.shares.dtype, lots, self._fills, assets, self.resident)
            given = self.arguments(books, outputs, target, t, trades=trades)
            pointers = (ctypes.c_void_p * 1)(ctypes.addressof(given))
            threads, together = threads_of(assets)
            blocks = -(-count // together)
            stream = torch.cuda.current_stream().cuda_stream
            shape = (blocks, 1, 1, threads * together, 1, 1, 0, stream)
            _done(_bindings("driver").cuLaunchKernel(function, *shape, ctypes.addressof(pointers), 0))
