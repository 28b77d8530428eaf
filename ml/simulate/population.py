"""What a population of accounts did, in the figures of the behavioural-finance literature.

Odean's (1998) measure: on each day on which an account sells, every position that it held is a
realised or a paper gain or loss against its average purchase price; PGR = realised gains / (realised
+ paper gains), PLR likewise for losses, counts pooled over accounts and days.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from ml.simulate.compiled import compiled


@dataclass(frozen=True)
class DispositionCounts:
    """Realised and paper gains and losses on sale days."""

    realised_gains: int
    paper_gains: int
    realised_losses: int
    paper_losses: int

    @property
    def pgr(self) -> float:
        """Proportion of gains realised, NaN without opportunity."""
        total = self.realised_gains + self.paper_gains
        return self.realised_gains / total if total else float("nan")

    @property
    def plr(self) -> float:
        """Proportion of losses realised, NaN without opportunity."""
        total = self.realised_losses + self.paper_losses
        return self.realised_losses / total if total else float("nan")


@dataclass(frozen=True)
class PopulationFigures:
    """Per-account activity.

    Parameters
    ----------
    disposition_by_month:
        Calendar month (1-12) to counts.
    accounts:
        account_id, turnover_ratio (a year; mean of purchases and sales over the mean invested value),
        mean_positions, sales, years.
    """

    disposition_by_month: dict[int, DispositionCounts]
    accounts: pl.DataFrame

    def disposition(self, months: tuple[int, ...] = tuple(range(1, 13))) -> DispositionCounts:
        """Return the counts summed over the given months."""
        chosen = [self.disposition_by_month[m] for m in months]
        names = ("realised_gains", "paper_gains", "realised_losses", "paper_losses")
        return DispositionCounts(*(sum(getattr(c, n) for c in chosen) for n in names))


def measure_population(transactions: pl.DataFrame, prices: pl.DataFrame) -> PopulationFigures:
    """Replay buys, sells and splits at average cost and return the population's figures.

    Parameters
    ----------
    transactions:
        Contract columns; rows of one account in order of time. Trade date = New York date.
    prices:
        asset_id, trade_date, price_usd; a position is valued at its last price.
    """
    rows = transactions.filter(pl.col("kind").is_in(["buy", "sell", "split"]))
    rows = rows.with_columns(
        pl.col("traded_at").dt.convert_time_zone("America/New_York").dt.date().alias("day")
    ).sort("account_id", "day", "traded_at", "transaction_id", maintain_order=True)
    assets = prices["asset_id"].unique().sort()
    days = prices.filter(pl.col("price_usd").is_finite())["trade_date"].unique().sort()
    matrix = _last_prices(prices, assets, days)
    accounts = rows["account_id"].unique(maintain_order=True)
    kind = rows["kind"].replace_strict({"buy": 0, "sell": 1, "split": 2}, return_dtype=pl.Int64)
    counts = np.zeros((13, 4), np.int64)
    activity = np.zeros((len(accounts), 5))
    _replay(
        accounts.search_sorted(rows["account_id"]).to_numpy().astype(np.int64),
        days.search_sorted(rows["day"]).to_numpy().astype(np.int64),
        days.dt.month().to_numpy().astype(np.int64),
        kind.to_numpy(),
        assets.search_sorted(rows["asset_id"]).to_numpy().astype(np.int64),
        rows["quantity"].cast(pl.Float64).to_numpy(),
        rows["price_usd"].cast(pl.Float64).fill_null(0.0).to_numpy(),
        (rows["ratio_new"].cast(pl.Float64) / rows["ratio_old"].cast(pl.Float64)).fill_null(1.0).to_numpy(),
        matrix,
        counts,
        activity,
    )
    years = np.maximum(activity[:, 3] / 252, 1 / 252)
    value = activity[:, 1] / np.maximum(activity[:, 3], 1)
    frame = pl.DataFrame(
        {
            "account_id": accounts,
            "turnover_ratio": 0.5 * activity[:, 0] / np.maximum(value, 1e-9) / years,
            "mean_positions": activity[:, 2] / np.maximum(activity[:, 3], 1),
            "sales": activity[:, 4].astype(np.int64),
            "years": years,
        }
    )
    by_month = {m: DispositionCounts(*(int(c) for c in counts[m])) for m in range(1, 13)}
    return PopulationFigures(disposition_by_month=by_month, accounts=frame)


def _last_prices(prices: pl.DataFrame, assets: pl.Series, days: pl.Series) -> np.ndarray:
    """Return prices [days, assets] carried forward, NaN before the first."""
    matrix = np.full((len(days), len(assets)), np.nan)
    known = prices.filter(pl.col("price_usd").is_finite())
    row, column = days.search_sorted(known["trade_date"]), assets.search_sorted(known["asset_id"])
    matrix[row.to_numpy(), column.to_numpy()] = known["price_usd"].to_numpy()
    for t in range(1, len(days)):
        matrix[t] = np.where(np.isfinite(matrix[t]), matrix[t], matrix[t - 1])
    return matrix


@compiled
def _replay(account, day, month, kind, asset, quantity, price, ratio, matrix, counts, activity):
    """Walk each account's days; fill the counts by month and the activity sums by account."""
    shares = np.zeros(matrix.shape[1])
    cost = np.zeros(matrix.shape[1])
    sold = np.zeros(matrix.shape[1], np.bool_)
    n, i = len(account), 0
    while i < n:
        a = account[i]
        shares[:] = 0.0
        cost[:] = 0.0
        start = day[i]
        t = start
        while t < matrix.shape[0]:
            sales = False
            first = i
            while i < n and account[i] == a and day[i] == t:
                if kind[i] == 1:
                    sales = True
                    sold[asset[i]] = True
                i += 1
            if sales:
                _count_day(shares, cost, sold, matrix[t], counts[month[t]])
            for k in range(first, i):
                _apply(k, kind, asset, quantity, price, ratio, shares, cost, sold, activity[a])
            value, names = 0.0, 0
            for j in range(matrix.shape[1]):
                if shares[j] > 1e-9:
                    value += shares[j] * matrix[t, j]
                    names += 1
            # Turnover is against the value invested; the first month, while it builds up, is left out.
            if t - start >= 21:
                activity[a, 1] += value
                activity[a, 2] += names
                activity[a, 3] += 1
            elif t - start == 20:
                activity[a, 0] = 0.0
            t += 1
        while i < n and account[i] == a:
            i += 1


@compiled
def _apply(k, kind, asset, quantity, price, ratio, shares, cost, sold, activity):
    """Apply one row to shares and cost at average cost."""
    j = asset[k]
    if kind[k] == 0:
        shares[j] += quantity[k]
        cost[j] += quantity[k] * price[k]
        activity[0] += quantity[k] * price[k]
    elif kind[k] == 1:
        part = min(1.0, quantity[k] / shares[j]) if shares[j] > 0 else 1.0
        cost[j] *= 1.0 - part
        shares[j] -= quantity[k]
        if shares[j] < 1e-9:
            shares[j], cost[j] = 0.0, 0.0
        activity[0] += quantity[k] * price[k]
        activity[4] += 1
        sold[j] = False
    else:
        shares[j] *= ratio[k]


@compiled
def _count_day(shares, cost, sold, last, counts):
    """Count the positions held before the day's trades as realised or paper gains or losses."""
    names = 0
    for j in range(shares.shape[0]):
        names += shares[j] > 1e-9
    if names < 2:
        return
    for j in range(shares.shape[0]):
        if shares[j] > 1e-9 and np.isfinite(last[j]):
            value = shares[j] * last[j]
            if value > cost[j] * (1 + 1e-9):
                counts[0 if sold[j] else 1] += 1
            elif value < cost[j] * (1 - 1e-9):
                counts[2 if sold[j] else 3] += 1
