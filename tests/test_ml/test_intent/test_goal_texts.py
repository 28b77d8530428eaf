"""Texts by writers who had not read the rules; no rule may make them worse.

At first sight, objective, stated slots, places invented, hostile texts inert: sets 1 to 4, 199 of 240, 178.5 of
245, 44 of 2,352, 51 of 64; sets 5 and 6, 107 of 120, 105.7 of 137, 10 of 1,143, 32 of 36; set 7, 112 of 120, 138.7
of 148, 12 of 1,089, 17 of 18; set 8, 108 of 120, 116.8 of 138, 8 of 1,125, 36 of 40; set 9, 112 of 120, 114.8 of
128, 15 of 1,130, 33 of 39. Sets 1 to 8 have been read and generalised from since, so that their floors are no
estimate of what other texts will score (DECISIONS.md, 16); nothing was amended for set 9.
"""

import re
from pathlib import Path

import pytest

from ml.intent.cases import main

FOLDER = Path(__file__).parents[2] / "fixtures" / "goal_texts"
CASES = {7: 120, 8: 120, 9: 120}  # the others hold 60
FLOORS = {  # set -> objective right, stated slots right, places invented, hostile inert
    1: (60, 57, 1, 16),
    2: (60, 60, 0, 16),
    3: (59, 59, 1, 15),
    4: (59, 69, 0, 16),
    5: (60, 62, 0, 17),
    6: (60, 75, 0, 19),
    7: (120, 148, 0, 18),
    8: (120, 138, 0, 40),
    9: (112, 114, 15, 33),
}


@pytest.mark.parametrize("number", FLOORS)
def test_no_worse_than_before(number, tmp_path, capsys):
    written = tmp_path / "predictions.jsonl"
    main([str(FOLDER / f"set_{number}.yaml"), "--predictions", str(written)])
    assert len(written.read_text().splitlines()) == CASES.get(number, 60)
    printed = capsys.readouterr().out
    found = [
        float(re.search(rf"^{name}\s+([\d.]+) of", printed, re.MULTILINE)[1])
        for name in ("objective", "stated slots", "places invented", "hostile inert")
    ]
    right, slots, invented, inert = FLOORS[number]
    assert found[0] >= right and found[1] >= slots and found[2] <= invented and found[3] >= inert
