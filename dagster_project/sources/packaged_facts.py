"""Reference facts of the packaged assets, which the packages themselves do not ship.

Sectors are GICS sectors as commonly published; GICS itself began in 1999, so that for earlier years
they are a backcast. Unknown facts stay null: a first bar is only a lower bound of a listing's age.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

# An index that features and reports compare with. Nobody can hold it: never a candidate.
BENCHMARK_ASSET_IDS: Final = ("SP500",)


@dataclass(frozen=True)
class AssetFacts:
    """What is known about one packaged asset.

    Attributes
    ----------
    name : str
        Issuer or fund.
    sector : str or None
        GICS sector; None for funds and the index.
    asset_class : str
        Class of the contract.
    listed_date : datetime.date or None
        First day of trading, where it is common knowledge.
    expense_ratio_pct : float or None
        Yearly cost of a fund.
    """

    name: str
    sector: str | None
    asset_class: str = "equity"
    listed_date: dt.date | None = None
    expense_ratio_pct: float | None = None


def _factor_fund(name: str, listed: dt.date) -> AssetFacts:
    return AssetFacts(f"iShares MSCI USA {name} ETF", None, "equity_etf", listed, 0.15)


ASSET_FACTS: Final[dict[str, AssetFacts]] = {
    "AAPL": AssetFacts("Apple Inc.", "Information Technology", listed_date=dt.date(1980, 12, 12)),
    "AMD": AssetFacts("Advanced Micro Devices, Inc.", "Information Technology"),
    "BAC": AssetFacts("Bank of America Corporation", "Financials"),
    "BBY": AssetFacts("Best Buy Co., Inc.", "Consumer Discretionary"),
    "CVX": AssetFacts("Chevron Corporation", "Energy"),
    "GE": AssetFacts("General Electric Company", "Industrials"),
    "HD": AssetFacts("The Home Depot, Inc.", "Consumer Discretionary", listed_date=dt.date(1981, 9, 22)),
    "JNJ": AssetFacts("Johnson & Johnson", "Health Care"),
    "JPM": AssetFacts("JPMorgan Chase & Co.", "Financials"),
    "KO": AssetFacts("The Coca-Cola Company", "Consumer Staples"),
    "LLY": AssetFacts("Eli Lilly and Company", "Health Care"),
    "MRK": AssetFacts("Merck & Co., Inc.", "Health Care"),
    "MSFT": AssetFacts("Microsoft Corporation", "Information Technology", listed_date=dt.date(1986, 3, 13)),
    "PEP": AssetFacts("PepsiCo, Inc.", "Consumer Staples"),
    "PFE": AssetFacts("Pfizer Inc.", "Health Care"),
    "PG": AssetFacts("The Procter & Gamble Company", "Consumer Staples"),
    "RRC": AssetFacts("Range Resources Corporation", "Energy"),
    "UNH": AssetFacts("UnitedHealth Group Incorporated", "Health Care"),
    "WMT": AssetFacts("Walmart Inc.", "Consumer Staples"),
    "XOM": AssetFacts("Exxon Mobil Corporation", "Energy"),
    "IBM": AssetFacts("International Business Machines Corporation", "Information Technology"),
    # Both moved to Communication Services in 2018, years after their last packaged bar.
    "GOOG": AssetFacts("Google Inc.", "Information Technology", listed_date=dt.date(2004, 8, 19)),
    "FB": AssetFacts("Facebook, Inc.", "Information Technology", listed_date=dt.date(2012, 5, 18)),
    "MTUM": _factor_fund("Momentum Factor", dt.date(2013, 4, 16)),
    "QUAL": _factor_fund("Quality Factor", dt.date(2013, 7, 16)),
    "SIZE": _factor_fund("Size Factor", dt.date(2013, 4, 16)),
    "USMV": _factor_fund("Minimum Volatility", dt.date(2011, 10, 18)),
    "VLUE": _factor_fund("Value Factor", dt.date(2013, 4, 16)),
    "SP500": AssetFacts("S&P 500 price index (benchmark, never held)", None, "equity_etf"),
}
