"""One row per tax unit and year: nets, carryovers, income, refusals and marginal rates."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import polars as pl

from ml.tax.actions import latest_rows
from ml.tax.frames import build, is_provisional
from ml.tax.lots import AccountInfo
from ml.tax.schedule_d import NOT_MODELLED, TaxUnitYear, assumed, marginal, net
from ml.tax.state import Block, HouseholdState, Income
from ml.tax.units import USD, USD_DTYPE, to_date, to_day, unit_column

TAX_UNIT_YEARS: Final = {
    "as_of_date": pl.Date,
    "tax_unit_id": pl.String,
    "tax_year": pl.Int32,
    "st_net_usd": USD_DTYPE,
    "lt_net_usd": USD_DTYPE,
    "ordinary_dividends_usd": USD_DTYPE,
    "qualified_dividends_usd": USD_DTYPE,
    "interest_usd": USD_DTYPE,
    "disallowed_usd": USD_DTYPE,
    "provisional_disallowed_usd": USD_DTYPE,
    "st_carryover_usd": USD_DTYPE,
    "lt_carryover_usd": USD_DTYPE,
    "status": pl.String,
    "reason": pl.String,
    "st_rate": pl.Float64,
    "lt_rate": pl.Float64,
    "rate_assumption": pl.String,
    "not_modelled": pl.String,
}
# the status that stands when several apply
_RANK: Final = {"refused": 0, "unsupported_kind": 1, "unknown_basis": 2}


@dataclass(slots=True)
class Sums:
    """Recognised gains and disallowed losses of a tax unit and year, in 1e-6 USD."""

    short: int = 0
    long: int = 0
    disallowed: int = 0
    provisional: int = 0


@dataclass(frozen=True, slots=True)
class Filer:
    """What the users' rows say of a tax unit in a year; None where unknown. Money in 1e-6 USD."""

    filing_status: str | None = None
    state: str | None = None
    income: int | None = None
    magi: int | None = None
    st_carryover: int | None = None
    lt_carryover: int | None = None
    note: str = ""


@dataclass(slots=True)
class Filers:
    """Users' rows by user and year (None: all years), as one filer per tax unit."""

    rows: Mapping[str, dict[int | None, Filer]]
    members: Mapping[str, list[str]]

    def of(self, tax_unit_id: str, year: int) -> Filer:
        """Join the rows of a tax unit's users: a joint return's figures are equal and count once."""
        found = []
        for user in self.members.get(tax_unit_id, ()):
            by_year = self.rows.get(user, {})
            row = by_year.get(year, by_year.get(None))
            if row is not None:
                found.append(row)
        if not found:
            joint = tax_unit_id.startswith("household:")
            return Filer(filing_status="married_joint" if joint else None)
        first = found[0]
        if len(found) == 1:
            return first
        note = ""
        if len({(f.income, f.magi) for f in found}) > 1:
            note = "incomes on the joint return's rows differ: the larger used"

        def largest(values: Iterable[int | None]) -> int | None:
            known = [v for v in values if v is not None]
            return max(known) if known else None

        return Filer(
            first.filing_status,
            next((f.state for f in found if f.state), None),
            largest(f.income for f in found),
            largest(f.magi for f in found),
            largest(f.st_carryover for f in found),
            largest(f.lt_carryover for f in found),
            note,
        )

    def states_year(self, tax_unit_id: str, year: int) -> bool:
        """Say whether a row of this very year states carryovers, which then replace computed ones."""
        rows = (self.rows.get(user, {}).get(year) for user in self.members.get(tax_unit_id, ()))
        return any(r is not None and (r.st_carryover, r.lt_carryover) != (None, None) for r in rows)


def read_filers(users: pl.DataFrame | None, accounts: Iterable[AccountInfo]) -> Filers:
    """Read ``core.dim_users``; the latest version of each (user, year) counts."""
    accounts = list(accounts)
    users_of: dict[str, set[str]] = {}
    for account in accounts:
        users_of.setdefault(account.tax_unit_id, set()).add(account.user_id)
    rows: dict[str, dict[int | None, Filer]] = {}
    if users is not None and users.height:
        frame = latest_rows(users, ("user_id", "tax_year"))
        money = ("ordinary_taxable_income_usd", "magi_usd", "st_carryover_usd", "lt_carryover_usd")
        exact = frame.select(
            "user_id",
            "tax_year",
            "household_id",
            "filing_status",
            "state",
            *(unit_column(c, USD, frame.schema[c]) for c in money),
        )
        for user, year, household, *rest in exact.iter_rows():
            rows.setdefault(user, {})[year] = Filer(*rest)
            if rest[0] == "married_joint" and f"household:{household}" in users_of:
                users_of[f"household:{household}"].add(user)
    return Filers(rows, {unit: sorted(members) for unit, members in users_of.items()})


@dataclass(slots=True)
class Ledgers:
    """Sums of all households by (tax unit, year)."""

    sums: dict[tuple[str, int], Sums] = field(default_factory=dict)
    income: dict[tuple[str, int], Income] = field(default_factory=dict)
    blocks: dict[str, list[Block]] = field(default_factory=dict)
    unknown_lots: dict[str, int] = field(default_factory=dict)


def _gather(states: Iterable[HouseholdState], as_of_day: int) -> Ledgers:
    gathered = Ledgers()
    for state in states:
        gathered.income.update(state.income)
        for block in state.blocks:
            gathered.blocks.setdefault(block.tax_unit_id, []).append(block)
        for piece in state.wash.pieces:
            if piece.account.is_deferred:
                continue
            key = (piece.account.tax_unit_id, to_date(piece.sale_day).year)
            sums = gathered.sums.setdefault(key, Sums())
            gain = piece.gain
            if gain is None:
                continue
            recognised = gain + piece.disallowed
            if piece.is_long:
                sums.long += recognised
            else:
                sums.short += recognised
            sums.disallowed += piece.disallowed
            if is_provisional(piece, as_of_day):
                sums.provisional -= recognised
        for held in state.book.holdings.values():
            for lot in held:
                if lot.cost is None and not lot.account.is_deferred:
                    unit = lot.account.tax_unit_id
                    gathered.unknown_lots[unit] = gathered.unknown_lots.get(unit, 0) + 1
    return gathered


def tax_unit_years(
    states: Sequence[HouseholdState],
    accounts: Mapping[str, AccountInfo],
    users: pl.DataFrame | None,
    as_of: date,
) -> pl.DataFrame:
    """Build ``ml.tax_unit_years``.

    Parameters
    ----------
    states : sequence of HouseholdState
        All households after their pass.
    accounts : mapping of str to AccountInfo
        All accounts; every tax unit has at least the night's year.
    users : polars.DataFrame or None
        ``core.dim_users``.
    as_of : datetime.date
        The night.

    Returns
    -------
    polars.DataFrame
        One row per tax unit and year from its first event to the night's year. ``st_net_usd`` and
        ``lt_net_usd`` are Schedule D lines 7 and 15 (carryovers in, capital gain distributions in the
        second); ``st_carryover_usd`` and ``lt_carryover_usd`` are what goes to the next year, positive.
        ``provisional_disallowed_usd`` is the recognised loss that a purchase up to day 30 can still
        disallow. Status ``ok``, ``unknown_basis``, ``unsupported_kind`` or ``refused``; other than ok,
        the nets and carryovers are null, and so are those of later years until a stated carryover.
    """
    return unit_years(_gather(states, to_day(as_of)), accounts, users, as_of)


def unit_years(
    gathered: Ledgers, accounts: Mapping[str, AccountInfo], users: pl.DataFrame | None, as_of: date
) -> pl.DataFrame:
    """Build ``ml.tax_unit_years`` of the accounts' tax units from sums by tax unit and year."""
    filers = read_filers(users, accounts.values())
    first: dict[str, int] = {}
    for unit, year in (*gathered.sums, *gathered.income):
        first[unit] = min(year, first.get(unit, year))
    for unit, blocks in gathered.blocks.items():
        first[unit] = min(first.get(unit, as_of.year), *(b.year for b in blocks))
    rows: list[tuple] = []
    for unit in sorted({a.tax_unit_id for a in accounts.values()}):
        start = min(first.get(unit, as_of.year), as_of.year)
        rows += _unit_rows(unit, range(start, as_of.year + 1), gathered, filers, as_of)
    columns = {name: [row[i] for row in rows] for i, name in enumerate(TAX_UNIT_YEARS)}
    return build(TAX_UNIT_YEARS, columns)


def _unit_rows(
    unit: str, years: Iterable[int], gathered: Ledgers, filers: Filers, as_of: date
) -> list[tuple]:
    """Chain the years of one tax unit."""
    rows: list[tuple] = []
    carry: tuple[int, int] | None = None
    broken = ""
    for year in years:
        filer = filers.of(unit, year)
        if not rows or filers.states_year(unit, year):
            carry, broken = (abs(filer.st_carryover or 0), abs(filer.lt_carryover or 0)), ""
        status, reason = _status(gathered.blocks.get(unit, ()), year, broken)
        income = gathered.income.get((unit, year), Income())
        sums = gathered.sums.get((unit, year), Sums())
        filing, stated_income, magi, note = assumed(
            year, filer.filing_status, filer.state, filer.income, filer.magi
        )
        notes = [n for n in (note, filer.note) if n]
        short = long = 0
        netting = None
        if status == "ok" and carry is not None:
            short = sums.short - carry[0]
            long = sums.long + income.gain_distributions - carry[1]
            line15 = None
            if filer.income is not None:
                before = filer.income + income.ordinary_dividends + income.interest
                line15 = before - net(short, long, filing).deduction
            netting = net(short, long, filing, line15)
            carry = (netting.carry_st, netting.carry_lt)
        else:
            notes.append("totals refused: rates at zero nets")
            carry = None
            broken = broken or f"the carryover from {year} is unknown ({reason})"
        qualified = min(income.qualified(), max(0, income.ordinary_dividends))
        rates = marginal(
            TaxUnitYear(
                year,
                filing,
                filer.state,
                stated_income,
                magi,
                short,
                long,
                income.ordinary_dividends,
                qualified,
                income.interest,
            )
        )
        unknown = gathered.unknown_lots.get(unit, 0)
        if status == "ok" and year == as_of.year and unknown:
            reason = f"{unknown} open lots of unknown basis: their sale would stop the totals"
        rows.append(
            (
                to_day(as_of),
                unit,
                year,
                None if netting is None else netting.net_st,
                None if netting is None else netting.net_lt,
                income.ordinary_dividends,
                qualified,
                income.interest,
                sums.disallowed,
                sums.provisional,
                None if netting is None else netting.carry_st,
                None if netting is None else netting.carry_lt,
                status,
                reason,
                *rates,
                "; ".join(notes),
                NOT_MODELLED,
            )
        )
    return rows


def _status(blocks: Iterable[Block], year: int, broken: str) -> tuple[str, str]:
    """Return the status of a year and why; an unknown carryover stops the years after it."""
    found = sorted(
        {
            (_RANK.get(b.status, 0), b.status, b.reason)
            for b in blocks
            if b.year == year or (b.onwards and b.year < year)
        }
    )
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return found[0][1], found[0][2] + more
    if broken:
        return "refused", broken
    return "ok", ""
