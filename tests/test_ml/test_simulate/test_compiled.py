"""The compiled functions' disk cache notices an edit in another file of the package."""

import os
import subprocess
import sys
from pathlib import Path

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
