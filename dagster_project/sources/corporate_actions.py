"""Splits and dividends that a file does not state, derived from raw against adjusted closes.

Let f = adjusted close / close, and g = f / (f of the day before) - 1. On the ex-date of a cash
dividend D these files have g = D / close, so D = g * close; on the ex-date of an a-for-b split
g + 1 = a / b. Elsewhere g is 0 up to rounding.

Detection. A jump counts if abs(g) exceeds what rounding of the two adjusted closes can make
(``rounding_usd`` is half a unit of their last digit: 0.005 for two decimals) and ``MIN_JUMP``.
It is a split if g + 1 lies within ``RATIO_TOLERANCE`` of a/b in small integers, is at least 6:5 or
at most 5:6, and the close moved by b/a within 25 %; else, if positive, a dividend.

What it cannot see: dividends below the rounding (about 1 cent on adjusted closes of two decimals;
below 0.0001 % of the price on full ones); a spin-off, which looks like a dividend of its value; stock
dividends below 6:5, likewise; a split and a dividend on one day (the dividend is lost in the
ratio's tolerance); a return of capital, which looks like a dividend. A negative jump that is no
reverse split is no known event: it raises.
"""

from fractions import Fraction
from typing import Final

import polars as pl

from dagster_project.sources.contracts import QUANTITY, RAW_TABLES, USD

MIN_JUMP: Final = 1e-6
RATIO_TOLERANCE: Final = 1e-3
_LARGEST_TERM: Final = 50
_SMALLEST_SPLIT: Final = 1.2
_CLOSE_TOLERANCE: Final = 0.25


def derive_corporate_actions(bars: pl.DataFrame, *, rounding_usd: float = 0.0) -> pl.DataFrame:
    """Find splits and cash dividends of each asset.

    Parameters
    ----------
    bars : polars.DataFrame
        ``asset_id``, ``trade_date``, ``close`` (as traded), ``adjusted_close``, optionally
        ``source_line``; one row per asset and day.
    rounding_usd : float
        Half a unit of the last digit of ``adjusted_close``; 0 for unrounded ones.

    Returns
    -------
    polars.DataFrame
        ``asset_id``, ``ex_date``, ``kind`` (split, dividend), ``ratio_new``, ``ratio_old``,
        ``cash_per_share_usd`` (6 decimals), and ``source_line`` if given, by asset and date.

    Raises
    ------
    ValueError
        The adjustment factor falls by a jump that is no reverse split: the file is inconsistent.
    """
    close, adjusted = pl.col("close"), pl.col("adjusted_close")
    noise = rounding_usd * (1 / adjusted + 1 / adjusted.shift(1).over("asset_id"))
    jumps = (
        bars.sort("asset_id", "trade_date")
        .with_columns(_factor=adjusted / close)
        .with_columns(
            _jump=pl.col("_factor") / pl.col("_factor").shift(1).over("asset_id") - 1,
            _move=close / close.shift(1).over("asset_id"),
            _noise=pl.max_horizontal(1.5 * noise, pl.lit(MIN_JUMP)),
        )
        .filter(pl.col("_jump").abs() > pl.col("_noise"))
    )
    events = [_event(row) for row in jumps.iter_rows(named=True)]
    contract = RAW_TABLES["market__corporate_actions"]
    names = ("asset_id", "ex_date", "kind", "ratio_new", "ratio_old", "cash_per_share_usd")
    schema = {
        name: pl.Float64 if contract[name].type in (QUANTITY, USD) else contract[name].dtype for name in names
    }
    frame = pl.DataFrame(events, schema=schema, orient="row").cast({n: contract[n].dtype for n in names})
    if "source_line" in bars.columns:
        frame = frame.with_columns(jumps["source_line"])
    return frame


def _event(row: dict) -> tuple:
    ratio = split_ratio(row["_jump"], row["_move"])
    asset, date, jump = row["asset_id"], row["trade_date"], row["_jump"]
    if ratio is not None:
        return asset, date, "split", float(ratio.numerator), float(ratio.denominator), None
    if jump < 0:
        raise ValueError(
            f"{asset} on {date}: adjusted close over close falls by {-jump:.4%}, which is neither a dividend nor "
            f"a reverse split; check the file's adjusted closes"
        )
    return asset, date, "dividend", None, None, round(jump * row["close"], 6)


def split_ratio(jump: float, move: float) -> Fraction | None:
    """The split that explains a jump of the adjustment factor, if one does.

    Parameters
    ----------
    jump : float
        Factor of the day over that of the day before, minus 1.
    move : float
        Close over the close of the day before.

    Examples
    --------
    >>> split_ratio(1.0, 0.51), split_ratio(0.1125, 0.914)
    (Fraction(2, 1), None)
    """
    factor = 1 + jump
    if 1 / _SMALLEST_SPLIT * (1 + RATIO_TOLERANCE) < factor < _SMALLEST_SPLIT * (1 - RATIO_TOLERANCE):
        return None
    ratio = (
        Fraction(factor).limit_denominator(10)
        if factor > 1
        else 1 / Fraction(1 / factor).limit_denominator(10)
    )
    if (
        max(ratio.numerator, ratio.denominator) > _LARGEST_TERM
        or abs(float(ratio) / factor - 1) > RATIO_TOLERANCE
    ):
        return None
    return ratio if abs(move * float(ratio) - 1) <= _CLOSE_TOLERANCE else None
