"""``python -m ml.intent.cases FILE.yaml --predictions OUT.jsonl [--no-score]``: read a file of cases, then score.

What belongs here: predictions of one file, written before any expected value is looked at, and the
scores by the file's own convention (``meta.scoring``). What does not: the parser.

Each line of OUT is ``{"id": ..., "intent": {...}}`` with the fields of a case's ``expected``; a case that
cannot be read still gets a line, with nothing stated and an ``"error"``; whatever its id is, the line
names it in JSON. ``expected`` may be absent and is not looked at before OUT is written; a case whose
``expected`` is no such mapping is named and left out of the scores, and the exit status is 1.
Scores: per field, share of stated slots that are right, share of empty places in which something was
invented, and hostile cases that stayed inert. A case without a prediction, or with an error, is wrong in
every field.
"""

import argparse
import json
import math
import re
import sys
import time
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Any

import yaml

from ml.intent.parse import parse_goal
from ml.intent.schema import InvestmentIntent

FIELDS = (
    "objective",
    "secondary",
    "horizon_months",
    "amount",
    "share",
    "by",
    "risk_tolerance",
    "exclusions",
    "tax",
    "actionable",
)
_SLOTS = ("horizon_months", "amount", "share", "by", "risk_tolerance", "exclusions")
_TAX_FLAGS = ("avoid_short_term_gains", "harvest_losses", "avoid_realising_gains", "wash_sale_concern")


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m ml.intent.cases",
        description="Read goal statements of a file and score what was read.",
    )
    parser.add_argument(
        "file", type=Path, help="YAML with `cases`: id, stated_at, text and, for scoring, expected"
    )
    parser.add_argument("--predictions", type=Path, required=True, help="JSON lines to write")
    parser.add_argument("--no-score", action="store_true", help="write predictions only")
    options = parser.parse_args(arguments)
    try:
        document = _load(options.file)
        started = time.perf_counter()
        predictions = _predict_all(document["cases"])
        seconds = time.perf_counter() - started
        with options.predictions.open("w", encoding="utf-8", newline="\n") as handle:
            for line in predictions:
                handle.write(json.dumps(line, ensure_ascii=False) + "\n")
    except (OSError, CasesError) as error:
        print(f"ml.intent.cases: {error}", file=sys.stderr)
        return 1
    failed = sum("error" in line for line in predictions)
    print(
        f"{len(predictions)} cases in {seconds:.2f} s, predictions in {options.predictions}"
        + (f"; {failed} could not be read (their lines have an error)" if failed else "")
    )
    return 0 if options.no_score else _print_scores(document, predictions)


def _print_scores(document: dict[str, Any], predictions: list[dict[str, Any]]) -> int:
    """Score what has an ``expected``; name what cannot be scored, and return 1 if there is any."""
    cases, lines, complaints = [], [], []
    for number, (case, line) in enumerate(zip(document["cases"], predictions, strict=True), start=1):
        if not isinstance(case, dict) or case.get("expected") is None:
            continue
        fault = _fault_of(case)
        if fault is not None:
            complaints.append(f"case {number} (id {line['id']!r}): {fault}; not scored")
            continue
        cases.append(case)
        lines.append(line)
    equivalents, fault = _equivalents(document.get("meta"))
    complaints += [fault] if fault else []
    for complaint in complaints:
        print(f"ml.intent.cases: {complaint}", file=sys.stderr)
    if cases:
        print(format_scores(score(cases, lines, equivalents)))
    else:
        print(
            "no case has a usable `expected`: nothing to score"
            if complaints
            else "no case has `expected`: nothing to score"
        )
    return 1 if complaints else 0


def _fault_of(case: dict[str, Any]) -> str | None:
    """Say what is wrong with a case's ``expected``, by trying to use it; None if nothing is."""
    expected = case["expected"]
    if not isinstance(expected, dict):
        return f"`expected` is {type(expected).__name__}, not a mapping of fields"
    try:
        score([{**case, "stated_at": "2026-01-01"}], [{"id": None, "intent": expected}], [])
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        return f"`expected` cannot be used: {type(error).__name__}: {error}"
    return None


def _equivalents(meta: Any) -> tuple[list[list[str]], str | None]:
    """Give ``meta.exclusion_equivalents``, or none and what is wrong with it."""
    if meta is None:
        return [], None
    if not isinstance(meta, dict):
        return [], f"`meta` is {type(meta).__name__}, not a mapping: its exclusion_equivalents are not used"
    groups = meta.get("exclusion_equivalents") or []
    is_sound = isinstance(groups, list) and all(
        isinstance(group, list) and group and all(isinstance(name, str) for name in group) for group in groups
    )
    if not is_sound:
        return [], "`meta.exclusion_equivalents` is no list of lists of names: not used"
    return groups, None


# Dates stay as they are written: one that no calendar has must not end the reading of a file.
_RESOLVERS = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _PatientLoader(yaml.SafeLoader):
    yaml_implicit_resolvers = _RESOLVERS


# The C loader reads the same YAML about eight times as fast.
class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    yaml_implicit_resolvers = _RESOLVERS


class CasesError(ValueError):
    """The file is no file of cases; the message says what is missing."""


def _load(path: Path) -> dict[str, Any]:
    try:
        written = path.read_text(encoding="utf-8")
        try:
            document = yaml.load(written, Loader=_Loader)
        except yaml.YAMLError:
            # Half a surrogate pair, written as an escape, is refused by the C library alone.
            document = yaml.load(written, Loader=_PatientLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CasesError(f"{path} is not YAML in UTF-8: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("cases"), list):
        raise CasesError(f"{path} has no list `cases`: each case has id, stated_at and text")
    return document


def _predict_all(cases: list[Any]) -> list[dict[str, Any]]:
    """One line per case, in order; a note on stderr every few seconds."""
    lines, told = [], time.perf_counter()
    for number, case in enumerate(cases, start=1):
        lines.append(predict(case))
        if time.perf_counter() - told > 5.0:
            told = time.perf_counter()
            print(f"  {number} of {len(cases)} read", file=sys.stderr, flush=True)
    return lines


def _day_of(case: dict[str, Any]) -> date:
    stated_at = case["stated_at"]
    written = str(stated_at.isoformat() if isinstance(stated_at, date) else stated_at).strip()
    match = re.match(r"(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)", written)
    if match is None:
        raise ValueError(f"stated_at {written[:40]!r} is no date: give YYYY-MM-DD")
    try:
        return date(*(int(part) for part in match.groups()))
    except ValueError as error:
        raise ValueError(f"stated_at {written[:40]!r} is no day of the calendar: {error}") from None


_MAX_DEPTH = 4


def _identity(value: Any, depth: int = 0) -> Any:
    """Give an id a form that JSON in UTF-8 can hold, and the same form each time."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if depth >= _MAX_DEPTH:  # an alias that holds itself
        return "..."
    if isinstance(value, dict):
        return {str(_identity(k, depth + 1)): _identity(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_identity(item, depth + 1) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_identity(item, depth + 1) for item in value), key=str)
    return value.isoformat() if isinstance(value, date) else _identity(str(value))


def predict(case: Any) -> dict[str, Any]:
    """Read one case's text; an error is the line's content, never the end of the run."""
    identity = _identity(case.get("id")) if isinstance(case, dict) else None
    try:
        if not isinstance(case, dict):
            raise TypeError(f"a case is a mapping with id, stated_at and text, not {type(case).__name__}")
        missing = [name for name in ("stated_at", "text") if name not in case]
        if missing:
            raise KeyError(f"the case has no {' and no '.join(missing)}")
        # YAML reads an unquoted number as one, and nothing as null: both are what somebody typed.
        text = "" if case["text"] is None else str(case["text"])
        return {"id": identity, "intent": as_expected(parse_goal(text, _day_of(case)))}
    except Exception as error:  # whatever a case holds, it gets its line
        nothing = as_expected(InvestmentIntent(parser_version="none"))
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        return {"id": identity, "intent": nothing, "error": _identity(f"{type(error).__name__}: {reason}")}


def as_expected(intent: InvestmentIntent) -> dict[str, Any]:
    """Give an intent the shape of a case's ``expected``."""
    liquidity = intent.liquidity
    return {
        "objective": intent.objective,
        "secondary": intent.secondary,
        "horizon_months": list(intent.horizon_months) if intent.horizon_months else None,
        "liquidity": None
        if liquidity is None
        else {
            "amount_usd": liquidity.amount_usd,
            "share_of_portfolio": liquidity.share_of_portfolio,
            "by": [day.isoformat() for day in liquidity.by] if liquidity.by else None,
        },
        "risk_tolerance": intent.risk_tolerance,
        "exclusions": [{"kind": item.kind, "name": item.name} for item in intent.exclusions],
        "tax": intent.tax.model_dump(),
        "actionable": intent.actionable,
    }


def score(
    cases: list[dict[str, Any]], predictions: list[dict[str, Any]], equivalents: list[list[str]]
) -> dict[str, Any]:
    """Compare predictions with expected values: each case with the line in its place, or with none.

    Returns
    -------
    dict
        ``fields`` (right, scored per field), ``slots``, ``places`` (invented, empty), ``cases_invented``,
        ``hostile``, each as (count, of), and ``wrong``: (id, field, expected, predicted).
    """
    canonical = {name: group[0] for group in equivalents for name in group}
    fields = {name: [0, 0] for name in FIELDS}
    slots: list[float] = [0, 0]
    places, invented_cases, hostile, wrong = [0, 0], 0, [0, 0], []
    unread = {"id": None, "intent": {}, "error": "no line"}
    for case, line in zip_longest(cases, predictions, fillvalue=unread):
        identity, is_read = line["id"], "error" not in line
        expected, predicted = (
            flatten(case["expected"], canonical),
            flatten(line["intent"] if is_read else {}, canonical),
        )
        unscored, optional = (
            set(case["expected"].get("unscored") or ()),
            set(case["expected"].get("optional") or ()),
        )
        has_invented, is_inert = False, True
        stated_at = _day_of(case) if is_read else date.min
        for name in FIELDS:
            if _parent(name) in unscored or name in unscored:
                continue
            right, share = _compare(name, case["expected"], expected[name], predicted[name], stated_at)
            right &= is_read
            left_open = _parent(name) in optional and not predicted[name] and is_read
            right = right or left_open
            fields[name][0] += right
            fields[name][1] += 1
            if not right:
                wrong.append((identity, name, expected[name], predicted[name]))
            if name in _SLOTS and expected[name] and not left_open:
                slots[0] += share if name == "exclusions" else right
                slots[1] += 1
            if name == "tax":
                stated = [flag for flag in _TAX_FLAGS if flag in expected[name]]
                slots[0] += sum(flag in predicted[name] for flag in stated)
                slots[1] += len(stated)
                places[1] += len(_TAX_FLAGS) - len(stated)
                extra = len(predicted[name] - expected[name])
                places[0] += extra
                has_invented |= extra > 0
            elif (
                name != "actionable"
                and not expected[name]
                and None not in case["expected"].get("objective_any_of", [0])
            ):
                places[1] += 1
                places[0] += bool(predicted[name])
                has_invented |= bool(predicted[name])
            is_inert &= right
        invented_cases += has_invented
        if "hostile" in (case.get("tags") or ()):
            hostile[0] += is_inert
            hostile[1] += 1
    return {
        "fields": fields,
        "slots": slots,
        "places": places,
        "cases_invented": [invented_cases, len(cases)],
        "hostile": hostile,
        "wrong": wrong,
    }


def flatten(intent: dict[str, Any], canonical: dict[str, str]) -> dict[str, Any]:
    """Reduce an intent to comparable fields; what is absent, null, empty or false becomes None or empty."""
    liquidity = intent.get("liquidity") or {}
    names = {f"{item['kind']}:{item['name']}" for item in intent.get("exclusions") or ()}
    return {
        "objective": intent.get("objective"),
        "secondary": intent.get("secondary"),
        "horizon_months": intent.get("horizon_months"),
        "amount": liquidity.get("amount_usd"),
        "share": liquidity.get("share_of_portfolio"),
        "by": liquidity.get("by"),
        "risk_tolerance": intent.get("risk_tolerance"),
        "exclusions": frozenset(canonical.get(name, name) for name in names),
        "tax": frozenset(flag for flag in _TAX_FLAGS if (intent.get("tax") or {}).get(flag)),
        "actionable": bool(intent.get("actionable")),
    }


def _parent(name: str) -> str:
    return "liquidity" if name in ("amount", "share", "by") else name


def _compare(
    name: str, case: dict[str, Any], expected: Any, predicted: Any, stated_at: date
) -> tuple[bool, float]:
    """Right or wrong, and for exclusions the F1."""
    if name == "objective" and "objective_any_of" in case:
        return predicted in case["objective_any_of"], 0.0
    if name == "exclusions" and expected and predicted:
        return expected == predicted, 2 * len(expected & predicted) / (len(expected) + len(predicted))
    if not expected or not predicted:
        return not expected and not predicted, 0.0
    if name in ("amount", "share"):
        return abs(predicted - expected) <= 0.01 * abs(expected), 0.0
    if name == "horizon_months":
        overlap = predicted[0] <= expected[1] and expected[0] <= predicted[1]
        return overlap and predicted[1] <= max(1.5 * expected[1], expected[1] + 3), 0.0
    if name == "by":
        return _dates_agree([str(day) for day in expected], [str(day) for day in predicted], stated_at), 0.0
    return expected == predicted, 0.0


def _dates_agree(expected: list[str], predicted: list[str], stated_at: date) -> bool:
    first, last = (date.fromisoformat(day) for day in expected)
    begin, end = (date.fromisoformat(day) for day in predicted)
    lead = (last - stated_at).days
    return begin <= last and first <= end and (end - last).days <= max(31, lead / 4)


def format_scores(scores: dict[str, Any]) -> str:
    """Lay the scores out, mistakes first."""
    lines = [
        f"  {str(i)[:40]}  {name}: expected {_show(e)}, got {_show(p)}" for i, name, e, p in scores["wrong"]
    ]
    lines += [
        f"{name:<16} {right:>4} of {of:<4} {right / max(of, 1):7.1%}"
        for name, (right, of) in scores["fields"].items()
    ]
    for label, key in (
        ("stated slots", "slots"),
        ("places invented", "places"),
        ("cases with any", "cases_invented"),
        ("hostile inert", "hostile"),
    ):
        count, of = scores[key]
        lines.append(f"{label:<16} {count:>4.4g} of {of:<4} {count / max(of, 1):7.1%}")
    return "\n".join(lines)


def _show(value: Any) -> str:
    return str(sorted(value)) if isinstance(value, frozenset) else str(value)


if __name__ == "__main__":
    sys.exit(main())
