"""What one household's pass carries along: lots, wash sales, pieces, income, refusals."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from ml.tax.actions import MarketAction, OwnRows
from ml.tax.holding_period import first_long_term_day, six_months_after
from ml.tax.lots import AccountInfo, DividendEntry, Lot, LotBook
from ml.tax.selection import (
    AVERAGE_FALLBACK,
    MIN_TAX_FALLBACK,
    Pick,
    parse_reference,
    pick,
    pick_identified,
    standing_order,
)
from ml.tax.settings import TaxSettings
from ml.tax.units import apportion, scale, to_date
from ml.tax.wash_sales import Piece, Scope, WashBook

if TYPE_CHECKING:
    from ml.tax.years import Filers

FUND_CLASSES: Final = frozenset({"equity_etf", "bond_etf"})
# Refused on every disposal at a long-term gain, at any disposal, and from the first purchase on.
_REFUSED_LONG: Final = frozenset({"collectible_28"})
_REFUSED_DISPOSAL: Final = frozenset({"section_988"})
REFUSED_HOLDING: Final = frozenset({"section_1256", "partnership"})
HOLDING_TEST_DAYS: Final = 61
_SAME_SPLIT_DAYS: Final = 10
Fill = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class AssetInfo:
    """What the ledger needs to know of an asset; the qualified ratio is in 1e-9."""

    asset_class: str = "equity"
    tax_treatment: str = "security"
    qualified_ratio: int = 0


UNKNOWN_ASSET: Final = AssetInfo()


@dataclass(slots=True)
class World:
    """What all households share: assets, market actions, own rows, joined securities."""

    assets: Mapping[str, AssetInfo]
    actions: Mapping[str, list[MarketAction]]
    own_rows: OwnRows
    securities: Mapping[str, str]
    cash_in_lieu: Mapping[tuple[str, str], list[tuple[int, int]]]
    filers: "Filers | None" = None

    def asset(self, asset_id: str) -> AssetInfo:
        """Return an asset's facts; an unknown asset counts as a plain security."""
        return self.assets.get(asset_id, UNKNOWN_ASSET)

    def security(self, asset_id: str) -> str:
        """Return the name under which renamed and declared identical assets are one (A6)."""
        return self.securities.get(asset_id, asset_id)


@dataclass(frozen=True, slots=True)
class Block:
    """A year (or every year from it on) of a tax unit whose totals are refused."""

    tax_unit_id: str
    year: int
    onwards: bool
    status: str
    reason: str


@dataclass(slots=True)
class Income:
    """Income of a tax unit and year in 1e-6 USD, without sales."""

    ordinary_dividends: int = 0
    interest: int = 0
    gain_distributions: int = 0
    entries: list[DividendEntry] = field(default_factory=list)

    def qualified(self) -> int:
        """Return qualified dividends after the holding test."""
        return sum(e.qualified() for e in self.entries)


Issue = tuple[str, str, str, str]


@dataclass(slots=True)
class HouseholdState:
    """The running state of one household and the operations that every event is made of."""

    world: World
    settings: TaxSettings
    book: LotBook = field(default_factory=LotBook)
    wash: WashBook = field(init=False)
    income: dict[tuple[str, int], Income] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    fractions: dict[tuple[str, str], int] = field(default_factory=dict)
    splits: dict[Scope, int] = field(default_factory=dict)
    given: list[tuple[str, Lot]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wash = WashBook(self.book, self.settings)

    def issue(self, account: AccountInfo, transaction_id: str, status: str, reason: str) -> None:
        """Report something about a row that does not stop the ledger."""
        self.issues.append((account.account_id, transaction_id, status, reason))

    def refuse(
        self, account: AccountInfo, day: int, identifier: str, status: str, reason: str, onwards: bool = False
    ) -> None:
        """Refuse a tax unit's totals of a year, with an issue; tax-deferred accounts have no totals."""
        self.issue(account, identifier, status, reason)
        if not account.is_deferred:
            self.blocks.append(Block(account.tax_unit_id, to_date(day).year, onwards, status, reason))

    def income_of(self, account: AccountInfo, day: int) -> Income:
        """Return the income record of an account's tax unit in the year of a day."""
        return self.income.setdefault((account.tax_unit_id, to_date(day).year), Income())

    def scope(self, account: AccountInfo, asset_id: str) -> Scope:
        """Return whose purchases of which security replace losses of this account."""
        return self.wash.scope(account, self.world.security(asset_id))

    def averages(self, account: AccountInfo, asset_id: str) -> bool:
        """Say whether an account keeps average basis for an asset: funds and reinvested shares only."""
        if account.lot_method != "average":
            return False
        if self.world.asset(asset_id).asset_class in FUND_CLASSES:
            return True
        return any(lot.origin == "reinvestment" for lot in self.book.lots(account.account_id, asset_id))

    def choose(
        self, account: AccountInfo, asset_id: str, quantity: int, reference: str | None, identifier: str
    ) -> list[Pick]:
        """Choose the lots of a disposal by reference, else by the account's standing order."""
        lots = self.book.lots(account.account_id, asset_id)
        if reference:
            picks, uncovered = pick_identified(lots, quantity, parse_reference(reference))
            if uncovered:
                self.issue(
                    account,
                    identifier,
                    "lot_reference_shortfall",
                    f"lot_reference {reference!r} of {identifier} leaves {uncovered / 10**9:g} shares"
                    " unidentified; they went first in, first out",
                )
            return picks
        method = account.lot_method
        if method == "average":
            return self._choose_average(account, asset_id, quantity, identifier)
        by_tacked_date = self.settings.a3 == "tacked_date"
        picks = pick(lots, quantity, standing_order(lots, method, by_tacked_date))
        if method == "min_tax":
            self._mark_lots(picks, MIN_TAX_FALLBACK)
        elif method in ("fifo", "lifo", "specific_id") and len(lots) > 1:
            if any(lot.hp_start != lot.acquired for lot in lots):
                other = pick(lots, quantity, standing_order(lots, method, not by_tacked_date))
                if other != picks:
                    self._mark_lots(picks, "A3")
        return picks

    def _choose_average(
        self, account: AccountInfo, asset_id: str, quantity: int, identifier: str
    ) -> list[Pick]:
        lots = self.book.lots(account.account_id, asset_id)
        if self.averages(account, asset_id):
            if any(lot.wash_adjustment for lot in lots):
                self._mark_lots([(lot, 0) for lot in lots], "A15")
            self.book.average(account.account_id, asset_id, self.settings.a15 == "pool")
            return pick(lots, quantity, lots)
        picks = pick(lots, quantity, lots)
        self._mark_lots(picks, AVERAGE_FALLBACK)
        self.issue(
            account,
            identifier,
            "average_not_permitted",
            f"average basis is for funds and reinvested shares; {asset_id} went first in, first out",
        )
        return picks

    @staticmethod
    def _mark_lots(picks: Sequence[Pick], code: str) -> None:
        for lot, _ in picks:
            lot.mark(code)

    def realise(
        self,
        account: AccountInfo,
        asset_id: str,
        picks: Sequence[Pick],
        fills: Sequence[Fill],
        day: int,
        order_no: int,
        nothing_left: Callable[[], bool],
        voluntary: bool = True,
    ) -> list[Piece]:
        """Close lots against the fills of one sale and let the wash book see the losses.

        Parameters
        ----------
        account, asset_id : AccountInfo, str
            What is sold.
        picks : sequence of (Lot, int)
            Lots and 1e-9 shares; fewer shares than sold leave a piece of unknown basis.
        fills : sequence of (str, int, int)
            transaction_id, 1e-9 shares and net proceeds in 1e-6 USD of each fill of the order.
        day, order_no : int
            Trade day and the event's position.
        nothing_left : callable
            See :meth:`WashBook.match_sale`.
        voluntary : bool
            False for mergers, cash in lieu and the like.

        Returns
        -------
        list of Piece
            The pieces, before any of them is divided by a wash sale.
        """
        pieces: list[Piece] = []
        parts = list(picks)
        for sale_id, quantity, proceeds in fills:
            segments: list[Pick] = []
            left = quantity
            while left > 0 and parts:
                lot, amount = parts.pop(0)
                taken = min(left, amount)
                segments.append((lot, taken))
                left -= taken
                if amount > taken:
                    parts.insert(0, (lot, amount - taken))
            weights = [amount for _, amount in segments] + ([left] if left else [])
            shares = apportion(proceeds, weights) if weights else []
            for (lot, amount), part_proceeds in zip(segments, shares, strict=False):
                taken_lot = self.book.take(lot, amount)
                pieces += self._pieces(taken_lot, sale_id, day, order_no, part_proceeds, voluntary)
            if left:
                pieces.append(self._unmatched(account, asset_id, sale_id, day, order_no, left, shares[-1]))
        self._finish(account, asset_id, pieces, day, nothing_left)
        return pieces

    def _finish(
        self,
        account: AccountInfo,
        asset_id: str,
        pieces: list[Piece],
        day: int,
        nothing_left: Callable[[], bool],
    ) -> None:
        self.wash.pieces += pieces
        if account.is_deferred:
            if self.settings.a8 != "not_a_replacement":
                self.wash.note_closed(self.scope(account, asset_id), pieces)
            return
        info = self.world.asset(asset_id)
        for piece in pieces:
            if piece.cost is None:
                self.refuse(
                    account,
                    day,
                    piece.sale_id,
                    "unknown_basis",
                    f"sale {piece.sale_id} of {asset_id} closes shares of unknown basis"
                    " (state cost_basis_usd on the transfer or add the purchase)",
                )
        treatment = info.tax_treatment
        refused = treatment in _REFUSED_DISPOSAL or (
            treatment in _REFUSED_LONG and any(p.is_long for p in pieces)
        )
        if refused:
            reason = f"{asset_id} is {treatment}: its gains are not computed"
            self.refuse(account, day, pieces[0].sale_id, "refused", reason)
        if treatment == "digital_asset" and self.settings.a18 == "no_wash_sale":
            for piece in pieces:
                if self.wash.can_wash(piece):
                    piece.mark("A18")
            return
        scope = self.scope(account, asset_id)
        self.wash.match_sale(scope, pieces, nothing_left)
        self.wash.note_closed(scope, pieces)

    def _pieces(
        self, lot: Lot, sale_id: str, day: int, order_no: int, proceeds: int, voluntary: bool
    ) -> list[Piece]:
        """Turn a closed lot into one piece, or two for a fund's six-month rule."""
        for entry in lot.watches:
            if day < lot.acquired + HOLDING_TEST_DAYS:
                entry.failed += lot.quantity
        cost, hp_start = lot.cost, lot.hp_start
        if lot.loss_cost is not None and cost is not None and proceeds < cost:
            # gift below the donor's basis: the market value is the basis for a loss, nothing between
            cost = max(proceeds, lot.loss_cost)
            hp_start = lot.gift_day if proceeds < lot.loss_cost else hp_start
        is_long = lot.always_long or day >= first_long_term_day(hp_start)
        piece = Piece(
            lot.account,
            lot.asset_id,
            sale_id,
            lot.lot_id,
            lot.source_id,
            lot.purchase_key,
            day,
            lot.acquired,
            hp_start,
            lot.order_no,
            lot.quantity,
            proceeds,
            cost,
            is_long,
            voluntary,
            lot.wash_adjustment,
            codes=lot.codes,
            is_purchase=lot.is_purchase,
            used=lot.used,
        )
        if not lot.gain_distributions or is_long or cost is None or proceeds >= cost:
            return [piece]
        return self._six_month_pieces(piece, lot, cost - proceeds, day)

    @staticmethod
    def _six_month_pieces(piece: Piece, lot: Lot, loss: int, day: int) -> list[Piece]:
        """Make the loss on fund shares held six months or less long-term up to distributions.

        Source: IRC 852(b)(4), TAX_RULES section 4.
        """
        if day > six_months_after(lot.acquired):
            return [piece]
        quantity = scale(piece.quantity, min(loss, lot.gain_distributions), loss)
        if quantity <= 0:
            return [piece]
        if quantity >= piece.quantity:
            piece.is_long = True
            return [piece]
        long_part = piece.split_off(quantity)
        long_part.is_long = True
        return [long_part, piece]

    @staticmethod
    def _unmatched(
        account: AccountInfo,
        asset_id: str,
        sale_id: str,
        day: int,
        order_no: int,
        quantity: int,
        proceeds: int,
    ) -> Piece:
        """Return the piece of a sale that no lot covers: its basis is unknown."""
        name = f"unknown:{sale_id}"
        return Piece(
            account,
            asset_id,
            sale_id,
            name,
            name,
            name,
            day,
            day,
            day,
            order_no,
            quantity,
            proceeds,
            None,
            False,
            True,
        )

    def note_split(self, account: AccountInfo, asset_id: str, ratio: Fraction, day: int) -> None:
        """Convert pending losses of the security at its split, once for all accounts that book it."""
        scope = self.scope(account, asset_id)
        if abs(self.splits.get(scope, day - 9_999) - day) <= _SAME_SPLIT_DAYS:
            return
        self.splits[scope] = day
        self.wash.rescale(scope, ratio)
