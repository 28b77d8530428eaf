import math

import numpy as np
import pytest

from ml.backtest.coverage import DEVIATION_WEEKLY, MEAN_WEEKLY, PROCESSES, main, measure_coverage


@pytest.mark.parametrize("process", PROCESSES)
def test_processes_have_the_stated_moments(process):
    paths = PROCESSES[process](400, 780, np.random.default_rng(1))
    assert paths.shape == (400, 780)
    assert paths.mean() == pytest.approx(MEAN_WEEKLY, abs=4 * DEVIATION_WEEKLY / math.sqrt(400 * 780))
    assert paths.std() == pytest.approx(DEVIATION_WEEKLY, rel=0.03)


@pytest.mark.parametrize("process", PROCESSES)
@pytest.mark.parametrize("statistic", ["mean", "Sharpe"])
def test_intervals_hold_the_truth_as_often_as_they_say(process, statistic):
    """A small version of the command: 250 paths, so that 95 percent comes with 1.4 points of noise."""
    found = measure_coverage(process, statistic, 780, paths=250, draws=199, seed=3)
    assert 0.915 <= found.share <= 0.985
    assert found.share + found.too_low + found.too_high == pytest.approx(1)
    assert found.too_low <= 0.06 and found.too_high <= 0.06


def test_command_prints_every_row(capsys):
    assert main(["--paths", "20", "--draws", "39"]) in (0, 1)
    printed = capsys.readouterr().out
    assert printed.count("GARCH(1,1)") >= 4 and printed.count(" 312 ") == 6
