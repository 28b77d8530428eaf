"""``taxloom backtest`` on a folder of bars: killed, resumed, the same report; every trial in the log."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dagster_project.sources.calendar import session_frame

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "dagster_project.cli"]
CHOICES = ["--source", "files", "--strategies", "equal_weight_monthly,equal_weight_harvesting,experts_fixed_router",
           "--costs", "10", "--profiles", "untaxed,P1"]  # fmt: skip


def _environment(home: Path) -> dict[str, str]:
    environment = {**os.environ, "TAXLOOM_HOME": str(home)}
    environment.pop("DAGSTER_HOME", None)
    return environment


def _taxloom(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *args], cwd=ROOT, env=_environment(home), capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bars of six symbols over 320 sessions from 2012 on."""
    folder = tmp_path_factory.mktemp("bars")
    days = [d for d in session_frame()["session_date"].to_list() if d.year >= 2012][:320]
    rng = np.random.default_rng(5)
    closes = 50 * np.exp(np.cumsum(rng.normal(3e-4, 0.02, (len(days), 6)), axis=0))
    with (folder / "bars.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["symbol", "trade_date", "close", "adjusted_close", "volume"])
        for day, row in zip(days, closes, strict=True):
            writer.writerows([f"SYM{i}", day, f"{c:.4f}", f"{c:.4f}", 10_000] for i, c in enumerate(row))
    return folder


@pytest.fixture(scope="module")
def killed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """A run that is killed once its first trials are written, and the run that goes on."""
    home = tmp_path_factory.mktemp("home")
    output, report = home / "out", home / "page"
    args = ["backtest", *CHOICES, "--data", str(data), "--output", str(output), "--report", str(report)]
    first = subprocess.Popen(
        [*COMMAND, *args],
        cwd=ROOT,
        env=_environment(home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list(output.rglob("*.npz")) and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    left = {path: path.read_bytes() for path in output.rglob("*.npz")}
    done = _taxloom(home, *args)
    return {"home": home, "output": output, "report": report, "left": left, "done": done}


def test_a_killed_run_goes_on_and_says_what_it_wrote(killed: dict) -> None:
    done = killed["done"]
    assert done.returncode == 0, done.stderr
    assert killed["left"], "the first run was killed before it wrote a trial"
    assert all(path.read_bytes() == content for path, content in killed["left"].items())
    assert "finished before" in done.stderr
    for path in (killed["report"] / "index.html", killed["report"] / "summary.json"):
        assert path.exists(), done.stdout
    assert (
        str(killed["report"]) in done.stdout.replace("\n", "")
        and "Not tax or investment advice" in done.stdout
    )


def test_page_and_summary_are_the_same_after_another_run(killed: dict, data: Path) -> None:
    pages = {p.name: p.read_bytes() for p in killed["report"].iterdir()}
    again = killed["home"] / "page2"
    result = _taxloom(killed["home"], "backtest", *CHOICES, "--data", str(data), "--output",
                      str(killed["output"]), "--report", str(again))  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert {p.name: p.read_bytes() for p in again.iterdir()} == pages
    summary = json.loads(pages["summary.json"])
    assert {"meta", "objectives", "targets"} <= set(summary)
    score = summary["objectives"]["tax_loss_harvesting"]
    assert {"tax_alpha_bp", "tax_alpha_bp_lower95", "tax_alpha_bp_upper95"} <= set(score)


def test_every_trial_is_in_the_log_once(killed: dict) -> None:
    def rows(query: str) -> list[dict[str, str]]:
        result = _taxloom(killed["home"], "sql", query, "--format", "csv")
        assert result.returncode == 0, result.stderr
        return list(csv.DictReader(io.StringIO(result.stdout)))

    trials = len(list(killed["output"].rglob("*.npz")))
    (log,) = rows(
        "select count(*) as n, count(distinct trial_id) as ids, min(status) as status from ml.trials"
    )
    assert (int(log["n"]), int(log["ids"]), log["status"]) == (trials, trials, "finished")
    (scored,) = rows("select count(*) as n, count(distinct objective) as objectives from ml.backtest_results")
    assert int(scored["n"]) == trials and int(scored["objectives"]) == 7
