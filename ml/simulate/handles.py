"""Handles by which compiled functions pass on the book and the market: one pointer each.

A named tuple of arrays goes by value, some 260 machine words at every call of the engine, and the
compiler would spend most of its time on calls. Only compiled code sees the handles.
"""

from numba.core import types
from numba.experimental import structref

from ml.simulate.book import Book
from ml.simulate.panel import MarketArrays


@structref.register
class BookType(types.StructRef):
    """Compiled type of a handle of a book's arrays."""


@structref.register
class MarketType(types.StructRef):
    """Compiled type of a handle of a market's arrays."""


class BookHandle(structref.StructRefProxy):
    """A handle of the arrays of a :class:`~ml.simulate.book.Book`, made as ``BookHandle(*book)``."""


class MarketHandle(structref.StructRefProxy):
    """A handle of :class:`~ml.simulate.panel.MarketArrays`, made as ``MarketHandle(*arrays)``."""


structref.define_constructor(BookHandle, BookType, Book._fields)
structref.define_attributes(BookType)
structref.define_constructor(MarketHandle, MarketType, MarketArrays._fields)
structref.define_attributes(MarketType)
