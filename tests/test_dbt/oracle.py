"""The 50 features once more, slow and plain: for one asset and session, from the rows known at that session's close.

Written from the catalog's formulas, not from the SQL: it knows neither vintages nor increments, it looks at
the world of one evening and computes.
"""

import bisect
import datetime as dt
import functools
import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from dagster_project.sources.calendar import session_frame
from ml.features.catalog import FEATURES
from ml.types import ASSET_CLASSES, SECTORS

LATE_AFTER = 5
NAN = float("nan")


@dataclass
class Series:
    """One asset as known one evening; arrays run over sessions from its first bar to that evening."""

    first: int
    has_bar: np.ndarray
    price_date: list[dt.date]
    close: np.ndarray
    total_return: np.ndarray
    price_return: np.ndarray
    dollar_volume: np.ndarray
    spread: np.ndarray
    dividend: np.ndarray  # per share, on the session on which it landed
    last_ex_date: dt.date | None
    first_date: dt.date

    def at(self, values: np.ndarray, session: int) -> float:
        """The value on a session; nan before the first bar."""
        return values[session - self.first] if session >= self.first else NAN


class Oracle:
    """Features by asset and session.

    Parameters
    ----------
    tables : dict of polars.DataFrame
        Raw rows by table name.
    market : str
        The market asset.
    """

    def __init__(self, tables: dict[str, pl.DataFrame], market: str = "SP500") -> None:
        sessions = session_frame()
        self.days = sessions["session_date"].to_list()
        self.closes = sessions["close_at"].to_list()
        self.market = market
        self.bars = self._by_asset(tables["market__daily_bars"])
        self.actions = self._by_asset(tables["market__corporate_actions"])
        self.facts = self._by_asset(tables["market__assets"])

    @staticmethod
    def _by_asset(frame: pl.DataFrame) -> dict[str, list[dict]]:
        rows: dict[str, list[dict]] = {}
        for row in frame.to_dicts():
            rows.setdefault(row["asset_id"], []).append(row)
        return rows

    def session_of(self, day: dt.date) -> int:
        """Number of the session on the day or the next one."""
        return bisect.bisect_left(self.days, day) + 1

    def known(self, moment: dt.datetime) -> int:
        """First session at whose close the moment had come."""
        return bisect.bisect_left(self.closes, moment) + 1

    def placed(self, asset_id: str, evening: int) -> dict[int, dict]:
        """Bars by session, as seen on the evening: the newest version of each day, folded where several meet."""
        versions = [dict(b, known=self.known(b["known_at"])) for b in self.bars[asset_id]]
        versions = sorted(
            (b for b in versions if b["known"] <= evening), key=lambda b: (b["known"], b["known_at"])
        )
        standing: dict[dt.date, int] = {}
        newest: dict[dt.date, dict] = {}
        for known in sorted({b["known"] for b in versions}):
            batch = [b for b in versions if b["known"] == known]
            seen = max(newest, default=dt.date.min)
            has_history = any(known - self.session_of(b["trade_date"]) > LATE_AFTER for b in batch)
            last = max(self.session_of(b["trade_date"]) for b in batch)
            for bar in batch:
                day, session = bar["trade_date"], self.session_of(bar["trade_date"])
                late = known - session > LATE_AFTER or day <= seen or (has_history and session < last)
                standing.setdefault(day, session if late else known)
            for bar in batch:
                newest[bar["trade_date"]] = bar
        folded: dict[int, list[dict]] = {}
        for day in sorted(newest):
            folded.setdefault(standing[day], []).append(newest[day])
        return {session: self._fold(bars) for session, bars in sorted(folded.items())}

    @staticmethod
    def _fold(bars: list[dict]) -> dict:
        value = [b["close"] * b["volume"] for b in bars if b.get("close") and b.get("volume") is not None]
        highs = [b["high"] for b in bars if b.get("high")]
        lows = [b["low"] for b in bars if b.get("low")]
        return {
            "trade_date": bars[-1]["trade_date"],
            "first_date": bars[0]["trade_date"],
            "close": bars[-1].get("close") or NAN,
            "adjusted": bars[-1].get("adjusted_close") or NAN,
            "high": max(highs, default=NAN),
            "low": min(lows, default=NAN),
            "dollar_volume": sum(value) if value else NAN,
        }

    def effective_actions(self, asset_id: str, evening: int) -> list[dict]:
        """Actions with an ex-date until the evening, in the version known then."""
        newest: dict[tuple, dict] = {}
        for action in sorted(self.actions.get(asset_id, []), key=lambda a: a["known_at"]):
            if self.known(action["known_at"]) <= evening and self.session_of(action["ex_date"]) <= evening:
                newest[action["ex_date"], action["kind"]] = action
        return [newest[key] for key in sorted(newest)]

    @functools.cache  # noqa: B019 (one oracle a test)
    def series(self, asset_id: str, evening: int) -> Series | None:
        """The asset as known on the evening, or None before its first bar."""
        bars = self.placed(asset_id, evening)
        if not bars:
            return None
        sessions = list(bars)
        n = evening - sessions[0] + 1
        out = Series(
            sessions[0],
            np.zeros(n, bool),
            [],
            *(np.full(n, NAN) for _ in range(6)),
            None,
            bars[sessions[0]]["first_date"],
        )
        landed: dict[int, list[dict]] = {}
        for action in self.effective_actions(asset_id, evening):
            session = next((s for s in sessions if s >= self.session_of(action["ex_date"])), None)
            if session is not None and session > sessions[0]:
                landed.setdefault(session, []).append(action)
        before = None
        for i in range(n):
            session = sessions[0] + i
            bar = bars.get(session)
            out.has_bar[i] = bar is not None
            if bar is not None:
                self._add_bar(out, i, bar, before, landed.get(session, []))
                before = (session, bar)
            out.close[i] = before[1]["close"]
            out.price_date.append(before[1]["trade_date"])
        return out

    @staticmethod
    def _add_bar(out: Series, i: int, bar: dict, before: tuple | None, actions: list[dict]) -> None:
        out.dollar_volume[i] = bar["dollar_volume"]
        if before is None:
            return
        previous = before[1]
        cash = sum(
            float(a["cash_per_share_usd"])
            for a in actions
            if a["kind"] in ("dividend", "capital_gain_distribution", "return_of_capital")
        )
        dividends = [a for a in actions if a["kind"] == "dividend"]
        if dividends:
            out.last_ex_date = max(a["ex_date"] for a in dividends)
            out.dividend[i] = sum(float(a["cash_per_share_usd"]) for a in dividends)
        factor = 1.0
        for a in actions:
            if a["kind"] in ("split", "stock_dividend"):
                factor *= float(a["ratio_new"]) / float(a["ratio_old"])
            if a["kind"] == "spin_off":
                factor /= 1 - float(a["basis_fraction"])
        if not math.isnan(bar["adjusted"] + previous["adjusted"]):
            gross = bar["adjusted"] / previous["adjusted"]
        else:
            gross = (bar["close"] + cash) * factor / previous["close"]
        out.total_return[i] = math.log(gross)
        paid = cash / bar["close"] if cash else 0.0
        out.price_return[i] = math.log(gross) - math.log(1 + paid)
        if out.first + i - before[0] == 1:
            out.spread[i] = _corwin_schultz(bar, previous, bar["close"] / previous["close"] / gross)

    @functools.cache  # noqa: B019
    def market_return(self, session: int, evening: int) -> float:
        """The market's return on a session as known on the evening."""
        series = self.series(self.market, evening) if self.market in self.bars else None
        if series is not None and session >= series.first:
            return series.at(series.total_return, session)
        returns = []
        for asset_id in sorted(self.bars):
            known = self.series(asset_id, session)
            facts = self.known_facts(asset_id, session)
            if known is not None and (facts is None or facts["asset_class"] == "equity"):
                returns.append(known.at(known.total_return, session))
        returns = [r for r in returns if not math.isnan(r)]
        return sum(returns) / len(returns) if returns else NAN

    def known_facts(self, asset_id: str, evening: int) -> dict | None:
        """The newest facts known on the evening."""
        facts = [f for f in self.facts.get(asset_id, []) if self.known(f["known_at"]) <= evening]
        return max(facts, key=lambda f: f["known_at"]) if facts else None

    def features(self, asset_id: str, evening: int) -> dict[str, float] | None:
        """The 50 columns, or None where the store has no row (no bar yet, or stale)."""
        series = self.series(asset_id, evening)
        if series is None or not series.has_bar[-5:].any():
            return None
        facts = self.known_facts(asset_id, evening)
        values = {
            **self._liquidity(asset_id, series, facts, evening),
            **_risk(series),
            **_momentum(series),
            **self._comovement(series, evening),
            **self._income(series, facts),
            **self._lifecycle(series, facts, evening),
        }
        return _finished(values, facts)

    def _liquidity(self, asset_id: str, series: Series, facts: dict | None, evening: int) -> dict[str, float]:
        shares = (facts or {}).get("shares_outstanding") or NAN
        if facts is not None:
            since = self.known(facts["known_at"])
            for a in self.effective_actions(asset_id, evening):
                if a["kind"] in ("split", "stock_dividend") and self.session_of(a["ex_date"]) > since:
                    shares *= float(a["ratio_new"]) / float(a["ratio_old"])
        cap = shares * series.close[-1]
        volume = _mean(series.dollar_volume[-63:], 21)
        impact = np.abs(np.exp(series.total_return[-63:]) - 1) / np.where(
            series.dollar_volume[-63:] > 0, series.dollar_volume[-63:], NAN
        )
        amihud = _mean(impact, 21)
        return {
            "market_cap_log_usd": math.log(cap),
            "dollar_volume_63d_log_usd": math.log(max(volume, 1)) if volume == volume else NAN,
            "turnover_63d_ratio": volume / cap,
            "amihud_63d_log": math.log(max(amihud, 1e-16)) if amihud == amihud else NAN,
            "corwin_schultz_spread_21d_ratio": _mean(series.spread[-21:], 10),
        }

    def _comovement(self, series: Series, evening: int) -> dict[str, float]:
        sessions = range(max(series.first, evening - 251), evening + 1)
        pairs = np.array(
            [(series.at(series.total_return, s), self.market_return(s, evening)) for s in sessions]
        )
        pairs = pairs[~np.isnan(pairs).any(axis=1)]
        down = pairs[pairs[:, 1] < 0]
        out = dict.fromkeys(
            (
                "beta_252d",
                "downside_beta_252d",
                "market_correlation_252d",
                "idiosyncratic_volatility_252d_ann",
            ),
            NAN,
        )
        if len(down) >= 42:
            out["downside_beta_252d"] = np.cov(down.T)[0, 1] / np.var(down[:, 1], ddof=1)
        if len(pairs) < 126:
            return out
        r, m = pairs.T
        slope = np.cov(r, m)[0, 1] / np.var(m, ddof=1)
        out["beta_252d"] = slope
        if np.std(r, ddof=1) >= 1e-6:
            residual = r - r.mean() - slope * (m - m.mean())
            share = (residual**2).sum() / ((r - r.mean()) ** 2).sum()
            out["market_correlation_252d"] = np.corrcoef(r, m)[0, 1]
            out["idiosyncratic_volatility_252d_ann"] = (
                0.0 if share < 1e-12 else math.sqrt((residual**2).sum() / (len(r) - 2) * 252)
            )
        return out

    @staticmethod
    def _is_accumulating(series: Series, facts: dict | None) -> bool:
        return facts["price_basis"] == "accumulating" if facts else bool(np.isnan(series.close[-1]))

    def _income(self, series: Series, facts: dict | None) -> dict[str, float]:
        kind = (facts or {}).get("asset_class", "equity")

        def fact(name: str) -> float:
            value = (facts or {}).get(name)
            return NAN if value is None else float(value)

        # a dividend of d on a share that was later split k:1 is d / k of today's share
        growth = np.exp(np.nancumsum(series.price_return[::-1])[::-1])
        paid, per_close = 0.0, series.close
        for i in range(max(0, len(growth) - 252), len(growth)):
            if series.dividend[i] == series.dividend[i]:
                after = growth[i + 1] if i + 1 < len(growth) else 1.0
                paid += series.dividend[i] / per_close[i] / after
        income = {
            "dividend_yield_ttm_pct": NAN if self._is_accumulating(series, facts) else 100 * paid,
            "qualified_dividend_ratio": fact("qualified_dividend_ratio"),
            "expense_ratio_pct": fact("expense_ratio_pct"),
            "duration_years": fact("duration_years"),
        }
        if kind in ("commodity", "currency", "crypto", "cash"):
            income["qualified_dividend_ratio"] = 0.0
        if kind not in ("equity_etf", "bond_etf") and math.isnan(income["expense_ratio_pct"]):
            income["expense_ratio_pct"] = 0.0
        if kind != "bond_etf" and math.isnan(income["duration_years"]):
            income["duration_years"] = 0.0
        return income

    def _lifecycle(self, series: Series, facts: dict | None, evening: int) -> dict[str, float]:
        today = self.days[evening - 1]
        listed = (facts or {}).get("listed_date") or series.first_date
        ex = series.last_ex_date
        days = min((today - ex).days, 400) if ex else 400
        level = np.exp(np.nancumsum(series.price_return))
        first_day = today - dt.timedelta(days=30)
        month = [
            level[s - series.first] for s in range(series.first, evening + 1) if self.days[s - 1] >= first_day
        ]
        return {
            "listed_age_log_years": math.log(1 + (today - listed).days / 365.25),
            "days_since_ex_dividend": NAN if self._is_accumulating(series, facts) else float(days),
            "harvestable_drawdown_31d_ratio": 1 - level[-1] / max(month),
        }


def _corwin_schultz(bar: dict, previous: dict, scale: float) -> float:
    high, low, close = (previous[k] * scale for k in ("high", "low", "close"))
    shift = close - bar["high"] if close > bar["high"] else close - bar["low"] if close < bar["low"] else 0.0
    top, bottom = bar["high"] + shift, bar["low"] + shift
    if math.isnan(top + bottom + high + low):
        return NAN
    beta = math.log(top / bottom) ** 2 + math.log(high / low) ** 2
    gamma = math.log(max(top, high) / min(bottom, low)) ** 2
    k = 3 - 2 * math.sqrt(2)
    alpha = (math.sqrt(2 * beta) - math.sqrt(beta)) / k - math.sqrt(gamma / k)
    return max(0.0, 2 * (math.exp(alpha) - 1) / (1 + math.exp(alpha)))


def _mean(values: np.ndarray, minimum: int) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) >= minimum else NAN


def _sd(values: np.ndarray, minimum: int) -> float:
    known = values[~np.isnan(values)]
    return float(known.std(ddof=1)) if len(known) >= minimum else NAN


def _risk(series: Series) -> dict[str, float]:
    r = series.total_return
    year = math.sqrt(252)
    monthly = np.array([_sd(r[max(0, i - 20) : i + 1], 15) * year for i in range(len(r))])
    level = np.exp(np.nancumsum(r))
    drawdown = np.array([1 - level[i] / level[max(0, i - 251) : i + 1].max() for i in range(len(r))])
    half = r[-126:][~np.isnan(r[-126:])]
    n = len(half)
    skew = kurtosis = NAN
    if n >= 84 and half.std() >= max(1e-6, 0.02 * abs(half.mean())):
        centred = half - half.mean()
        m2, m3, m4 = ((centred**k).mean() for k in (2, 3, 4))
        skew = math.sqrt(n * (n - 1)) / (n - 2) * m3 / m2**1.5
        kurtosis = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3) + 6)
    mean_vol = _mean(monthly[-63:], 42)
    return {
        "volatility_21d_ann": monthly[-1],
        "volatility_63d_ann": _sd(r[-63:], 42) * year,
        "volatility_252d_ann": _sd(r[-252:], 126) * year,
        "downside_deviation_63d_ann": math.sqrt(_mean(np.minimum(r[-63:], 0) ** 2, 42)) * year,
        "max_drawdown_252d_ratio": drawdown[-252:].max() if (~np.isnan(r[-252:])).sum() >= 126 else NAN,
        "skewness_126d": skew,
        "excess_kurtosis_126d": kurtosis,
        "vol_of_vol_63d_ratio": _sd(monthly[-63:], 42) / mean_vol if mean_vol >= 1e-5 else NAN,
    }


def _momentum(series: Series) -> dict[str, float]:
    r = np.nan_to_num(series.total_return)
    n = len(r)
    values = {f"return_{k}d_log": r[n - k :].sum() if n > k else NAN for k in (5, 21, 63, 126)}
    values["return_252d_ex_21d_log"] = r[n - 252 : n - 21].sum() if n > 252 else NAN
    level = np.exp(np.nancumsum(series.price_return))
    known = (~np.isnan(series.total_return[-252:])).sum()
    values["distance_to_52w_high_ratio"] = level[-1] / level[-252:].max() - 1 if known >= 126 else NAN
    return values


def _finished(values: dict[str, float], facts: dict | None) -> dict[str, float]:
    """Flags, neutral values and the share of imputed cells."""
    asset_class = facts["asset_class"] if facts else "equity"
    sector = facts.get("sector") if facts else None
    flags = {f"class__{c}": float(c == asset_class) for c in ASSET_CLASSES}
    flags |= {f"sector__{s.lower().replace(' ', '_')}": float(s == sector) for s in SECTORS}
    imputed = 0 if facts else len(ASSET_CLASSES)
    imputed += len(SECTORS) if facts is None or (sector is None and asset_class in ("equity", "reit")) else 0
    row = dict(flags)
    for spec in FEATURES[len(flags) : -1]:
        value = values[spec.name]
        imputed += math.isnan(value)
        row[spec.column] = spec.neutral if math.isnan(value) else float(value)
    return row | {"lifecycle__imputed_share_ratio": imputed / 49}
