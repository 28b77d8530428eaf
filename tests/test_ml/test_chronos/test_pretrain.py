"""The training loop: it learns, resumes, refuses another configuration and exports what loads."""

import json
from dataclasses import replace

import pytest
import torch

from ml.chronos.config import QUICK
from ml.chronos.pretrain import Trainer, TrainingError, main, quantile_loss, sample_weights

TINY = replace(QUICK, steps=24, batch=32, pool_series=128, pool_steps=24, peak_rate=3e-3)


def test_a_run_learns_resumes_and_exports(tmp_path):
    from chronos import BaseChronosPipeline

    trainer = Trainer(TINY, "cpu", None)
    rows = trainer.corpus.batch()
    whole = torch.full((len(rows),), TINY.context_length)
    with torch.no_grad():
        before = float(quantile_loss(trainer.model, rows, whole))
    trainer.train(tmp_path / "state", tmp_path / "model", 0.0)  # no time: state and model all the same
    assert trainer.step == 0
    trainer.train(tmp_path / "state", tmp_path / "model", 600.0)
    with torch.no_grad():
        assert float(quantile_loss(trainer.model, rows, whole)) < before

    again = Trainer(replace(TINY, budget_seconds=1e6), "cpu", None)
    again.load_state(tmp_path / "state")
    assert again.step == TINY.steps and again.curve == trainer.curve
    for ours, theirs in zip(again.model.parameters(), trainer.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    first, second = (t.optimiser.state[next(iter(t.model.parameters()))]["exp_avg"] for t in (again, trainer))
    assert torch.equal(first, second)
    with pytest.raises(TrainingError, match="another batch"):
        Trainer(replace(TINY, batch=16), "cpu", None).load_state(tmp_path / "state")

    loaded = BaseChronosPipeline.from_pretrained(str(tmp_path / "model"))
    quantiles, _ = loaded.predict_quantiles([torch.arange(60.0)], 21, [0.1, 0.5, 0.9])
    assert quantiles.shape == (1, 21, 3) and quantiles.isfinite().all()


def test_the_command_says_what_it_wrote_and_resumes(tmp_path, capsys):
    arguments = ["--output", str(tmp_path / "m"), "--stop-after", "0"]
    main(arguments)
    main([*arguments, "--resume"])
    printed = capsys.readouterr().out
    assert "resuming at step 0" in printed and f"wrote {tmp_path / 'm'}" in printed


def test_weights_depend_on_how_far_a_context_moves():
    still = torch.zeros(2, 64)
    far = torch.arange(64.0).repeat(2, 1)
    assert sample_weights(still).tolist() == [8.0, 8.0]
    assert sample_weights(far).tolist() == [1.0, 1.0]


def test_training_starts_from_an_exported_model(tmp_path):
    from chronos import BaseChronosPipeline

    main(["--profile", "quick", "--output", str(tmp_path / "first"), "--stop-after", "2"])
    start = tmp_path / "first"
    trainer = Trainer(replace(QUICK, seed=99), "cpu", None)
    trainer.start_from(start)
    exported = BaseChronosPipeline.from_pretrained(start).inner_model.state_dict()
    ours = trainer.model.state_dict()
    assert all(torch.equal(ours[name].bfloat16(), value.bfloat16()) for name, value in exported.items())
    trainer.export(tmp_path / "second")
    facts = json.loads((tmp_path / "second" / "training.json").read_text())
    assert facts["earlier"][0]["steps"] > 0 and facts["steps"] == 0
    other = Trainer(replace(QUICK, d_ff=64), "cpu", None)
    with pytest.raises(TrainingError, match="does not fit"):
        other.start_from(start)
