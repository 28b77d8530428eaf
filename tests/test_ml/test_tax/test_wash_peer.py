"""The comparison with wash-alpha: which cases it takes, and what counts as right."""

import importlib.util
from fractions import Fraction

import pytest

from tests.benchmarks import wash_peer

CASE = {
    "id": "simple",
    "kind": "lots",
    "accounts": {"T": "taxable", "R": "roth_ira"},
    "transactions": [
        {
            "id": "A",
            "date": "2021-01-04",
            "account": "T",
            "symbol": "X",
            "side": "buy",
            "quantity": 10,
            "price": 10,
        },
        {
            "id": "S",
            "date": "2021-06-01",
            "account": "T",
            "symbol": "X",
            "side": "sell",
            "quantity": 10,
            "price": 8,
        },
        {
            "id": "B",
            "date": "2021-06-02",
            "account": "R",
            "symbol": "X",
            "side": "buy",
            "quantity": 4,
            "price": 8,
        },
    ],
    "expected": {"realized": [{"sale": "S", "lot": "A", "disallowed": 8, "permanently_disallowed": 8}]},
}
CENT = Fraction(1, 100)


def test_ours_has_every_wash_case_of_the_repository_right() -> None:
    scores = wash_peer.score_file(wash_peer.DEFAULT_FILE, has_peer=False)
    assert len(scores) >= 15
    assert [s.case for s in scores if not s.ours] == []


def test_a_case_is_a_wash_case_if_it_states_disallowed_losses_under_the_rule() -> None:
    assert wash_peer.is_wash_case(CASE)
    assert not wash_peer.is_wash_case(CASE | {"wash_sales": "off"})
    assert not wash_peer.is_wash_case(CASE | {"kind": "netting"})
    assert not wash_peer.is_wash_case(CASE | {"expected": {"realized": [{"sale": "S", "gain": -20}]}})


def test_a_wrong_amount_and_a_loss_not_lost_for_good_are_wrong() -> None:
    assert wash_peer.score(CASE, CENT, has_peer=False).ours
    for change in ({"disallowed": 7}, {"permanently_disallowed": 0}):
        row = CASE["expected"]["realized"][0] | change  # pyright: ignore[reportArgumentType]
        assert not wash_peer.score(CASE | {"expected": {"realized": [row]}}, CENT, has_peer=False).ours


@pytest.mark.skipif(importlib.util.find_spec("net_alpha") is None, reason="group peers is not installed")
def test_the_peer_gets_the_brokers_view() -> None:
    assert wash_peer.peer(CASE) == {"S": (8, 8)}
    assert wash_peer.score(CASE, CENT, has_peer=True).peer
