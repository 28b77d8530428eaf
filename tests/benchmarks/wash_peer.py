"""Worked wash-sale cases: ours beside wash-alpha's, ``python -m tests.benchmarks.wash_peer [FILE.yaml]``.

A case counts as right if the loss disallowed of every sale, and what of it is lost for good, is within the
file's tolerance. wash-alpha's detector takes each sale's cost from the broker, so it is given what brokers
state: a row per sale and lot, cost before any wash sale, by the case's own choice of lots. Cases in which
something else than purchases and sales happens (splits, spin-offs, gifts) are run by ours alone and count
for neither side; cases that state no disallowed loss are no wash cases.

This file compares answers; speed is :mod:`tests.benchmarks.ledger`'s.
"""

import argparse
import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import yaml

from ml.tax.case_ledger import UnsupportedCase, realized_rows, run_case
from ml.tax.settings import TaxSettings

DEFAULT_FILE: Final = Path(__file__).parents[1] / "test_ml" / "test_tax" / "cases_lots.yaml"
INSTALL: Final = "wash-alpha is not installed: uv run --group peers python -m tests.benchmarks wash_peer"
_TYPES: Final = (("roth", "roth_ira"), ("ira", "trad_ira"), ("401k", "401k"), ("hsa", "hsa"))
_ARRIVALS: Final = {
    "gift",
    "gift_in",
    "inheritance",
    "inherited",
    "transfer",
    "transfer_in",
}  # of shares that were not bought

Losses = dict[str, tuple[Fraction, Fraction]]  # by sale: disallowed, of which lost for good; USD


@dataclass(frozen=True, slots=True)
class Score:
    """One case: whether each side's answer is right; None where a side was not run, with the reason."""

    case: str
    ours: bool
    peer: bool | None
    note: str


def is_wash_case(case: Mapping[str, Any]) -> bool:
    """Say whether a case states disallowed losses of sales under the wash sale rule."""
    rows = case["expected"].get("realized", ()) if case["kind"] == "lots" else ()
    is_off = str(case.get("wash_sales", "on")).lower() in ("off", "false")
    return not is_off and any("disallowed" in row for row in rows)


def _sums(rows: Sequence[Mapping[str, Any]]) -> Losses:
    found: Losses = {}
    for row in rows:
        disallowed, permanent = found.get(str(row["sale"]), (Fraction(0), Fraction(0)))
        disallowed += Fraction(str(row.get("disallowed", 0)))
        permanent += Fraction(str(row.get("permanently_disallowed", 0)))
        found[str(row["sale"])] = (disallowed, permanent)
    return found


def ours(case: Mapping[str, Any]) -> Losses:
    """Return what the exact engine disallows."""
    named = {str(row["sale"]) for row in case["expected"]["realized"]}
    return _sums(realized_rows(run_case(case, TaxSettings()), named))


def peer_type(kind: str) -> str:
    """Return wash-alpha's account type for a case's."""
    return next((theirs for part, theirs in _TYPES if part in kind.lower()), "taxable")


def peer(case: Mapping[str, Any]) -> Losses:
    """Return what wash-alpha disallows, given the broker's view of the same transactions."""
    domain = importlib.import_module("net_alpha.models.domain")
    detector = importlib.import_module("net_alpha.engine.detector")
    account_types = importlib.import_module("net_alpha.models.accounts").AccountType
    items = {str(item["id"]): item for item in case["transactions"]}
    sales = {name for name, item in items.items() if item["side"] == "sell"}
    plain = realized_rows(run_case({**case, "wash_sales": "off"}, TaxSettings()), sales)
    first = str(next(iter(case["accounts"])))
    trades = []
    for name, item in items.items():
        common = {
            "account": str(item.get("account", first)),
            "date": date.fromisoformat(str(item["date"])[:10]),
            "ticker": str(item["symbol"]),
            "basis_source": "broker",
        }
        quantity, fees = Fraction(str(item["quantity"])), Fraction(str(item.get("fees", 0)))
        gross = Fraction(str(item["amount"])) if "amount" in item else quantity * Fraction(str(item["price"]))
        if item["side"] == "buy":
            values = {"action": "Buy", "quantity": float(quantity), "cost_basis": float(gross + fees)}
            trades.append(domain.Trade(id=name, **common, **values))
            continue
        for number, row in enumerate(row for row in plain if row["sale"] == name):
            proceeds = (gross - fees) * row["quantity"] / quantity
            values = {
                "action": "Sell",
                "quantity": float(row["quantity"]),
                "proceeds": float(proceeds),
                "cost_basis": float(proceeds - row["gain"]),
            }
            trades.append(domain.Trade(id=f"{name}@{number}", **common, **values))
    kinds = {str(a): account_types(peer_type(str(kind))) for a, kind in case["accounts"].items()}
    found = detector.detect_wash_sales(trades, {}, kinds)
    return _sums(
        [
            {
                "sale": match.loss_trade_id.rpartition("@")[0],
                "disallowed": match.disallowed_loss,
                "permanently_disallowed": match.disallowed_loss if match.kind == "permanent_ira" else 0,
            }
            for match in found.violations
        ]
    )


def is_right(expected: Losses, found: Losses, tolerance: Fraction, states_permanent: bool) -> bool:
    """Say whether losses agree within a tolerance; a sale that is not named has none disallowed."""
    none = (Fraction(0), Fraction(0))
    parts = (0, 1) if states_permanent else (0,)
    return all(
        abs(expected.get(sale, none)[i] - found.get(sale, none)[i]) <= tolerance
        for sale in expected | found
        for i in parts
    )


def score(case: Mapping[str, Any], tolerance: Fraction, has_peer: bool) -> Score:
    """Score one wash case."""
    rows = case["expected"]["realized"]
    expected = _sums(rows)
    states_permanent = any("permanently_disallowed" in row for row in rows)
    name = str(case["id"])
    try:
        found = ours(case)
    except UnsupportedCase as error:
        return Score(name, False, None, str(error))
    right = is_right(expected, found, tolerance, states_permanent)
    items = case["transactions"]
    other = sorted(
        {i["side"] for i in items} - {"buy", "sell"} | {str(i.get("via")) for i in items} & _ARRIVALS
    )
    if other or not has_peer:
        return Score(name, right, None, f"peer not run: {', '.join(other) or INSTALL}")
    theirs = peer(case)
    is_peer_right = is_right(expected, theirs, tolerance, states_permanent)
    note = "" if right and is_peer_right else f"stated {_show(expected)}, wash-alpha {_show(theirs)}"
    return Score(name, right, is_peer_right, note if right else f"{note}, ours {_show(found)}")


def _show(losses: Losses) -> str:
    return "{" + ", ".join(f"{sale}: {float(lost):.6g}" for sale, (lost, _) in sorted(losses.items())) + "}"


def score_file(path: Path, has_peer: bool) -> list[Score]:
    """Score the wash cases of a file in its order."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    tolerance = Fraction(str((document.get("meta") or {}).get("tolerance", "0.01")))
    return [score(case, tolerance, has_peer) for case in document["cases"] if is_wash_case(case)]


def run(path: Path = DEFAULT_FILE) -> list[dict[str, Any]]:
    """Return a row with how many cases each side has right."""
    has_peer = importlib.util.find_spec("net_alpha") is not None
    scores = score_file(path, has_peer)
    both = [s for s in scores if s.peer is not None]
    right, theirs = sum(s.ours for s in both), sum(bool(s.peer) for s in both)
    row: dict[str, Any] = {
        "name": "wash_peer",
        "work": (
            f"wash sales of {len(both)} worked cases of {path.name}: loss disallowed by sale"
            f" ({len(scores) - len(both)} more with other events: ours {sum(s.ours for s in scores) - right} right)"
        ),
        "unit": "cases right",
    }
    if not has_peer:
        return [row | {"skipped": INSTALL}]
    if not theirs:
        return [row | {"skipped": f"no ratio: wash-alpha has none right, ours {right}"}]
    return [row | {"ours": right, "peer": "net_alpha", "peer_value": theirs, "ratio": right / theirs}]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row per case; return 1 if ours has one wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.wash_peer", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=DEFAULT_FILE, help="YAML file of cases")
    scores = score_file(parser.parse_args(arguments).file, importlib.util.find_spec("net_alpha") is not None)
    words = {True: "right", False: "wrong", None: "-"}
    width = max((len(s.case) for s in scores), default=4)
    print(f"{'case':{width}}  ours   wash-alpha")
    for s in scores:
        print(f"{s.case:{width}}  {words[s.ours]:5}  {words[s.peer]:10}  {s.note}".rstrip())
    both = [s for s in scores if s.peer is not None]
    print(
        f"{len(scores)} wash cases: ours {sum(s.ours for s in scores)} right; of the {len(both)} run by both:"
        f" ours {sum(s.ours for s in both)}, wash-alpha {sum(bool(s.peer) for s in both)}"
    )
    return 0 if all(s.ours for s in scores) else 1


if __name__ == "__main__":
    raise SystemExit(main())
