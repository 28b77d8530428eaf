"""`.ci/lock.py` turns uv's resolution into pins, and pins back into a pyproject.toml that says the same."""

import importlib.util
import tomllib
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / ".ci" / "lock.py"
REGISTRY = {"registry": "somewhere"}
LOCK = {
    "package": [
        {"name": "zeta", "version": "1.0", "source": REGISTRY},
        {"name": "taxloom", "version": "0.1.0", "source": {"editable": "."}},
        {
            "name": "beta",
            "version": "2",
            "source": REGISTRY,
            "resolution-markers": ["python_version >= '3.12'"],
        },
        {"name": "beta", "version": "1", "source": REGISTRY, "resolution-markers": ["a < '1'", "b < '1'"]},
        {"name": "setuptools", "version": "84.0", "source": REGISTRY},
    ]
}
PYPROJECT = '[project]\nname = "x"\n\n[tool.uv]\npackage = true\n\n[build-system]\nrequires = []\n'


@pytest.fixture(scope="module")
def lock():
    spec = importlib.util.spec_from_file_location("ci_lock", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pins_are_sorted_exact_and_marked_where_versions_fork(lock):
    assert lock.pins(LOCK) == [
        "beta==1 ; (a < '1') or (b < '1')",
        "beta==2 ; python_version >= '3.12'",
        "setuptools==84.0",
        "zeta==1.0",
    ]


def test_pins_are_written_into_the_uv_table_and_can_be_taken_out_again(lock):
    pinned = lock.with_pins(PYPROJECT, lock.pins(LOCK))
    settings = tomllib.loads(pinned)["tool"]["uv"]
    assert settings == {
        "constraint-dependencies": lock.pins(LOCK),
        "build-constraint-dependencies": ["setuptools==84.0"],
        "package": True,
    }
    assert lock.without_pins(pinned) == PYPROJECT
    assert lock.with_pins(pinned, ["zeta==1.0"]) == lock.with_pins(PYPROJECT, ["zeta==1.0"])


def test_a_pyproject_without_the_table_is_refused(lock):
    with pytest.raises(SystemExit, match=r"no \[tool.uv\] table"):
        lock.with_pins("[project]\n", [])
