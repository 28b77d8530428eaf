"""Stated goals: texts read per second on one core, offline.

The texts are the project's own statements (tests), each read once and none twice, so that nothing is
remembered. Aim: 200 texts a second. No package reads investors' goals, so there is no peer; an endpoint
with a language model takes about a second a text.
"""

import time
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from ml.intent.parse import parse_goal

TARGET_TEXTS_PER_SECOND = 200.0
_FOLDER = Path(__file__).parents[1] / "test_ml" / "test_intent"


def run() -> list[dict[str, Any]]:
    """Read every statement and one long text; figures are milliseconds of CPU a text."""
    cases = []
    for name in ("statements.yaml", "statements_held_out.yaml"):
        cases += yaml.safe_load((_FOLDER / name).read_text(encoding="utf-8"))["cases"]
    parse_goal("steady growth", date(2026, 1, 1))  # loads the weights
    statements = _milliseconds([(case["text"], date.fromisoformat(case["stated_at"])) for case in cases])
    prose = " ".join(case["text"] for case in cases)
    long = _milliseconds(
        [(prose[start : start + 5_000], date(2026, 1, 1)) for start in range(0, 20_000, 1_000)]
    )
    target, characters = 1_000.0 / TARGET_TEXTS_PER_SECOND, sum(len(c["text"]) for c in cases) / len(cases)
    return [
        _row(f"read {len(cases)} statements, mean {characters:.0f} characters", statements, target),
        _row("read texts of 5,000 characters, same aim per character", long, target * 5_000 / characters),
    ]


def _milliseconds(texts: list[tuple[str, date]]) -> float:
    started = time.process_time()
    for text, day in texts:
        parse_goal(text, day)
    return 1_000.0 * (time.process_time() - started) / len(texts)


def _row(work: str, ours: float, target: float) -> dict[str, Any]:
    return {
        "work": work,
        "ours": ours,
        "peer": None,
        "peer_value": None,
        "ratio": target / ours,
        "unit": "ms CPU/text",
        "skipped": None,
    }
