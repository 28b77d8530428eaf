"""House rules that neither ruff nor import-linter can hold: where things lie and what may be read."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("dagster_project", "expectations", "ml")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST_FILE = 500
# settings.py and night_config.py read TAXLOOM_*; resources/dbt.py hands the environment to the dbt child
# process; the runner switches analytics off in it before it imports the library that reads it.
READS_ENVIRONMENT = {
    "dagster_project/settings.py",
    "dagster_project/night_config.py",
    "dagster_project/resources/dbt.py",
    "expectations/runner.py",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def reads_environment(tree: ast.AST) -> bool:
    """Whether the code names os.environ, os.getenv or os.putenv, however it imported them."""
    names = {"environ", "getenv", "putenv"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in names and ast.unparse(node.value) == "os":
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os" and names & {a.name for a in node.names}:
            return True
    return False


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import os\nx = os.environ['A']", True),
        ("from os import getenv", True),
        ("import os\nos.replace('a', 'b')", False),
    ],
)
def test_the_environment_detector_detects(code, expected):
    assert reads_environment(ast.parse(code)) is expected


def test_only_the_named_modules_read_the_environment():
    found = {name_of(p) for p in SOURCES if reads_environment(ast.parse(p.read_text(encoding="utf-8")))}
    assert found - READS_ENVIRONMENT == set(), "take settings as arguments; dagster_project/settings.py reads"


def test_no_source_file_is_too_long():
    lengths = {name_of(p): len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCES}
    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE} == {}


def test_every_package_folder_is_a_package():
    folders = {p.parent for p in SOURCES}
    assert sorted(name_of(f) for f in folders if not (f / "__init__.py").exists()) == []


def test_no_folder_shadows_a_library():
    assert not (ROOT / "dbt" / "__init__.py").exists(), "it would hide the dbt library"
    for package in PACKAGES:
        assert not (ROOT / "tests" / package).exists(), f"tests/{package} would hide the package {package}"


def test_test_modules_mirror_the_code():
    known = {f"test_{p}" for p in (*PACKAGES, "dbt", "contracts", "integration")}
    folders = {
        p.relative_to(ROOT / "tests").parts[0]
        for p in (ROOT / "tests").rglob("test_*.py")
        if p.parent != ROOT / "tests"
    }
    assert folders <= known


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("expectations.suites", ("great_expectations", "dagster")),
        ("expectations.runner", ("great_expectations", "dagster")),
        ("dagster_project.cli", ("dagster", "dbt", "torch", "great_expectations", "polars")),
        ("ml.types", ("torch", "polars", "pandas")),
    ],
)
def test_light_modules_do_not_import_heavy_ones(module, heavy):
    code = f"import sys, {module}; print([h for h in {heavy!r} if h in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_readme_gives_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^\s*pip install uv && uv run taxloom nightly\b", readme, re.MULTILINE)
    assert re.search(r"^\s*uv run pytest\b", readme, re.MULTILINE)
    assert "Not tax or investment advice" in readme


def test_documents_stand_where_a_reader_looks():
    names = ("README.md", "DECISIONS.md", "CONTRIBUTING.md", "CHANGELOG.md", "Makefile", "workspace.yaml")
    assert [n for n in names if not (ROOT / n).is_file()] == []


def test_the_recipes_name_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:dagster_project|dbt|ml|expectations|tests|\.ci|docs)/[\w./-]*\w/?)`", text))
    assert len(named) > 10
    assert sorted(n for n in named if not (ROOT / n).exists()) == []


def test_make_has_few_targets_and_every_one_is_described():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", text, re.MULTILINE))
    assert len(targets) <= 12
    assert set(re.findall(r"^([a-z]+):.*## \w", text, re.MULTILINE)) == targets


def test_import_contracts_cover_every_package():
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    assert set(config["root_packages"]) == set(PACKAGES)
    assert {"layers", "forbidden"} == {c["type"] for c in config["contracts"]}
