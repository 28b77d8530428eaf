"""The benchmark runner: what it accepts, prints and returns, on benchmarks made up here."""

import json
import sys
import types
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as runner

GOOD = {
    "work": "sum 10 numbers",
    "ours": 0.5,
    "peer": "numpy.sum",
    "peer_value": 1.0,
    "ratio": 2.0,
    "unit": "s",
}


@pytest.fixture
def make_benchmark(monkeypatch):
    """Register modules tests.benchmarks.<name> whose run() does what the test says."""

    def make(name, run):
        module = types.ModuleType(f"tests.benchmarks.{name}")
        module.run = run
        monkeypatch.setitem(sys.modules, module.__name__, module)
        present = (*runner.available(), name)
        monkeypatch.setattr(runner, "available", lambda: tuple(dict.fromkeys(present)))

    monkeypatch.setattr(runner, "available", lambda: ())
    return make


def test_json_is_one_last_line_with_all_columns(make_benchmark, capsys):
    def run():
        print("noise on stdout")
        return [GOOD, {**GOOD, "peer": None, "peer_value": None}]

    make_benchmark("ledger", run)
    assert runner.main(["ledger", "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    rows = json.loads(captured.out)["rows"]
    assert [list(row) for row in rows] == [list(runner.COLUMNS)] * 2
    assert rows[0] == {**GOOD, "name": "ledger", "machine": runner.machine(), "skipped": None}
    assert "noise on stdout" in captured.err
    assert "[1/1] ledger" in captured.err


def test_table_shows_figures(make_benchmark, capsys):
    make_benchmark("ledger", lambda: [GOOD])
    assert runner.main([]) == 0
    out = capsys.readouterr().out
    assert "sum 10 numbers" in out
    assert "numpy.sum" in out


def test_a_failing_benchmark_keeps_the_others_and_fails_the_run(make_benchmark, capsys):
    make_benchmark("goals", lambda: 1 / 0)
    make_benchmark("ledger", lambda: [GOOD])
    assert runner.main(["goals", "ledger", "--json"]) == 1
    captured = capsys.readouterr()
    rows = json.loads(captured.out)["rows"]
    assert rows[0]["skipped"] == "failed: ZeroDivisionError: division by zero"
    assert rows[1]["ratio"] == 2.0
    assert "Traceback" in captured.err


@pytest.mark.parametrize(("name", "says"), [("goals", "not available yet"), ("nonsense", "not a benchmark")])
def test_an_absent_benchmark_asked_by_name_exits_2_with_the_list(make_benchmark, capsys, name, says):
    make_benchmark("ledger", lambda: [GOOD])
    with pytest.raises(SystemExit) as caught:
        runner.main([name])
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert says in err
    assert "available: ledger" in err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"ratio": float("nan")}, "ratio must be a number above 0"),
        ({"ours": 0}, "ours must be a number above 0"),
        ({"peer_value": None}, "peer_value must be a number above 0"),
        ({"peer": None}, "without a peer"),
        ({"work": ""}, "work must be a text"),
        ({"speed": 3}, "unknown keys"),
        ({"skipped": True}, "skipped must be None or the reason"),
    ],
)
def test_a_row_that_cannot_be_compared_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        runner.checked_row("ledger", {**GOOD, **change}, "here")


def test_a_skipped_row_needs_no_figures():
    row = runner.checked_row("night", {"work": "w", "unit": "s", "skipped": "no accelerator"}, "here")
    assert row["ours"] is None
    assert row["machine"] == "here"


def test_no_rows_is_an_error(make_benchmark, capsys):
    make_benchmark("ledger", list)
    assert runner.main(["ledger", "--json"]) == 1
    assert "returned no row" in capsys.readouterr().out


def test_every_benchmark_module_is_a_known_name():
    helpers = {"__init__", "__main__"}
    files = {p.stem for p in Path(runner.__file__).parent.glob("*.py")} - helpers
    unknown = {name for name in files if not name.startswith("_") and name not in runner.NAMES}
    assert unknown == set()
