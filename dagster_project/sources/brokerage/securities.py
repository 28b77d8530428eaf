"""Securities as files name them (ticker, CUSIP, ISIN, contract id, option terms), and their asset ids.

An identifier that the symbol map knows wins over a ticker, since tickers are used again; a security
that nothing knows gets a stable asset id from its ticker, else its CUSIP or ISIN, else its name, and an
assets row known as imputed. A US or Canadian ISIN contains the CUSIP (characters 3 to 11), so that files
which state one or the other meet.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from dagster_project.sources.symbols import symbol_key

_CUSIP: Final = re.compile(r"^[0-9A-Z]{8,9}$")
_ISIN: Final = re.compile(r"^[A-Z]{2}[0-9A-Z]{9}[0-9]$")
MAX_SYMBOL_CHARACTERS: Final = 40


@dataclass(frozen=True)
class Security:
    """What a file says about a security; an option names its underlying by ``underlying``."""

    symbol: str | None = None
    name: str | None = None
    cusip: str | None = None
    isin: str | None = None
    conid: str | None = None
    asset_class: str | None = None
    currency: str | None = None
    underlying: str | None = None
    right: str | None = None
    strike: Decimal | None = None
    expiry: dt.date | None = None

    def merged(self, other: "Security") -> "Security":
        """This one, with what only the other knows."""
        missing = {
            name: value
            for name, value in vars(other).items()
            if value is not None and getattr(self, name) is None
        }
        return replace(self, **missing) if missing else self

    @property
    def is_option(self) -> bool:
        """Whether it is an option contract rather than something that lots are held in."""
        return self.right is not None


def clean_identifier(text: str | None) -> str | None:
    """An identifier or symbol without blanks around it and without control characters; None if empty."""
    cleaned = re.sub(r"[\x00-\x1f\x7f]", " ", text or "").strip()
    return cleaned[:MAX_SYMBOL_CHARACTERS] or None


def cusip_of(security: Security) -> str | None:
    """The nine-character CUSIP, stated or contained in the ISIN."""
    if security.cusip and _CUSIP.match(security.cusip):
        return security.cusip
    if security.isin and _ISIN.match(security.isin) and security.isin[:2] in ("US", "CA"):
        return security.isin[2:11]
    return None


def option_name(security: Security) -> str:
    """One spelling of an option contract: ``AAPL 2024-01-19 call 150``."""
    strike = format((security.strike or Decimal(0)).normalize(), "f")
    return f"{security.underlying or security.symbol} {security.expiry} {security.right} {strike}"


def security_key(security: Security) -> str | None:
    """The key of a security within one file."""
    if security.is_option:
        return f"option:{option_name(security)}"
    for name in ("conid", "isin", "cusip", "symbol", "name"):
        value = getattr(security, name)
        if value:
            return f"{name}:{value.upper()}"
    return None


def spellings(security: Security) -> list[str]:
    """Normal spellings by which the symbol map may know the security, the surest first."""
    found = [
        security.isin,
        cusip_of(security),
        security.cusip,
        f"CONID {security.conid}" if security.conid else None,
    ]
    found.append(security.symbol)
    return list(dict.fromkeys(symbol_key(text) for text in found if text))


def new_asset_id(security: Security) -> str:
    """A stable asset id of a security that nothing knows yet."""
    if security.is_option:
        return symbol_key(option_name(security))
    for text in (security.symbol, cusip_of(security), security.cusip, security.isin):
        if text:
            return symbol_key(text)
    if security.conid:
        return f"CONID-{security.conid}"
    return f"SEC-{hashlib.sha256((security.name or '').upper().encode()).hexdigest()[:12].upper()}"


@dataclass(frozen=True)
class Resolved:
    """Asset ids of a registry's keys, and the spellings that the symbol map did not know yet."""

    asset_ids: dict[str, str]
    new_spellings: dict[str, str]
    unknown: dict[str, Security]


def resolve(registry: Mapping[str, Security], symbols: Mapping[str, str]) -> Resolved:
    """Find the asset of every security.

    Parameters
    ----------
    registry : mapping
        Securities by key, of all files of one import.
    symbols : mapping
        Normal spelling to asset id, as stored; not changed.

    Returns
    -------
    Resolved
        ``unknown`` holds the first security of each asset id that needs a row of its own.
    """
    known = dict(symbols)
    asset_ids: dict[str, str] = {}
    added: dict[str, str] = {}
    unknown: dict[str, Security] = {}
    # Securities that state most come first, so that a bare ticker finds what an ISIN row made.
    for key, security in sorted(registry.items(), key=lambda item: (-len(spellings(item[1])), item[0])):
        if security.is_option:
            asset_ids[key] = new_asset_id(security)
            continue
        names = spellings(security)
        asset = next((known[name] for name in names if name in known), None)
        if asset is None:
            asset = new_asset_id(security)
            unknown.setdefault(asset, security)
        asset_ids[key] = asset
        for name in names:
            if name not in known:
                known[name] = added[name] = asset
    return Resolved(asset_ids, added, unknown)


def class_of_text(text: str) -> str | None:
    """The asset class that a description tells of, or None."""
    words = text.upper()
    patterns: Iterable[tuple[str, str]] = (
        (r"\bMONEY (MARKET|MKT)\b|\bCASH RESERVES\b|\bBANK DEPOSIT\b", "cash"),
        (
            r"\bTREAS(URY)?\b.*\b(BOND|NOTE|BILL)|\bBOND\b|\bMUNI|\bDUE \d{1,2}/\d{1,2}/\d{2,4}|\bNOTES?\b.*%",
            "bond_etf",
        ),
        (r"\bREIT\b", "reit"),
        (r"\bETF\b|\bFUND\b|\bINDEX\b|\bADMIRAL\b|\bISHARES\b|\bSPDR\b", "equity_etf"),
    )
    return next((name for pattern, name in patterns if re.search(pattern, words)), None)
