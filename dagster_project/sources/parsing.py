"""From text cells to the contract's types, a whole column at a time.

A cell that cannot be read becomes null and its row carries the first reason: ``unparsable_number``,
``number_out_of_range``, ``other_currency``, ``unparsable_date``, ``unparsable_boolean``,
``unknown_<column>`` for closed vocabularies, ``control_character``.

Accepted numbers: plain decimals, thousands separators (``1,234.56``), a dollar sign or ``USD``,
accounting parentheses for negative, exponents. ``12,50`` is refused, since it is ambiguous.
Digits beyond the contract's scale are rounded. Accepted dates: ``2024-01-31``, ``01/31/2024``,
``20240131``; timestamps: ISO 8601, UTC where no offset is given.
"""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final

import polars as pl

from dagster_project.sources.contracts import Column

_NUMBER: Final = (
    r"^(?P<open>\()?\s*(?P<sign1>[-+\x{2212}])?\s*(?:USD|US\$|\$)?\s*(?P<sign2>[-+\x{2212}])?\s*"
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+|[0-9]*)(?P<fraction>\.[0-9]*)?"
    r"(?P<exponent>[eE][-+]?[0-9]{1,3})?\s*(?:USD)?\s*(?P<close>\))?$"
)
# A currency sign, or three capitals beside a figure, other than the dollar's.
_FOREIGN_SIGNS: Final = r"[\x{20AC}\x{A3}\x{A5}\x{20B9}\x{20BF}\x{20A9}]|[A-Z]\$"
_FOREIGN: Final = _FOREIGN_SIGNS + r"|^\(?[-+]?\s*[A-Z]{3}\s*[-+]?[\d.]|\d\s*[A-Z]{3}\)?$"
_CONTROL: Final = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]"
_ISO_TIMESTAMP: Final = (
    r"^(?P<date>\d{4}-\d{2}-\d{2})[T ](?P<time>\d{2}:\d{2})(?P<seconds>:\d{2})?(?P<fraction>\.\d{1,9})?"
    r"\s*(?P<zone>Z|z|UTC|[-+]\d{2}(?::?\d{2})?)?$"
)
_DATE_FORMATS: Final = (
    (r"^\d{4}-\d{1,2}-\d{1,2}$", "%Y-%m-%d"),
    (r"^\d{1,2}/\d{1,2}/\d{4}$", "%m/%d/%Y"),
    (r"^\d{8}$", "%Y%m%d"),
)
_YEARS: Final = (1900, 2200)  # outside them a date is a typing error
_BOOLEANS: Final = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}


@dataclass(frozen=True)
class Parsed:
    """One parsed column.

    Attributes
    ----------
    values : polars.Series
        In the contract's type; null where the cell is empty or unreadable.
    reasons : polars.Series
        Reason code of unreadable cells, else null.
    is_date : polars.Series or None
        For timestamps: whether the cell is a bare date (its value is then that day's midnight).
    """

    values: pl.Series
    reasons: pl.Series
    is_date: pl.Series | None = None


def parse_column(cells: pl.Series, column: Column) -> Parsed:
    """Read a text column as the contract's type.

    Parameters
    ----------
    cells : polars.Series
        Stripped text, null where empty.
    column : Column
        The contract.
    """
    if column.allowed:
        return _parse_choice(cells, column)
    if column.type in ("double", "integer", "bigint") or column.type.startswith("decimal"):
        return _parse_number(cells, column.dtype)
    if column.type == "date":
        dates = _dates(cells)
        midnights = _timestamps(cells)
        at_midnight = midnights.dt.time() == dt.time()
        from_timestamp = midnights.dt.date().zip_with(at_midnight.fill_null(False), _nothing(pl.Date()))
        return _with_reason(cells, dates.zip_with(dates.is_not_null(), from_timestamp), "unparsable_date")
    if column.type == "timestamptz":
        dates = _dates(cells)
        midnights = dates.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        values = midnights.zip_with(dates.is_not_null(), _timestamps(cells))
        parsed = _with_reason(cells, values, "unparsable_date")
        return Parsed(parsed.values, parsed.reasons, dates.is_not_null())
    if column.type == "boolean":
        values = cells.str.to_lowercase().replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)
        return _with_reason(cells, values, "unparsable_boolean")
    bad = cells.str.contains(_CONTROL).fill_null(False)
    return Parsed(cells, _reason_where(bad, "control_character"))


def _with_reason(cells: pl.Series, values: pl.Series, reason: str) -> Parsed:
    return Parsed(values, _reason_where(values.is_null() & cells.is_not_null(), reason))


def _reason_where(mask: pl.Series, reason: str) -> pl.Series:
    return pl.select(pl.when(mask).then(pl.lit(reason)).otherwise(None)).to_series()


def _parse_choice(cells: pl.Series, column: Column) -> Parsed:
    spellings = {_choice_key(value): value for value in column.allowed}
    keys = cells.str.to_lowercase().str.replace_all(r"[\s_-]+", "_")
    values = keys.replace_strict(spellings, default=None, return_dtype=pl.String)
    return _with_reason(cells, values, f"unknown_{column.name}")


def _choice_key(value: str) -> str:
    return re.sub(r"[\s_-]+", "_", value.lower())


def _parse_number(cells: pl.Series, dtype: pl.DataType) -> Parsed:
    values = _to_number(cells, dtype)
    if (values.is_null() & cells.is_not_null()).any():
        plain = _plain_number(cells)
        values = values.zip_with(values.is_not_null(), _to_number(plain, dtype))
        frame = pl.DataFrame({"cell": cells, "plain": plain, "value": values})
        reasons = frame.select(
            pl.when(pl.col("cell").is_null() | pl.col("value").is_not_null())
            .then(None)
            .when(pl.col("plain").is_not_null())
            .then(pl.lit("unparsable_number" if dtype.is_integer() else "number_out_of_range"))
            .when(pl.col("cell").str.contains(_FOREIGN), ~pl.col("cell").str.contains("USD"))
            .then(pl.lit("other_currency"))
            .otherwise(pl.lit("unparsable_number"))
        ).to_series()
        return Parsed(values, reasons)
    return Parsed(values, pl.repeat(None, len(cells), dtype=pl.String, eager=True))


def _nothing(dtype: pl.DataType) -> pl.Series:
    return pl.Series([None], dtype=dtype)


def _to_number(cells: pl.Series, dtype: pl.DataType) -> pl.Series:
    if isinstance(dtype, pl.Decimal):
        return cells.cast(dtype, strict=False)
    numbers = cells.cast(pl.Float64, strict=False)
    numbers = numbers.zip_with(numbers.is_finite().fill_null(False), _nothing(pl.Float64()))
    if dtype.is_integer():
        return numbers.cast(dtype, strict=False).zip_with(
            (numbers == numbers.floor()).fill_null(False), _nothing(dtype)
        )
    return numbers


def _plain_number(cells: pl.Series) -> pl.Series:
    """The cells that look like a number, as plain ``-1234.5e6``; others null."""
    parts = cells.str.extract_groups(_NUMBER).struct.unnest()
    col = pl.col
    signs = col("sign1").is_not_null().cast(pl.Int8) + col("sign2").is_not_null().cast(pl.Int8)
    has_digits = pl.concat_str("whole", col("fraction").fill_null("")).str.contains("[0-9]")
    opened, closed = col("open").is_not_null(), col("close").is_not_null()
    negative = opened | col("sign1").is_in(["-", "\u2212"]) | col("sign2").is_in(["-", "\u2212"])
    fine = has_digits & (signs <= 1) & (opened == closed) & ~(opened & (signs > 0))
    text = pl.concat_str(
        pl.when(negative.fill_null(False)).then(pl.lit("-")).otherwise(pl.lit("")),
        col("whole").str.replace_all(",", ""),
        col("fraction").fill_null(""),
        col("exponent").fill_null(""),
    )
    return parts.select(pl.when(fine).then(text).otherwise(None)).to_series()


def _dates(cells: pl.Series) -> pl.Series:
    found = pl.repeat(None, len(cells), dtype=pl.Date, eager=True)
    for pattern, form in _DATE_FORMATS:
        matching = cells.str.contains(pattern).fill_null(False)
        if matching.any():
            found = cells.str.to_date(form, strict=False).zip_with(matching, found)
    return found.zip_with(found.dt.year().is_between(*_YEARS).fill_null(False), _nothing(pl.Date()))


def _timestamps(cells: pl.Series) -> pl.Series:
    parts = cells.str.extract_groups(_ISO_TIMESTAMP).struct.unnest()
    col = pl.col
    wall = pl.concat_str(
        col("date"),
        pl.lit("T"),
        col("time"),
        col("seconds").fill_null(":00"),
        col("fraction").fill_null(".0"),
    ).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
    zone = col("zone").str.replace(":", "")
    hours = zone.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = zone.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    valid = (hours <= 14) & (minutes < 60) & wall.dt.year().is_between(*_YEARS)
    shifted = wall - pl.duration(minutes=sign * (hours * 60 + minutes), time_unit="us")
    return parts.select(pl.when(valid).then(shifted).otherwise(None).dt.replace_time_zone("UTC")).to_series()
