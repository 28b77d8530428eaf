"""Pin every package of a fresh resolution exactly, in pyproject.toml alone: `make lock`.

A lock file records the download address of every package, and installs here may go through a mirror;
so the committed pins are names and versions in `[tool.uv] constraint-dependencies`, which uv obeys on
every resolution, and lock files are git-ignored. What builds a source distribution (setuptools) is
pinned beside them.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
TABLE = "[tool.uv]"
KEY = "constraint-dependencies"
BUILD_KEY = "build-constraint-dependencies"
BUILD_PACKAGES = ("setuptools",)
BLOCK = re.compile(rf"^(?:{KEY}|{BUILD_KEY}) = \[.*?^\]\n", re.DOTALL | re.MULTILINE)


def resolve(pyproject_text: str) -> dict[str, Any]:
    """Resolve every extra and group from nothing and return uv's lock as a dict."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "pyproject.toml").write_text(pyproject_text, encoding="utf-8")
        subprocess.run(["uv", "lock", "--project", folder], check=True)
        return tomllib.loads((project / "uv.lock").read_text(encoding="utf-8"))


def pins(lock: dict[str, Any]) -> list[str]:
    """List `name==version`, with an environment marker where a package has several versions.

    uv forks a resolution where one version cannot serve every Python or platform, and notes the
    fork's markers on the package; a local package (this project) has no registry and is left out.
    """
    found: list[str] = []
    for package in lock["package"]:
        if "registry" not in package["source"]:
            continue
        pin = f"{package['name']}=={package['version']}"
        markers = package.get("resolution-markers", [])
        if markers:
            pin = f"{pin} ; " + " or ".join(
                f"({marker})" if len(markers) > 1 else marker for marker in markers
            )
        found.append(pin)
    return sorted(found)


def without_pins(text: str) -> str:
    """Drop the pins: the resolution must see what the project asks for, not last month's answer."""
    return BLOCK.sub("", text)


def with_pins(text: str, lines: list[str]) -> str:
    """Put the pins right under the `[tool.uv]` heading."""
    bare = without_pins(text)
    if f"\n{TABLE}\n" not in bare:
        raise SystemExit(f"{PYPROJECT}: no {TABLE} table to write {KEY} into; add one")
    build_lines = [line for line in lines if line.split("==")[0] in BUILD_PACKAGES]
    blocks = _block(KEY, lines) + (_block(BUILD_KEY, build_lines) if build_lines else "")
    return bare.replace(f"\n{TABLE}\n", f"\n{TABLE}\n{blocks}", 1)


def _block(key: str, lines: list[str]) -> str:
    quoted = "".join(f'    "{line}",\n' for line in lines)
    return f"{key} = [\n{quoted}]\n"


def main() -> int:
    text = PYPROJECT.read_text(encoding="utf-8")
    lines = pins(resolve(without_pins(text)))
    pinned = with_pins(text, lines)
    resolve(pinned)  # the pins must be satisfiable together
    PYPROJECT.write_text(pinned, encoding="utf-8")
    before = set(tomllib.loads(text).get("tool", {}).get("uv", {}).get(KEY, []))
    changed = sorted(set(tomllib.loads(pinned)["tool"]["uv"][KEY]) ^ before)
    print(f"{len(lines)} packages pinned, {len(changed)} lines changed", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
