"""Probes, splits and collapse measures on an encoder of a few seconds."""

from dataclasses import replace

import numpy as np
import pytest

from ml.encoder.card import ahead, card, scores_of, study_scores
from ml.encoder.dataset import EncoderDataError, chronos_for
from ml.encoder.embed import EncoderServer
from ml.encoder.evaluate import (
    FORWARD_TARGETS,
    LABEL_TARGETS,
    REPRESENTATIONS,
    collapse_measures,
    gate_rows,
    pair_cosines,
    probe_rows,
    sample_panel,
)
from ml.encoder.model import LABELS
from ml.encoder.report import judge, split_embeddings, split_panel
from tests.test_ml.test_encoder.conftest import make_panel

SESSIONS = np.arange(140, 330, 10)


@pytest.fixture(scope="module")
def server(run):
    return EncoderServer.of(run.trained)


@pytest.fixture(scope="module")
def hidden():
    return np.arange(24) % 2 == 0


@pytest.fixture(scope="module")
def samples(server, panel, chronos, hidden):
    held_out = make_panel(seed=9, source="held out")
    return [
        sample_panel(server, one, SESSIONS, chronos_for(one, SESSIONS, chronos), hidden)
        for one in (panel, held_out)
    ]


@pytest.fixture(scope="module")
def report(server, chronos):
    split = split_panel("walks", make_panel(seed=9, source="other"), window=128, sessions=8)
    return judge(server, split, *split_embeddings(split, chronos))


def test_samples_hold_only_assets_with_chronos(samples):
    fit, _ = samples
    assert len(fit.date) == 19 * 23 and 23 not in fit.asset  # the young asset is left out
    assert set(fit.representations) == set(REPRESENTATIONS)
    assert all(len(one) == len(fit.date) for one in fit.representations.values())
    assert all(np.isfinite(one).all() for one in fit.representations.values())
    assert (fit.asset_class == 0).all()


def test_hidden_labels_are_in_no_representation(server, panel, chronos, hidden, samples):
    other = panel.features.copy()
    where = np.flatnonzero(hidden)
    other[:, where[:, None], list(LABELS)] = np.roll(other[:, where[:, None], list(LABELS)], 3, axis=-1)
    changed = sample_panel(
        server,
        replace(panel, features=other),
        SESSIONS,
        chronos_for(panel, SESSIONS, chronos),
        hidden,
    )
    for name, values in samples[0].representations.items():
        np.testing.assert_array_equal(values, changed.representations[name])
    known = np.isfinite(samples[0].targets["sector"])
    assert set(samples[0].asset[known]) == set(where) and known.sum() == 19 * 12
    assert (samples[0].targets["sector"][known] != changed.targets["sector"][known]).any()
    assert (samples[0].representations["raw_features"][known][:, list(LABELS)] == 0).all()


def test_probes_find_what_the_walks_are_made_of(samples):
    rows = probe_rows([tuple(samples)], (*FORWARD_TARGETS, *LABEL_TARGETS))
    score = {(row["target"], row["representation"]): row["score"] for row in rows}
    assert {row["representation"] for row in rows} == set(REPRESENTATIONS)
    assert "asset_class" not in {row["target"] for row in rows}  # all are equities
    assert score["volatility_next_21d", "raw_features"] > 0.7
    assert score["volatility_next_21d", "embedding"] > 0.5
    assert score["beta_next_63d", "embedding"] > 0.2
    # Walks have no sector factor: with the flags hidden nothing can tell it.
    assert all(score["sector", name] < 0.4 for name in REPRESENTATIONS)


def test_probe_scores_are_those_of_least_squares_by_hand(samples):
    fit, test = samples
    rows = probe_rows([(fit, test)], ("volatility_next_21d",))
    x = fit.representations["raw_features"].astype(float)
    mean, spread = x.mean(0), np.where(x.std(0) > 1e-9, x.std(0), 1)
    design = np.vstack([(x - mean) / spread, np.sqrt(10) * np.eye(50)])
    y = fit.targets["volatility_next_21d"]
    weights = np.linalg.lstsq(design, np.concatenate([y - y.mean(), np.zeros(50)]), rcond=None)[0]
    guess = (test.representations["raw_features"] - mean) / spread @ weights + y.mean()
    actual = test.targets["volatility_next_21d"]
    expected = 1 - ((guess - actual) ** 2).sum() / ((actual - actual.mean()) ** 2).sum()
    (found,) = [row["score"] for row in rows if row["representation"] == "raw_features"]
    assert found == pytest.approx(expected, abs=1e-8)


def test_collapse_and_gates_by_date(samples):
    measures = collapse_measures(samples[0])
    assert measures["dates"] == 19 and measures["assets_per_date"] == 23
    assert measures["mean_cosine"] < 0.5
    cosines = pair_cosines(samples[0])
    assert len(cosines) == 19 * 23 * 22 / 2 and np.abs(cosines).max() <= 1 + 1e-9
    assert np.median([cosines.mean(), measures["mean_cosine"]]) == pytest.approx(cosines.mean(), abs=0.05)
    (row,) = gate_rows(samples[0])
    assert row["asset_class"] == "equity" and 0 < row["gate_mean"] < 1
    assert row["cells"] == len(samples[0].date)


def test_splits_keep_assets_and_years_apart(panel):
    split = split_panel("walks", panel, window=128, sessions=6)
    assert split.later.min() - split.earlier.max() > 63
    assert split.later.max() + 63 < len(panel.dates)
    for fitted, scored in split.folds:
        assert not (fitted & scored).any() and (fitted | scored).all()
    held_out = np.arange(24) % 4 == 0
    cut = panel.dates[240]
    one = split_panel("walks", panel, window=128, cut=cut, is_held_out=held_out)
    ((fitted, scored),) = one.folds
    assert np.array_equal(scored, held_out) and not (fitted & held_out).any()
    assert one.is_hidden[held_out].all()
    assert (panel.dates[one.later] > cut).all() and one.earlier.max() <= 240 - 63
    with pytest.raises(EncoderDataError, match="cut it elsewhere"):
        split_panel("walks", panel, window=128, cut=panel.dates[-2])


def test_a_report_is_of_later_sessions_and_json(report):
    assert report["collapse"]["dates"] == 8
    assert sum(report["cosines"]) <= 8 * 24 * 23 / 2
    assert {row["target"] for row in report["probes"]} == {*FORWARD_TARGETS, "sector"}


def test_the_card_names_what_is_ahead(run, report):
    text = card(run.trained, [report])
    assert "## walks" in text and run.trained.compatibility_id[:16] in text
    scores = scores_of([report])
    assert set(scores["walks", "sector"]) == set(REPRESENTATIONS)
    assert ahead({"embedding": [0.5, 0.7], "own": [0.61], "chronos": [0.1], "network_inputs": [0.9]}) == [
        "own"
    ]


def test_a_study_puts_seeds_and_ablations_side_by_side(run, report):
    runs = [
        {"variant": "fused", "held_out": [report]},
        {"variant": "fused", "held_out": [report]},
        {"variant": "own", "held_out": [report]},
        {"variant": "chronos", "held_out": [report]},
    ]
    scores = study_scores(runs)["walks", "volatility_next_21d"]
    assert {name: len(values) for name, values in scores.items()} == {
        **dict.fromkeys(REPRESENTATIONS, 2),
        "own": 1,
        "chronos_alone": 1,
    }
    text = card(run.trained, [report], study_scores(runs))
    assert "own branch alone, retrained" in text and "± " not in text  # equal seeds have no spread
