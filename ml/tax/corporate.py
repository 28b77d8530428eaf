"""Corporate actions on lots, from an account's own rows or from the market table.

Source: TAX_RULES section 4; IRC 305, 307, 354 to 358, 301(c); Reg. 1.358-2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from ml.tax.actions import MarketAction
from ml.tax.holding_period import first_long_term_day
from ml.tax.lots import AccountInfo, Lot
from ml.tax.state import HouseholdState
from ml.tax.units import SHARE, apportion, scale
from ml.tax.wash_sales import Piece

_FRACTION_UNITS = 10**12
CASH_IN_LIEU_DAYS = 60


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Change:
    """A corporate action as it reaches one account.

    ``quantity`` is what the account's own row states (0 if only a ratio is known), ``amount`` the
    cash in 1e-6 USD, ``fair_value`` the market value of all new shares and ``price`` that of one old
    share, ``fraction`` in 1e-12.
    """

    kind: str
    identifier: str
    account: AccountInfo
    asset_id: str
    day: int
    order_no: int
    quantity: int = 0
    ratio: Fraction | None = None
    new_asset_id: str | None = None
    amount: int = 0
    fraction: int | None = None
    fair_value: int | None = None
    price: int | None = None
    nothing_left: Callable[[], bool] = _never


def ratio_of(new: int | None, old: int | None) -> Fraction | None:
    """Return new per old shares, or None if either is missing or zero."""
    return Fraction(new, old) if new and old else None


def market_change(
    action: MarketAction, account: AccountInfo, held: int, order_no: int, nothing_left: Callable[[], bool]
) -> Change:
    """Turn a market action into the change of an account that holds ``held`` 1e-9 shares."""
    cash = scale(held, action.cash_per_share, SHARE) if action.cash_per_share else 0
    ratio = ratio_of(action.ratio_new, action.ratio_old)
    if action.kind == "symbol_change" and ratio is None:
        ratio = Fraction(1)
    return Change(
        action.kind,
        action.identifier,
        account,
        action.asset_id,
        action.ex_day,
        order_no,
        0,
        ratio,
        action.new_asset_id,
        cash,
        action.basis_fraction,
        None,
        None,
        nothing_left,
    )


def apply_change(state: HouseholdState, change: Change) -> None:
    """Apply a corporate action to one account's lots."""
    handler = {
        "split": _split,
        "stock_dividend": _split,
        "spin_off": _spin_off,
        "merger": _merger,
        "symbol_change": _rename,
        "return_of_capital": _return_of_capital,
    }[change.kind]
    handler(state, change)


def nearby_action(state: HouseholdState, change: Change, kinds: tuple[str, ...]) -> MarketAction | None:
    """Return the market's record of what an account booked itself, if there is one near."""
    for action in state.world.actions.get(change.asset_id, ()):
        if action.kind in kinds and state.world.own_rows.counter.near(action.ex_day, change.day):
            return action
    return None


def _split(state: HouseholdState, change: Change) -> None:
    account, asset = change.account, change.asset_id
    lots = state.book.lots(account.account_id, asset)
    held = sum(lot.quantity for lot in lots)
    ratio = change.ratio
    if ratio is None:
        action = nearby_action(state, change, ("split", "stock_dividend"))
        ratio = ratio_of(action.ratio_new, action.ratio_old) if action else None
    if change.quantity:
        removed = ratio is not None and ratio < 1
        after = held + (-change.quantity if removed else change.quantity)
        if held and after > 0:
            after = _with_fraction(state, change, asset, held, ratio, after)
        if held and ratio is None:
            ratio = Fraction(after, held)
    elif ratio is not None:
        after = scale(held, ratio.numerator, ratio.denominator)
    else:
        state.refuse(
            account,
            change.day,
            change.identifier,
            "refused",
            f"split {change.identifier} of {asset} states neither ratio nor quantity",
            onwards=True,
        )
        return
    if ratio is not None:
        state.note_split(account, asset, ratio, change.day)
    if not lots:
        return
    if after <= 0:
        state.refuse(
            account,
            change.day,
            change.identifier,
            "refused",
            f"split {change.identifier} removes {change.quantity / SHARE:g} of {held / SHARE:g} {asset}",
            onwards=True,
        )
        return
    for lot, quantity in zip(lots, apportion(after, [x.quantity for x in lots]), strict=True):
        lot.quantity = quantity
    for lot in [x for x in lots if x.quantity == 0]:
        lots.remove(lot)


def _with_fraction(
    state: HouseholdState, change: Change, asset: str, held: int, ratio: Fraction | None, stated: int
) -> int:
    """Add the fraction that cash in lieu will sell to the shares a row states; else trust the row."""
    key = (change.account.account_id, asset)
    following = [
        quantity
        for day, quantity in state.world.cash_in_lieu.get(key, ())
        if 0 <= day - change.day <= CASH_IN_LIEU_DAYS
    ]
    if not following:
        return stated
    fraction = following[0]
    if ratio is not None:
        fraction = scale(held, ratio.numerator, ratio.denominator) - stated
    if not 0 < fraction < SHARE:
        return stated
    state.fractions[key] = fraction
    return stated + fraction


def _child(lot: Lot, new_asset: str, quantity: int, cost: int | None) -> Lot:
    """Return the lot of a new asset that continues an old one: dates tacked, no new purchase."""
    return Lot(
        f"{lot.lot_id}@{new_asset}",
        lot.account,
        new_asset,
        quantity,
        cost,
        lot.acquired,
        lot.hp_start,
        lot.order_no,
        "spin_off",
        lot.source_id,
        lot.purchase_key,
        always_long=lot.always_long,
        gift_day=lot.gift_day,
        names=lot.names,
        codes=lot.codes,
    )


def _spin_off(state: HouseholdState, change: Change) -> None:
    account, asset = change.account, change.asset_id
    lots = state.book.lots(account.account_id, asset)
    held = sum(lot.quantity for lot in lots)
    action = nearby_action(state, change, ("spin_off",))
    new_asset = change.new_asset_id or (action.new_asset_id if action else None)
    quantity, ratio = change.quantity, change.ratio
    if ratio is None and action:
        ratio = ratio_of(action.ratio_new, action.ratio_old)
    if quantity and new_asset is not None:
        quantity = _with_fraction(state, change, new_asset, held, ratio, quantity)
    elif ratio is not None:
        quantity = scale(held, ratio.numerator, ratio.denominator)
    if not lots or new_asset is None or not quantity:
        if lots or quantity:
            reason = f"spin_off {change.identifier} of {asset} lacks the new asset or either's shares"
            state.refuse(account, change.day, change.identifier, "refused", reason, onwards=True)
        return
    fraction = change.fraction
    if fraction is None and action is not None:
        fraction = action.basis_fraction
    by_value = _value_fraction(change, held)
    if by_value is not None and (fraction is None or state.settings.a13 == "other_valuation"):
        fraction = by_value
    if fraction is None:
        state.issue(
            account,
            change.identifier,
            "unknown_basis",
            f"spin_off {change.identifier} of {asset} has no basis_fraction (issuer's Form 8937): the"
            " basis of both assets is unknown",
        )
    parts = apportion(quantity, [lot.quantity for lot in lots])
    for lot, part in zip(list(lots), parts, strict=True):
        if not part:
            continue
        lot.mark("A13")
        child = _child(lot, new_asset, part, None)
        if fraction is None:
            lot.cost = None
        elif lot.cost is not None:
            child.cost = scale(lot.cost, fraction, _FRACTION_UNITS)
            lot.cost -= child.cost
            child.wash_adjustment = scale(lot.wash_adjustment, fraction, _FRACTION_UNITS)
            lot.wash_adjustment -= child.wash_adjustment
            if lot.loss_cost is not None:
                child.loss_cost = scale(lot.loss_cost, fraction, _FRACTION_UNITS)
                lot.loss_cost -= child.loss_cost
        state.book.add(child)


def _value_fraction(change: Change, held: int) -> int | None:
    """Return the new shares' part of the market value after a spin-off (1e-12), if the row states it."""
    if change.fair_value is None or not change.price:
        return None
    old_value = scale(change.price, held, SHARE)
    whole = change.fair_value + old_value
    return scale(_FRACTION_UNITS, change.fair_value, whole) if whole > 0 else None


def _rename(state: HouseholdState, change: Change) -> None:
    account, asset, new_asset = change.account, change.asset_id, change.new_asset_id
    if new_asset is None:
        action = nearby_action(state, change, ("symbol_change", "merger"))
        new_asset = action.new_asset_id if action else None
    held = state.book.lots(account.account_id, asset)
    if new_asset is None or new_asset == asset:
        if held and new_asset is None:
            reason = f"symbol_change {change.identifier} of {asset} does not name the new asset"
            state.refuse(account, change.day, change.identifier, "refused", reason, onwards=True)
        return
    lots = state.book.empty(account.account_id, asset)
    after = sum(lot.quantity for lot in lots)
    if lots and change.quantity:
        after = change.quantity
    elif change.ratio is not None:
        after = scale(after, change.ratio.numerator, change.ratio.denominator)
    for lot, quantity in zip(lots, apportion(after, [x.quantity for x in lots]) if lots else [], strict=True):
        lot.asset_id, lot.quantity = new_asset, quantity
        if quantity:
            state.book.add(lot)


def _merger(state: HouseholdState, change: Change) -> None:
    account, asset = change.account, change.asset_id
    held = state.book.quantity(account.account_id, asset)
    if not held:
        return
    action = nearby_action(state, change, ("merger", "symbol_change"))
    new_asset = change.new_asset_id
    ratio = change.ratio
    if action is not None and new_asset is None and change.quantity:
        new_asset = action.new_asset_id
    if ratio is None and action is not None and new_asset is not None:
        ratio = ratio_of(action.ratio_new, action.ratio_old)
    quantity = change.quantity
    if quantity and new_asset is not None:
        quantity = _with_fraction(state, change, new_asset, held, ratio, quantity)
    elif ratio is not None and new_asset is not None:
        quantity = scale(held, ratio.numerator, ratio.denominator)
    if new_asset is None and change.amount > 0:
        picks = [(lot, lot.quantity) for lot in state.book.lots(account.account_id, asset)]
        fills = [(change.identifier, held, change.amount)]
        state.realise(
            account,
            asset,
            picks,
            fills,
            change.day,
            change.order_no,
            change.nothing_left,
            voluntary=False,
        )
        return
    if new_asset is None or not quantity:
        reason = f"merger {change.identifier} of {asset} states neither new shares nor cash"
        state.refuse(account, change.day, change.identifier, "refused", reason, onwards=True)
        return
    _exchange(state, change, new_asset, quantity)


def _exchange(state: HouseholdState, change: Change, new_asset: str, quantity: int) -> None:
    """Exchange all lots for new shares; cash beside them is boot (IRC 356: gain up to it, no loss)."""
    account = change.account
    lots = state.book.empty(account.account_id, change.asset_id)
    weights = [lot.quantity for lot in lots]
    boot = apportion(change.amount, weights) if change.amount > 0 else [0] * len(lots)
    values = apportion(change.fair_value, weights) if change.fair_value is not None else None
    if change.amount > 0 and values is None:
        reason = f"merger {change.identifier}: cash beside shares needs their fair_market_value_usd"
        state.refuse(account, change.day, change.identifier, "refused", reason, onwards=True)
    for number, (lot, new_quantity) in enumerate(zip(lots, apportion(quantity, weights), strict=True)):
        child = _child(lot, new_asset, new_quantity, lot.cost)
        child.origin = "merger"
        child.wash_adjustment = lot.wash_adjustment
        child.loss_cost = lot.loss_cost
        if boot[number]:
            gain = None
            if values is not None and lot.cost is not None:
                gain = min(boot[number], max(0, values[number] + boot[number] - lot.cost))
                child.cost = lot.cost - boot[number] + gain
            else:
                child.cost = None
            cost = None if gain is None else boot[number] - gain
            if gain is None or gain > 0:
                _forced_piece(state, change, lot, boot[number], cost)
        if new_quantity:
            state.book.add(child)


def _forced_piece(state: HouseholdState, change: Change, lot: Lot, proceeds: int, cost: int | None) -> None:
    """Record a gain that an event forces on shares which stay: boot, or capital returned above basis."""
    state.wash.pieces.append(
        Piece(
            lot.account,
            change.asset_id,
            change.identifier,
            lot.lot_id,
            lot.source_id,
            lot.purchase_key,
            change.day,
            lot.acquired,
            lot.hp_start,
            lot.order_no,
            lot.quantity,
            proceeds,
            cost,
            lot.always_long or change.day >= first_long_term_day(lot.hp_start),
            False,
            codes=lot.codes,
        )
    )
    if cost is None:
        reason = f"{change.kind} {change.identifier} on a lot of unknown basis"
        state.refuse(lot.account, change.day, change.identifier, "unknown_basis", reason)


def _return_of_capital(state: HouseholdState, change: Change) -> None:
    """Lower the basis per share, floor zero; the excess is gain with the lot's term (A11)."""
    account, asset = change.account, change.asset_id
    lots = list(state.book.lots(account.account_id, asset))
    lots = _on_record(state, change, lots)
    if change.amount <= 0:
        return
    if not lots:
        reason = f"return_of_capital {change.identifier} of {asset} without shares held"
        state.refuse(account, change.day, change.identifier, "unknown_basis", reason)
        return
    if state.settings.a11 == "earliest_first":
        shares = _earliest_first(lots, change.amount)
    else:
        shares = apportion(change.amount, [lot.quantity for lot in lots])
    for lot, share in zip(lots, shares, strict=True):
        if len(lots) > 1:
            lot.mark("A11")
        if lot.cost is None:
            continue
        excess = max(0, share - lot.cost)
        lot.cost -= share - excess
        if lot.loss_cost is not None:
            lot.loss_cost = max(0, lot.loss_cost - share)
        lot.wash_adjustment = min(lot.wash_adjustment, lot.cost)
        if excess:
            _forced_piece(state, change, lot, excess, 0)


def _on_record(state: HouseholdState, change: Change, lots: list[Lot]) -> list[Lot]:
    """Keep the lots held before the ex-date if the market table tells it; else all lots held."""
    days = [
        a.ex_day
        for a in state.world.actions.get(change.asset_id, ())
        if a.kind == "return_of_capital" and 0 <= change.day - a.ex_day <= CASH_IN_LIEU_DAYS
    ]
    held = [lot for lot in lots if lot.acquired < max(days)] if days else lots
    return held or lots


def _earliest_first(lots: list[Lot], amount: int) -> list[int]:
    """Use up the basis of the earliest lots first (Pub 17, shares not identified)."""
    shares = []
    for lot in lots:
        share = min(amount, lot.cost or 0)
        shares.append(share)
        amount -= share
    if amount:
        excess = apportion(amount, [lot.quantity for lot in lots])
        shares = [share + extra for share, extra in zip(shares, excess, strict=True)]
    return shares
