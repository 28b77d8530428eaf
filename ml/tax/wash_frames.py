"""Washed pieces with the purchases that washed them, as ``ml.wash_sales``."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from ml.tax.frames import REALIZED_GAINS, build
from ml.tax.units import QUANTITY_DTYPE, USD_DTYPE
from ml.tax.wash_sales import Piece

# Of the washed piece: taken over from its row of realised gains.
PIECE_COLUMNS: Final = (
    "as_of_date",
    "account_id",
    "asset_id",
    "sale_transaction_id",
    "lot_id",
    "piece_no",
    "trade_date",
    "quantity",
    "disallowed_usd",
    "tax_year",
    "convention_codes",
)
_REPLACEMENT: Final = {
    "replacement_account_id": pl.String,
    "replacement_account_type": pl.String,
    "replacement_asset_id": pl.String,
    "replacement_lot_id": pl.String,
    "replacement_transaction_id": pl.String,
    "replacement_acquired_date": pl.Date,
    "replacement_quantity": QUANTITY_DTYPE,
    "basis_moved_usd": USD_DTYPE,
    "permanently_disallowed_usd": USD_DTYPE,
    "days_tacked": pl.Int32,
    "is_across_accounts": pl.Boolean,
}
WASH_SALES: Final = {name: REALIZED_GAINS[name] for name in PIECE_COLUMNS} | _REPLACEMENT


def wash_sales(pieces: Sequence[Piece], realized: pl.DataFrame) -> pl.DataFrame:
    """Return ``ml.wash_sales``: one row per matched piece, sorted as ``realized``.

    Parameters
    ----------
    pieces : sequence of Piece
        Pieces outside tax-deferred accounts.
    realized : polars.DataFrame
        Their rows from :func:`ml.tax.frames.numbered_pieces`; ``index`` is a piece's position.

    Returns
    -------
    polars.DataFrame
        ``quantity`` in shares of the sale's day, ``replacement_quantity`` in those of the match (they differ
        by a split between them). ``disallowed_usd`` = ``basis_moved_usd`` + ``permanently_disallowed_usd``:
        the basis goes to a taxable replacement (IRC 1091(d)), or nowhere if it lies in a tax-deferred
        account (Rev. Rul. 2008-5). ``days_tacked`` is what the holding period gains (IRC 1223(3)).
    """
    washed = [(i, p, p.replacement) for i, p in enumerate(pieces) if p.replacement is not None]
    found = [replacement for _, _, replacement in washed]
    columns = {
        "replacement_account_id": [r.account.account_id for r in found],
        "replacement_account_type": [r.account.account_type for r in found],
        "replacement_asset_id": [r.asset_id for r in found],
        "replacement_lot_id": [r.lot_id for r in found],
        "replacement_transaction_id": [r.source_id for r in found],
        "replacement_acquired_date": [r.acquired for r in found],
        "replacement_quantity": [r.quantity for r in found],
        "basis_moved_usd": [r.basis_moved for r in found],
        "permanently_disallowed_usd": [p.disallowed - r.basis_moved for _, p, r in washed],
        "days_tacked": [r.days_tacked for r in found],
        "is_across_accounts": [r.account.account_id != p.account.account_id for _, p, r in washed],
    }
    index = pl.Series("index", [i for i, _, _ in washed], dtype=realized.schema["index"])
    return (
        realized.select("index", *PIECE_COLUMNS)
        .join(
            build(_REPLACEMENT, columns).with_columns(index), on="index", how="inner", maintain_order="left"
        )
        .select(list(WASH_SALES))
    )
