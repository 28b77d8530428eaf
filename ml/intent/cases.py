"""``python -m ml.intent.cases FILE.yaml --predictions OUT.jsonl [--no-score]``: read a file of cases, then score.

What belongs here: predictions of one file, written before any expected value is looked at, and the
scores by the file's own convention (``meta.scoring``). What does not: the parser.

Each line of OUT is ``{"id": ..., "intent": {...}}`` with the fields of a case's ``expected``; a case that
cannot be read still gets a line, with nothing stated and an ``"error"``. ``expected`` may be absent and
is not looked at before OUT is written. Scores: per field, share of stated slots that are right, share of
empty places in which something was invented, and hostile cases that stayed inert. A case without a
prediction, or with an error, is wrong in every field.
"""

import argparse
import json
import sys
import time
from datetime import date
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
    scored = [
        case
        for case in document["cases"]
        if isinstance(case, dict) and isinstance(case.get("expected"), dict)
    ]
    if not options.no_score and scored:
        meta = document.get("meta") or {}
        print(format_scores(score(scored, predictions, meta.get("exclusion_equivalents") or [])))
    elif not options.no_score:
        print("no case has `expected`: nothing to score")
    return 0


class CasesError(ValueError):
    """The file is no file of cases; the message says what is missing."""


def _load(path: Path) -> dict[str, Any]:
    try:
        # The C loader reads the same YAML about eight times as fast.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
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
    return date.fromisoformat(str(stated_at.isoformat() if isinstance(stated_at, date) else stated_at)[:10])


def predict(case: Any) -> dict[str, Any]:
    """Read one case's text; an error is the line's content, never the end of the run."""
    try:
        # YAML reads an unquoted number as one, and nothing as null: both are what somebody typed.
        text = "" if case["text"] is None else str(case["text"])
        return {"id": case["id"], "intent": as_expected(parse_goal(text, _day_of(case)))}
    except Exception as error:  # whatever a case holds, it gets its line
        nothing = as_expected(InvestmentIntent(parser_version="none"))
        identity = case.get("id") if isinstance(case, dict) else None
        return {"id": identity, "intent": nothing, "error": f"{type(error).__name__}: {error}"}


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
    """Compare predictions with expected values.

    Returns
    -------
    dict
        ``fields`` (right, scored per field), ``slots``, ``places`` (invented, empty), ``cases_invented``,
        ``hostile``, each as (count, of), and ``wrong``: (id, field, expected, predicted).
    """
    by_id = {line["id"]: line["intent"] for line in predictions if "error" not in line}
    canonical = {name: group[0] for group in equivalents for name in group}
    fields = {name: [0, 0] for name in FIELDS}
    slots: list[float] = [0, 0]
    places, invented_cases, hostile, wrong = [0, 0], 0, [0, 0], []
    for case in cases:
        expected, predicted = (
            flatten(case["expected"], canonical),
            flatten(by_id.get(case["id"]) or {}, canonical),
        )
        unscored, optional = (
            set(case["expected"].get("unscored", ())),
            set(case["expected"].get("optional", ())),
        )
        has_invented, is_inert = False, True
        stated_at = _day_of(case) if case["id"] in by_id else date.min
        for name in FIELDS:
            if _parent(name) in unscored or name in unscored:
                continue
            right, share = _compare(name, case["expected"], expected[name], predicted[name], stated_at)
            right &= case["id"] in by_id
            left_open = _parent(name) in optional and not predicted[name] and case["id"] in by_id
            right = right or left_open
            fields[name][0] += right
            fields[name][1] += 1
            if not right:
                wrong.append((case["id"], name, expected[name], predicted[name]))
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
        if "hostile" in case.get("tags", ()):
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
    lines = [f"  {i}  {name}: expected {_show(e)}, got {_show(p)}" for i, name, e, p in scores["wrong"]]
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
