"""One normal form of a symbol's spelling, so that ``brk.b``, ``BRK/B`` and ``BRK-B`` meet."""

import re

import polars as pl


def symbol_key(symbol: str) -> str:
    """Normal form of one symbol: upper case, runs of ``.``, ``/``, ``-`` and blanks become one ``-``.

    Examples
    --------
    >>> symbol_key(" brk/b ")
    'BRK-B'
    """
    return re.sub(r"[./\s-]+", "-", symbol.strip().upper())


def symbol_key_expr(column: str | pl.Expr) -> pl.Expr:
    """``symbol_key`` of a text column, vectorised."""
    expr = pl.col(column) if isinstance(column, str) else column
    return expr.str.strip_chars().str.to_uppercase().str.replace_all(r"[./\s-]+", "-")
