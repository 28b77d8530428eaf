"""Training of the policy: warm start from the analytic experts, then PPO.

What belongs here: the loop, its metrics, its training state. What does not: episodes (``episodes.py``),
losses (``warm_start.py``, ``ppo.py``). Deterministic on the CPU for a fixed number of threads: every
iteration seeds its own generators, so that a resumed run equals an unbroken one.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ml.encoder.dataset import ChronosBranch, load_chronos
from ml.features.panel import FeaturePanel
from ml.policy.baseline import universe_baseline
from ml.policy.config import TrainConfig
from ml.policy.episodes import Action, Actor, Episode, blend, draw_players, fixed_router, play
from ml.policy.evaluate import expert_blend_actor, policy_actor
from ml.policy.gae import generalised_advantages, normalised, normalised_by_objective
from ml.policy.market_window import MarketWindow
from ml.policy.measures import (
    check_collapse,
    episode_measures,
    expert_load,
    load_measures,
)
from ml.policy.model import MoEPolicy
from ml.policy.objectives import OBJECTIVE_SPECS
from ml.policy.observation import Observation
from ml.policy.parallel import ALONE, Workers
from ml.policy.ppo import PpoBatch, act_distribution, descend, ppo_loss, target_weights
from ml.policy.spans import Embedder, draw_windows
from ml.policy.trained import TrainedPolicy
from ml.policy.training_state import load_state, save_state
from ml.policy.validation import Best, split_spans, validation_score
from ml.policy.warm_start import shared_actor, wandering_actor, warm_loss
from ml.types import OBJECTIVES

Progress = Callable[[dict[str, Any]], None]
WARM_START, PPO = "warm_start", "ppo"
_EVALUATION = 10**6  # seeds of evaluation lie apart from those of iterations
_RAMP_UPDATES = 20
_STATE_EVERY_SECONDS = 60.0
_PASS_DECISIONS = 8192  # of one pass without gradients


def train_policy(
    panels: Sequence[FeaturePanel],
    encoder: Embedder,
    config: TrainConfig,
    *,
    device: str | torch.device = "cpu",
    seed: int = 0,
    on_progress: Progress | None = None,
    resume_folder: Path | None = None,
    chronos: ChronosBranch | None = None,
) -> TrainedPolicy:
    """Train a policy.

    Parameters
    ----------
    panels : sequence of FeaturePanel
        All their sessions are training data: cut them before.
    encoder : Embedder
        Usually :class:`ml.encoder.embed.EncoderServer`.
    config : TrainConfig
    device : str or torch.device
    seed : int
        Seeds windows, portfolios, weights and actions.
    on_progress : callable, optional
        Called with each metrics row: step, steps, phase, reward_<objective> (mean a week), active_share,
        turnover, load_<objective>_<expert>; in PPO also kl, entropy, value_loss, clip_fraction,
        explained_variance.
    resume_folder : pathlib.Path, optional
        Where the training state is kept; a state found there is continued.
    chronos : ChronosBranch, optional
        By default the shipped model.

    Raises
    ------
    CollapseError
        Mean active share below 0.05, or an expert's load outside [0.02, 0.9], at the end.
    WindowError
        Panels too short.
    ResumeError
        The state in `resume_folder` is of another configuration or seed.
    """
    branch = chronos or load_chronos(device=str(device))
    windows = draw_windows(panels, encoder, config, seed=seed, chronos=branch)
    sources = tuple(sorted({one.source for one in panels}))
    return train_on_windows(
        windows, encoder.compatibility_id, sources, config, device=device, seed=seed, on_progress=on_progress,
        resume_folder=resume_folder,
    )  # fmt: skip


def train_on_windows(
    windows: MarketWindow,
    encoder_compatibility_id: str,
    sources: tuple[str, ...],
    config: TrainConfig,
    *,
    device: str | torch.device = "cpu",
    seed: int = 0,
    on_progress: Progress | None = None,
    resume_folder: Path | None = None,
    workers: Workers = ALONE,
) -> TrainedPolicy:
    """Train on universes that are cut already; arguments and errors as in :func:`train_policy`.

    Parameters
    ----------
    windows : MarketWindow
    encoder_compatibility_id : str
        Of the encoder that embedded them.
    sources : tuple of str
        Of their panels.
    config, device, seed, on_progress, resume_folder
        As in :func:`train_policy`.
    workers : Workers
        The processes that train together; ``config`` is that of all of them. The first alone reports and saves.
    """
    run = TrainingRun(windows.to(device), config, seed, workers)
    if workers.rank:
        on_progress = None
    if resume_folder is not None and resume_folder.exists():
        load_state(run, resume_folder)
    saved = time.monotonic()
    while run.step < run.steps:
        row = run.one_iteration()
        if on_progress is not None:
            on_progress(row)
        is_due = run.step % config.save_every == 0 or time.monotonic() - saved > _STATE_EVERY_SECONDS
        if resume_folder is not None and workers.rank == 0 and (is_due or run.step == run.steps):
            save_state(run, resume_folder)
            saved = time.monotonic()
    check_collapse(run.history[-1], run.load_by_objective)
    return TrainedPolicy(
        run.model.eval().cpu(),
        config,
        encoder_compatibility_id,
        seed,
        sources,
        run.history,
        run.load_by_objective.tolist(),
        run.summary(),
    )


class TrainingRun:
    """Network, optimiser, step and history of one run; a step is one rollout and what is learned of it."""

    def __init__(
        self, windows: MarketWindow, config: TrainConfig, seed: int, workers: Workers = ALONE
    ) -> None:
        self.config, self.seed = config, seed
        self.windows, self.left_out = split_spans(windows, config.universes_per_range)
        self.best = Best()
        self.workers, self.own = workers, workers.share(config)
        self.device = windows.decision_price.device
        with torch.random.fork_rng(devices=[]):  # the caller's generator stays as it was
            torch.manual_seed(seed)
            model = MoEPolicy(config.policy)
        regime = windows.regime.flatten(0, 1)
        model.regime_mean.copy_(regime.mean(0))
        model.regime_scale.copy_(regime.std(0).clamp(min=1e-3))
        self.model = model.to(self.device)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=config.warm_rate)
        self.gamma = torch.tensor([OBJECTIVE_SPECS[name].gamma for name in OBJECTIVES], device=self.device)
        self.step = 0
        self.steps = config.warm_rounds + config.iterations
        self.history: list[dict[str, Any]] = []

    @property
    def load_by_objective(self) -> torch.Tensor:
        """Expert load (6, 4) of the last row."""
        names = load_measures(torch.zeros(len(OBJECTIVES), 4))
        return torch.tensor([self.history[-1][name] for name in names]).view(len(OBJECTIVES), 4)

    def one_iteration(self) -> dict[str, Any]:
        """One rollout and the learning from it; returns the metrics row."""
        if self.step < self.config.warm_rounds:
            row = self._warm_round()
        else:
            before = self._start_ppo() if self.step == self.config.warm_rounds else {}
            row = self._ppo_iteration() | before
        self.step += 1
        is_last_warm = self.step == self.config.warm_rounds
        row = {"step": self.step, "steps": self.steps, **row}
        done = self.step - self.config.warm_rounds
        every = self.config.validate_every
        if every and done > 0 and (done % every == 0 or self.step == self.steps):
            row["validation"] = self._validate()
        if self.step == self.steps and self.best.tensors is not None:
            self.best.restore(self.model)
            row["kept_step"] = self.best.step
        if is_last_warm or self.step == self.steps:
            row |= self._evaluation()
        self.history.append(row)
        return row

    def _start_ppo(self) -> dict[str, float]:
        """Give PPO an optimiser and values that judge; the warm start is the first network that may be kept."""
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=self.config.rate)
        self._fit_values()
        return {"validation_before": self._validate()} if self.config.validate_every else {}

    def _validate(self) -> float:
        """Score on the spans left out; the best network is kept."""
        score = validation_score(self.model, self.left_out, self.config)
        self.best.offer(score, self.step, self.model)
        return score

    def _generator(self, purpose: int) -> torch.Generator:
        seed = np.random.SeedSequence(self.workers.seed([self.seed, self.step, purpose])).generate_state(
            1, np.uint64
        )[0]
        return torch.Generator(self.device).manual_seed(int(seed >> 1))

    def _episode_seed(self, step: int, *, is_shared: bool = False) -> int:
        """Seed of a step's portfolios: each worker's own, or the same in all."""
        entropy = [self.seed, step, 0]
        entropy = entropy if is_shared else self.workers.seed(entropy)
        return int(np.random.SeedSequence(entropy).generate_state(1)[0])

    def _warm_round(self) -> dict[str, Any]:
        """Show the teachers' answers in many states, and learn them.

        From the second round on half of the states are those that the policy itself comes to (DAgger, Ross et
        al. 2011): its samples spread small weights over all assets, which no teacher does.
        """
        config = self.config
        players = draw_players(self.windows, self.own, self._episode_seed(self.step))
        actor = wandering_actor(len(players.mix), self._generator(1))
        if self.step:
            actor = shared_actor(actor, self._sampling_actor())
        episode = play(players, actor)
        teacher = episode.teacher.flatten(0, 1)
        chooser = self._generator(2)
        terms: dict[str, torch.Tensor] = {}
        for update in range(config.warm_steps):
            rows = torch.randint(
                episode.decisions, (self.own.warm_batch,), generator=chooser, device=self.device
            )
            loss, terms = warm_loss(self.model, episode.seen(rows), teacher[rows])
            done = (self.step * config.warm_steps + update) / (config.warm_rounds * config.warm_steps)
            self._descend(loss, config.warm_rate * (1 - 0.9 * done))
        return {
            "phase": WARM_START,
            **{name: float(term) for name, term in terms.items()},
            **episode_measures(episode),
            **self._load(episode),
        }

    def _descend(self, loss: torch.Tensor, rate: float) -> None:
        descend(self.model, self.optimiser, loss, rate, self.config.clip_norm, self.workers)

    def _sampling_actor(self) -> Actor:
        generator = self._generator(3)

        def act(seen: Observation, teacher: torch.Tensor) -> Action:
            acts = act_distribution(self.model, self.model(seen), seen)
            share = acts.sample(generator)
            return Action(target_weights(share, seen), share, acts.log_prob(share))

        return act

    def _rollout(self, purpose: int) -> Episode:
        seed = self._episode_seed(self.step if purpose == 0 else _EVALUATION - purpose)
        return play(draw_players(self.windows, self.own, seed), self._sampling_actor())

    def _own_reward(self, episode: Episode) -> torch.Tensor:
        """Rewards less what the other portfolios of the universe earned, (T, B, 6)."""
        if not self.config.universe_baseline:
            return episode.reward
        mix = episode.players.mix
        return episode.reward - universe_baseline(episode.reward, mix, episode.players.window.sizes[0])

    @torch.no_grad()
    def _values(self, episode: Episode) -> torch.Tensor:
        """Values of all decisions and of the end, (T + 1, B, 6), in units of ``return_scale``."""
        rows = torch.arange(episode.decisions, device=self.device)
        parts = [self.model(episode.seen(part)).value for part in rows.split(_PASS_DECISIONS)]
        last = self.model(episode.last).value
        return torch.cat([*parts, last]).view(-1, *last.shape)

    def _fit_values(self) -> None:
        """Set the scale of returns and fit the value heads alone, before they judge the first actions."""
        episode = self._rollout(1)
        zeros = torch.zeros(len(episode.reward) + 1, *episode.reward.shape[1:], device=self.device)
        _, returns = generalised_advantages(self._own_reward(episode), zeros, self.gamma, 1.0)
        mix = episode.players.mix.expand_as(returns)
        total = mix.sum((0, 1)).clamp(min=1e-12)
        mean = (mix * returns).sum((0, 1)) / total
        scale = ((mix * (returns - mean) ** 2).sum((0, 1)) / total).sqrt().clamp(min=1e-4)
        scale = self.workers.mean(scale)
        self.model.return_scale.copy_(scale)
        targets = (returns / scale).flatten(0, 1)
        optimiser = torch.optim.Adam(self.model.values.parameters(), lr=self.config.warm_rate)
        chooser = self._generator(4)
        for _ in range(self.config.warm_steps // 3 + 1):
            rows = torch.randint(episode.decisions, (self.own.batch,), generator=chooser, device=self.device)
            seen = episode.seen(rows)
            loss = (seen.mix * (self.model(seen).value - targets[rows]) ** 2).sum(-1).mean()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.workers.average_gradients(self.model.values.parameters())
            optimiser.step()

    def _ppo_iteration(self) -> dict[str, Any]:
        """One rollout of the policy and some epochs over it."""
        config = self.config
        episode = self._rollout(0)
        value = self._values(episode)
        reward = self._own_reward(episode) / self.model.return_scale
        advantage, returns = generalised_advantages(reward, value, self.gamma, config.gae_lambda)
        mix = episode.players.mix
        by_objective = config.scales_by_objective
        judged = normalised_by_objective(advantage, mix) if by_objective else normalised(advantage, mix)
        teacher = blend(episode.teacher, mix).flatten(0, 1)
        flat = {
            "share": episode.share.flatten(0, 1),
            "log_prob": episode.log_prob.flatten(),
            "advantage": judged.flatten(),
            "returns": returns.flatten(0, 1),
            "teacher": teacher,
            "teacher_experts": fixed_router(mix).repeat(len(episode.reward), 1),
        }
        done = (self.step - config.warm_rounds) / max(config.iterations - 1, 1)
        chooser = self._generator(5)
        sums: dict[str, torch.Tensor] = {}
        updates = 0
        for epoch in range(config.epochs):
            if epoch and float(self.workers.mean(sums["kl"])) > config.target_kl * updates:
                break
            order = torch.randperm(episode.decisions, generator=chooser, device=self.device)
            for rows in order.split(self.own.batch):
                batch = PpoBatch(episode.seen(rows), **{name: x[rows] for name, x in flat.items()})
                loss, terms = ppo_loss(self.model, batch, config.weights, config.clip, done)
                # Adam's first steps are as large as its rate, whatever the gradient: they ramp up.
                ramp = min(1.0, (updates + 1) / _RAMP_UPDATES) if self.step == config.warm_rounds else 1.0
                self._descend(loss, ramp * config.rate * (1 - 0.9 * done))
                sums = {name: sums.get(name, 0) + term for name, term in terms.items()}
                updates += 1
        return {
            "phase": PPO,
            **{name: float(total) / updates for name, total in sums.items()},
            "explained_variance": _explained_variance(value[:-1], returns, mix),
            **episode_measures(episode),
            **self._load(episode),
        }

    @torch.no_grad()
    def _load(self, episode: Episode) -> dict[str, float]:
        seen = episode.last
        return load_measures(expert_load(self.model(seen).experts, seen.mix).cpu())

    def _evaluation(self) -> dict[str, float]:
        """Measures of the deterministic policy, and of the blended experts on the same portfolios."""
        seed = self._episode_seed(_EVALUATION, is_shared=True)
        players = draw_players(self.windows, self.config, seed)
        episode = play(players, policy_actor(self.model)(players.mix))
        experts = play(players, expert_blend_actor(players.mix))
        ours, theirs = episode_measures(episode), episode_measures(experts)
        return {
            **{f"deterministic_{name}": value for name, value in ours.items()},
            **{f"experts_{name}": value for name, value in theirs.items()},
            "active_share": ours["active_share"],
            "turnover": ours["turnover"],
            **self._load(episode),
        }

    def summary(self) -> dict[str, float]:
        """Deterministic measures at the end of both phases, and the blended experts'."""
        rows = {"warm_start": self.history[self.config.warm_rounds - 1], "final": self.history[-1]}
        prefix = "deterministic_"
        found = {
            f"{phase}_{name.removeprefix(prefix)}": float(value)
            for phase, row in rows.items()
            for name, value in row.items()
            if name.startswith(prefix)
        }
        experts = {n: float(x) for n, x in self.history[-1].items() if n.startswith("experts_")}
        return found | experts


def _explained_variance(value: torch.Tensor, returns: torch.Tensor, mix: torch.Tensor) -> float:
    """1 - residual variance / variance of the returns, of pursued objectives in equal parts."""
    weight = mix.expand_as(returns)
    weight = weight / weight.sum((0, 1)).clamp(min=1e-12)
    mean = (weight * returns).sum((0, 1))
    spread = (weight * (returns - mean) ** 2).sum((0, 1)).clamp(min=1e-12)
    error = returns - value
    residual = (weight * (error - (weight * error).sum((0, 1))) ** 2).sum((0, 1))
    return float((1 - residual / spread).mean())
