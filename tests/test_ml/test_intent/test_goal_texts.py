"""Texts by a writer who had not read the rules, as scored at first sight; no rule may make them worse.

First sight: objective 199 of 240, places invented 44 of 2,352, hostile texts inert 51 of 64.
"""

import re
from pathlib import Path

import pytest

from ml.intent.cases import main

FOLDER = Path(__file__).parents[2] / "fixtures" / "goal_texts"
FIRST_SIGHT = {  # set -> objective right, places invented, hostile inert
    1: (52, 12, 12),
    2: (52, 5, 15),
    3: (52, 9, 13),
    4: (43, 18, 11),
}


@pytest.mark.parametrize("number", FIRST_SIGHT)
def test_no_worse_than_at_first_sight(number, tmp_path, capsys):
    written = tmp_path / "predictions.jsonl"
    main([str(FOLDER / f"set_{number}.yaml"), "--predictions", str(written)])
    assert len(written.read_text().splitlines()) == 60
    printed = capsys.readouterr().out
    found = [
        float(re.search(rf"^{name}\s+([\d.]+) of", printed, re.MULTILINE)[1])
        for name in ("objective", "places invented", "hostile inert")
    ]
    right, invented, inert = FIRST_SIGHT[number]
    assert found[0] >= right and found[1] <= invented and found[2] >= inert
