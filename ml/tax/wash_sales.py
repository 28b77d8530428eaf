"""Wash sales at taxpayer level: one pass, each replacement share used once.

At a loss the open eligible lots of the 30 days before are matched and the rest waits in a queue; a
purchase serves the queue. Source: TAX_RULES section 3; IRC 1091, Reg. 1.1091-1, Rev. Rul. 56-602,
Rev. Rul. 2008-5, IRC 1223(3).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from ml.tax.holding_period import first_long_term_day, tacked_start
from ml.tax.lots import AccountInfo, Lot, LotBook, join_codes
from ml.tax.settings import TaxSettings
from ml.tax.units import apportion, scale

WINDOW_DAYS: Final = 30
_SOLD_NEVER_REPLACE: Final = ("not_a_replacement", "no_wash_if_closed")
Scope = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Replacement:
    """The purchase that washed a piece: one row of wash sales.

    ``quantity`` is in 1e-9 shares of the purchase's day, ``basis_moved`` in 1e-6 USD (0 where the loss
    is gone for good), ``days_tacked`` in days added to the holding period.
    """

    account: AccountInfo
    asset_id: str
    lot_id: str
    source_id: str
    acquired: int
    quantity: int
    basis_moved: int = 0
    days_tacked: int = 0


@dataclass(slots=True, eq=False)
class Piece:
    """A matched piece of a sale: one row of realised gains.

    Amounts are 1e-6 USD, quantities 1e-9 shares, days day numbers. ``cost`` is None while unknown.
    ``ratio`` converts the units of the sale date into those of today (splits in the window).
    """

    account: AccountInfo
    asset_id: str
    sale_id: str
    lot_id: str
    source_id: str
    purchase_key: str
    sale_day: int
    acquired: int
    hp_start: int
    order_no: int
    quantity: int
    proceeds: int
    cost: int | None
    is_long: bool
    is_voluntary: bool
    wash_adjustment: int = 0
    disallowed: int = 0
    is_permanent: bool = False
    is_pending: bool = False
    codes: tuple[str, ...] = ()
    ratio: Fraction = Fraction(1)
    is_purchase: bool = False
    used: bool = False  # as on the lot sold: the shares have replaced others
    replacement: Replacement | None = None

    @property
    def gain(self) -> int | None:
        """Return the gain on the adjusted basis before disallowance, in 1e-6 USD."""
        return None if self.cost is None else self.proceeds - self.cost

    def mark(self, *codes: str) -> None:
        """Note the convention codes that decided a figure of this piece."""
        self.codes = join_codes(self.codes, codes)

    def split_off(self, quantity: int) -> "Piece":
        """Take a part of the piece out, with its share of proceeds and cost."""
        rest = self.quantity - quantity
        weights = (quantity, rest)
        proceeds, self.proceeds = apportion(self.proceeds, weights)
        cost = self.cost
        if cost is not None:
            cost, self.cost = apportion(cost, weights)
        adjustment, self.wash_adjustment = apportion(self.wash_adjustment, weights)
        self.quantity = rest
        return Piece(
            self.account,
            self.asset_id,
            self.sale_id,
            self.lot_id,
            self.source_id,
            self.purchase_key,
            self.sale_day,
            self.acquired,
            self.hp_start,
            self.order_no,
            quantity,
            proceeds,
            cost,
            self.is_long,
            self.is_voluntary,
            adjustment,
            codes=self.codes,
            ratio=self.ratio,
            is_purchase=self.is_purchase,
            used=self.used,
        )


@dataclass(slots=True)
class WashBook:
    """Recent purchases and pending losses of one household, per (taxpayer scope, security)."""

    book: LotBook
    settings: TaxSettings
    purchases: dict[Scope, list[Lot]] = field(default_factory=dict)
    pending: dict[Scope, list[Piece]] = field(default_factory=dict)
    closed: dict[Scope, list[Piece]] = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)

    def scope(self, account: AccountInfo, security: str) -> Scope:
        """Return whose purchases replace whose losses (A14): the household, the user, or the account alone."""
        if self.settings.a14 == "account":
            return account.account_id, security
        owner = account.household_id if self.settings.a14 == "household" else account.user_id
        return owner, security

    def can_wash(self, piece: Piece) -> bool:
        """Say whether section 1091 looks at a piece: a loss outside tax-deferred accounts."""
        gain = piece.gain
        return gain is not None and gain < 0 and not piece.account.is_deferred

    def note_closed(self, scope: Scope, pieces: Iterable[Piece]) -> None:
        """Remember that purchased shares left before a possible later loss (A8, A9)."""
        bought = [p for p in pieces if p.is_purchase]
        if bought:
            self.closed.setdefault(scope, []).extend(bought)

    def match_sale(self, scope: Scope, pieces: Sequence[Piece], nothing_left: Callable[[], bool]) -> None:
        """Match the loss pieces of one sale with open lots of the 30 days before, queue the rest.

        Parameters
        ----------
        scope : tuple of (str, str)
            From :meth:`scope`.
        pieces : sequence of Piece
            Pieces of one sale; the lots they closed have left the book already, so that shares
            closed by the same sale are no replacement.
        nothing_left : callable
            Says whether no share of the security is left at the end of the day (A9).
        """
        for piece in sorted(pieces, key=lambda p: (p.acquired, p.order_no)):
            if not self.can_wash(piece):
                continue
            candidates = self._candidates(scope, piece)
            if candidates and self.settings.a9 == "no_wash_if_closed" and nothing_left():
                piece.mark("A9")
                candidates = []
            sold = self._sold_candidates(scope, piece, pieces)
            if not candidates and not sold:
                self._note_excluded(scope, piece, pieces)
            replacements: list[Lot | Piece] = [*candidates, *sold]
            if sold:
                replacements.sort(key=lambda r: (r.acquired, r.order_no))
            for replacement in replacements:
                if isinstance(replacement, Piece):
                    whole = self._match_sold(scope, piece, replacement)
                else:
                    self._mark_same_day(piece, replacement, candidates)
                    whole = self._match(scope, piece, replacement)
                if whole:
                    break
            else:
                piece.is_pending = True
                self.pending.setdefault(scope, []).append(piece)

    def register(self, scope: Scope, lot: Lot) -> None:
        """Add a purchase to the possible replacements of later losses."""
        self.purchases.setdefault(scope, []).append(lot)

    def serve(self, scope: Scope, lot: Lot) -> None:
        """Let a registered purchase replace pending losses, earliest loss first."""
        queue = self.pending.get(scope)
        if not queue:
            return
        first_day = lot.acquired - WINDOW_DAYS
        queue[:] = [p for p in queue if p.sale_day >= first_day]
        while queue and not lot.used:
            # after a reverse split a loss may come to less than the smallest unit: no share replaces it
            fitting = (p for p in queue if self._can_replace(lot, p) and _to_new(p.quantity, p.ratio))
            piece = next(fitting, None)
            if piece is None:
                return
            available = lot.quantity
            wanted = _to_new(piece.quantity, piece.ratio)
            if wanted <= available:
                queue.remove(piece)
                piece.is_pending = False
                self._disallow(scope, piece, lot, wanted)
            else:
                matched = self._part(scope, piece, min(piece.quantity, _to_old(available, piece.ratio)))
                self._disallow(scope, matched, lot, available)

    def rescale(self, scope: Scope, ratio: Fraction) -> None:
        """Convert pending losses to shares after a split, new per old."""
        for piece in {id(p): p for p in (*self.pending.get(scope, ()), *self.closed.get(scope, ()))}.values():
            piece.ratio *= ratio

    def _candidates(self, scope: Scope, piece: Piece) -> list[Lot]:
        recent = self.purchases.get(scope)
        if not recent:
            return []
        first_day = piece.sale_day - WINDOW_DAYS
        if recent[0].acquired < first_day:
            recent[:] = [lot for lot in recent if lot.acquired >= first_day]
        unused = (lot for lot in recent if not lot.used and self._is_open(lot))
        found = [lot for lot in unused if self._can_replace(lot, piece)]
        ira_first = self.settings.a1 == "worst_case"
        found.sort(key=lambda lot: (lot.acquired, ira_first and not lot.account.is_deferred, lot.order_no))
        return found

    def _is_open(self, lot: Lot) -> bool:
        return lot in self.book.lots(lot.account.account_id, lot.asset_id)

    def _can_replace(self, lot: Lot | Piece, piece: Piece) -> bool:
        if not lot.is_purchase or lot.purchase_key == piece.purchase_key:
            return False
        if self.settings.a10 == "later_purchases_only" and lot.acquired < piece.acquired:
            return False
        return not (self.settings.a17 == "not_a_replacement" and lot.account.account_type in ("401k", "hsa"))

    def _note_excluded(self, scope: Scope, piece: Piece, together: Sequence[Piece]) -> None:
        first_day = piece.sale_day - WINDOW_DAYS
        if any(p.purchase_key != piece.purchase_key and p.acquired >= first_day for p in together):
            piece.mark("A9")
        closed = self.closed.get(scope)
        if closed:
            closed[:] = [p for p in closed if p.acquired >= first_day]
            if any(p.purchase_key != piece.purchase_key for p in closed):
                piece.mark("A8")

    def _mark_same_day(self, piece: Piece, lot: Lot, candidates: list[Lot]) -> None:
        rivals = (c for c in candidates if c.acquired == lot.acquired and not c.used)
        if any(c.account.is_deferred != lot.account.is_deferred for c in rivals):
            piece.mark("A1")

    def _match(self, scope: Scope, piece: Piece, lot: Lot) -> bool:
        """Match a piece with an open lot; return whether the whole piece is now matched."""
        if piece.quantity <= lot.quantity:
            self._disallow(scope, piece, lot, piece.quantity)
            return True
        self._disallow(scope, self._part(scope, piece, lot.quantity), lot, lot.quantity)
        return False

    def _part(self, scope: Scope, piece: Piece, quantity: int) -> Piece:
        """Split ``quantity`` shares off a piece and record them as a piece of their own."""
        part = piece.split_off(quantity)
        self.pieces.append(part)
        if part.is_purchase and (self.settings.a8, self.settings.a9) != _SOLD_NEVER_REPLACE:
            self.closed.setdefault(scope, []).append(part)
        return part

    def _sold_candidates(self, scope: Scope, piece: Piece, together: Sequence[Piece]) -> list[Piece]:
        """Return purchased shares already sold that settings A8 and A9 let replace a loss.

        A share whose own loss was disallowed is none of them: its loss has gone on to another lot.
        """
        settings = self.settings
        if (settings.a8, settings.a9) == _SOLD_NEVER_REPLACE:
            return []
        first_day = piece.sale_day - WINDOW_DAYS
        with_it = {id(p) for p in together}
        found = []
        recent = self.closed.get(scope, ())
        for sold in (*recent, *(p for p in together if p.is_purchase)):
            same_sale = id(sold) in with_it
            if settings.a9 == "lot_to_lot" and sold.sale_day == piece.sale_day:
                counts = True
            elif same_sale or settings.a8 == "not_a_replacement":
                counts = False
            else:
                counts = settings.a8 == "replacement" or sold.account.account_id != piece.account.account_id
            if not counts or sold is piece or sold.used or sold.disallowed:
                continue
            if sold.acquired >= first_day and self._can_replace(sold, piece) and sold.cost is not None:
                found.append(sold)
        return found

    def _match_sold(self, scope: Scope, piece: Piece, sold: Piece) -> bool:
        """Match a loss with shares sold before or with it: the loss raises the basis of that sale.

        Returns whether the whole piece is now matched. The earlier sale may turn into a loss; it is
        recognised there.
        """
        wanted, available = piece.quantity, _to_new(sold.quantity, sold.ratio)
        part = _to_old(wanted, sold.ratio)
        if wanted < available and part < sold.quantity:
            sold = self._part(scope, sold, part)
        matched = self._part(scope, piece, available) if wanted > available else piece
        code = "A9" if sold.sale_day == piece.sale_day else "A8"
        matched.disallowed = -(matched.gain or 0)
        matched.mark(code)
        sold.used = True
        named = (sold.account, sold.asset_id, sold.lot_id, sold.source_id, sold.acquired, sold.quantity)
        if sold.account.is_deferred:
            matched.is_permanent = True
            matched.replacement = Replacement(*named)
            return matched is piece
        sold.cost = (sold.cost or 0) + matched.disallowed
        sold.wash_adjustment += matched.disallowed
        sold.hp_start = tacked_start(sold.acquired, matched.sale_day, matched.hp_start, self.settings.a2)
        matched.replacement = Replacement(*named, matched.disallowed, sold.acquired - sold.hp_start)
        sold.is_long = sold.is_long or sold.sale_day >= first_long_term_day(sold.hp_start)
        sold.mark(code, "A2")
        return matched is piece

    def _disallow(self, scope: Scope, piece: Piece, lot: Lot, quantity: int) -> None:
        """Disallow a wholly matched piece against ``quantity`` shares of a lot."""
        settings = self.settings
        part = self.book.divide(lot, quantity)
        if part is not lot:
            recent = self.purchases[scope]
            recent.insert(recent.index(lot), part)
        part.used = True
        gain = piece.gain
        if gain is None:  # pieces of unknown basis are never matched
            raise AssertionError(f"piece of sale {piece.sale_id} has no known basis")
        piece.disallowed = -gain
        if piece.wash_adjustment > piece.disallowed:
            piece.mark("A5")  # without the adjustment the piece would have been a gain
        if lot.acquired < piece.acquired:
            piece.mark("A10")
        if lot.asset_id != piece.asset_id:
            piece.mark("A6")  # renamed, or declared identical
        if lot.account.user_id != piece.account.user_id:
            piece.mark("A14")
        basis_moved = days_tacked = 0
        if lot.account.is_deferred:
            piece.is_permanent = True
            if lot.account.account_type in ("401k", "hsa"):
                piece.mark("A17")
        else:
            start = tacked_start(part.acquired, piece.sale_day, piece.hp_start, settings.a2)
            part.cost = None if part.cost is None else part.cost + piece.disallowed
            part.wash_adjustment += piece.disallowed
            part.hp_start = start
            part.mark("A2", *(c for c in piece.codes if c in ("A1", "A6", "A10", "A14")))
            basis_moved, days_tacked = piece.disallowed, part.acquired - start
        piece.replacement = Replacement(
            part.account,
            part.asset_id,
            part.lot_id,
            part.source_id,
            part.acquired,
            part.quantity,
            basis_moved,
            days_tacked,
        )


def _to_new(quantity: int, ratio: Fraction) -> int:
    return quantity if ratio == 1 else scale(quantity, ratio.numerator, ratio.denominator)


def _to_old(quantity: int, ratio: Fraction) -> int:
    return quantity if ratio == 1 else scale(quantity, ratio.denominator, ratio.numerator)
