"""Which kernel steps an environment: numba's on the CPU, CUDA's on a GPU; both behind one face.

What belongs here: allocation of state and outputs, the calls. What does not: arithmetic.
"""

import functools
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch

from ml.policy.env_config import EnvConfig, PortfolioParams
from ml.policy.kernels import layout as c
from ml.policy.kernels.cuda_step import CudaKernel
from ml.policy.kernels.lanes import WIDTH

_SETTINGS = tuple(name for name in c.Settings._fields if name not in ("zero", "one"))


class Kernel(Protocol):
    """Steps B portfolios."""

    def start(self, portfolios: PortfolioParams) -> c.Books:
        """The state at the start of an episode."""
        ...

    def lots(self, books: c.Books) -> tuple[torch.Tensor, ...]:
        """Shares, basis and day of the lots, (B, N, K)."""
        ...

    def value(self, books: c.Books, t: int) -> torch.Tensor:
        """Value the portfolios at decision t; what is seen of the assets, (B, 9, N)."""
        ...

    def step(self, books: c.Books, target: torch.Tensor, t: int) -> c.Outputs:
        """Trade at fill t and value at decision t + 1; ``books`` are changed, the outputs are new."""
        ...


def kernel_for(market: c.Market, holders: c.Holders, config: EnvConfig) -> Kernel:
    """The kernel that the configuration names; by default by the device of the market.

    Raises
    ------
    ValueError
        If ``config.kernel`` is unknown or does not run on the window's device.
    """
    device = market.decision_price.device
    name = config.kernel or ("numba" if device.type == "cpu" else "cuda")
    if name == "cuda" and device.type == "cuda":
        return CudaKernel(market, holders, config)
    if name == "numba" and device.type == "cpu":
        return NumbaKernel(market, holders, config)
    raise ValueError(
        f"EnvConfig.kernel is {config.kernel!r} and the window lies on {device}: numba steps the CPU, cuda a "
        "GPU; leave kernel at None to choose by device"
    )


def settings_of(config: EnvConfig) -> c.Settings:
    """The kernels' constants in the environment's dtype."""
    dtype = np.dtype(str(config.dtype).removeprefix("torch."))
    return c.typed_settings(dtype, **{name: getattr(config, name) for name in _SETTINGS})


def padded_lots(portfolios: PortfolioParams, config: EnvConfig) -> tuple[torch.Tensor, ...]:
    """Start lots (shares, basis, day) with K slots: in use first, basis ascending, ties by later day first.

    Raises
    ------
    ValueError
        If there are more start lots than slots.
    """
    given = portfolios.lot_shares.shape[-1]
    missing = config.lots_per_asset - given
    if missing < 0:
        raise ValueError(
            f"start lots have {given} slots per asset and the book has {config.lots_per_asset}: "
            "raise EnvConfig.lots_per_asset or fold the start lots"
        )
    by_day = portfolios.lot_day.argsort(dim=-1, descending=True, stable=True)
    key = torch.where(portfolios.lot_shares > 0, portfolios.lot_basis.double(), torch.inf)
    order = by_day.gather(-1, key.gather(-1, by_day).argsort(dim=-1, stable=True))
    found = []
    for values, dtype in (
        (portfolios.lot_shares, config.dtype),
        (portfolios.lot_basis, config.dtype),
        (portfolios.lot_day, torch.int32),
    ):
        found.append(torch.nn.functional.pad(values.gather(-1, order).to(dtype), (0, missing)))
    return tuple(found)


class NumbaKernel:
    """Sixteen portfolios a vector; with ``config.threads`` above 1 ranges of them run side by side."""

    def __init__(self, market: c.Market, holders: c.Holders, config: EnvConfig) -> None:
        self._market, self._holders = _arrays(market), _arrays(holders)
        self._settings, self._config = settings_of(config), config
        self._fills = max(1, int(market.open_fills.max()))

    def start(self, portfolios: PortfolioParams) -> c.Books:
        """The state at the start of an episode."""
        lots = [_in_blocks(x) for x in padded_lots(portfolios, self._config)]
        blocks, assets = lots[0].shape[:2]
        new = lots[0].new_zeros
        account = new(len(portfolios.cash), c.ACCOUNT_COLUMNS)
        account[:, c.CASH] = portfolios.cash.to(account.dtype)
        ring = new(blocks, assets, self._fills, c.RING_COLUMNS, WIDTH)
        return c.Books(lots[0], lots[1], lots[2], ring, account, lots[0].sum(2))

    def lots(self, books: c.Books) -> tuple[torch.Tensor, ...]:
        """Copies of shares, basis and day of the lots, (B, N, K)."""
        tables = (books.shares, books.basis, books.day)
        return tuple(x.permute(0, 3, 1, 2).flatten(0, 1)[: len(books.account)] for x in tables)

    def value(self, books: c.Books, t: int) -> torch.Tensor:
        """Value the portfolios at decision t; what is seen of the assets, (B, 9, N)."""
        from ml.policy.kernels.step import value_range

        outputs = self._outputs(books)
        self._run(value_range, books, t, self._market, self._holders, _arrays(books), _arrays(outputs))
        return self._seen(books, outputs)

    def step(self, books: c.Books, target: torch.Tensor, t: int) -> c.Outputs:
        """Trade at fill t and value at decision t + 1."""
        from ml.policy.kernels.step import step_range

        outputs = self._outputs(books)
        wanted = target.detach().to(books.shares.dtype).contiguous().numpy()
        self._run(step_range, books, t, wanted, self._market, self._holders, _arrays(books), _arrays(outputs))
        return outputs._replace(observed=self._seen(books, outputs))

    def _outputs(self, books: c.Books) -> c.Outputs:
        count, (blocks, assets) = len(books.account), books.shares.shape[:2]
        new = books.shares.new_empty
        # an odd number of blocks, lest rows a power of two apart fall into the same lines of the cache
        seen = new(c.OBSERVED_COLUMNS, assets, blocks | 1, WIDTH)
        return c.Outputs(seen, new(count, len(c.INFO)), new(count, len(c.REWARDS)))

    @staticmethod
    def _seen(books: c.Books, outputs: c.Outputs) -> torch.Tensor:
        return outputs.observed.flatten(2).permute(2, 0, 1)[: len(books.account)]

    def _run(self, function: Any, books: c.Books, *arguments: Any) -> None:
        blocks = len(books.shares)
        threads = min(self._config.threads, max(blocks, 1))
        if threads == 1:
            function(0, blocks, *arguments, self._settings)
            return
        bounds = np.linspace(0, blocks, threads + 1).astype(int)
        parts = [
            _pool(threads).submit(function, int(a), int(b), *arguments, self._settings)
            for a, b in pairwise(bounds)
        ]
        for part in parts:
            part.result()


def _in_blocks(values: torch.Tensor) -> torch.Tensor:
    """Tables (B, N, K) as (C, N, K, 16); lanes behind the last portfolio are zeros."""
    count, assets, lots = values.shape
    blocks = -(-count // WIDTH)
    padded = torch.nn.functional.pad(values, (0, 0, 0, 0, 0, blocks * WIDTH - count))
    return padded.reshape(blocks, WIDTH, assets, lots).permute(0, 2, 3, 1).contiguous()


def _arrays(bundle: Any) -> Any:
    return type(bundle)(*(tensor.numpy() for tensor in bundle))


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="tax-lot-env")
