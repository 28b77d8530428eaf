"""Training rows for Chronos, generated where the model trains (CPU or GPU), seeded.

Three sources, each a function of a `torch.Generator`: Gaussian-process kernel mixtures (KernelSynth of
Ansari et al. 2024, https://arxiv.org/abs/2403.07815, by batched Cholesky), a univariate view of the
simulated market (GJR-GARCH-t market and own parts, two regimes, slow volatility, jumps) with parameters
from wide ranges instead of estimates, and mixtures of real series up to a cut-off. Returns become rows
in one of four views: log price, return, absolute return, log volume.
"""

import math
from dataclasses import dataclass

import torch

from ml.chronos.config import ChronosTrainingConfig

VIEWS = ("log_price", "return", "absolute_return", "log_volume")
_BURN_IN = 200
_KERNELS_A_POOL = 256
_DRAWS_A_KERNEL = 16
_MORE_KERNELS = 3


class _Draws:
    """Uniform and normal draws of one generator on one device."""

    def __init__(self, generator: torch.Generator):
        self.generator = generator
        self.device = generator.device

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=self.generator, device=self.device)

    def log_uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        return self.uniform(math.log(low), math.log(high), *shape).exp()

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self.generator, device=self.device)

    def integers(self, low: int, high: int, *shape: int) -> torch.Tensor:
        return torch.randint(low, high, shape, generator=self.generator, device=self.device)

    def student(self, degrees: torch.Tensor, steps: int) -> torch.Tensor:
        """Unit-variance Student-t, (steps, n): Bailey's (1994) polar method, exact."""
        n = degrees.shape[0]
        radius = self.uniform(1e-7, 1.0, steps, n)
        angle = self.uniform(0.0, 2 * math.pi, steps, n)
        raw = (degrees * (radius ** (-2 / degrees) - 1)).sqrt() * angle.cos()
        return raw * ((degrees - 2) / degrees).sqrt()


def gaussian_process_rows(generator: torch.Generator, length: int, kernels: int, draws: int) -> torch.Tensor:
    """Sample paths of random kernel compositions.

    Parameters
    ----------
    generator : torch.Generator
        On the device that computes.
    length, kernels, draws : int
        Observations of a row, kernel compositions, paths of each.

    Returns
    -------
    torch.Tensor
        (kernels * draws, length) float32.
    """
    rng = _Draws(generator)
    time = torch.linspace(0, 1, length, device=rng.device)
    gap = (time[:, None] - time[None, :]).abs()
    total = _random_kernel(rng, kernels, time, gap)
    for _ in range(_MORE_KERNELS):
        other = _random_kernel(rng, kernels, time, gap)
        choice = rng.uniform(0, 1, kernels, 1, 1)
        combined = torch.where(choice < 1 / 3, total + other, total * other)
        total = torch.where(choice < 2 / 3, combined, total)
    size = total.diagonal(dim1=1, dim2=2).mean(1)[:, None, None].clamp_min(1e-6)
    total = total / size + 1e-3 * torch.eye(length, device=rng.device)
    factor, failed = torch.linalg.cholesky_ex(total)
    paths = factor @ rng.normal(kernels, length, draws)
    paths = paths[(failed == 0) & paths.isfinite().all(2).all(1)]
    return paths.transpose(1, 2).reshape(-1, length).contiguous()


def _random_kernel(rng: _Draws, n: int, time: torch.Tensor, gap: torch.Tensor) -> torch.Tensor:
    """One kernel of the bank for each of `n` compositions, (n, length, length)."""
    length = time.shape[0]
    scale = rng.log_uniform(0.01, 2.0, n, 1, 1)
    period = rng.log_uniform(4.0, float(length), n, 1, 1) / length
    mix = rng.log_uniform(0.1, 10.0, n, 1, 1)
    squared = (gap / scale) ** 2
    bank = rng.integers(0, 7, n)
    kernel = torch.exp(-squared / 2)
    options = (
        (1, (1 + squared / (2 * mix)) ** -mix),  # rational quadratic
        (2, torch.exp(-2 * torch.sin(math.pi * gap / period) ** 2 / rng.log_uniform(0.3, 3.0, n, 1, 1) ** 2)),
        (3, torch.exp(-gap / scale)),  # Ornstein-Uhlenbeck
        (4, torch.minimum(time[:, None], time[None, :]).expand(n, -1, -1) + 0.05),  # Brownian motion
        (5, (time[:, None] - 0.5) * (time[None, :] - 0.5) + mix * 0.1),  # linear trend
        (6, torch.eye(length, device=rng.device) * mix),  # white noise
    )
    for index, value in options:
        kernel = torch.where((bank == index)[:, None, None], value, kernel)
    return kernel


@dataclass(frozen=True)
class Returns:
    """Daily log returns and log volumes, both (n, length) float32; NaN volume: none is known."""

    returns: torch.Tensor
    log_volumes: torch.Tensor


def simulate_returns(generator: torch.Generator, n: int, length: int) -> Returns:
    """Market-like series, each with its own market factor and its own parameters.

    ``r = drift + own AR(1) + loading * market + idiosyncratic + jumps``. Both parts are GJR-GARCH(1,1)-t
    (Glosten, Jagannathan & Runkle 1993) times a slow log-volatility AR(1); two-state regime raises the
    market's volatility, and the own part's less. Parameters are drawn from wide ranges, not estimated.

    Parameters
    ----------
    generator : torch.Generator
        On the device that computes.
    n, length : int
        Series and sessions; a burn-in is simulated before and dropped.
    """
    rng = _Draws(generator)
    steps = length + _BURN_IN
    market, own = _volatility_parameters(rng, n, 0.25), _volatility_parameters(rng, n, 0.12)
    market_noise = rng.student(rng.uniform(4.5, 14.0, n), steps)
    own_noise = rng.student(rng.log_uniform(2.8, 12.0, n), steps)
    turbulent = _regimes(rng, n, steps)
    market_lift, own_lift = rng.uniform(0.0, 1.25, n), rng.uniform(0.0, 0.5, n)
    slow = _autoregression(rng, n, steps, rng.log_uniform(30.0, 1000.0, n), rng.uniform(0.0, 0.45, n))
    common = rng.uniform(0.0, 0.85, n)  # share of variance that the market explains
    common = torch.where(rng.uniform(0, 1, n) < 0.1, torch.ones_like(common), common)
    market_size = slow + turbulent * market_lift
    own_size = 0.6 * slow + turbulent * own_lift
    market_size = market_size - market_size.mean(0, keepdim=True)
    market_part = _gjr_garch(market, market_noise) * market_size.exp() * common.sqrt()
    own_part = _gjr_garch(own, own_noise) * own_size.exp() * (1 - common).sqrt()
    total = market_part + own_part + _jumps(rng, n, steps, common)
    memory = rng.uniform(-0.10, 0.06, n)
    total[1:] = total[1:] + memory * total[:-1].clone()
    daily = rng.log_uniform(0.04, 1.2, n) / math.sqrt(252)
    # Close together: what a context's trend says about the next month is little, and a model that saw wide
    # drifts extrapolates trends (on real prices half of such a median's drift forecast better than all of it).
    drift = rng.uniform(0.0, 0.036, n) - 0.04 * turbulent * rng.uniform(0.0, 2.0, n)
    volumes = _log_volumes(rng, total)
    kept = ((total + drift) * daily).clamp(-0.8, 0.8)[_BURN_IN:]
    return Returns(kept.T.contiguous(), volumes[_BURN_IN:].T.contiguous())


def _volatility_parameters(rng: _Draws, n: int, largest_gamma: float) -> tuple[torch.Tensor, ...]:
    """alpha, gamma, beta of GJR-GARCH with persistence alpha + gamma / 2 + beta below one."""
    alpha, gamma = rng.uniform(0.0, 0.10, n), rng.uniform(0.0, largest_gamma, n)
    persistence = 1 - rng.log_uniform(0.004, 0.15, n)
    return alpha, gamma, (persistence - alpha - gamma / 2).clamp_min(0.0)


def _gjr_garch(parameters: tuple[torch.Tensor, ...], noise: torch.Tensor) -> torch.Tensor:
    """Shocks of unit long-run variance, (steps, n)."""
    alpha, gamma, beta = parameters
    base = 1 - alpha - gamma / 2 - beta
    variance = torch.ones_like(base)
    out = torch.empty_like(noise)
    for step in range(noise.shape[0]):
        shock = variance.sqrt() * noise[step]
        out[step] = shock
        news = torch.where(shock < 0, alpha + gamma, alpha)
        variance = (base + beta * variance + news * shock * shock).clamp_max(400.0)
    return out


def _regimes(rng: _Draws, n: int, steps: int) -> torch.Tensor:
    """1 in the turbulent state, 0 in the calm one, (steps, n)."""
    leave_calm, leave_turbulent = 1 / rng.log_uniform(30.0, 250.0, n), 1 / rng.log_uniform(8.0, 90.0, n)
    draws = rng.uniform(0, 1, steps, n)
    state = rng.uniform(0, 1, n) < 0.3
    states = torch.empty(steps, n, device=rng.device)
    for step in range(steps):
        state = torch.where(state, draws[step] >= leave_turbulent, draws[step] < leave_calm)
        states[step] = state
    return states


def _autoregression(
    rng: _Draws, n: int, steps: int, half_life: torch.Tensor, size: torch.Tensor
) -> torch.Tensor:
    """AR(1) of stationary standard deviation `size`, (steps, n)."""
    keep = 0.5 ** (1 / half_life)
    noise = rng.normal(steps, n) * size * (1 - keep * keep).sqrt()
    value = rng.normal(n) * size
    out = torch.empty_like(noise)
    for step in range(steps):
        value = keep * value + noise[step]
        out[step] = value
    return out


def _jumps(rng: _Draws, n: int, steps: int, common: torch.Tensor) -> torch.Tensor:
    """Quarterly earnings-like jumps and rare ones at any time, in daily standard deviations."""
    session = torch.arange(steps, device=rng.device)[:, None]
    phase = rng.integers(0, 63, n)
    quarterly = ((session + phase) % 63 == 0) * rng.uniform(0.0, 5.0, n)
    rare = (rng.uniform(0, 1, steps, n) < rng.log_uniform(1e-4, 0.01, n)) * rng.uniform(0.0, 6.0, n)
    quarterly = quarterly * (rng.uniform(0, 1, n) < 0.6)
    return (quarterly + rare) * rng.normal(steps, n) * (1 - common).sqrt()


def _log_volumes(rng: _Draws, shocks: torch.Tensor) -> torch.Tensor:
    """Persistent level, short-lived excess and a reaction to the size of the day's move."""
    steps, n = shocks.shape
    level = _autoregression(rng, n, steps, rng.log_uniform(60.0, 1500.0, n), rng.uniform(0.1, 0.8, n))
    excess = _autoregression(rng, n, steps, rng.uniform(0.3, 6.0, n), rng.uniform(0.1, 0.45, n))
    return level + excess + rng.uniform(0.0, 0.25, n) * shocks.abs().clamp_max(8.0)


class RealSeries:
    """Real daily log returns (and log volumes where known) held on the training device.

    Parameters
    ----------
    returns : list of 1-D float arrays
        One per asset, oldest first, no gaps.
    log_volumes : list of 1-D float arrays or None
        Same lengths; None where no volume is known.
    length : int
        Observations a row needs; shorter series are left out.

    Raises
    ------
    ValueError
        No series is long enough.
    """

    def __init__(self, returns: list, log_volumes: list, length: int, device: torch.device | str):
        kept = [(r, v) for r, v in zip(returns, log_volumes, strict=True) if len(r) >= length]
        if not kept:
            raise ValueError(f"none of {len(returns)} real series has {length} returns: give longer ones")
        self.length = length
        self.returns = torch.cat([torch.as_tensor(r, dtype=torch.float32) for r, _ in kept]).to(device)
        volumes = [
            torch.full((len(r),), math.nan) if v is None else torch.as_tensor(v, dtype=torch.float32)
            for r, v in kept
        ]
        self.volumes = torch.cat(volumes).to(device)
        sizes = torch.tensor([len(r) for r, _ in kept])
        self.offsets = (torch.cumsum(sizes, 0) - sizes).to(device)
        self.sizes = sizes.to(device)
        self.means = torch.stack([torch.as_tensor(r, dtype=torch.float32).mean() for r, _ in kept]).to(device)

    def mixtures(self, generator: torch.Generator, n: int) -> Returns:
        """`n` rows: three in ten a single series' window, the others a weighted sum of two or three windows.

        Windows of one mixture share neither asset nor dates, so the sum is a series of its own. Each is
        scaled to its own standard deviation before the sum: no asset dominates. A random part of each asset's
        mean return over its whole series is taken out: these are survivors.
        """
        rng = _Draws(generator)
        asset = rng.integers(0, len(self.sizes), n, 3)
        room = self.sizes[asset] - self.length + 1
        start = self.offsets[asset] + (rng.uniform(0, 1, n, 3) * room).long().clamp_max(room - 1)
        index = start[..., None] + torch.arange(self.length, device=rng.device)
        drift = self.means[asset] * rng.uniform(0.0, 1.0, n, 3)
        window = self.returns[index] - drift[..., None]
        weights = rng.log_uniform(0.05, 1.0, n, 3)
        parts = torch.where(rng.uniform(0, 1, n) < 0.3, 1, rng.integers(2, 4, n))
        weights = weights * (torch.arange(3, device=rng.device) < parts[:, None])
        weights = weights / weights.norm(dim=1, keepdim=True)
        size = window.std(2, keepdim=True).clamp_min(1e-6)
        mixed = (window / size * weights[..., None]).sum(1) * size[:, 0]
        volumes = torch.where((parts == 1)[:, None], self.volumes[index[:, 0]], math.nan)
        return Returns(mixed, volumes)


def to_views(rng: _Draws, series: Returns) -> torch.Tensor:
    """Each series in one random view, (n, length); a log volume that is not known becomes a log price."""
    n = series.returns.shape[0]
    choice = torch.multinomial(
        torch.tensor([0.38, 0.12, 0.42, 0.08], device=rng.device).expand(n, -1), 1, generator=rng.generator
    )
    price = series.returns.cumsum(1)
    volume = torch.where(series.log_volumes.isnan().any(1, keepdim=True), price, series.log_volumes)
    rows = torch.stack([price, series.returns, series.returns.abs(), volume], 1)
    return rows.gather(1, choice[..., None].expand(-1, -1, rows.shape[2]))[:, 0]


class Corpus:
    """Endless batches of training rows.

    Parameters
    ----------
    config : ChronosTrainingConfig
        Shares, lengths and sizes. Without `real` its share goes to simulation.
    generator : torch.Generator
        On the training device; all randomness.
    real : RealSeries or None
        Real series up to the cut-off.
    """

    def __init__(
        self, config: ChronosTrainingConfig, generator: torch.Generator, real: RealSeries | None = None
    ):
        self.config, self.real, self._rng = config, real, _Draws(generator)
        self._left = 0
        self._simulated: Returns | None = None
        self._processes: torch.Tensor | None = None

    def batch(self) -> torch.Tensor:
        """(batch, window) float32 rows."""
        config = self.config
        if self._left == 0:
            self._refill()
        self._left -= 1
        assert self._simulated is not None and self._processes is not None
        n_gp = round(config.batch * config.gp_share)
        n_real = round(config.batch * config.real_share) if self.real is not None else 0
        picked = self._rng.integers(0, self._simulated.returns.shape[0], config.batch - n_gp - n_real)
        parts = [self._processes[self._rng.integers(0, self._processes.shape[0], n_gp)]]
        simulated = Returns(self._simulated.returns[picked], self._simulated.log_volumes[picked])
        parts.append(to_views(self._rng, simulated))
        if self.real is not None:
            parts.append(to_views(self._rng, self.real.mixtures(self._rng.generator, n_real)))
        return torch.cat(parts)

    def _refill(self) -> None:
        config, generator = self.config, self._rng.generator
        self._simulated = simulate_returns(generator, config.pool_series, config.window)
        kernels = max(1, min(_KERNELS_A_POOL, config.pool_series // 64))
        self._processes = gaussian_process_rows(generator, config.window, kernels, _DRAWS_A_KERNEL)
        self._left = config.pool_steps
