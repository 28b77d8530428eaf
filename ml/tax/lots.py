"""Lots and the book that holds them per (account, security).

A lot is an exact number of shares with an exact cost. A part taken from it takes its share of the
cost; the two parts always sum to what was there.
"""

from bisect import insort
from dataclasses import dataclass, field
from operator import attrgetter

from ml.tax.units import apportion, scale


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """What the ledger needs to know of an account."""

    account_id: str
    user_id: str
    household_id: str
    tax_unit_id: str
    account_type: str
    lot_method: str
    is_deferred: bool


@dataclass(slots=True, eq=False)
class DividendEntry:
    """A dividend whose qualified part waits for the holding test (more than 60 of 121 days)."""

    amount: int
    quantity: int
    failed: int = 0

    def qualified(self) -> int:
        """Return the qualified amount in 1e-6 USD, given the shares that failed the test so far."""
        if self.quantity <= 0:
            return 0
        return scale(self.amount, max(0, self.quantity - self.failed), self.quantity)


@dataclass(slots=True, eq=False)
class Lot:
    """Shares of one purchase that are alike in every respect.

    Attributes
    ----------
    quantity, cost : int
        1e-9 shares; 1e-6 USD, None while the basis is unknown (never zero in its place).
    loss_cost : int or None
        Gift below the donor's basis: the basis for a loss (market value at the gift).
    acquired, hp_start : int
        Day numbers of the actual acquisition and of the (perhaps tacked) holding period start.
    order_no : int
        Position of the purchase among all events of the household: breaks ties within a day.
    source_id : str
        transaction_id of the purchase; ``names`` holds the ids of further fills of the order.
    purchase_key : str
        What counts as one purchase under setting A4.
    is_purchase, used : bool
        Whether the shares can be replacement shares, and whether they have been.
    """

    lot_id: str
    account: AccountInfo
    asset_id: str
    quantity: int
    cost: int | None
    acquired: int
    hp_start: int
    order_no: int
    origin: str
    source_id: str
    purchase_key: str
    is_purchase: bool = False
    used: bool = False
    always_long: bool = False
    loss_cost: int | None = None
    gift_day: int = 0
    wash_adjustment: int = 0
    gain_distributions: int = 0
    names: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    watches: tuple[DividendEntry, ...] = ()

    def split_off(self, quantity: int, lot_id: str | None = None) -> "Lot":
        """Take ``quantity`` shares out into a new lot with their share of every amount.

        Parameters
        ----------
        quantity : int
            1e-9 shares, more than 0 and less than the lot's.
        lot_id : str, optional
            Identifier of the new lot; the lot's own if it leaves the book at once.
        """
        whole = self.quantity

        def part(total: int) -> int:
            return scale(total, quantity, whole)

        taken = Lot(
            lot_id or self.lot_id,
            self.account,
            self.asset_id,
            quantity,
            None if self.cost is None else part(self.cost),
            self.acquired,
            self.hp_start,
            self.order_no,
            self.origin,
            self.source_id,
            self.purchase_key,
            self.is_purchase,
            self.used,
            self.always_long,
            None if self.loss_cost is None else part(self.loss_cost),
            self.gift_day,
            part(self.wash_adjustment) if self.wash_adjustment else 0,
            part(self.gain_distributions) if self.gain_distributions else 0,
            self.names,
            self.codes,
            self.watches,
        )
        self.quantity = whole - quantity
        if self.cost is not None and taken.cost is not None:
            self.cost -= taken.cost
        if self.loss_cost is not None and taken.loss_cost is not None:
            self.loss_cost -= taken.loss_cost
        self.wash_adjustment -= taken.wash_adjustment
        self.gain_distributions -= taken.gain_distributions
        return taken

    def mark(self, *codes: str) -> None:
        """Note the convention codes that decided a figure of this lot."""
        self.codes = join_codes(self.codes, codes)


def code_rank(code: str) -> tuple[int, str]:
    """Order A2 before A10, and named codes after all of them."""
    return (int(code[1:]), "") if code[:1] == "A" and code[1:].isdigit() else (99, code)


def join_codes(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """Return the union of two code tuples in their fixed order."""
    if not second or set(second) <= set(first):
        return first
    return tuple(sorted({*first, *second}, key=code_rank))


acquisition_order = attrgetter("acquired", "order_no")
Holding = tuple[str, str]


@dataclass(slots=True)
class LotBook:
    """Open lots of one household, per (account_id, asset_id), in order of acquisition."""

    holdings: dict[Holding, list[Lot]] = field(default_factory=dict)
    sub_lots: dict[tuple[str, str], int] = field(default_factory=dict)

    def lots(self, account_id: str, asset_id: str) -> list[Lot]:
        """Return the open lots, earliest acquisition first; the book's own list."""
        return self.holdings.get((account_id, asset_id), [])

    def quantity(self, account_id: str, asset_id: str) -> int:
        """Return the shares held, in 1e-9."""
        return sum(lot.quantity for lot in self.lots(account_id, asset_id))

    def add(self, lot: Lot) -> None:
        """Put a lot in its place by acquisition date and order."""
        held = self.holdings.setdefault((lot.account.account_id, lot.asset_id), [])
        if not held or acquisition_order(held[-1]) <= acquisition_order(lot):
            held.append(lot)
        else:
            insort(held, lot, key=acquisition_order)

    def new_id(self, lot: Lot) -> str:
        """Return the next sub-lot identifier of a lot's purchase: ``purchase#1`` and so on."""
        base = lot.lot_id.partition("#")[0]
        key = (lot.account.account_id, base)
        self.sub_lots[key] = self.sub_lots.get(key, 0) + 1
        return f"{base}#{self.sub_lots[key]}"

    def take(self, lot: Lot, quantity: int) -> Lot:
        """Remove shares of a lot from the book and return them as a lot."""
        if quantity >= lot.quantity:
            self.holdings[lot.account.account_id, lot.asset_id].remove(lot)
            return lot
        return lot.split_off(quantity)

    def divide(self, lot: Lot, quantity: int) -> Lot:
        """Split a lot that stays in the book; return the part of ``quantity`` shares."""
        if quantity >= lot.quantity:
            return lot
        part = lot.split_off(quantity, self.new_id(lot))
        held = self.holdings[lot.account.account_id, lot.asset_id]
        held.insert(held.index(lot), part)
        return part

    def empty(self, account_id: str, asset_id: str) -> list[Lot]:
        """Remove and return all lots of a holding."""
        return self.holdings.pop((account_id, asset_id), [])

    def average(self, account_id: str, asset_id: str, pools_wash: bool = True) -> None:
        """Spread the total cost of a holding evenly over its shares (average basis).

        A lot of unknown basis makes the average of the whole holding unknown. Disallowed losses join
        the pool (Reg. 1.1012-1(e)), or stay with their lot under setting A15 = specific_lot.
        """
        held = self.lots(account_id, asset_id)
        if len(held) < 2:
            return
        own = [0 if pools_wash else lot.wash_adjustment for lot in held]
        costs = [lot.cost - kept for lot, kept in zip(held, own, strict=True) if lot.cost is not None]
        if len(costs) < len(held):
            for lot in held:
                lot.cost = None
            return
        shares = apportion(sum(costs), [h.quantity for h in held])
        for lot, cost, kept in zip(held, shares, own, strict=True):
            lot.cost = cost + kept
            lot.loss_cost = None
