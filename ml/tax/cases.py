"""Run a file of worked examples against the engine: ``python -m ml.tax.cases FILE.yaml``.

Prints each mismatch with expected and actual, lists expected keys that are unknown without comparing
them, skips kinds that the engine refuses with a status, and closes with the counts; exit 1 if any
case failed. The schema is the ``meta`` of the file.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import yaml

from ml.tax.case_ledger import UnsupportedCase, open_lot_rows, realized_rows, run_case, totals
from ml.tax.holding_period import is_long_term
from ml.tax.schedule_d import federal_tax, gift_gain, net, niit, ordinary_tax, six_month_loss
from ml.tax.settings import TaxSettings, with_setting
from ml.tax.units import USD, usd_units

FILING: Final = {
    "single": "single",
    "MFJ": "married_joint",
    "MFS": "married_separate",
    "HOH": "head_of_household",
    "QSS": "married_joint",  # a surviving spouse uses the joint tables
    "QW": "married_joint",
}
REFUSED_KINDS: Final = {
    "short_sale": "refused: short sales are not computed (A16)",
    "option": "refused: options are not computed (A7)",
}
SUMMED: Final = frozenset({"quantity", "gain", "disallowed", "recognized", "permanently_disallowed", "basis"})
_CODE: Final = re.compile(r"A\d+")
_REPLACEMENT: Final = "_replacement_method"
_TACKED: Final = ("hp_start", "first_long_term_sale_date")


@dataclass(slots=True)
class Outcome:
    """What became of one case."""

    identifier: str
    mismatches: list[str] = field(default_factory=list)
    unknown_keys: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    skipped: str = ""


def _filing(name: Any) -> str:
    text = str(name)
    return FILING.get(text, FILING.get(text.upper(), text))


def _usd(value: int) -> Fraction:
    return Fraction(value, USD)


def _netting(inputs: Mapping[str, Any]) -> dict[str, Any]:
    line15 = inputs.get("taxable_income_line15")
    result = net(
        sum(usd_units(v) for v in inputs.get("st") or ()),
        sum(usd_units(v) for v in inputs.get("lt") or ()),
        _filing(inputs["filing"]),
        None if line15 is None else usd_units(line15),
    )
    names = ("net_st", "net_lt", "line16", "deduction", "net_capital_gain", "carry_st", "carry_lt")
    values = {name: _usd(getattr(result, name)) for name in names}
    return values | {"carry_total": values["carry_st"] + values["carry_lt"]}


def _form_8949(inputs: Mapping[str, Any]) -> dict[str, Any]:
    wash = Fraction(str(inputs.get("wash", 0)))
    gain = Fraction(str(inputs["proceeds"])) - Fraction(str(inputs["cost"])) + wash
    whole = int(abs(gain) + Fraction(1, 2))
    return {"gain": gain, "printed_h": whole if gain >= 0 else -whole, "code": "W" if wash else ""}


def _federal_tax(inputs: Mapping[str, Any]) -> dict[str, Any]:
    year, filing = int(inputs["year"]), _filing(inputs["filing"])
    income = usd_units(inputs["taxable_income"])
    tax = federal_tax(
        year,
        filing,
        income,
        usd_units(inputs.get("qualified_dividends", 0)),
        usd_units(inputs.get("net_capital_gain", 0)),
    )
    rounded = (2 * tax + USD) // (2 * USD)
    return {
        "tax": _usd(tax),
        "tax_rounded": rounded,
        "ordinary_only": _usd(ordinary_tax(year, filing, income)),
    }


def _niit(inputs: Mapping[str, Any]) -> dict[str, Any]:
    year = int(inputs.get("year", 2013))
    filing = _filing(inputs["filing"])
    return {"niit": _usd(niit(year, filing, usd_units(inputs["magi"]), usd_units(inputs["nii"])))}


def _gift(inputs: Mapping[str, Any]) -> dict[str, Any]:
    names = ("donor_basis", "fmv_at_gift", "sale")
    return {"gain": _usd(gift_gain(*(usd_units(inputs[n]) for n in names)))}


def _ric(inputs: Mapping[str, Any]) -> dict[str, Any]:
    loss = usd_units(inputs["sale"]) - usd_units(inputs["cost"])
    distributed = usd_units(inputs.get("capital_gain_distribution", 0))
    exempt = usd_units(inputs.get("exempt_interest_dividend", 0))
    long, short = six_month_loss(loss, distributed, Fraction(str(inputs["months_held"])), exempt)
    return {"lt_loss": _usd(long), "st_loss": _usd(short)}


def _holding(inputs: Mapping[str, Any]) -> dict[str, Any]:
    days = [date.fromisoformat(str(inputs[n])[:10]) for n in ("acquired", "disposed")]
    return {"term": "LT" if is_long_term(*days) else "ST"}


_SCALAR_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "holding_period": _holding,
    "netting": _netting,
    "form_8949": _form_8949,
    "federal_tax": _federal_tax,
    "niit": _niit,
    "gift": _gift,
    "ric_six_month": _ric,
}


class Comparison:
    """Compares one case's expected values with what the engine computed."""

    def __init__(self, outcome: Outcome, tolerance: Fraction, tacking: str) -> None:
        self.outcome = outcome
        self.tolerance = tolerance
        self.replacement = tacking == "replacement"
        self.other_method = tacking != "add_days"

    def equal(self, expected: Any, actual: Any) -> bool:
        """Compare numbers within the tolerance, everything else as text."""
        if expected is None:
            return actual in ("", None)
        if isinstance(actual, (Fraction, int)) and not isinstance(actual, bool):
            try:
                # the last printed digit of a quotient such as 33.3333 is within the tolerance too
                return abs(Fraction(str(expected)) - actual) <= self.tolerance
            except (ValueError, ZeroDivisionError):
                return False
        return str(expected) == str(actual)

    def resolve(self, expected: Mapping[str, Any]) -> dict[str, Any]:
        """Apply keys that hold under A2 = replacement; drop them otherwise."""
        plain = {k: v for k, v in expected.items() if not k.endswith(_REPLACEMENT)}
        if self.replacement:
            other = {k: v for k, v in expected.items() if k.endswith(_REPLACEMENT)}
            plain |= {k.removesuffix(_REPLACEMENT): v for k, v in other.items()}
        return plain

    def values(self, where: str, expected: Mapping[str, Any], actual: Mapping[str, Any]) -> None:
        """Compare named values."""
        for key, value in self.resolve(expected).items():
            if key not in actual:
                self.outcome.unknown_keys.append(f"{where}{key}")
            elif isinstance(value, Mapping) and isinstance(actual[key], Mapping):
                self.values(f"{where}{key}.", value, actual[key])
            elif not self.equal(value, actual[key]):
                found = _show(actual[key])
                self.outcome.mismatches.append(f"{where}{key}: expected {value}, actual {found}")

    def rows(self, where: str, expected: Sequence[Mapping[str, Any]], actual: Sequence[dict]) -> None:
        """Compare rows as a multiset: every expected row meets its own actual row."""
        known = set(actual[0]) if actual else set()
        wanted = []
        for row in expected:
            plain = self.resolve(row)
            given_by_replacement = {k.removesuffix(_REPLACEMENT) for k in row if k.endswith(_REPLACEMENT)}
            for key in [k for k in plain if known and k not in known]:
                self.outcome.unknown_keys.append(f"{where}.{key}")
                del plain[key]
            wanted.append((plain, given_by_replacement))
        partner = self._pair(wanted, actual)
        for number, (plain, _) in enumerate(wanted):
            if number not in partner:
                free = [r for i, r in enumerate(actual) if i not in partner.values()]
                near = [_show(r) for r in free if _key(plain) == _key(r)] or list(map(_show, free))
                self.outcome.mismatches.append(f"{where}: expected {_show(plain)}, actual {near}")
        left = [r for i, r in enumerate(actual) if i not in partner.values()]
        if left and len(actual) > len(wanted):
            self.outcome.mismatches.append(f"{where}: not expected {[_show(r) for r in left]}")

    def _pair(
        self, wanted: Sequence[tuple[dict[str, Any], set[str]]], actual: Sequence[dict]
    ) -> dict[int, int]:
        """Give each expected row an actual row of its own, as many as can be (augmenting paths)."""
        fits = [
            [i for i, row in enumerate(actual) if self._meets(plain, row, stated)] for plain, stated in wanted
        ]
        holder: dict[int, int] = {}

        def place(number: int, tried: set[int]) -> bool:
            for i in fits[number]:
                if i not in tried:
                    tried.add(i)
                    if i not in holder or place(holder[i], tried):
                        holder[i] = number
                        return True
            return False

        for number in range(len(wanted)):
            place(number, set())
        return {number: i for i, number in holder.items()}

    def _meets(self, expected: Mapping[str, Any], actual: Mapping[str, Any], stated: set[str]) -> bool:
        for key, value in expected.items():
            # a tacked date that is stated for the default method alone says nothing about the other
            other_method = self.other_method and key in _TACKED and key not in stated
            if other_method and actual.get("is_tacked"):
                continue
            if key not in actual or not self.equal(value, actual[key]):
                return False
        return True


def _merged(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Merge expected rows as the schema says: by (sale, lot, term, disallowed > 0), or by lot and start."""
    merged: dict[tuple, dict[str, Any]] = {}
    for row in rows:
        names = ("sale", "lot", "term", "account", "symbol", "hp_start")
        washed = Fraction(str(row.get("disallowed", 0))) > 0
        key = (*(str(row.get(name)) for name in names), washed)
        if key not in merged:
            merged[key] = dict(row)
            continue
        for name in SUMMED & set(row):
            merged[key][name] = Fraction(str(merged[key].get(name, 0))) + Fraction(str(row[name]))
    return list(merged.values())


def _key(row: Mapping[str, Any]) -> tuple:
    return tuple(row.get(k) for k in ("sale", "lot"))


def _show(value: Any) -> Any:
    if isinstance(value, Fraction):
        return f"{float(value):.6g}" if value.denominator != 1 else str(value.numerator)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_show(v)}" for k, v in value.items() if k != "is_tacked") + "}"
    return value


def check(case: Mapping[str, Any], settings: TaxSettings, tolerance: Fraction) -> Outcome:
    """Run one case.

    Parameters
    ----------
    case : mapping
        One entry of ``cases``.
    settings : TaxSettings
        Conventions; where one of them is the case's ambiguous point and not at its default, the case's
        ``alternative`` is what is expected. Without one the case says nothing about that setting: it
        is skipped, unless its stated outcome holds all the same.
    tolerance : fractions.Fraction
        Largest difference of numbers, USD.

    Returns
    -------
    Outcome
        With mismatches, unknown expected keys, or the status for which it was skipped.

    Raises
    ------
    LookupError, TypeError, ValueError
        If the case is not in the schema.
    """
    outcome = Outcome(str(case["id"]))
    kind = case["kind"]
    expected = dict(case["expected"])
    moved = set(settings.changed()) & set(_CODE.findall(str(case.get("ambiguous", ""))))
    if "alternative" in case and moved:
        expected |= dict(case["alternative"])
    comparison = Comparison(outcome, tolerance, settings.a2)
    if kind in _SCALAR_KINDS:
        comparison.values("", expected, _SCALAR_KINDS[kind](case["inputs"]))
    elif kind == "lots":
        _check_lots(case, expected, settings, comparison)
    else:
        outcome.skipped = REFUSED_KINDS.get(kind, f"unsupported_kind: {kind}")
    # under A2 a case states its other dates in keys of their own
    if outcome.mismatches and moved - {"A2"} and "alternative" not in case:
        outcome.mismatches.clear()
        outcome.skipped = f"the case states no outcome for another {', '.join(sorted(moved))}"
    return outcome


def _check_lots(
    case: Mapping[str, Any], expected: dict[str, Any], settings: TaxSettings, comparison: Comparison
) -> None:
    try:
        state = run_case(case, settings)
    except UnsupportedCase as error:
        comparison.outcome.skipped = str(error)
        return
    expected = comparison.resolve(expected)
    realized = expected.pop("realized", None)
    open_lots = expected.pop("open_lots", None)
    if realized is not None:
        named = {str(row["sale"]) for row in realized}
        comparison.rows("realized", _merged(realized), realized_rows(state, named))
    if open_lots is not None:
        rows = open_lot_rows(state)
        # lots of one purchase without a stated start may be one row or several
        merged = _merged(open_lots)
        comparison.rows("open_lots", merged if len(merged) == len(rows) else open_lots, rows)
    comparison.values("", expected, totals(state))
    if comparison.outcome.mismatches:
        comparison.outcome.notes += [f"{status}: {reason}" for _, _, status, reason in state.issues]


def run_file(path: Path, settings: TaxSettings) -> Iterator[Outcome]:
    """Run every case of a file in its order.

    Raises
    ------
    ValueError
        If the file is not a mapping with a list of ``cases``, or its tolerance is not a number.
    """
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(document, Mapping) or not isinstance(document.get("cases"), list):
        raise ValueError(f"{path}: no list of cases; the file is a mapping with meta and cases")
    meta = document.get("meta") or {}
    tolerance = Fraction(str(meta.get("tolerance", "0.01") if isinstance(meta, Mapping) else "0.01"))
    for number, case in enumerate(document["cases"], start=1):
        named = isinstance(case, Mapping) and "id" in case
        try:
            if not isinstance(case, Mapping):
                raise TypeError(f"a case is a mapping, not {type(case).__name__}")
            yield check(case, settings, tolerance)
        except Exception as error:
            # whatever is wrong with one case fails that case with its reason; the others still run
            problem = f"{type(error).__name__}: {error}".splitlines()[0]
            if isinstance(error, KeyError):
                problem = f"{error} is missing"
            outcome = Outcome(str(case["id"]) if named else f"case {number}")
            outcome.mismatches.append(f"not computed: {problem}")
            yield outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return 1 if any case failed."""
    parser = argparse.ArgumentParser(prog="python -m ml.tax.cases", description=__doc__)
    parser.add_argument("file", type=Path, help="YAML file of cases")
    parser.add_argument("--setting", action="append", default=[], metavar="CODE=VALUE")
    options = parser.parse_args(arguments)
    settings = TaxSettings()
    try:
        for assignment in options.setting:
            settings = with_setting(settings, assignment)
        outcomes = list(run_file(options.file, settings))
    except (ValueError, OSError, yaml.YAMLError) as error:
        parser.error(str(error))
    for outcome in outcomes:
        for key in outcome.unknown_keys:
            print(f"{outcome.identifier}: unknown expected key {key} (not compared)")
        if outcome.skipped:
            print(f"{outcome.identifier}: skipped, {outcome.skipped}")
        for mismatch in outcome.mismatches:
            print(f"{outcome.identifier}: {mismatch}")
        for note in outcome.notes:
            print(f"{outcome.identifier}: note: {note}")
    skipped = sum(bool(o.skipped) for o in outcomes)
    failed = sum(bool(o.mismatches) for o in outcomes)
    print(f"{len(outcomes) - skipped - failed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
