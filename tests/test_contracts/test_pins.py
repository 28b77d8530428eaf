"""The environment is the one that pyproject.toml pins; no file names a download host."""

import importlib.metadata
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]

# Installers and the project itself: present in an environment without being part of the resolution.
NOT_RESOLVED = {"taxloom", "pip", "uv", "wheel"}

# Written in parts, so that this file does not contain what it looks for.
HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("npmmirror", "com"),
        ("tsinghua", "edu"),
        ("aliyun", "com"),
        ("conda", "anaconda", "org"),
        ("download", "pytorch", "org"),
        ("deb", "debian", "org"),
    )
)
INDEX_SETTINGS = (
    re.compile(r"(?:default|extra)?-?index(?:-url)?\s*[=:]\s*[\"']?(?:https?|file):", re.IGNORECASE),
    re.compile(r"(?:PIP|UV)_[A-Z_]*INDEX[A-Z_]*\s*=\s*[\"']?(?:https?|file):"),
    re.compile(r"https?://[^\s\"']+/simple\b"),
)


def uv_settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]


def constraints() -> list[Requirement]:
    return [Requirement(line) for line in uv_settings()["constraint-dependencies"]]


def repository_files() -> list[Path]:
    """Tracked files and those about to be: everything git does not ignore."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing says which files belong to the repository")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_constraints_are_exact_sorted_and_without_addresses():
    lines = uv_settings()["constraint-dependencies"]
    assert lines == sorted(lines)
    loose = [str(r) for r in constraints() if not re.fullmatch(r"==[^*,]+", str(r.specifier)) or r.url]
    assert loose == []


def test_every_installed_package_is_pinned_at_its_version():
    environment = {**default_environment(), "extra": ""}
    pinned = {
        canonicalize_name(r.name): str(r.specifier).removeprefix("==")
        for r in constraints()
        if r.marker is None or r.marker.evaluate(environment)
    }
    installed = {
        canonicalize_name(d.metadata["Name"]): d.version
        for d in importlib.metadata.distributions()
        if canonicalize_name(d.metadata["Name"]) not in NOT_RESOLVED
    }
    assert len(installed) > 100, "this does not look like the project's environment"
    wrong = {n: (v, pinned.get(n)) for n, v in installed.items() if pinned.get(n) != v}
    assert wrong == {}, "installed (left) is not what is pinned (right): run `make lock`, then `uv sync`"


def test_every_declared_requirement_is_pinned():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [pyproject["project"]["dependencies"]]
    groups += pyproject["project"]["optional-dependencies"].values()
    groups += pyproject["dependency-groups"].values()
    declared = {canonicalize_name(Requirement(line).name) for group in groups for line in group}
    pinned = {canonicalize_name(r.name) for r in constraints()}
    assert declared - pinned - NOT_RESOLVED == set(), "run `make lock`"


def test_no_lock_file_belongs_to_the_repository():
    lock_names = {"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json", "yarn.lock"}
    assert [p for p in repository_files() if p.name in lock_names] == []


def test_nothing_generated_belongs_to_the_repository():
    folders = ("dbt/target/", "dbt/logs/", ".taxloom/", "build/", "dist/")
    endings = (".sqlite", ".duckdb", ".pyc", ".log")
    names = [p.relative_to(ROOT).as_posix() for p in repository_files()]
    assert [n for n in names if n.startswith(folders) or n.endswith(endings)] == [], "add it to .gitignore"


def test_no_file_names_a_registry():
    found = []
    for path in repository_files():
        if path.stat().st_size > 2_000_000:
            continue
        text = path.read_bytes().decode("utf-8", errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {host}" for host in HOSTS if host in text]
        found += [f"{path.relative_to(ROOT)}: {m.group()}" for p in INDEX_SETTINGS for m in p.finditer(text)]
    assert found == []
