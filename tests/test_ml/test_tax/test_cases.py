"""The command that runs files of worked examples."""

from pathlib import Path

import pytest

from ml.tax.cases import main

# Worked from the rules: a 100-share loss of 500 on 2 June 2021 (held 91 days), 40 shares bought back
# eight days later (IRC 1091(d), 1223(3)); and a day count that straddles 29 February (Rev. Rul. 66-7).
CASES = """
meta: {tolerance: 0.01}
cases:
- id: A
  kind: lots
  accounts: {T1: taxable}
  lot_method: FIFO
  transactions:
  - {id: L1, date: '2021-03-03', account: T1, symbol: Q, side: buy, quantity: 100, price: 30, fees: 0}
  - {id: S1, date: '2021-06-02', account: T1, symbol: Q, side: sell, quantity: 100, price: 25, fees: 0}
  - {id: L2, date: '2021-06-10', account: T1, symbol: Q, side: buy, quantity: 40, price: 26, fees: 0}
  expected:
    realized:
    - {sale: S1, lot: L1, quantity: 40, gain: -200, disallowed: 200, recognized: 0, term: ST}
    - {sale: S1, lot: L1, quantity: 60, gain: -300, disallowed: 0, recognized: -300, term: ST}
    open_lots:
    - {lot: L2, quantity: 40, basis: 1240, hp_start: '2021-03-11', hp_start_replacement_method: '2021-03-03'}
    total_recognized: BASIS
    unheard_of: 1
- id: B
  kind: holding_period
  inputs: {acquired: '2023-02-28', disposed: '2024-02-29'}
  expected: {term: ST}
- {id: C, kind: short_sale, inputs: {}, expected: {term: ST}}
"""


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    path = tmp_path / "cases.yaml"
    path.write_text(CASES.replace("BASIS", "-300"), encoding="utf-8")
    return path


def test_counts_skips_and_unknown_keys(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(cases)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "A: unknown expected key unheard_of (not compared)"
    assert out[1].startswith("C: skipped, refused")
    assert out[-1] == "2 passed, 0 failed, 1 skipped"


def test_a_setting_changes_what_is_expected(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(cases), "--setting", "A2=replacement"]) == 0
    assert capsys.readouterr().out.endswith("2 passed, 0 failed, 1 skipped\n")


def test_mismatches_are_shown_and_fail(cases: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = cases.read_text(encoding="utf-8").replace("basis: 1240", "basis: 1000").replace("-300\n", "-301\n")
    cases.write_text(text, encoding="utf-8")
    assert main([str(cases)]) == 1
    out = capsys.readouterr().out
    assert "A: open_lots: expected {lot: L2, quantity: 40, basis: 1000" in out and "1240" in out
    assert "A: total_recognized: expected -301, actual -300" in out
    assert out.endswith("1 passed, 1 failed, 1 skipped\n")


def test_an_unreadable_case_fails_alone_and_bad_arguments_stop(
    cases: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases.write_text(CASES.replace("quantity: 100, price: 30", "price: 30"), encoding="utf-8")
    assert main([str(cases)]) == 1
    assert "A: not computed: 'quantity' is missing" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main([str(cases), "--setting", "A1=by_name"])
