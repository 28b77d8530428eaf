"""The compiled functions' disk cache notices an edit in another file of the package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ml.simulate

PROGRAM = "from pack.outer import outer\nprint(outer(1))"


def _run(folder: Path) -> tuple[str, int]:
    """Run the little package in a fresh interpreter; return its output and the cache files there are."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-B", "-c", PROGRAM],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip(), len(list((folder / "cache").rglob("*.nbc")))


def test_cache_is_kept_and_notices_a_callee_in_another_file(tmp_path):
    pack = tmp_path / "pack"
    pack.mkdir()
    source = Path(ml.simulate.__file__).parent / "compiled.py"
    (pack / "__init__.py").write_text("")
    (pack / "compiled.py").write_text(source.read_text())
    (pack / "deep.py").write_text(
        "from pack.compiled import inner\n\n@inner\ndef deep(x):\n    return x + 1\n"
    )
    (pack / "outer.py").write_text(
        "from pack.compiled import compiled\nfrom pack.deep import deep\n\n"
        "@compiled\ndef outer(x):\n    return 10 * deep(x)\n"
    )
    assert _run(tmp_path)[0] == "20"
    first = sorted((tmp_path / "cache").rglob("*.nbi"))
    stamps = [p.stat().st_mtime_ns for p in first]
    assert first
    assert _run(tmp_path)[0] == "20"
    assert [p.stat().st_mtime_ns for p in first] == stamps, "the second run compiled again"
    (pack / "deep.py").write_text(
        "from pack.compiled import inner\n\n@inner\ndef deep(x):\n    return x + 2\n"
    )
    assert _run(tmp_path)[0] == "30"


SIGNATURES = """
import numba
from ml.simulate import book, counter_rng, engine, rules
from ml.simulate.archetypes import PARAMETERS
from ml.simulate.panel import MarketArrays

dims = dict.fromkeys(MarketArrays._fields, 1) | {"price": 2, "log_index": 2, "square_sum": 2, "substitutes": 3}
types = dict.fromkeys(MarketArrays._fields, "int64") | {
    "price": "float64", "log_index": "float32", "square_sum": "float32", "stress": "float64", "has_safe": "bool_",
    "asset_class": "int8", "sector": "int8", "month": "int8",
}
arrays = [numba.types.Array(getattr(numba.types, types[f]), dims[f], "C") for f in MarketArrays._fields]
market = numba.types.NamedTuple(arrays, MarketArrays)
p = numba.types.Array(numba.types.float64, 1, "C")
engine._live.compile((numba.typeof(book.new_book(3, 10)), market, p, numba.types.uint64, numba.types.int64))
for module in (book, counter_rng, engine, rules):
    for name, function in vars(module).items():
        if len(getattr(function, "signatures", ())) > 1:
            print(name, function.signatures)
"""


@pytest.mark.slow
def test_no_function_of_the_engine_is_compiled_twice(tmp_path):
    """A plain constant as an argument is a signature of its own: fifty of them made a minute."""
    done = subprocess.run(
        [sys.executable, "-c", SIGNATURES],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
