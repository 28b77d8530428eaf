"""Two processes of torchrun over gloo: the gradient of the whole batch, the same weights, one checkpoint."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ml.features.simulated_panel import simulated_panels
from ml.policy.config import PROFILES, PolicyConfigError
from ml.policy.parallel import ALONE, Workers
from ml.policy.spans import draw_spans, save_spans
from tests.test_ml.test_policy.policy_helpers import FeatureEmbedder

ROOT = Path(__file__).parents[3]
PROGRAM = """
import hashlib, json, sys
from dataclasses import replace
import torch
from ml.policy.config import PROFILES, PolicyConfig
from ml.policy.parallel import Workers, leave
from ml.policy.spans import cut_windows, load_spans
from ml.policy.train import train_on_windows

torch.set_num_threads(1)
workers = Workers.joined()
torch.manual_seed(0)
layer, rows = torch.nn.Linear(5, 3), torch.randn(8, 5)
(layer(rows[workers.rank * 4 : workers.rank * 4 + 4]) ** 2).mean().backward()
workers.average_gradients(layer.parameters())
ours = [p.grad.clone() for p in layer.parameters()]
layer.zero_grad()
(layer(rows) ** 2).mean().backward()
apart = max(float((a - p.grad).abs().max()) for a, p in zip(ours, layer.parameters()))

spans, encoder = load_spans(sys.argv[1])
config = replace(
    PROFILES["quick"], policy=PolicyConfig(16, 8), ranges=2, universes_per_range=2, weeks=8, assets=6, universes=4,
    per_universe=6, warm_rounds=1, warm_steps=10, iterations=2, batch=32, warm_batch=16,
)
lines = []
trained = train_on_windows(
    cut_windows(spans, config), encoder, ("simulated",), config, seed=5, on_progress=lines.append, workers=workers
)
digest = hashlib.sha256(b"".join(x.tobytes() for x in trained.tensors.values())).hexdigest()
with open(f"{sys.argv[2]}/{workers.rank}.json", "w") as file:
    json.dump({"apart": apart, "digest": digest, "lines": len(lines), "count": workers.count}, file)
leave()
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    folder = tmp_path_factory.mktemp("parallel")
    config = replace(PROFILES["quick"], ranges=2, universes_per_range=2, weeks=8, assets=6)
    panels = simulated_panels(1, assets=8, years=2, first_seed=6)
    save_spans(draw_spans(panels, FeatureEmbedder(), config, seed=1), folder / "spans.npz", "e" * 64)
    (folder / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*command, str(folder / "program.py"), str(folder / "spans.npz"), str(folder)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def test_the_averaged_gradient_is_that_of_the_whole_batch(found: list[dict]) -> None:
    assert [one["count"] for one in found] == [2, 2]
    assert max(one["apart"] for one in found) < 1e-6


def test_all_processes_hold_the_same_weights_and_one_reports(found: list[dict]) -> None:
    assert found[0]["digest"] == found[1]["digest"]
    assert found[0]["lines"] == 3 and found[1]["lines"] == 0


def test_shares_and_seeds() -> None:
    config = replace(PROFILES["quick"], universes=32, batch=1024, warm_batch=512)
    second = Workers(1, 4)
    assert (second.share(config).universes, second.share(config).batch) == (8, 256)
    assert ALONE.share(config) == config and ALONE.seed([1, 2]) == [1, 2] and second.seed([1, 2]) == [1, 2, 1]
    with pytest.raises(PolicyConfigError, match="universes is 30: 4 processes"):
        second.share(replace(config, universes=30))
