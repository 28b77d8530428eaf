"""Shares that arrive or move without a sale: transfers, gifts, inheritances.

Source: TAX_RULES sections 1, 2 and 4; IRC 1015 (gifts), 1014 and 1223(9) (inherited), 1223(2).
"""

from typing import TYPE_CHECKING, Final

from ml.tax.lots import AccountInfo, Lot
from ml.tax.selection import Pick
from ml.tax.state import HouseholdState
from ml.tax.units import SHARE, scale

if TYPE_CHECKING:
    from ml.tax.household import Event

TRANSFER_DAYS: Final = 10


def receive(state: HouseholdState, event: "Event", account: AccountInfo, order_no: int) -> None:
    """Open the lot of a transfer_in, gift_in or inheritance.

    Parameters
    ----------
    state : HouseholdState
        Changed in place.
    event : Event
        ``cost_basis`` and ``fair_value`` are totals of all its shares, in 1e-6 USD.
    account : AccountInfo
        The receiving account.
    order_no : int
        The event's position.

    Notes
    -----
    A missing basis stays unknown and is reported. A missing acquisition date of a transfer is
    reported, and the transfer's date stands in for it (short-term rather than long-term in doubt).
    """
    asset = event.asset_id or ""
    if event.quantity <= 0:
        reason = f"{event.kind} {event.transaction_id} has no quantity"
        state.refuse(account, event.day, event.transaction_id, "refused", reason, onwards=True)
        return
    cost, loss_cost = event.cost_basis, None
    acquired = event.day if event.acquired is None else event.acquired
    if event.kind == "inheritance":
        cost = event.fair_value if event.cost_basis is None else event.cost_basis
    elif event.kind == "gift_in" and cost is not None and event.fair_value is not None:
        loss_cost = event.fair_value if event.fair_value < cost else None
    lot = Lot(
        event.transaction_id,
        account,
        asset,
        event.quantity,
        cost,
        acquired,
        acquired,
        order_no,
        event.kind,
        event.transaction_id,
        event.transaction_id,
        always_long=event.kind == "inheritance",
        loss_cost=loss_cost,
        gift_day=event.day,
    )
    if cost is None:
        reason = f"{event.kind} {event.transaction_id} of {asset} states no basis: the lot's basis is unknown"
        state.issue(account, event.transaction_id, "unknown_basis", reason)
    if event.acquired is None and event.kind != "inheritance":
        reason = f"{event.kind} {event.transaction_id} of {asset} states no acquired_date: its date stands in"
        state.issue(account, event.transaction_id, "acquired_date_unknown", reason)
    state.book.add(lot)


def move_lots(
    state: HouseholdState,
    event: "Event",
    source: AccountInfo,
    target: AccountInfo,
    picks: list[Pick],
    order_no: int,
) -> None:
    """Move lots between two accounts of a household, with basis and dates.

    Notes
    -----
    A distribution in kind from an IRA starts anew at market value; a contribution in kind into one
    is a deemed sale that is refused with a status.
    """
    asset = event.asset_id or ""
    moved = [state.book.take(lot, quantity) for lot, quantity in picks]
    total = sum(lot.quantity for lot in moved)
    missing = event.quantity - total
    if source.is_deferred and not target.is_deferred:
        _distribute(state, event, target, order_no)
        return
    if target.is_deferred and not source.is_deferred:
        reason = f"transfer {event.transaction_id} of {asset} into {target.account_id} is a deemed sale"
        state.refuse(source, event.day, event.transaction_id, "refused", reason)
    scope = state.scope(target, asset)
    for lot in moved:
        lot.account = target
        lot.lot_id = f"{event.transaction_id}#{_next(state, target, event.transaction_id)}"
        state.book.add(lot)
        if lot.is_purchase and lot not in state.wash.purchases.get(scope, []):
            state.wash.register(scope, lot)
    if missing > 0:
        lot_id = f"{event.transaction_id}#{_next(state, target, event.transaction_id)}"
        state.book.add(_unknown(event, target, lot_id, missing, order_no))
        reason = f"transfer {event.transaction_id} moves {missing / SHARE:g} {asset} shares without a lot"
        state.issue(target, event.transaction_id, "unknown_basis", reason)


def _next(state: HouseholdState, account: AccountInfo, base: str) -> int:
    key = (account.account_id, base)
    state.book.sub_lots[key] = state.book.sub_lots.get(key, 0) + 1
    return state.book.sub_lots[key]


def _unknown(event: "Event", account: AccountInfo, lot_id: str, quantity: int, order_no: int) -> Lot:
    return Lot(
        lot_id,
        account,
        event.asset_id or "",
        quantity,
        None,
        event.day,
        event.day,
        order_no,
        "transfer_in",
        event.transaction_id,
        event.transaction_id,
    )


def _distribute(state: HouseholdState, event: "Event", target: AccountInfo, order_no: int) -> None:
    """Open the lot of a distribution in kind: basis is market value, a new holding period."""
    lot = _unknown(event, target, event.transaction_id, event.quantity, order_no)
    if event.fair_value is not None:
        lot.cost = event.fair_value
    elif event.price is not None and event.price > 0:
        lot.cost = scale(event.price, event.quantity, SHARE)
    status = "unknown_basis" if lot.cost is None else "not_modelled"
    reason = f"distribution in kind {event.transaction_id}: its ordinary income is not computed"
    state.issue(target, event.transaction_id, status, reason)
    state.book.add(lot)


def pair_transfers(events: list["Event"]) -> list["Event"]:
    """Join a transfer_out and its transfer_in in another account of the household.

    Parameters
    ----------
    events : list of Event
        A household's events in order.

    Returns
    -------
    list of Event
        With each pair (same asset and shares, at most 10 days apart, no basis stated on arrival)
        replaced by one ``internal_transfer`` at the earlier of the two.
    """
    outs = [i for i, e in enumerate(events) if e.kind == "transfer_out"]
    if not outs:
        return events
    ins = [i for i, e in enumerate(events) if e.kind == "transfer_in" and e.cost_basis is None]
    dropped: set[int] = set()
    result = list(events)
    for out in outs:
        leaving = events[out]
        for number in ins:
            arriving = events[number]
            fits = (
                number not in dropped
                and arriving.asset_id == leaving.asset_id
                and arriving.quantity == leaving.quantity
                and arriving.account_id != leaving.account_id
                and abs(arriving.day - leaving.day) <= TRANSFER_DAYS
            )
            if not fits:
                continue
            first, second = sorted((out, number))
            leaving.kind, leaving.moved_to = "internal_transfer", arriving.account_id
            leaving.transaction_id = arriving.transaction_id
            leaving.day = events[first].day
            leaving.fair_value = arriving.fair_value if leaving.fair_value is None else leaving.fair_value
            leaving.price = arriving.price if leaving.price is None else leaving.price
            result[first] = leaving
            dropped |= {second, number}
            if first == number:
                dropped.discard(first)
                ins.remove(number)
            break
    return [e for i, e in enumerate(result) if i not in dropped]
