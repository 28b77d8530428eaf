"""The night on the packaged default: a first one in an empty home, the next, and loading the definitions."""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FIRST_TARGET_S, NEXT_TARGET_S, IMPORT_TARGET_S, MEMORY_TARGET_GIB = 180.0, 100.0, 6.0, 4.0


def run() -> list[dict[str, Any]]:
    """Time two nights and one load of the definitions, each in processes of their own."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TAXLOOM_HOME": folder}
        environment.pop("DAGSTER_HOME", None)
        for work, target in (
            ("first night, 500 households", FIRST_TARGET_S),
            ("next night, 500 households", NEXT_TARGET_S),
        ):
            seconds, output = _timed([sys.executable, "-m", "dagster_project.cli", "nightly"], environment)
            rows.append(_row(work, seconds, target, "s"))
            peak = re.search(r"peak memory ([0-9.]+) GiB", output)
            if peak is None:
                raise RuntimeError(f"the night's summary names no peak memory:\n{output}")
            rows.append(
                _row(f"{work}: peak memory of a process", float(peak.group(1)), MEMORY_TARGET_GIB, "GiB")
            )
        seconds, _ = _timed([sys.executable, "-c", "import dagster_project.definitions"], environment)
        rows.append(_row("import of the definitions", seconds, IMPORT_TARGET_S, "s"))
    return rows


def _timed(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    begun = time.perf_counter()
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stderr[-2000:]}")
    return time.perf_counter() - begun, result.stdout


def _row(work: str, ours: float, target: float, unit: str) -> dict[str, Any]:
    return {
        "name": "night",
        "work": f"{work} (target {target:g} {unit})",
        "ours": round(ours, 2),
        "peer": None,
        "peer_value": None,
        "ratio": round(target / ours, 2),
        "unit": unit,
        "machine": "",
        "skipped": None,
    }
