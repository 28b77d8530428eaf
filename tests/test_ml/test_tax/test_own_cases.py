"""Worked examples of our own: each by default, and each alternative under its setting."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml.tax.cases import check
from ml.tax.settings import TaxSettings, with_setting

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = [
    case
    for path in sorted(HERE.glob("cases_*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))["cases"]
]
OTHER_CHOICE = {
    "A1": "worst_case",
    "A8": "replacement",
    "A9": "lot_to_lot",
    "A11": "earliest_first",
    "A14": "taxpayer_only",
    "A15": "specific_lot",
    "A17": "not_a_replacement",
}
ALTERNATIVES = [case for case in CASES if "alternative" in case]


def test_there_are_cases_and_no_name_twice() -> None:
    names = [case["id"] for case in CASES]
    assert len(names) > 60 and len(set(names)) == len(names)
    assert {case["ambiguous"] for case in ALTERNATIVES} == set(OTHER_CHOICE)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case(case: dict[str, Any]) -> None:
    outcome = check(case, TaxSettings(), Fraction("0.01"))
    assert (outcome.mismatches, outcome.unknown_keys, outcome.skipped) == ([], [], "")


@pytest.mark.parametrize("case", ALTERNATIVES, ids=lambda case: case["id"])
def test_alternative(case: dict[str, Any]) -> None:
    code = case["ambiguous"]
    settings = with_setting(TaxSettings(), f"{code}={OTHER_CHOICE[code]}")
    outcome = check(case, settings, Fraction("0.01"))
    assert (outcome.mismatches, outcome.unknown_keys, outcome.skipped) == ([], [], "")
    # the alternative is another outcome than the default's
    plain = check({k: v for k, v in case.items() if k != "ambiguous"}, settings, Fraction("0.01"))
    assert plain.mismatches


def test_a_case_without_an_alternative_says_nothing_about_another_setting() -> None:
    case = next(c for c in CASES if c["id"] == "return-of-capital-below-and-beyond")
    outcome = check(case, TaxSettings(a11="earliest_first"), Fraction("0.01"))
    assert not outcome.mismatches and "no outcome for another A11" in outcome.skipped
