"""Small panels, windows and observations that several policy tests share."""

import numpy as np
import torch

from ml.features.catalog import FEATURE_COLUMNS
from ml.features.panel import FeaturePanel
from ml.policy.observation import Observation
from ml.policy.state import POSITION_FEATURES

SESSIONS, ASSETS = 460, 9


class FeatureEmbedder:
    """Embeds an asset as the ranks of its features on that session, through one fixed matrix."""

    compatibility_id = "e" * 64

    def check_chronos(self, model_id: str) -> None:
        """Any will do: none is read."""

    def embed_panel(self, panel, sessions, chronos=None, has_chronos=None) -> np.ndarray:
        values = np.nan_to_num(panel.features[sessions])
        ranks = values.argsort(axis=1).argsort(axis=1) / max(values.shape[1] - 1, 1) - 0.5
        matrix = np.random.default_rng(5).normal(0.0, 0.4, (values.shape[2], 64))
        return (ranks @ matrix * panel.is_present[sessions][..., None]).astype(np.float32)


def make_panel(seed: int = 0, sessions: int = SESSIONS, assets: int = ASSETS) -> FeaturePanel:
    """Equities with one factor; volatility and momentum are those of their returns."""
    rng = np.random.default_rng(seed)
    dates = np.busday_offset("2003-01-02", np.arange(sessions), roll="forward")
    market = rng.normal(3e-4, 0.009, sessions)
    drift = rng.normal(3e-4, 6e-4, assets)
    size = rng.uniform(0.006, 0.02, assets)
    returns = (
        market[:, None] * rng.uniform(0.6, 1.4, assets) + drift + rng.normal(0, 1, (sessions, assets)) * size
    )
    features = np.zeros((sessions, assets, len(FEATURE_COLUMNS)), np.float32)
    level = np.cumsum(np.vstack([np.zeros((252, assets)), returns]), axis=0)
    past = level[252 - 21 : 252 - 21 + sessions] - level[:sessions]
    column = {name: i for i, name in enumerate(FEATURE_COLUMNS)}
    features[:, :, column["class__equity"]] = 1
    features[:, :, column["risk__volatility_252d_ann"]] = returns.std(axis=0) * np.sqrt(252)
    features[:, :, column["momentum__return_252d_ex_21d_log"]] = past
    channels = np.full((sessions, assets, 5), np.nan, np.float32)
    channels[:, :, 0], channels[:, :, 4] = returns, market[:, None]
    present = np.ones((sessions, assets), dtype=bool)
    return FeaturePanel(
        dates, tuple(f"a{i}" for i in range(assets)), features, channels, present, ~present, f"test:{seed}"
    )


def random_observation(rows: int, assets: int, seed: int = 0) -> Observation:
    """Random inputs; about one asset in six cannot be traded, half are held."""
    g = torch.Generator().manual_seed(seed)
    weight = torch.rand(rows, assets + 1, generator=g) * (torch.rand(rows, assets + 1, generator=g) < 0.5)
    weight[:, -1] += 0.1
    mix = torch._standard_gamma(torch.full((rows, 6), 0.5), generator=g) + 1e-6
    return Observation(
        embedding=torch.randn(rows, assets, 64, generator=g),
        position=torch.rand(rows, assets, len(POSITION_FEATURES), generator=g),
        account=torch.rand(rows, 9, generator=g),
        mix=mix / mix.sum(1, keepdim=True),
        regime=torch.randn(rows, 5, generator=g),
        weight=weight / weight.sum(1, keepdim=True),
        is_tradeable=torch.rand(rows, assets, generator=g) < 0.85,
    )
