"""What was chosen and what could have been: sales against eligible lots, purchases against the universe.

What belongs here: counting choices per cell together with the count that a random choice would give.
What does not: a user's other counts (``behaviour.py``), what a choice reveals
(``ml/personalization``).

A lot's gain at a session is its total return since it was acquired, from the price table: free of
splits, fees and basis adjustments, and defined for lots of unknown basis too.
"""

import polars as pl

# Days held, upper bounds; the long term begins after 365.
AGE_LIMITS = (5, 20, 120, 299, 365, 430)
AGES = ("0_5d", "6_20d", "21_120d", "121_299d", "300_365d", "366_430d", "431d_on")
GAINS = ("loss_5pct_on", "loss_below_5pct", "gain_below_5pct", "gain_5pct_on")
WEEKS = ("week_down", "week_flat", "week_up")
MONTHS = ("month_down", "month_flat", "month_up")
VOLATILITIES = ("calm", "usual", "wild")
SALE_CELLS = tuple(f"{age}_{gain}" for age in AGES for gain in GAINS)
BUY_CELLS = tuple(f"{week}_{month}_{calm}" for week in WEEKS for month in MONTHS for calm in VOLATILITIES)

MAX_SESSIONS = 100  # the latest that count, per account: the evidence is capped there anyway
MIN_RANKED_ASSETS = 6
WEEK_SESSIONS, MONTH_SESSIONS = 5, 21
VOLATILITY_SESSIONS = 63
_PAIRS_AT_ONCE = 4_000_000


def price_history(prices: pl.DataFrame) -> pl.DataFrame:
    """Cumulate total returns per asset and sort assets into terciles of past return and volatility.

    Parameters
    ----------
    prices : polars.DataFrame
        as_of_date, asset_id, total_return_log (nullable) and, optionally, is_stale;
        one row per asset and session.

    Returns
    -------
    polars.DataFrame
        as_of_date, asset_id, level_log (cumulated), buy_cell (Int32, null where not ranked: stale,
        fewer than 63 sessions, or fewer than 6 assets ranked in that session).
    """
    stale = pl.col("is_stale").fill_null(False) if "is_stale" in prices.columns else pl.lit(False)
    step = pl.col("total_return_log").cast(pl.Float64)
    frame = (
        prices.select("as_of_date", "asset_id", stale.alias("is_stale"), step.fill_null(0.0).alias("step"))
        .sort("asset_id", "as_of_date")
        .with_columns(pl.col("step").cum_sum().over("asset_id").alias("level_log"))
        .with_columns(
            (pl.col("level_log") - pl.col("level_log").shift(WEEK_SESSIONS)).over("asset_id").alias("week"),
            (pl.col("level_log") - pl.col("level_log").shift(MONTH_SESSIONS)).over("asset_id").alias("month"),
            pl.col("step").rolling_std(VOLATILITY_SESSIONS).over("asset_id").round(12).alias("volatility"),
        )
    )
    ranked = ~pl.col("is_stale") & pl.col("month").is_not_null() & pl.col("volatility").is_not_null()
    frame = frame.with_columns(ranked.alias("is_ranked"))
    count = pl.col("is_ranked").sum().over("as_of_date")

    def tercile(name: str) -> pl.Expr:
        value = pl.when(pl.col("is_ranked")).then(pl.col(name).round(12))
        rank = value.rank("average").over("as_of_date")
        return ((rank - 0.5) * 3 / count).floor().cast(pl.Int32)

    cell = (tercile("week") * len(MONTHS) + tercile("month")) * len(VOLATILITIES) + tercile("volatility")
    return frame.with_columns(pl.when(count >= MIN_RANKED_ASSETS).then(cell).alias("buy_cell")).select(
        "as_of_date", "asset_id", "level_log", "buy_cell"
    )


def buy_sessions(
    buys: pl.DataFrame, history: pl.DataFrame, *, max_sessions: int = MAX_SESSIONS
) -> pl.DataFrame:
    """Count ranked purchases per session and cell beside the universe that could have been bought.

    Parameters
    ----------
    buys : polars.DataFrame
        account_id, asset_id, trade_date; distinct.
    history : polars.DataFrame
        From :func:`price_history`.
    max_sessions : int
        Latest sessions of each account that count.

    Returns
    -------
    polars.DataFrame
        account_id, trade_date, made, ``bought__`` per cell, available (assets ranked in that session)
        and ``available__`` per cell, sorted by account and date.
    """
    ranked = history.filter(pl.col("buy_cell").is_not_null())
    made = _latest_sessions(buys, max_sessions).join(
        ranked, left_on=["asset_id", "trade_date"], right_on=["asset_id", "as_of_date"], how="inner"
    )
    universe = ranked.group_by("as_of_date").agg(
        pl.len().alias("available"), *_count_cells("buy_cell", BUY_CELLS, "available__")
    )
    return (
        made.group_by("account_id", "trade_date")
        .agg(pl.len().alias("made"), *_count_cells("buy_cell", BUY_CELLS, "bought__"))
        .join(universe, left_on="trade_date", right_on="as_of_date", how="inner")
        .sort("account_id", "trade_date")
    )


def buy_choices(buys: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """Count purchases per cell beside what random purchases of the same number would give.

    Parameters
    ----------
    buys : polars.DataFrame
        account_id, asset_id, trade_date; distinct.
    history : polars.DataFrame
        From :func:`price_history`.

    Returns
    -------
    polars.DataFrame
        account_id, n_buy_choices and ``bought__`` / ``bought_expected__`` per cell, sorted; accounts
        without a ranked purchase are absent.
    """
    return (
        buy_sessions(buys, history)
        .group_by("account_id", maintain_order=True)
        .agg(
            pl.col("made").sum().cast(pl.Int64).alias("n_buy_choices"),
            *(pl.col(f"bought__{cell}").sum().cast(pl.Float64) for cell in BUY_CELLS),
            *(
                _expected("made", "available", f"available__{cell}", f"bought_expected__{cell}")
                for cell in BUY_CELLS
            ),
        )
        .sort("account_id")
    )


def sale_sessions(
    realized: pl.DataFrame,
    lots: pl.DataFrame,
    lot_methods: pl.DataFrame,
    history: pl.DataFrame,
    *,
    max_sessions: int = MAX_SESSIONS,
) -> pl.DataFrame:
    """Count units sold and eligible per sale session and cell.

    A unit of choice is what could have been sold next: under FIFO, LIFO and HIFO the lot next in
    line of each asset, else (specific identification, average, min-tax) any lot. Sessions in which
    everything was sold, or whose units are all of one cell, show no choice and are left out.

    Parameters
    ----------
    realized : polars.DataFrame
        account_id, asset_id, lot_id, acquired_date, trade_date, quantity, cost_basis_usd: the sold parts.
    lots : polars.DataFrame
        account_id, asset_id, lot_id, acquired_date, quantity, cost_basis_usd: the lots still open.
    lot_methods : polars.DataFrame
        account_id, lot_method.
    history : polars.DataFrame
        From :func:`price_history`.
    max_sessions : int
        Latest sale sessions of each account that count.

    Returns
    -------
    polars.DataFrame
        account_id, trade_date, sold, eligible, gains_sold, gains_eligible, losses_sold,
        losses_eligible, ``sold__`` and ``eligible__`` per cell, sorted by account and date.
    """
    key = ["account_id", "asset_id", "lot_id", "acquired_date"]
    cost = (pl.col("cost_basis_usd").cast(pl.Float64) / pl.col("quantity").cast(pl.Float64)).alias(
        "unit_cost"
    )
    pieces = pl.concat(
        [
            realized.select(*key, cost, pl.col("trade_date").alias("end_date")),
            lots.select(*key, cost, pl.lit(None, dtype=pl.Date).alias("end_date")),
        ]
    ).filter(pl.col("acquired_date").is_not_null())
    sessions = _latest_sessions(realized.select("account_id", "trade_date").unique(), max_sessions)
    # What was gone before the first session that counts was no choice in any of them.
    first = sessions.group_by("account_id").agg(pl.col("trade_date").min().alias("first_date"))
    still_there = pl.col("end_date").is_null() | (pl.col("end_date") >= pl.col("first_date"))
    pieces = pieces.join(first, on="account_id").filter(still_there).drop("first_date")
    counted = [
        _count_sessions(part_pieces, part_sessions, lot_methods, history)
        for part_pieces, part_sessions in _parts(pieces, sessions)
    ]
    per_session = pl.concat(counted) if counted else _count_sessions(pieces, sessions, lot_methods, history)
    return per_session.sort("account_id", "trade_date")


def sale_choices(
    realized: pl.DataFrame, lots: pl.DataFrame, lot_methods: pl.DataFrame, history: pl.DataFrame
) -> pl.DataFrame:
    """Count lots sold per cell beside what random sales of the same number of lots would give.

    Parameters
    ----------
    realized, lots, lot_methods, history : polars.DataFrame
        As for :func:`sale_sessions`.

    Returns
    -------
    polars.DataFrame
        account_id, n_sale_choices, gains_sold, gains_eligible, losses_sold, losses_eligible and
        ``sold__`` / ``sold_expected__`` per cell, sorted; accounts without a choice are absent.
    """
    return (
        sale_sessions(realized, lots, lot_methods, history)
        .group_by("account_id", maintain_order=True)
        .agg(
            pl.len().cast(pl.Int64).alias("n_sale_choices"),
            *(pl.col(name).sum().cast(pl.Float64) for name in _GAIN_COUNTS),
            *(pl.col(f"sold__{cell}").sum().cast(pl.Float64) for cell in SALE_CELLS),
            *(
                _expected("sold", "eligible", f"eligible__{cell}", f"sold_expected__{cell}")
                for cell in SALE_CELLS
            ),
        )
        .sort("account_id")
    )


_GAIN_COUNTS = ("gains_sold", "gains_eligible", "losses_sold", "losses_eligible")


def _expected(made: str, available: str, in_cell: str, name: str) -> pl.Expr:
    """Sum over sessions of (number chosen) x (share of the cell among what was available)."""
    return (pl.col(made) * pl.col(in_cell) / pl.col(available)).sum().round(9).alias(name)


def _count_cells(column: str, cells: tuple[str, ...], prefix: str) -> list[pl.Expr]:
    return [
        (pl.col(column) == i).sum().cast(pl.Int64).alias(f"{prefix}{cell}") for i, cell in enumerate(cells)
    ]


def _latest_sessions(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """Keep the rows of each account's latest sessions."""
    recent = pl.col("trade_date").rank("dense", descending=True).over("account_id") <= count
    return rows.filter(recent).sort(rows.columns)


def _parts(pieces: pl.DataFrame, sessions: pl.DataFrame) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """Split by account so that sessions x lots stays below a bound in each part."""
    size = (
        pieces.group_by("account_id")
        .len("lots")
        .join(sessions.group_by("account_id").len("sessions"), on="account_id")
        .sort("account_id")
        .with_columns(
            (
                (pl.col("lots").cast(pl.Int64) * pl.col("sessions").cast(pl.Int64)).cum_sum()
                // _PAIRS_AT_ONCE
            ).alias("part")
        )
    )
    return [
        (
            pieces.join(accounts, on="account_id", how="semi"),
            sessions.join(accounts, on="account_id", how="semi"),
        )
        for accounts in size.partition_by("part", maintain_order=True)
    ]


def _count_sessions(
    pieces: pl.DataFrame, sessions: pl.DataFrame, lot_methods: pl.DataFrame, history: pl.DataFrame
) -> pl.DataFrame:
    """Count sold and eligible units per (account, session), where there was a choice."""
    units = _eligible_units(pieces, sessions, lot_methods, history)
    is_sold = pl.col("is_sold")
    is_gain = (pl.col("cell") % len(GAINS)) >= GAINS.index("gain_below_5pct")
    return (
        units.group_by("account_id", "trade_date")
        .agg(
            is_sold.sum().cast(pl.Int64).alias("sold"),
            pl.len().cast(pl.Int64).alias("eligible"),
            pl.col("cell").n_unique().alias("kinds"),
            (is_sold & is_gain).sum().cast(pl.Int64).alias("gains_sold"),
            is_gain.sum().cast(pl.Int64).alias("gains_eligible"),
            (is_sold & ~is_gain).sum().cast(pl.Int64).alias("losses_sold"),
            (~is_gain).sum().cast(pl.Int64).alias("losses_eligible"),
            *[
                (is_sold & (pl.col("cell") == i)).sum().cast(pl.Int64).alias(f"sold__{cell}")
                for i, cell in enumerate(SALE_CELLS)
            ],
            *_count_cells("cell", SALE_CELLS, "eligible__"),
        )
        .filter((pl.col("sold") > 0) & (pl.col("sold") < pl.col("eligible")) & (pl.col("kinds") > 1))
        .drop("kinds")
    )


def _eligible_units(
    pieces: pl.DataFrame, sessions: pl.DataFrame, lot_methods: pl.DataFrame, history: pl.DataFrame
) -> pl.DataFrame:
    """List account_id, trade_date, is_sold, cell: one row per unit that could have been sold."""
    entry = history.select(
        "asset_id", pl.col("as_of_date").alias("acquired_date"), pl.col("level_log").alias("entry_log")
    )
    levels = history.select("asset_id", pl.col("as_of_date").alias("trade_date"), "level_log")
    held = pieces.sort("acquired_date").join_asof(
        entry.sort("acquired_date"),
        on="acquired_date",
        by="asset_id",
        strategy="backward",
        check_sortedness=False,
    )
    open_then = (pl.col("acquired_date") <= pl.col("trade_date")) & (
        pl.col("end_date").is_null() | (pl.col("end_date") >= pl.col("trade_date"))
    )
    is_sold = (pl.col("end_date") == pl.col("trade_date")).fill_null(False)
    lots = (
        held.join(sessions, on="account_id")
        .filter(open_then)
        .join(levels, on=["asset_id", "trade_date"])
        .filter(pl.col("entry_log").is_not_null())
        .group_by("account_id", "trade_date", "asset_id", "lot_id", "acquired_date")
        .agg(
            is_sold.any().alias("is_sold"),
            pl.col("unit_cost").max(),
            (pl.col("level_log") - pl.col("entry_log")).first().alias("gain_log"),
        )
        # A lot bought in the same session is no alternative unless it was the one sold.
        .filter((pl.col("acquired_date") < pl.col("trade_date")) | pl.col("is_sold"))
        .join(lot_methods, on="account_id", how="left")
        .with_columns(pl.col("lot_method").fill_null("fifo"))
    )
    return pl.concat(
        [_next_in_line(lots), lots.filter(~pl.col("lot_method").is_in(_IN_LINE))], how="diagonal"
    ).select("account_id", "trade_date", "is_sold", _cell().alias("cell"))


_IN_LINE = ("fifo", "lifo", "hifo")


def _next_in_line(lots: pl.DataFrame) -> pl.DataFrame:
    """Of each asset the lot that the account's method sells first; sold if any lot of the asset was."""
    age = pl.col("acquired_date").to_physical().cast(pl.Float64)
    place = (
        pl.when(pl.col("lot_method") == "lifo")
        .then(-age)
        .when(pl.col("lot_method") == "hifo")
        .then(-pl.col("unit_cost").fill_null(float("-inf")))
        .otherwise(age)
    )
    return (
        lots.filter(pl.col("lot_method").is_in(_IN_LINE))
        .with_columns(place.alias("place"))
        .sort("account_id", "trade_date", "asset_id", "place", "acquired_date", "lot_id")
        .group_by("account_id", "trade_date", "asset_id", maintain_order=True)
        .agg(pl.col("is_sold").any(), pl.col("acquired_date", "gain_log").first())
    )


def _cell() -> pl.Expr:
    """Give the number of the sale cell from a unit's age and gain."""
    days = (pl.col("trade_date") - pl.col("acquired_date")).dt.total_days()
    age = pl.sum_horizontal((days > limit).cast(pl.Int32) for limit in AGE_LIMITS)
    gain = pl.col("gain_log").exp().round(9) - 1.0
    band = (gain > -0.05).cast(pl.Int32) + (gain >= 0.0).cast(pl.Int32) + (gain >= 0.05).cast(pl.Int32)
    return age * len(GAINS) + band
