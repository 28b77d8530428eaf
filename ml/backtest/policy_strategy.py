"""A trained policy as a strategy: judged by the same fills, costs, taxes and statistics as every baseline.

What belongs here: what a policy needs to decide in a backtest, and the windows it may be judged on. What does not:
the policy (``ml.policy``), embeddings (``ml.encoder``), the test's log (``trials.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from ml.backtest.expert_strategies import MIN_TRADE_RATIO, without_washes
from ml.backtest.panel import BacktestPanel
from ml.backtest.results import WITHOUT_HARVESTING
from ml.backtest.strategies import YEAR_SESSIONS, DecisionState, Strategy, StrategyError
from ml.backtest.walk_forward import Window
from ml.checkpoint import CheckpointError, load_checkpoint
from ml.chronos.config import CUT_OFF
from ml.encoder.dataset import ChronosBranch, chronos_for, load_chronos
from ml.encoder.embed import EncoderServer
from ml.features.panel import FeaturePanel
from ml.models import CompatibilityError
from ml.policy.regime import regime_features
from ml.policy.serve import PolicyServer
from ml.types import OBJECTIVES

POLICY_NAME: Final = "policy"
_SIMULATED: Final = "simulated"
_LONG_ONLY: Final = "long_term_gains_only"


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """A checkpoint to judge.

    Attributes
    ----------
    folder : Path
    window : str or None
        Judged in this window alone (a policy retrained for the block); None: in every one it may be judged on.
    """

    folder: Path
    window: str | None = None

    @classmethod
    def parse(cls, text: str) -> "PolicyChoice":
        """From ``FOLDER`` or ``WINDOW=FOLDER``."""
        window, sign, folder = text.rpartition("=")
        return cls(Path(folder), window if sign else None)


class SessionEmbeddings:
    """Embeddings of a panel's assets at single sessions, each computed once.

    Parameters
    ----------
    panel : FeaturePanel
        An embedding of a session reads the 64 sessions up to it and no later one.
    encoder : EncoderServer
    chronos : ChronosBranch

    Raises
    ------
    CompatibilityError
        The encoder was trained on another Chronos.
    """

    def __init__(self, panel: FeaturePanel, encoder: EncoderServer, chronos: ChronosBranch) -> None:
        encoder.check_chronos(chronos.model_id)
        self._panel, self._encoder, self._chronos = panel, encoder, chronos
        self._known: dict[int, np.ndarray] = {}

    def at(self, session: int) -> np.ndarray:
        """Embeddings (N, 64) float32 at a session's close; 0 where an asset is not present."""
        if session not in self._known:
            sessions = np.array([session])
            inputs = chronos_for(self._panel, sessions, self._chronos)
            self._known[session] = self._encoder.embed_panel(self._panel, sessions, *inputs)[0]
        return self._known[session]


class PolicyStrategy:
    """Targets of a policy, weekly, with named lots; see :class:`ml.backtest.strategies.Strategy` for the attributes.

    Attributes
    ----------
    only_windows : tuple of str
        Where it may be judged.
    settings : str
        What its decisions depend on besides name, code and data: policy, encoder and Chronos; part of each trial's id.

    Notes
    -----
    With ``harvests=False`` it is the policy's twin: the same policy, which sees no loss worth harvesting.
    """

    schedule: str = "weekly"
    lot_method: str = "tax_order"
    objectives: tuple[str, ...] = OBJECTIVES
    min_trade_ratio: float = MIN_TRADE_RATIO

    def __init__(
        self,
        server: PolicyServer,
        embeddings: SessionEmbeddings,
        only_windows: tuple[str, ...],
        seed: int,
        settings: str,
        *,
        harvests: bool = True,
    ) -> None:
        self.name = POLICY_NAME if harvests else POLICY_NAME + WITHOUT_HARVESTING
        self._harvests = harvests
        self.seeds: tuple[int, ...] = (seed,)
        self.only_windows, self.settings = only_windows, settings
        self._server, self._embeddings = server, embeddings

    def targets(self, state: DecisionState) -> np.ndarray:
        """The policy's deterministic action for every account under its objective."""
        count = len(state.objectives)
        mix = np.zeros((count, len(OBJECTIVES)))
        mix[np.arange(count), [OBJECTIVES.index(name) for name in state.objectives]] = 1.0
        found, _ = self._server.targets(
            state.market,
            self._embeddings.at(len(state.dates) - 1),
            regime_features(state.market_log, state.returns_log[-YEAR_SESSIONS:][:, state.is_tradeable]),
            state.accounts,
            state.tax if self._harvests else state.tax.without_harvesting(),
            mix,
            np.array([name == _LONG_ONLY for name in state.objectives]),
        )
        return without_washes(found, state)


def policy_strategies(
    choices: Sequence[PolicyChoice],
    encoder: Path,
    panel: BacktestPanel,
    windows: Sequence[Window],
    chronos: Path,
) -> list[Strategy]:
    """Load checkpoints as strategies, each beside its twin, for the windows that begin after its training data end.

    Parameters
    ----------
    choices : sequence of PolicyChoice
        Several of one window are its seeds 0, 1, ...
    encoder : Path
        Checkpoint folder of the encoder that the policies were trained on.
    panel : BacktestPanel
    windows : sequence of Window
        Of the panel.
    chronos : Path
        Folder of the Chronos model that the encoder reads.

    Raises
    ------
    StrategyError
        A folder that is no policy, a policy of another encoder, an unknown window, or one that would be judged on data
        it was trained on.
    """
    if not choices:
        return []
    try:
        server = EncoderServer.load(encoder)
        embeddings = SessionEmbeddings(panel.features, server, load_chronos(chronos))
        found: list[Strategy] = [
            strategy
            for i, choice in enumerate(choices)
            for strategy in _with_twin(choice, _seed_of(choices, i), server, embeddings, panel, windows)
        ]
        return found
    except (CheckpointError, CompatibilityError) as problem:
        raise StrategyError(f"--policy: {problem}") from problem


def trained_until(folder: Path) -> date | None:
    """Last day of the real prices that a policy was trained on; None if it saw simulated markets alone.

    A checkpoint that names no day counts as trained to the cut-off of everything that ships.
    """
    saved = load_checkpoint(folder)
    if all(str(source).startswith(_SIMULATED) for source in saved.config["sources"]):
        return None
    named = saved.metrics.get("trained_until")
    return date.fromisoformat(named) if named else CUT_OFF


def _with_twin(
    choice: PolicyChoice,
    seed: int,
    encoder: EncoderServer,
    embeddings: SessionEmbeddings,
    panel: BacktestPanel,
    windows: Sequence[Window],
) -> list[PolicyStrategy]:
    server = PolicyServer.load(choice.folder, encoder.compatibility_id)
    until = trained_until(choice.folder)
    names = [window.name for window in windows]
    if choice.window is not None and choice.window not in names:
        raise StrategyError(
            f"--policy {choice.window}={choice.folder}: no such window; there are {', '.join(names)}"
        )
    wanted = [w for w in windows if choice.window in (None, w.name) and not w.whole_history_only]
    allowed = [w.name for w in wanted if until is None or panel.dates[w.train_until] >= np.datetime64(until)]
    if not allowed:
        raise StrategyError(
            f"--policy {choice.folder} was trained on real prices to {until}: no window asked for begins 63 sessions "
            "later. Judge one trained on simulation alone or before the window, or open the test (--open-test TAG)"
        )
    settings = (
        f"policy {server.model_id} encoder {encoder.compatibility_id} chronos {encoder.chronos_model_id}"
    )
    common = (server, embeddings, tuple(allowed), seed, settings)
    return [PolicyStrategy(*common), PolicyStrategy(*common, harvests=False)]


def _seed_of(choices: Sequence[PolicyChoice], place: int) -> int:
    return sum(one.window == choices[place].window for one in choices[:place])
