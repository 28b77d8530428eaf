"""Which lots a sale should close so that it adds least tax to its year (lot method ``min_tax``).

The tax is that of the whole tax unit: results so far this year, carryovers, the loss limit, brackets,
0/15/20 %, NIIT, state, and the wash sales that each choice would cause. Source: TAX_RULES section 1.6.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, product
from typing import Final

from ml.tax.units import scale

EXACT_LOTS: Final = 12
_MOST_CANDIDATES: Final = 20_000
Amounts = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A lot that a sale could close; quantity in 1e-9 shares, amounts in 1e-6 USD.

    Attributes
    ----------
    gain : int
        What the whole lot would realise at the sale's price.
    is_long : bool
        Term of a sale on this day.
    purchase_key : str
        Shares of one purchase never replace each other.
    replaces : bool
        Whether shares that stay unsold would replace shares sold at a loss: bought in the 30 days
        before, unused.
    order : int
        Rank by acquisition among all purchases of the household; replacements serve in this order.
    """

    quantity: int
    gain: int
    is_long: bool
    purchase_key: str
    replaces: bool = False
    order: int = 0


@dataclass(frozen=True, slots=True)
class Choice:
    """Shares taken of each candidate, the tax, and how far a better choice could lie below (0: none)."""

    amounts: Amounts
    tax: int
    gap: int = 0


@dataclass(frozen=True, slots=True)
class Problem:
    """One sale: its candidates by order of acquisition and the tax of a year's recognised results.

    Attributes
    ----------
    lots : sequence of Candidate
        Open lots of the account, earliest acquisition first.
    quantity : int
        1e-9 shares to sell, at most what the lots hold.
    elsewhere : sequence of (int, str, int)
        Order, purchase key and shares of unused purchases of the 30 days before in other accounts.
    tax : callable
        Tax in 1e-6 USD of recognised (short, long) results of this sale; rises with either.
    """

    lots: Sequence[Candidate]
    quantity: int
    elsewhere: Sequence[tuple[int, str, int]]
    tax: Callable[[int, int], int]

    def recognised(self, amounts: Sequence[int], wash: bool = True) -> tuple[int, int]:
        """Return the recognised short and long-term result of a choice, after wash sales."""
        sums = [0, 0]
        stock: list[list] = []
        if wash:
            unsold = ((x, x.quantity - a) for x, a in zip(self.lots, amounts, strict=True) if x.replaces)
            stock = [[x.order, x.purchase_key, left] for x, left in unsold if left]
            stock = sorted([*stock, *map(list, self.elsewhere)])
        for lot, amount in zip(self.lots, amounts, strict=True):
            if not amount:
                continue
            gain = scale(lot.gain, amount, lot.quantity)
            if gain < 0 and stock:
                open_shares = amount
                for item in stock:
                    if item[1] != lot.purchase_key:
                        used = min(open_shares, item[2])
                        item[2] -= used
                        open_shares -= used
                gain = scale(gain, open_shares, amount)
            sums[lot.is_long] += gain
        return sums[0], sums[1]

    def washes(self) -> bool:
        """Say whether a wash sale can come into any choice."""
        losses = {lot.purchase_key for lot in self.lots if lot.gain < 0}
        keys = {lot.purchase_key for lot in self.lots if lot.replaces} | {key for _, key, _ in self.elsewhere}
        return any(key != loss for key in keys for loss in losses)


def choose(problem: Problem) -> Choice:
    """Find the choice that adds least tax.

    Parameters
    ----------
    problem : Problem
        The sale.

    Returns
    -------
    Choice
        Among equal taxes the one that realises least, then the earliest lots. Without wash sales
        highest basis first within each term is exact; with them every choice of whole lots and one
        partial lot is tried up to 12 lots. Beyond, prefixes per class of lots alike are, and ``gap``
        is the distance to the least tax that a world without wash sales would allow.
    """
    tax = lru_cache(maxsize=None)(problem.tax)

    def best(choices: Iterator[Amounts], wash: bool) -> Choice:
        found: tuple[int, int, Amounts] | None = None
        for amounts in choices:
            short, long = problem.recognised(amounts, wash)
            rank = (tax(short, long), short + long)
            if found is None or rank < found[:2]:
                found = (*rank, amounts)
        if found is None:
            raise ValueError(f"sale of {problem.quantity} units exceeds the lots held")
        return Choice(found[2], found[0])

    by_term = _prefixes(problem, [[n for n, x in enumerate(problem.lots) if x.is_long == t] for t in (0, 1)])
    if not problem.washes():
        return best(by_term, wash=False)
    if len(problem.lots) <= EXACT_LOTS:
        return best(vertices(problem), wash=True)
    chosen = best(_prefixes(problem, _classes(problem)), wash=True)
    bound = best(by_term, wash=False).tax
    return Choice(chosen.amounts, chosen.tax, max(0, chosen.tax - bound))


def vertices(problem: Problem) -> Iterator[Amounts]:
    """Yield every choice of whole lots with at most one partial lot."""
    sizes = [lot.quantity for lot in problem.lots]
    numbers = range(len(sizes))
    for count in range(len(sizes) + 1):
        for whole in combinations(numbers, count):
            rest = problem.quantity - sum(sizes[n] for n in whole)
            if rest < 0:
                continue
            amounts = [sizes[n] if n in whole else 0 for n in numbers]
            if rest == 0:
                yield tuple(amounts)
                continue
            for partial in numbers:
                if partial not in whole and sizes[partial] > rest:
                    yield (*amounts[:partial], rest, *amounts[partial + 1 :])


def _classes(problem: Problem) -> list[list[int]]:
    """Group lots alike in term, sign of gain, whether they replace, and (if so) purchase."""
    groups: dict[tuple, list[int]] = {}
    for number, lot in enumerate(problem.lots):
        key = (lot.is_long, (lot.gain > 0) - (lot.gain < 0), lot.replaces)
        groups.setdefault(key, []).append(number)
    return list(groups.values())


def _prefixes(problem: Problem, classes: Sequence[Sequence[int]]) -> Iterator[Amounts]:
    """Yield prefixes per class, highest basis first, with one class filling up to the quantity."""
    lots = problem.lots
    # at one price, least gain per share is highest basis per share
    ordered = [sorted(c, key=lambda n: (lots[n].gain << 64) // lots[n].quantity) for c in classes if c]
    for filler in range(len(ordered)):
        others = [c for i, c in enumerate(ordered) if i != filler]
        yield from _filled(problem, ordered[filler], others)


def _filled(problem: Problem, filler: Sequence[int], others: Sequence[Sequence[int]]) -> Iterator[Amounts]:
    lengths = product(*(range(len(c) + 1) for c in others))
    for number, counts in enumerate(lengths):
        if number >= _MOST_CANDIDATES:
            return
        amounts = [0] * len(problem.lots)
        for members, count in zip(others, counts, strict=True):
            for n in members[:count]:
                amounts[n] = problem.lots[n].quantity
        rest = problem.quantity - sum(amounts)
        if rest < 0:
            continue
        for n in filler:
            amounts[n] = min(rest, problem.lots[n].quantity)
            rest -= amounts[n]
        if rest == 0:
            yield tuple(amounts)
