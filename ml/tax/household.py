"""One linear pass over a household's events, all its accounts at once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ml.tax.actions import MarketAction
from ml.tax.alternatives import ira_first, report_same_day, round_to_cents, warn_similar
from ml.tax.corporate import Change, apply_change, market_change, ratio_of
from ml.tax.lots import AccountInfo, DividendEntry, Lot
from ml.tax.marginal_sale import pick_min_tax
from ml.tax.positions import INFLOW_KINDS, OUTFLOW_KINDS
from ml.tax.settings import TaxSettings
from ml.tax.state import HOLDING_TEST_DAYS, REFUSED_HOLDING, HouseholdState, World
from ml.tax.transfers import move_lots, receive
from ml.tax.units import QUANTITY_TOLERANCE, SHARE, scale

PURCHASE_KINDS: Final = ("buy", "reinvestment")
RECEIPT_KINDS: Final = ("transfer_in", "gift_in", "inheritance")
ACTION_KINDS: Final = (
    "split",
    "stock_dividend",
    "spin_off",
    "merger",
    "symbol_change",
    "return_of_capital",
)
INCOME_KINDS: Final = ("dividend", "interest", "capital_gain_distribution")
CASH_KINDS: Final = ("journal", "fee", "withholding", "deposit", "withdrawal")
REFUSED_KINDS: Final = (
    "short_sale",
    "buy_to_cover",
    "option_open",
    "option_close",
    "option_exercise",
    "option_assignment",
    "option_expiry",
)


@dataclass(slots=True, eq=False)
class Event:
    """One transaction in integer units; see ``events.py`` for where each field comes from."""

    account_id: str
    transaction_id: str
    kind: str
    day: int
    asset_id: str | None
    quantity: int
    price: int | None
    amount: int | None
    fees: int
    order_id: str | None
    reference: str | None
    acquired: int | None
    cost_basis: int | None
    fair_value: int | None
    related: str | None
    ratio_new: int | None
    ratio_old: int | None
    fraction: int | None
    moved_to: str | None = None


class HouseholdLedger:
    """The ledger of one household.

    Parameters
    ----------
    accounts : mapping of str to AccountInfo
        The household's accounts.
    world : World
        What all households share.
    settings : TaxSettings
        Conventions.
    """

    def __init__(self, accounts: Mapping[str, AccountInfo], world: World, settings: TaxSettings) -> None:
        self.accounts = accounts
        self.state = HouseholdState(world, settings)
        self.world = world
        self.settings = settings
        self.events: Sequence[Event] = ()
        self.position = 0
        self.done: set[int] = set()
        self.intact: dict[str, tuple[Lot, int]] = {}
        self._handlers: dict[str, Callable[[Event, AccountInfo], None]] = {
            **dict.fromkeys(PURCHASE_KINDS, self._purchase),
            **dict.fromkeys(RECEIPT_KINDS, self._receive),
            **dict.fromkeys(ACTION_KINDS, self._action),
            **dict.fromkeys(INCOME_KINDS, self._income),
            **dict.fromkeys(CASH_KINDS, self._cash),
            **dict.fromkeys(REFUSED_KINDS, self._refuse),
            "sell": self._sell,
            "cash_in_lieu": self._cash_in_lieu,
            "transfer_out": self._give_away,
            "gift_out": self._give_away,
            "internal_transfer": self._move,
        }

    def run(self, events: Sequence[Event], actions: Sequence[MarketAction]) -> HouseholdState:
        """Apply events in order, market actions before the first event of their ex-date.

        Parameters
        ----------
        events : sequence of Event
            Sorted by (traded_at, source_file, source_line, transaction_id).
        actions : sequence of MarketAction
            Sorted by ex-date, none later than the night.

        Returns
        -------
        HouseholdState
            The state after the last of them.
        """
        other = None
        if self.settings.a1 == "show_both":
            worst = HouseholdLedger(self.accounts, self.world, replace(self.settings, a1="worst_case"))
            other = worst.run([replace(event) for event in events], actions)
        elif self.settings.a1 == "worst_case":
            events = ira_first(events, self.accounts, self.world.security)
        self._pass(events, actions)
        if other is not None:
            report_same_day(self.state, other, self.accounts)
        return self.state

    def _pass(self, events: Sequence[Event], actions: Sequence[MarketAction]) -> None:
        self.events = events
        waiting = list(actions)
        waiting.reverse()
        for number, event in enumerate(events):
            self.position = number
            while waiting and waiting[-1].ex_day <= event.day:
                self._market(waiting.pop())
            if number in self.done:
                continue
            handler = self._handlers.get(event.kind)
            account = self.accounts[event.account_id]
            if handler is None:
                reason = f"kind {event.kind!r} of {event.transaction_id} is unknown to the ledger"
                self.state.refuse(
                    account, event.day, event.transaction_id, "unsupported_kind", reason, onwards=True
                )
            elif event.asset_id is None and event.kind not in (*INCOME_KINDS, *CASH_KINDS, *REFUSED_KINDS):
                reason = f"{event.kind} {event.transaction_id} names no asset"
                self.state.refuse(
                    account, event.day, event.transaction_id, "unsupported_kind", reason, onwards=True
                )
            else:
                handler(event, account)
        self.position = len(events)
        while waiting:
            self._market(waiting.pop())
        self._close()

    def _close(self) -> None:
        """Show average-basis holdings at their average; apply what A6 and A12 do afterwards."""
        for account_id, asset_id in list(self.state.book.holdings):
            if self.state.averages(self.accounts[account_id], asset_id):
                self.state.book.average(account_id, asset_id, self.settings.a15 == "pool")
        if self.settings.a6 == "warn_similar":
            warn_similar(self.state, self.events, self.settings.similar_groups)
        if self.settings.a12 == "independent":
            round_to_cents(self.state)

    def _purchase(self, event: Event, account: AccountInfo) -> None:
        """Open a lot, or add a fill to the lot of its order, and let it serve pending losses."""
        asset = event.asset_id or ""
        cost = self._cost(event, account)
        if event.quantity <= 0:
            reason = f"{event.kind} {event.transaction_id} has no quantity"
            self.state.refuse(account, event.day, event.transaction_id, "refused", reason, onwards=True)
            return
        by_order = bool(event.order_id) and self.settings.a4 == "order"
        key = f"{account.account_id}|{asset}|{event.order_id}" if by_order else event.transaction_id
        lot, whole = self.intact.get(key, (None, 0))
        if lot is not None and by_order:
            if self._joins(lot, whole, event.day, cost):
                lot.quantity += event.quantity
                lot.cost = None if lot.cost is None or cost is None else lot.cost + cost
                lot.names = (*lot.names, event.transaction_id)
                lot.mark("A4")
                self.intact[key] = (lot, lot.quantity)
                self.state.wash.serve(self.state.scope(account, asset), lot)
                return
        lot = Lot(
            event.transaction_id,
            account,
            asset,
            event.quantity,
            cost,
            event.day,
            event.day,
            self.position,
            event.kind,
            event.transaction_id,
            key,
            is_purchase=True,
        )
        self.state.book.add(lot)
        if by_order:
            self.intact[key] = (lot, lot.quantity)
        treatment = self.world.asset(asset).tax_treatment
        if treatment in REFUSED_HOLDING:
            reason = f"{asset} is {treatment}: its yearly result is not computed"
            self.state.refuse(account, event.day, event.transaction_id, "refused", reason, onwards=True)
        scope = self.state.scope(account, asset)
        self.state.wash.register(scope, lot)
        self.state.wash.serve(scope, lot)

    def _joins(self, lot: Lot, whole: int, day: int, cost: int | None) -> bool:
        """Say whether a further fill of the order can join its lot: same day, still untouched."""
        held = self.state.book.lots(lot.account.account_id, lot.asset_id)
        untouched = lot.quantity == whole and not lot.used and lot in held
        return untouched and lot.acquired == day and (lot.cost is None) == (cost is None)

    def _cost(self, event: Event, account: AccountInfo) -> int | None:
        if event.amount is not None and event.amount < 0:
            return -event.amount
        if event.price is not None and event.price > 0:
            return scale(event.price, event.quantity, SHARE) + event.fees
        if event.cost_basis is not None:
            return event.cost_basis
        reason = f"{event.kind} {event.transaction_id} has neither a negative amount_usd nor a price"
        self.state.issue(account, event.transaction_id, "unknown_basis", reason)
        return None

    def _sell(self, event: Event, account: AccountInfo) -> None:
        """Close lots for an order: all its fills of the day at once, as one sale."""
        fills = [event, *self._further_fills(event)]
        quantity = sum(f.quantity for f in fills)
        asset = event.asset_id or ""
        held = self.state.book.quantity(account.account_id, asset)
        if quantity <= 0:
            reason = f"sell {event.transaction_id} has no quantity"
            self.state.refuse(account, event.day, event.transaction_id, "refused", reason, onwards=True)
            return
        if quantity > held:
            if quantity - held <= QUANTITY_TOLERANCE and held:
                fills[-1].quantity -= quantity - held
                quantity = held
            else:
                reason = (
                    f"sell {event.transaction_id} of {quantity / SHARE:g} {asset}"
                    f" exceeds the {held / SHARE:g} held"
                )
                self.state.issue(account, event.transaction_id, "sell_beyond_holdings", reason)
        reference = ";".join(f.reference for f in fills if f.reference) or None
        parts = [(f.transaction_id, f.quantity, self._proceeds(f, account)) for f in fills]
        picks = None
        if account.lot_method == "min_tax" and not reference and not account.is_deferred:
            proceeds = sum(part[2] for part in parts)
            picks = pick_min_tax(
                self.state, account, asset, quantity, proceeds, event.day, event.transaction_id
            )
        if picks is None:
            picks = self._choose(account, asset, quantity, reference, event)
        pieces = self.state.realise(
            account, asset, picks, parts, event.day, self.position, self._nothing_left(account, asset)
        )
        if len(fills) > 1:
            for piece in pieces:
                piece.mark("A4")

    def _choose(
        self, account: AccountInfo, asset: str, quantity: int, reference: str | None, event: Event
    ) -> list[tuple[Lot, int]]:
        try:
            return self.state.choose(account, asset, quantity, reference, event.transaction_id)
        except ValueError as error:
            self.state.issue(account, event.transaction_id, "lot_reference_unreadable", str(error))
            return self.state.choose(account, asset, quantity, None, event.transaction_id)

    def _proceeds(self, event: Event, account: AccountInfo) -> int:
        if event.amount is not None:
            return event.amount
        if event.price is not None:
            return scale(event.price, event.quantity, SHARE) - event.fees
        reason = f"{event.kind} {event.transaction_id} has neither amount_usd nor price_usd"
        self.state.refuse(account, event.day, event.transaction_id, "refused", reason)
        return 0

    def _further_fills(self, event: Event) -> list[Event]:
        """Find the later fills of a sell order on its day, up to another event in the same holding."""
        fills: list[Event] = []
        if not event.order_id or self.settings.a4 != "order":
            return fills
        for number in range(self.position + 1, len(self.events)):
            other = self.events[number]
            if other.day != event.day:
                break
            if other.account_id != event.account_id or other.asset_id != event.asset_id:
                continue
            if other.kind != "sell" or other.order_id != event.order_id:
                break
            fills.append(other)
            self.done.add(number)
        return fills

    def _nothing_left(self, account: AccountInfo, asset: str) -> Callable[[], bool]:
        """Return a test whether no share of the security is left at the end of the day (A9)."""
        scope = self.state.scope(account, asset)

        def test() -> bool:
            left = 0
            for (account_id, asset_id), lots in self.state.book.holdings.items():
                if self.state.scope(self.accounts[account_id], asset_id) == scope:
                    left += sum(lot.quantity for lot in lots)
            day = self.events[min(self.position, len(self.events) - 1)].day
            for number in range(self.position + 1, len(self.events)):
                event = self.events[number]
                if event.day != day:
                    break
                if number in self.done or event.asset_id is None:
                    continue
                if self.state.scope(self.accounts[event.account_id], event.asset_id) != scope:
                    continue
                if event.kind in INFLOW_KINDS:
                    left += event.quantity
                elif event.kind in OUTFLOW_KINDS:
                    left -= event.quantity
            return left <= QUANTITY_TOLERANCE

        return test

    def _cash_in_lieu(self, event: Event, account: AccountInfo) -> None:
        """Sell the fraction that a split or merger left; its shares are known or the basis is not."""
        asset = event.asset_id or ""
        key = (account.account_id, asset)
        quantity = event.quantity or self.state.fractions.get(key, 0)
        self.state.fractions.pop(key, None)
        if quantity:
            picks = self._choose(account, asset, quantity, event.reference, event)
        else:
            picks, quantity = [], 1  # the smallest unit, of unknown basis
        fills = [(event.transaction_id, quantity, self._proceeds(event, account))]
        nothing_left = self._nothing_left(account, asset)
        self.state.realise(
            account, asset, picks, fills, event.day, self.position, nothing_left, voluntary=False
        )

    def _give_away(self, event: Event, account: AccountInfo) -> None:
        """Take transferred or given shares out: identified, else first in, first out (Pub 550)."""
        asset = event.asset_id or ""
        lots = self.state.book.lots(account.account_id, asset)
        held = sum(lot.quantity for lot in lots)
        if event.quantity > held + QUANTITY_TOLERANCE:
            reason = f"{event.kind} {event.transaction_id} exceeds the {held / SHARE:g} {asset} held"
            self.state.issue(account, event.transaction_id, "sell_beyond_holdings", reason)
        fifo = self._first_in(account, asset)
        for lot, quantity in self._choose(fifo, asset, event.quantity, event.reference, event):
            self.state.given.append((event.transaction_id, self.state.book.take(lot, quantity)))

    def _first_in(self, account: AccountInfo, asset: str) -> AccountInfo:
        """Return the account with first in, first out in place of a standing order for sales."""
        return replace(account, lot_method="average" if self.state.averages(account, asset) else "fifo")

    def _move(self, event: Event, account: AccountInfo) -> None:
        target = self.accounts[event.moved_to or ""]
        asset = event.asset_id or ""
        fifo = self._first_in(account, asset)
        picks = self._choose(fifo, asset, event.quantity, event.reference, event)
        move_lots(self.state, event, account, target, picks, self.position)

    def _receive(self, event: Event, account: AccountInfo) -> None:
        receive(self.state, event, account, self.position)

    def _action(self, event: Event, account: AccountInfo) -> None:
        change = Change(
            event.kind,
            event.transaction_id,
            account,
            event.asset_id or "",
            event.day,
            self.position,
            event.quantity,
            ratio_of(event.ratio_new, event.ratio_old),
            event.related,
            event.amount or 0,
            event.fraction,
            event.fair_value,
            event.price,
            self._nothing_left(account, event.asset_id or ""),
        )
        apply_change(self.state, change)

    def _market(self, action: MarketAction) -> None:
        """Apply a market action to every account without a row of its own."""
        for account_id in sorted(self.accounts):
            if self.world.own_rows.has(account_id, action):
                continue
            account = self.accounts[account_id]
            held = self.state.book.quantity(account_id, action.asset_id)
            if held or action.kind in ("split", "stock_dividend"):
                nothing_left = self._nothing_left(account, action.asset_id)
                apply_change(self.state, market_change(action, account, held, self.position, nothing_left))

    def _income(self, event: Event, account: AccountInfo) -> None:
        amount = event.amount or 0
        if account.is_deferred:
            return
        income = self.state.income_of(account, event.day)
        if event.kind == "interest":
            # margin interest is an expense of its own and never lowers interest income
            income.interest += max(0, amount)
            return
        lots = self.state.book.lots(account.account_id, event.asset_id) if event.asset_id else []
        held = sum(lot.quantity for lot in lots)
        if event.kind == "capital_gain_distribution":
            income.gain_distributions += amount
            if amount > 0 and held:
                for lot in lots:
                    lot.gain_distributions += scale(amount, lot.quantity, held)
            return
        income.ordinary_dividends += amount
        ratio = self.world.asset(event.asset_id).qualified_ratio if event.asset_id else 0
        if not ratio or amount <= 0:
            return
        entry = DividendEntry(scale(amount, ratio, SHARE), held)
        for lot in lots:
            if lot.acquired + HOLDING_TEST_DAYS > event.day:
                lot.watches = (*lot.watches, entry)
        income.entries.append(entry)

    def _cash(self, event: Event, account: AccountInfo) -> None:
        if event.kind == "journal" and event.asset_id is not None and event.quantity > 0:
            reason = f"journal {event.transaction_id} moves {event.asset_id} shares without a direction"
            self.state.refuse(
                account, event.day, event.transaction_id, "unsupported_kind", reason, onwards=True
            )

    def _refuse(self, event: Event, account: AccountInfo) -> None:
        """Refuse short sales and options: the tax unit's totals stop, the cash stays right (A7, A16)."""
        reason = f"{event.kind} {event.transaction_id} is not computed"
        self.state.refuse(account, event.day, event.transaction_id, "unsupported_kind", reason, onwards=True)
