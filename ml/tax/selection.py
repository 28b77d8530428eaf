"""Which lots a sale closes: FIFO, LIFO, HIFO, specific identification, average basis.

Source: TAX_RULES section 1; IRC 1012(c), Reg. 1.1012-1(c) and (e).
"""

from collections.abc import Sequence
from typing import Final

from ml.tax.lots import Lot
from ml.tax.units import share_units

MIN_TAX_FALLBACK: Final = "MIN_TAX_AS_HIFO"
AVERAGE_FALLBACK: Final = "AVERAGE_AS_FIFO"
Pick = tuple[Lot, int]


def parse_reference(reference: str) -> list[tuple[str, int | None]]:
    """Read a lot reference, ``id`` or ``id:qty;id:qty``, into (id, 1e-9 shares or None).

    Raises
    ------
    ValueError
        If a part has no id or its quantity is not a positive number.
    """
    parts: list[tuple[str, int | None]] = []
    for item in filter(None, (p.strip() for p in reference.split(";"))):
        name, sign, quantity = item.rpartition(":")
        if not sign:
            parts.append((item, None))
            continue
        try:
            units = share_units(quantity.strip())
        except (ValueError, ZeroDivisionError):
            # an identifier may itself hold a colon
            parts.append((item, None))
            continue
        if not name or units <= 0:
            raise ValueError(f"lot_reference {reference!r}: {item!r} is not id:quantity with quantity > 0")
        parts.append((name.strip(), units))
    return parts


def _unit_cost(lot: Lot) -> int:
    """Rank lots by adjusted basis per share without rounding; unknown basis ranks below all."""
    return -1 if lot.cost is None else (lot.cost << 128) // lot.quantity


def standing_order(lots: Sequence[Lot], method: str, by_tacked_date: bool = False) -> list[Lot]:
    """Sort lots by an account's standing order.

    Parameters
    ----------
    lots : sequence of Lot
        Open lots, earliest acquisition first.
    method : {"fifo", "lifo", "hifo", "average", "specific_id", "min_tax"}
        ``average`` and unidentified ``specific_id`` sales go first in, first out; ``min_tax`` goes
        highest basis first (the caller notes ``MIN_TAX_AS_HIFO``).
    by_tacked_date : bool
        Setting A3 = tacked_date.

    Notes
    -----
    HIFO: highest adjusted basis per share first, after wash adjustments, returns of capital and
    splits; ties go to the earliest acquisition, then the earlier event.
    """
    if method in ("hifo", "min_tax"):
        return sorted(lots, key=_unit_cost, reverse=True)  # stable: ties stay in acquisition order
    ordered = list(lots)
    if by_tacked_date:
        ordered.sort(key=lambda lot: lot.hp_start)
    if method == "lifo":
        ordered.reverse()
    return ordered


def pick(lots: Sequence[Lot], quantity: int, order: Sequence[Lot]) -> list[Pick]:
    """Take ``quantity`` 1e-9 shares off lots in the order given; less if they hold less."""
    picks: list[Pick] = []
    left = quantity
    for lot in order:
        if left <= 0:
            break
        amount = min(left, lot.quantity)
        picks.append((lot, amount))
        left -= amount
    return picks


def pick_identified(
    lots: Sequence[Lot], quantity: int, reference: Sequence[tuple[str, int | None]]
) -> tuple[list[Pick], int]:
    """Take the lots that a sale names, then first in, first out.

    Parameters
    ----------
    lots : sequence of Lot
        Open lots, earliest acquisition first.
    quantity : int
        1e-9 shares sold.
    reference : sequence of (str, int or None)
        From :func:`parse_reference`; a name is a lot_id or the transaction_id of any fill.

    Returns
    -------
    list of (Lot, int)
        The picks.
    int
        Shares that the reference did not cover and FIFO filled (Reg. 1.1012-1(c)).
    """
    taken: dict[int, int] = {}
    picks: list[Pick] = []
    left = quantity

    def take(lot: Lot, most: int) -> int:
        amount = min(most, left, lot.quantity - taken.get(id(lot), 0))
        if amount > 0:
            taken[id(lot)] = taken.get(id(lot), 0) + amount
            picks.append((lot, amount))
        return max(0, amount)

    for name, most in reference:
        wanted = left if most is None else most
        exact = [lot for lot in lots if lot.lot_id == name]
        same = [lot for lot in lots if lot.lot_id != name and (lot.source_id == name or name in lot.names)]
        for lot in exact + same:
            amount = take(lot, wanted)
            wanted -= amount
            left -= amount
    uncovered = left
    for lot in lots:
        left -= take(lot, left)
    return _merged(picks), uncovered


def _merged(picks: list[Pick]) -> list[Pick]:
    merged: dict[int, Pick] = {}
    for lot, amount in picks:
        merged[id(lot)] = (lot, merged[id(lot)][1] + amount) if id(lot) in merged else (lot, amount)
    return list(merged.values())
