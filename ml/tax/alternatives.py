"""What the other choices of settings A1, A6 and A12 do, outside the pass itself.

Source: TAX_RULES section 6.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ml.tax.lots import AccountInfo
from ml.tax.state import HouseholdState
from ml.tax.units import USD, to_date
from ml.tax.wash_sales import WINDOW_DAYS

if TYPE_CHECKING:
    from ml.tax.household import Event

_PURCHASES: Final = ("buy", "reinvestment")
_CENT: Final = USD // 100


def ira_first(
    events: Sequence["Event"],
    accounts: Mapping[str, AccountInfo],
    security: Callable[[str], str],
) -> list["Event"]:
    """Move same-day purchases in tax-deferred accounts ahead of taxable ones (A1 = worst_case).

    Parameters
    ----------
    events : sequence of Event
        A household's events in order.
    accounts : mapping of str to AccountInfo
        The household's accounts.
    security : callable
        Gives the name under which identical assets are one.

    Returns
    -------
    list of Event
        A purchase moves to just before the day's first taxable purchase of its security, but never
        over another event of its own account and asset (a split there changes what a share is).
    """
    ordered = list(events)
    first: dict[tuple[int, str], int] = {}
    for number, event in enumerate(ordered):
        if event.kind not in _PURCHASES or event.asset_id is None:
            continue
        key = (event.day, security(event.asset_id))
        if not accounts[event.account_id].is_deferred:
            first.setdefault(key, number)
            continue
        target = first.get(key)
        if target is None:
            continue
        between = ordered[target:number]
        if any((e.account_id, e.asset_id) == (event.account_id, event.asset_id) for e in between):
            continue
        ordered.insert(target, ordered.pop(number))
        # everything from the target on has moved one place down
        first = {k: n + 1 if target <= n < number else n for k, n in first.items()}
    return ordered


def permanent_by_account(state: HouseholdState) -> dict[str, int]:
    """Return the losses gone for good per account that realised them, in 1e-6 USD."""
    found: dict[str, int] = {}
    for piece in state.wash.pieces:
        if piece.is_permanent:
            account_id = piece.account.account_id
            found[account_id] = found.get(account_id, 0) + piece.disallowed
    return found


def report_same_day(
    state: HouseholdState, other: HouseholdState, accounts: Mapping[str, AccountInfo]
) -> None:
    """Report where IRA-first order would disallow another amount for good (A1 = show_both)."""
    ours, worst = permanent_by_account(state), permanent_by_account(other)
    for account_id in sorted({*ours, *worst}):
        ordered, first = ours.get(account_id, 0), worst.get(account_id, 0)
        if ordered != first:
            reason = (
                f"same-day purchases in taxable and tax-deferred accounts: {ordered / USD:.2f} disallowed for"
                f" good by order of execution, {first / USD:.2f} if the tax-deferred come first (A1)"
            )
            state.issue(accounts[account_id], "", "same_day_order", reason)


def round_to_cents(state: HouseholdState) -> None:
    """Round every reported amount to the cent on its own, halves away from zero (A12 = independent)."""
    for piece in state.wash.pieces:
        before = (piece.proceeds, piece.cost, piece.disallowed)
        piece.proceeds, piece.disallowed = _cents(piece.proceeds), _cents(piece.disallowed)
        piece.cost = None if piece.cost is None else _cents(piece.cost)
        if before != (piece.proceeds, piece.cost, piece.disallowed):
            piece.mark("A12")
    for held in state.book.holdings.values():
        for lot in held:
            if lot.cost is not None and lot.cost != _cents(lot.cost):
                lot.cost = _cents(lot.cost)
                lot.mark("A12")
            lot.wash_adjustment = _cents(lot.wash_adjustment)


def _cents(amount: int) -> int:
    size = (2 * abs(amount) + _CENT) // (2 * _CENT) * _CENT
    return size if amount >= 0 else -size


def warn_similar(state: HouseholdState, events: Iterable["Event"], groups: Sequence[Sequence[str]]) -> None:
    """Report recognised losses with a purchase of a similar asset within 30 days (A6 = warn_similar).

    Nothing is disallowed: whether two assets are substantially identical is a question of fact.
    """
    group_of = {asset: number for number, group in enumerate(groups) for asset in group}
    bought: dict[int, list[Event]] = {}
    for event in events:
        if event.kind in _PURCHASES and event.asset_id in group_of:
            bought.setdefault(group_of[event.asset_id], []).append(event)
    for piece in state.wash.pieces:
        number = group_of.get(piece.asset_id)
        if number is None or piece.account.is_deferred or (piece.gain or 0) + piece.disallowed >= 0:
            continue
        for event in bought.get(number, ()):
            near = abs(event.day - piece.sale_day) <= WINDOW_DAYS
            if near and state.world.security(event.asset_id or "") != state.world.security(piece.asset_id):
                piece.mark("A6")
                reason = (
                    f"loss sale {piece.sale_id} of {piece.asset_id}: {event.asset_id}, which may be"
                    f" substantially identical, was bought on {to_date(event.day)} ({event.transaction_id})"
                )
                state.issue(piece.account, piece.sale_id, "possibly_identical", reason)
