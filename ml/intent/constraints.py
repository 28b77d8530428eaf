"""Which stated limits are in force on a night: exclusions, cash needs, horizon, tax wishes.

What belongs here: choosing among a user's statements and resolving exclusions to assets. What does
not: reading text (``parse.py``), solving under the limits (``ml/recommend``).

Each limit comes from the user's latest statement that states it: a later note about cash does not
revoke "no tobacco". A cash need lapses after the last day of its window, one without a date a year
after it was stated. The wish to avoid short-term gains stands until a later statement names an
objective or a tax wish without it.
"""

import json
from datetime import date, timedelta
from typing import Any, Final

import polars as pl

from ml.intent.timespan import DAYS_PER_MONTH, OPEN_HORIZON_MONTHS

UNDATED_NEED_DAYS: Final = 365
# The other objectives' horizon is how long a trade lasts, not when the money is wanted.
_SAVING_OBJECTIVES: Final = ("long_term_gain", "capital_preservation", "long_term_gains_only")

CONSTRAINT_SCHEMA: dict[str, pl.DataType] = {
    "user_id": pl.String(),
    "excluded_asset_ids": pl.List(pl.String()),
    "unresolved_exclusions": pl.List(pl.String()),
    "liquidity_amount_usd": pl.Decimal(20, 6),
    "liquidity_share": pl.Float64(),
    "liquidity_by": pl.Date(),
    "horizon_min_months": pl.Int32(),
    "horizon_max_months": pl.Int32(),
    "horizon_to": pl.Date(),
    "avoid_short_term_gains": pl.Boolean(),
    "intent_changed_date": pl.Date(),
}
# What an asset row can show. Industries are matched by words of dim_assets.industry; a theme or class
# without an entry (annuities, china by listing, meme stocks) cannot be told from the asset's facts.
_INDUSTRY_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "Aerospace & Defense": ("aerospace", "defense"),
    "Airlines": ("airline",),
    "Automobiles": ("automobile", "auto manufacturer", "motor vehicle"),
    "Banks": ("bank",),
    "Biotechnology": ("biotech",),
    "Casinos & Gaming": ("casino", "gaming", "gambling"),
    "Insurance": ("insurance", "insurer"),
    "Oil & Gas": ("oil", "natural gas", "petroleum"),
    "Pharmaceuticals": ("pharma", "drug manufacturer"),
    "Semiconductors": ("semiconductor",),
    "Tobacco": ("tobacco",),
}
_THEME_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "adult_entertainment": ("adult entertainment",),
    "alcohol": ("alcohol", "brewer", "distiller", "winer"),
    "cannabis": ("cannabis", "marijuana"),
    "fossil_fuels": ("oil", "natural gas", "petroleum", "coal"),
    "gambling": ("casino", "gaming", "gambling"),
    "private_prisons": ("prison", "correctional"),
    "weapons": ("aerospace", "defense", "weapon", "firearm"),
}
_CLASS_OF: Final = {"bonds": "bond_etf", "junk_bonds": "bond_etf", "crypto": "crypto", "reits": "reit"}
_NAME_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "junk_bonds": ("high yield", "junk"),
    "leveraged_etfs": ("leveraged", "ultra", "2x", "3x", "inverse", "ultrapro"),
    "spacs": ("acquisition corp", "blank check"),
    "gold": ("gold",),
}


def active_constraints(parsed: pl.DataFrame, assets: pl.DataFrame, as_of_date: date) -> pl.DataFrame:
    """Combine each user's statements into the limits of a night.

    Parameters
    ----------
    parsed : polars.DataFrame
        ``ml.parsed_intents``; statements after ``as_of_date`` are ignored.
    assets : polars.DataFrame
        ``core.dim_assets``, one row per asset: asset_id, symbol, name, asset_class, sector, industry,
        country.
    as_of_date : datetime.date
        The night.

    Returns
    -------
    polars.DataFrame
        :data:`CONSTRAINT_SCHEMA`, one row per user with a statement, sorted by user_id;
        ``unresolved_exclusions`` lists ``kind:name`` that no asset's facts can show.
    """
    stated = pl.col("stated_at")
    if getattr(parsed.schema["stated_at"], "time_zone", None):
        stated = stated.dt.convert_time_zone("America/New_York")
    ordered = (
        parsed.with_columns(stated.dt.date().alias("stated_date"))
        .filter(pl.col("stated_date") <= as_of_date)
        .sort("user_id", "stated_at", "statement_id")
    )
    facts = _facts(assets)
    resolved: dict[str, tuple[list[str], list[str]]] = {}
    rows = []
    for user in ordered.partition_by("user_id", maintain_order=True):
        statements = user.to_dicts()
        wanted = next(
            (row["exclusions"] for row in reversed(statements) if row["exclusions"] not in (None, "[]")), "[]"
        )
        if wanted not in resolved:
            resolved[wanted] = resolve_exclusions(json.loads(wanted), facts)
        rows.append(_in_force(statements, *resolved[wanted], as_of_date))
    return pl.DataFrame(rows, schema=CONSTRAINT_SCHEMA)


def _in_force(
    statements: list[dict[str, Any]], excluded: list[str], unresolved: list[str], as_of_date: date
) -> dict[str, Any]:
    """Choose each limit from the latest statement that states it."""
    newest_first = statements[::-1]
    need = next((row for row in newest_first if _has_need(row)), None)
    if need is not None and _last_day(need) < as_of_date:
        need = None
    horizon = next((row for row in newest_first if row["horizon_max_months"] is not None), {})
    objective = next((row["objective"] for row in newest_first if row["objective"] is not None), None)
    tax = next((row for row in newest_first if row["objective"] is not None or _has_tax_wish(row)), {})
    changed = next((row["stated_date"] for row in newest_first if row["actionable"]), None)
    return {
        "user_id": statements[0]["user_id"],
        "excluded_asset_ids": excluded,
        "unresolved_exclusions": unresolved,
        "liquidity_amount_usd": need["liquidity_amount_usd"] if need else None,
        "liquidity_share": need["liquidity_share"] if need else None,
        # A window that has begun is due now, until it ends.
        "liquidity_by": max(need["liquidity_from"], as_of_date) if need and need["liquidity_from"] else None,
        "horizon_min_months": horizon.get("horizon_min_months"),
        "horizon_max_months": horizon.get("horizon_max_months"),
        # A horizon that was stated alone is that of the objective in force.
        "horizon_to": _horizon_end(horizon, horizon.get("objective") or objective, as_of_date),
        "avoid_short_term_gains": bool(tax.get("avoid_short_term_gains", False)),
        "intent_changed_date": changed,
    }


def _horizon_end(row: dict[str, Any], objective: str | None, as_of_date: date) -> date | None:
    """Last day of a horizon at which the money is wanted; None for a trade's length or one that is over."""
    months = row.get("horizon_max_months")
    if months is None or months >= OPEN_HORIZON_MONTHS or objective not in _SAVING_OBJECTIVES:
        return None
    end = row["stated_date"] + timedelta(days=round(months * DAYS_PER_MONTH))
    return end if end >= as_of_date else None


def _has_need(row: dict[str, Any]) -> bool:
    return row["liquidity_amount_usd"] is not None or row["liquidity_share"] is not None


def _has_tax_wish(row: dict[str, Any]) -> bool:
    return any(row[name] for name in ("avoid_short_term_gains", "harvest_losses", "avoid_realising_gains"))


def _last_day(row: dict[str, Any]) -> date:
    return row["liquidity_to"] or row["stated_date"] + timedelta(days=UNDATED_NEED_DAYS)


def _facts(assets: pl.DataFrame) -> list[dict[str, str]]:
    """Asset facts in lower case, sorted by asset_id; missing columns and values are empty."""
    columns = ("asset_id", "symbol", "name", "asset_class", "sector", "industry", "country")
    present = [name for name in columns if name in assets.columns]
    rows = assets.select(present).sort("asset_id").to_dicts()
    return [
        {name: str(row.get(name) or "").lower() for name in columns} | {"id": row["asset_id"]} for row in rows
    ]


def resolve_exclusions(
    exclusions: list[dict[str, str]], facts: list[dict[str, str]]
) -> tuple[list[str], list[str]]:
    """Find the assets that exclusions hit.

    Parameters
    ----------
    exclusions : list of dict
        kind and name.
    facts : list of dict
        Lower-case facts of every asset.

    Returns
    -------
    asset_ids : list of str
        Sorted, distinct.
    unresolved : list of str
        ``kind:name`` for which the facts have no test, or that hit nothing.
    """
    hit: set[str] = set()
    unresolved = []
    for item in exclusions:
        ids = {fact["id"] for fact in facts if _is_hit(item["kind"], item["name"], fact)}
        hit |= ids
        if not ids:
            unresolved.append(f"{item['kind']}:{item['name']}")
    return sorted(hit), sorted(unresolved)


def _is_hit(kind: str, name: str, fact: dict[str, str]) -> bool:
    if kind == "sector":
        return fact["sector"] == name.lower()
    if kind == "symbol":
        return fact["symbol"].replace("-", ".").replace("/", ".") == name.lower().replace("-", ".")
    if kind == "industry":
        return any(word in fact["industry"] for word in _INDUSTRY_WORDS[name])
    if name == "china":
        return fact["country"] in ("cn", "china", "hk", "hong kong")
    if kind == "theme":
        return any(word in fact["industry"] for word in _THEME_WORDS.get(name, ()))
    if name in _NAME_WORDS:
        is_class = _CLASS_OF.get(name) in (None, fact["asset_class"])
        return is_class and any(word in fact["name"] for word in _NAME_WORDS[name])
    if name == "commodities":
        return fact["asset_class"] == "commodity"
    return fact["asset_class"] == _CLASS_OF.get(name, "")
