"""A tiny market of random walks: two volatility groups, one market factor, missing cells."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ml.chronos.embed import Whitening
from ml.encoder.config import EncoderConfig, TrainConfig
from ml.encoder.dataset import ChronosBranch
from ml.encoder.train import train_encoder
from ml.features.catalog import FEATURE_COLUMNS, FEATURES
from ml.features.panel import FeaturePanel


def make_panel(sessions=400, assets=24, seed=0, source="walk"):
    """Random walks with features that say what the walks are made of; the last asset is 30 days old."""
    rng = np.random.default_rng(seed)
    volatility = np.exp(rng.uniform(np.log(0.005), np.log(0.04), assets))
    beta = rng.uniform(0, 2, assets)
    market = 0.008 * rng.standard_normal(sessions)
    returns = beta * market[:, None] + volatility * rng.standard_normal((sessions, assets))
    listed = np.zeros(assets, int)
    listed[-1] = sessions - 30
    present = np.arange(sessions)[:, None] >= listed
    channels = np.stack(
        [
            returns,
            np.abs(returns) + 0.3 * volatility,
            0.2 * returns,
            15 + rng.standard_normal((sessions, assets)),
            np.broadcast_to(market[:, None], returns.shape),
        ],
        axis=-1,
    ).astype(np.float32)
    channels[~present] = np.nan
    channels[rng.random(channels.shape) < 0.02] = np.nan
    features = np.tile(np.array([one.neutral for one in FEATURES], np.float32), (sessions, assets, 1))
    column = {name: i for i, name in enumerate(FEATURE_COLUMNS)}
    sector = rng.integers(0, 11, assets)
    for asset in range(assets):
        features[:, asset, 8 + sector[asset]] = 1
    total = np.cumsum(returns, axis=0)
    for name, days in (("momentum__return_21d_log", 21), ("momentum__return_63d_log", 63)):
        features[days:, :, column[name]] = total[days:] - total[:-days]
    recent = np.stack([returns[max(0, t - 20) : t + 1].std(0) for t in range(sessions)])
    for name in ("risk__volatility_21d_ann", "risk__volatility_63d_ann"):
        features[:, :, column[name]] = recent * np.sqrt(252)
    features[:, :, column["comovement__beta_252d"]] = beta + 0.1 * rng.standard_normal((sessions, assets))
    features[~present] = np.nan
    dates = np.datetime64("2010-01-04") + np.arange(sessions)
    ids = tuple(f"A{i:03d}" for i in range(assets))
    return FeaturePanel(dates, ids, features, channels, present, np.zeros_like(present), source)


class FakePipeline:
    """Embeds a context by fixed random projections: quick, and a function of the context alone."""

    model = SimpleNamespace(device=torch.device("cpu"))

    def embed(self, context):
        generator = torch.Generator().manual_seed(5)
        matrix = torch.randn(context.shape[1], 8, generator=generator) / 8
        return (torch.tanh(context @ matrix)[:, None], None)


SMALL = TrainConfig(
    encoder=EncoderConfig(width=32, temporal_layers=1, heads=2, inducing=4, chronos_size=16),
    steps=60,
    warmup_steps=5,
    dates_per_step=4,
    assets_per_date=16,
    fewest_assets_per_date=8,
    chronos_series=1500,
    report_every=20,
    check_from=60,
    save_every=20,
)


@pytest.fixture(scope="session")
def chronos():
    whitening = Whitening(np.zeros(16, np.float32), np.eye(16, dtype=np.float32), "fake", 128)
    return ChronosBranch(FakePipeline(), whitening)


@pytest.fixture(scope="session")
def panel():
    return make_panel()


@pytest.fixture(scope="session")
def small():
    return SMALL


@pytest.fixture(scope="session")
def run(panel, chronos):
    rows = []
    trained = train_encoder([panel], SMALL, seed=3, chronos=chronos, on_progress=rows.append)
    return SimpleNamespace(trained=trained, rows=rows)
