"""The Triton kernel, interpreted on the CPU, against the CPU's own kernel."""

import importlib.util
import os
import subprocess
import sys

import pytest

SCRIPT = """
import numpy as np, torch
from ml.policy.env import TaxLotEnv
from ml.policy.env_config import EnvConfig
from ml.policy.start_portfolios import random_portfolios
from ml.policy.windows import make_windows
from tests.test_ml.test_policy.policy_helpers import FeatureEmbedder, make_panel

panel = make_panel(sessions=330)
embeddings = FeatureEmbedder().embed_panel(panel, np.arange(len(panel.dates)))
window = make_windows(panel, embeddings, groups=2, weeks=6, assets=5, seed=0)
portfolios = random_portfolios(window, 3, 1)

def play(kernel):
    env = TaxLotEnv(window, portfolios, EnvConfig(dtype=torch.float64, kernel=kernel))
    env.reset()
    drawn, out = torch.Generator().manual_seed(0), []
    for _ in range(env.weeks):
        weights = torch.rand(len(portfolios.group), 6, generator=drawn, dtype=torch.float64)
        result = env.step(weights / weights.sum(1, keepdim=True))
        out.append(torch.cat([result.reward, result.info["wealth"][:, None]], 1))
    return torch.stack(out)

numba, triton = play("numba"), play("triton")
assert numba.std() > 0
print(float((numba - triton).abs().max()))
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="Triton is not installed here")
def test_both_kernels_give_the_same_weeks():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.split()[-1]) < 1e-9
