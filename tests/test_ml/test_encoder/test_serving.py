"""What is served: equivariance, missing inputs, identity, refusals."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ml.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from ml.encoder.config import PROFILES, EncoderConfig, EncoderConfigError
from ml.encoder.dataset import EncoderDataError, chronos_for
from ml.encoder.embed import EncoderServer
from ml.encoder.model import CrossAssetEncoder, n_parameters
from ml.models import ENCODER, CompatibilityError, describe_model

SESSION = 350


@pytest.fixture(scope="module")
def server(run):
    return EncoderServer.of(run.trained)


@pytest.fixture(scope="module")
def night(panel, chronos):
    """Arguments of ``embed`` for the assets of one session."""
    embeddings, _ = chronos_for(panel, np.array([SESSION]), chronos)
    present = panel.is_present[SESSION]
    days = panel.channels[SESSION - 63 : SESSION + 1].swapaxes(0, 1)
    return days[present], panel.features[SESSION][present], embeddings[0][present]


def test_permuted_assets_give_permuted_embeddings(server, night):
    order = np.random.default_rng(0).permutation(len(night[0]))
    permuted = server.embed(*(one[order] for one in night))
    np.testing.assert_allclose(permuted, server.embed(*night)[order], atol=1e-5)


def test_names_decide_nothing(server, panel):
    renamed = replace(panel, asset_ids=tuple(reversed(panel.asset_ids)), source="renamed")
    sessions = np.array([100, SESSION])
    np.testing.assert_array_equal(server.embed_panel(panel, sessions), server.embed_panel(renamed, sessions))


def test_padding_changes_nothing(server, night):
    junk = [np.concatenate([one, np.full((7, *one.shape[1:]), 1e3, one.dtype)]) for one in night]
    present = np.arange(len(junk[0])) < len(night[0])
    padded = server.embed(*junk, is_asset=present)
    np.testing.assert_allclose(padded[: len(night[0])], server.embed(*night), atol=1e-5)
    assert (padded[len(night[0]) :] == 0).all()


def test_an_added_asset_changes_the_others_a_little(server, night):
    alone = server.embed(*(one[:-1] for one in night))
    together = server.embed(*night)[:-1]
    change = np.abs(together - alone)
    assert change.max() > 0
    assert change.mean() < 0.1 * np.abs(alone).mean()


def test_without_attention_assets_do_not_read_each_other(night, run):
    sizes = replace(run.trained.config.encoder, asset_layers=0, has_comovement=False)
    torch.manual_seed(0)
    alone = replace(run.trained, model=CrossAssetEncoder(sizes).eval())
    server = EncoderServer.of(alone)
    together = server.embed(*night)
    for i in (0, 7):
        one = server.embed(*(array[i : i + 1] for array in night))
        np.testing.assert_allclose(one[0], together[i], atol=1e-5)


def test_attention_over_many_assets_takes_memory_by_their_number(run):
    """Nothing of the size of assets squared is ever made: 20,000 of them would take 1.6 GB."""
    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                largest = max(largest, out.numel())
            return out

    n = 600
    rng = np.random.default_rng(0)
    days = rng.standard_normal((n, 64, 5)).astype(np.float32)
    features = rng.standard_normal((n, 50)).astype(np.float32)
    server = EncoderServer.of(run.trained)
    with Watch():
        server.embed(days, features)
        few = largest
        server.embed(np.concatenate([days] * 3), np.concatenate([features] * 3))
    assert largest < 3.2 * few


def test_an_asset_listed_30_days_gets_an_embedding(server, panel, chronos):
    embeddings, has = chronos_for(panel, np.array([399]), chronos)
    assert not has[0, -1]
    z = server.embed_panel(panel, np.array([399]), embeddings, has)[0, -1]
    assert np.isfinite(z).all() and np.abs(z).max() > 0.1
    young = server.embed(panel.channels[370:400, -1:].swapaxes(0, 1), panel.features[399, -1:])
    assert np.isfinite(young).all()


def test_absent_assets_are_zero(server, panel):
    z = server.embed_panel(panel, np.array([100, 399]))
    assert (z[0, -1] == 0).all() and (z[0, :-1] != 0).any(1).all()
    assert z.dtype == np.float32 and z.shape == (2, 24, 64)


def test_missing_inputs_never_give_nan(server, night):
    rng = np.random.default_rng(1)
    holes = [np.where(rng.random(one.shape) < 0.3, np.nan, one).astype(np.float32) for one in night]
    assert np.isfinite(server.embed(*holes)).all()
    nothing = [np.full_like(one, np.nan) for one in night]
    assert np.isfinite(server.embed(*nothing)).all()


def test_missing_chronos_is_no_zero_vector(server, night):
    days, features, chronos = night
    none = server.embed(days, features)
    np.testing.assert_array_equal(none, server.embed(days, features, np.zeros_like(chronos)))
    flagged = server.embed(days, features, chronos, has_chronos=np.zeros(len(days), bool))
    np.testing.assert_array_equal(none, flagged)
    assert np.abs(none - server.embed(*night)).max() > 1e-3


def test_a_panel_in_pieces_gives_the_embeddings_of_single_sessions(server, panel, chronos, monkeypatch):
    sessions = np.array([10, 200, SESSION])
    embeddings, has = chronos_for(panel, sessions, chronos)
    whole = server.embed_panel(panel, sessions, embeddings, has)
    monkeypatch.setattr("ml.encoder.embed._CELLS", 1)
    np.testing.assert_allclose(server.embed_panel(panel, sessions, embeddings, has), whole, atol=1e-5)
    one = server.embed(
        panel.channels[SESSION - 63 : SESSION + 1].swapaxes(0, 1),
        panel.features[SESSION],
        embeddings[2],
        is_asset=panel.is_present[SESSION],
    )
    np.testing.assert_allclose(one, whole[2], atol=1e-5)


def test_later_sessions_change_nothing(server, panel):
    sessions = np.array([100, 200])
    cut = server.embed_panel(panel.take(slice(0, 201)), sessions)
    np.testing.assert_array_equal(cut, server.embed_panel(panel, sessions))


def test_a_checkpoint_comes_back_byte_for_byte(run, panel, tmp_path):
    digest = run.trained.save(tmp_path / "a")
    assert run.trained.save(tmp_path / "b") == digest
    for name in ("config.json", "model.safetensors", "metrics.json", "manifest.json"):
        one, other = ((tmp_path / folder / name).read_bytes() for folder in "ab")
        assert hashlib.sha256(one).digest() == hashlib.sha256(other).digest()
    loaded = EncoderServer.load(tmp_path / "a")
    sessions = np.array([SESSION])
    np.testing.assert_array_equal(
        loaded.embed_panel(panel, sessions), EncoderServer.of(run.trained).embed_panel(panel, sessions)
    )
    assert loaded.compatibility_id == run.trained.compatibility_id
    ref = describe_model(tmp_path / "a", ENCODER)
    assert (ref.compatibility_id, ref.model_id, ref.requires) == (loaded.compatibility_id, digest, {})


def test_other_statistics_are_another_encoder(run):
    shifted = replace(run.trained.statistics, mean=run.trained.statistics.mean + 1)
    assert replace(run.trained, statistics=shifted).compatibility_id != run.trained.compatibility_id
    assert replace(run.trained, history=[]).compatibility_id == run.trained.compatibility_id


def test_mismatches_are_refused_with_the_remedy(run, server, night, tmp_path):
    run.trained.save(tmp_path)
    saved = load_checkpoint(tmp_path)
    altered = {**saved.config, "catalog_hash": "0" * 64}
    save_checkpoint(tmp_path / "catalog", altered, saved.tensors, {})
    with pytest.raises(CompatibilityError, match=r"000000000000.*train the encoder anew"):
        EncoderServer.load(tmp_path / "catalog")
    tensors = {**saved.tensors, "statistics.mean": saved.tensors["statistics.mean"] + 1}
    save_checkpoint(tmp_path / "tensors", saved.config, tensors, {})
    with pytest.raises(CompatibilityError, match="names the compatibility id"):
        EncoderServer.load(tmp_path / "tensors")
    save_checkpoint(tmp_path / "kind", {**saved.config, "kind": "policy"}, saved.tensors, {})
    with pytest.raises(CheckpointError, match="'policy', not 'encoder'"):
        EncoderServer.load(tmp_path / "kind")
    with pytest.raises(CompatibilityError, match=rf"'t5'.*'{server.chronos_model_id[:12]}'.*train"):
        server.check_chronos("t5")
    with pytest.raises(EncoderDataError, match="features has shape"):
        server.embed(night[0], night[1][:, :49])


def test_sizes_are_checked_and_small():
    assert 150_000 <= n_parameters(CrossAssetEncoder(PROFILES["quick"].encoder)) <= 250_000
    with pytest.raises(EncoderConfigError, match="patch 7"):
        EncoderConfig(patch=7)
    with pytest.raises(EncoderConfigError, match="heads 3"):
        EncoderConfig(heads=3)
    with pytest.raises(EncoderConfigError, match="'both' are unknown"):
        EncoderConfig(branches="both")
    with pytest.raises(EncoderConfigError, match="depth"):
        EncoderConfig.from_dict({**EncoderConfig().as_dict(), "depth": 3})


def test_a_gate_mixes_the_two_branches(run, server, night):
    days, features, chronos = (one[None] for one in night)
    shape = days.shape[:2]
    inputs = server.inputs(days, features, chronos, None, np.ones(shape, bool))
    _, out = server.forward(inputs)
    with torch.inference_mode():
        projected = run.trained.model.chronos_out(inputs.chronos)
    torch.testing.assert_close(out.z, out.gate * out.own + (1 - out.gate) * projected)
    assert ((out.gate > 0) & (out.gate < 1)).all()


def test_a_branch_alone_reads_nothing_of_the_other(run, night):
    for branches, changed in (("own", 2), ("chronos", 1)):
        torch.manual_seed(0)
        model = CrossAssetEncoder(replace(run.trained.config.encoder, branches=branches)).eval()
        server = EncoderServer.of(replace(run.trained, model=model))
        other = list(night)
        other[changed] = other[changed] + 1
        np.testing.assert_array_equal(server.embed(*night), server.embed(*other))
        other = list(night)
        other[3 - changed] = other[3 - changed][::-1]
        assert np.abs(server.embed(*night) - server.embed(*other)).max() > 1e-3
