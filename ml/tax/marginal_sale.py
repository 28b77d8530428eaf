"""A ``min_tax`` account's sale as the problem that :mod:`ml.tax.min_tax` solves."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from ml.tax.holding_period import first_long_term_day
from ml.tax.lots import AccountInfo, Lot
from ml.tax.min_tax import Candidate, Problem, choose
from ml.tax.schedule_d import TaxUnitYear, assumed, net, total_tax
from ml.tax.selection import Pick, pick
from ml.tax.state import HouseholdState, Income
from ml.tax.units import SHARE, USD, scale, to_date
from ml.tax.wash_sales import WINDOW_DAYS
from ml.tax.years import Filers

MIN_TAX: Final = "MIN_TAX"
BOUNDED: Final = "MIN_TAX_BOUNDED"


def pick_min_tax(
    state: HouseholdState,
    account: AccountInfo,
    asset_id: str,
    quantity: int,
    proceeds: int,
    day: int,
    identifier: str,
) -> list[Pick] | None:
    """Choose the lots whose sale adds least tax to the year.

    Parameters
    ----------
    state : HouseholdState
        Up to this sale: what is sold or bought later is not known.
    account, asset_id : AccountInfo, str
        What is sold.
    quantity, proceeds : int
        1e-9 shares and net proceeds of all of them in 1e-6 USD.
    day, identifier : int, str
        Trade day and id of the sale.

    Returns
    -------
    list of (Lot, int) or None
        None where nothing can be weighed because a basis is unknown.

    Notes
    -----
    The six-month rule of fund shares and later events of the day are not weighed.
    """
    lots = state.book.lots(account.account_id, asset_id)
    if len(lots) < 2 or quantity >= sum(lot.quantity for lot in lots):
        return pick(lots, quantity, lots)
    if any(lot.cost is None for lot in lots):
        return None
    can_wash = (
        state.world.asset(asset_id).tax_treatment != "digital_asset" or state.settings.a18 != "no_wash_sale"
    )
    recent = _recent(state, account, asset_id, day) if can_wash else []
    order = {id(lot): number for number, lot in enumerate(recent)}
    candidates = [
        Candidate(
            lot.quantity,
            _gain(lot, scale(proceeds, lot.quantity, quantity)),
            lot.always_long or day >= first_long_term_day(lot.hp_start),
            lot.purchase_key,
            id(lot) in order,
            order.get(id(lot), 0),
        )
        for lot in lots
    ]
    own = {id(lot) for lot in lots}
    elsewhere = [(order[id(x)], x.purchase_key, x.quantity) for x in recent if id(x) not in own]
    choice = choose(Problem(candidates, quantity, elsewhere, _tax(state, account, day)))
    code = BOUNDED if choice.gap else MIN_TAX
    picks = [(lot, amount) for lot, amount in zip(lots, choice.amounts, strict=True) if amount]
    for lot, _ in picks:
        lot.mark(code)
    if choice.gap:
        reason = (
            f"sale {identifier} of {quantity / SHARE:g} {asset_id}: the tax added is within"
            f" {choice.gap / USD:.2f} USD of the least possible"
        )
        state.issue(account, identifier, "min_tax_bounded", reason)
    return picks


def _recent(state: HouseholdState, account: AccountInfo, asset_id: str, day: int) -> list[Lot]:
    """Return open unused purchases of the 30 days before, of all accounts, in order of acquisition."""
    found = [
        lot
        for lot in state.wash.purchases.get(state.scope(account, asset_id), ())
        if lot.acquired >= day - WINDOW_DAYS
        and lot.is_purchase
        and not lot.used
        and lot in state.book.lots(lot.account.account_id, lot.asset_id)
        and not (state.settings.a17 == "not_a_replacement" and lot.account.account_type in ("401k", "hsa"))
    ]
    return sorted(found, key=lambda lot: (lot.acquired, lot.order_no))


def _gain(lot: Lot, proceeds: int) -> int:
    cost = lot.cost or 0
    if lot.loss_cost is not None and proceeds < cost:
        return min(0, proceeds - lot.loss_cost)
    return proceeds - cost


def _tax(state: HouseholdState, account: AccountInfo, day: int) -> Callable[[int, int], int]:
    """Return the year's tax as a function of what this sale adds, in 1e-6 USD."""
    unit_id, year = account.tax_unit_id, to_date(day).year
    filers = state.world.filers or Filers({}, {})
    sums = _sums(state, unit_id)
    carry_st, carry_lt = _carried_into(state, filers, unit_id, year, sums)
    filer = filers.of(unit_id, year)
    filing, income, magi, _ = assumed(year, filer.filing_status, filer.state, filer.income, filer.magi)
    short, long = sums.get(year, (0, 0))
    earned = state.income.get((unit_id, year), Income())
    base = TaxUnitYear(
        year,
        filing,
        filer.state,
        income,
        magi,
        short - carry_st,
        long + earned.gain_distributions - carry_lt,
        earned.ordinary_dividends,
        min(earned.qualified(), max(0, earned.ordinary_dividends)),
        earned.interest,
    )

    def tax(more_short: int, more_long: int) -> int:
        return total_tax(replace(base, short=base.short + more_short, long=base.long + more_long))

    return tax


def _sums(state: HouseholdState, unit_id: str) -> dict[int, tuple[int, int]]:
    """Return recognised (short, long) results by year."""
    sums: dict[int, list[int]] = {}
    for piece in state.wash.pieces:
        if piece.account.tax_unit_id == unit_id and not piece.account.is_deferred and piece.gain is not None:
            pair = sums.setdefault(to_date(piece.sale_day).year, [0, 0])
            pair[piece.is_long] += piece.gain + piece.disallowed
    return {year: (pair[0], pair[1]) for year, pair in sums.items()}


def _carried_into(
    state: HouseholdState, filers: Filers, unit_id: str, year: int, sums: dict[int, tuple[int, int]]
) -> tuple[int, int]:
    """Return the losses carried into a year: stated by the filer's row of the year, else computed."""
    known = {*sums, *(y for unit, y in state.income if unit == unit_id)}
    first = min((y for y in known if y < year), default=year)
    carry = (0, 0)
    for current in range(first, year + 1):
        filer = filers.of(unit_id, current)
        if current == first or filers.states_year(unit_id, current):
            carry = abs(filer.st_carryover or 0), abs(filer.lt_carryover or 0)
        if current < year:
            short, long = sums.get(current, (0, 0))
            earned = state.income.get((unit_id, current), Income())
            filing = filer.filing_status or "single"
            nets = short - carry[0], long + earned.gain_distributions - carry[1]
            line15 = None
            if filer.income is not None:
                before = filer.income + earned.ordinary_dividends + earned.interest
                line15 = before - net(*nets, filing).deduction
            netting = net(*nets, filing, line15)
            carry = netting.carry_st, netting.carry_lt
    return carry
