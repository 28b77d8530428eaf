"""Embeddings: shipped weights load, unrelated assets differ, any Chronos works, nothing is done twice."""

import os
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
import torch

from ml.checkpoint import load_checkpoint
from ml.chronos.config import CUT_OFF, QUICK, build_bolt
from ml.chronos.embed import (
    WEIGHTS,
    WINDOW,
    EmbeddingError,
    embed_missing,
    embed_prices,
    fit_whitening,
    load_pipeline,
    load_whitening,
    mean_cosine,
    pooled,
    raw_embeddings,
    views,
)
from ml.chronos.model import open_whitening
from ml.chronos.whiten import corpus_prices
from tests.fixtures.tiny_chronos import save_tiny_t5

SETS = ("chronos-bolt-tiny", "chronos-bolt-tiny-simulated")


@pytest.fixture(scope="module", autouse=True)
def offline():
    before = os.environ.get("HF_HUB_OFFLINE")
    os.environ["HF_HUB_OFFLINE"] = "1"
    yield
    os.environ.pop("HF_HUB_OFFLINE") if before is None else os.environ.update(HF_HUB_OFFLINE=before)


@pytest.fixture(scope="module")
def pipeline():
    return load_pipeline()


@pytest.fixture(scope="module")
def whitening():
    return load_whitening(WEIGHTS / "chronos-bolt-tiny-whitening")


@pytest.mark.parametrize("name", SETS)
def test_shipped_weights_forecast_and_embed_unrelated_assets_apart(name):
    pipeline = load_pipeline(WEIGHTS / name)
    whitening = open_whitening(WEIGHTS / name)
    assert whitening.window == WINDOW and len(whitening.model_id) == 64
    prices = corpus_prices(77, 200)
    embeddings = embed_prices(pipeline, whitening, prices)
    assert embeddings.dtype == np.float32 and np.isfinite(embeddings).all()
    assert abs(mean_cosine(embeddings)) <= 0.2 < mean_cosine(raw_embeddings(pipeline, prices))
    # A random walk's median stays near its last value and its spread grows with the horizon.
    walk = torch.from_numpy(np.log(prices[:64])).float()
    quantiles, _ = pipeline.predict_quantiles(list(walk), 21, [0.1, 0.5, 0.9])
    step = walk.diff(dim=1).std(1)
    assert float(((quantiles[:, 0, 1] - walk[:, -1]).abs() / step).median()) < 0.5
    spread = quantiles[..., 2] - quantiles[..., 0]
    assert 2.5 < float((spread[:, 20] / spread[:, 0]).median()) < 7  # square root of 21 is 4.6


def test_only_the_shipped_set_saw_real_prices_and_none_after_the_cut_off():
    import json

    shipped, simulated = (json.loads((WEIGHTS / n / "training.json").read_text()) for n in SETS)
    assert shipped["cut_off"] == CUT_OFF.isoformat() and shipped["real_assets"]
    assert simulated["cut_off"] is None and simulated["real_assets"] == []
    assert load_checkpoint(WEIGHTS / f"{SETS[1]}-whitening").metrics["cut_off"] is None


def test_views_are_scaled_and_a_still_series_is_zero():
    rng = np.random.default_rng(0)
    prices = np.exp(np.cumsum(rng.normal(0, 0.02, (3, 50)), axis=1))
    prices[2] = 5.0
    both = views(prices)
    assert both.shape == (2, 3, 49) and (both[:, 2] == 0).all()
    np.testing.assert_allclose(both[:, :2].std(2), 1, atol=1e-5)
    np.testing.assert_allclose(views(prices * 1000)[:, :2], both[:, :2], atol=1e-5)  # no unit of price
    prices[1, 4] = 0
    with pytest.raises(EmbeddingError, match=r"series 1 has the price 0\.0 on day 4"):
        views(prices)


def test_pooling_is_the_mean_over_tokens_in_any_batch(pipeline):
    contexts = views(corpus_prices(5, 520))[0]
    tokens, _ = pipeline.embed(torch.from_numpy(contexts))
    np.testing.assert_allclose(pooled(pipeline, contexts), tokens.float().mean(1), atol=2e-5)


def test_t5_embeds_as_its_own_pipeline_does(tmp_path):
    from chronos import BaseChronosPipeline

    prices = corpus_prices(6, 9, window=40)
    folder = save_tiny_t5(tmp_path / "t5")
    raw = raw_embeddings(load_pipeline(folder), prices)
    peer = BaseChronosPipeline.from_pretrained(str(folder))
    wanted = [
        np.stack([peer.embed(torch.from_numpy(row))[0][0].float().mean(0) for row in view])
        for view in views(prices)
    ]
    np.testing.assert_allclose(raw, np.concatenate(wanted, axis=1), atol=1e-5)


def test_whitening_gives_unit_variance_and_survives_a_round_trip(tmp_path):
    rng = np.random.default_rng(1)
    raw = (rng.normal(size=(4000, 12)) * np.arange(1, 13)) @ rng.normal(size=(12, 12)) + 40
    fitted = fit_whitening(raw, "m", 40, components=8)
    fitted.save(tmp_path, {})
    again = load_whitening(tmp_path)
    np.testing.assert_array_equal(again.matrix, fitted.matrix)
    np.testing.assert_allclose(np.cov(again.apply(raw).T), np.eye(8), atol=2e-3)
    with pytest.raises(EmbeddingError, match="11 wide, the whitening of weights m is for 12"):
        again.apply(raw[:, :11])
    assert again.model_id == fitted.model_id
    others = (replace(fitted, weights="n"), replace(fitted, window=41), replace(fitted, mean=fitted.mean + 1))
    assert len({one.model_id for one in (fitted, *others)}) == 4  # whatever an embedding depends on


def test_a_night_embeds_only_what_is_missing(pipeline, whitening, monkeypatch):
    prices = corpus_prices(8, 3, window=WINDOW + 4)
    days = [date(2016, 1, 4) + timedelta(days=i) for i in range(prices.shape[1])]
    bars = pl.concat(
        pl.DataFrame({"asset_id": name, "trade_date": days, "adjusted_close": row})
        for name, row in zip("ABC", prices, strict=True)
    ).vstack(pl.DataFrame({"asset_id": ["NEW"], "trade_date": days[-1:], "adjusted_close": [1.0]}))
    wanted = pl.DataFrame({"asset_id": ["A", "B", "C", "NEW"], "as_of_date": [days[-2]] * 3 + [days[-1]]})
    first = embed_missing(pipeline, whitening, bars, wanted, wanted.clear())
    assert first["asset_id"].to_list() == ["A", "B", "C"]  # NEW has too short a history
    oracle = embed_prices(pipeline, whitening, prices[:, -WINDOW - 2 : -1])
    np.testing.assert_allclose(np.stack(first["embedding"].to_list()), oracle, atol=1e-4)

    seen = []
    monkeypatch.setattr(
        "ml.chronos.embed.raw_embeddings", lambda p, x: seen.append(len(x)) or raw_embeddings(p, x)
    )
    later = embed_missing(pipeline, whitening, bars, wanted, first[:2])
    assert later["asset_id"].to_list() == ["C"] and seen == [1]
    assert embed_missing(pipeline, whitening, bars, wanted[:3], first).is_empty() and seen == [1]


def test_a_random_bolt_of_another_size_embeds_too(tmp_path):
    torch.manual_seed(1)
    build_bolt(QUICK).save_pretrained(tmp_path)
    assert raw_embeddings(load_pipeline(tmp_path), corpus_prices(9, 4)).shape == (4, 2 * QUICK.d_model)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(EmbeddingError, match=str(tmp_path)):
        load_pipeline(tmp_path)
