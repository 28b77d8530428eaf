"""Counts over behaviour against hand counts, and choices against a slow, obvious reference."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from ml.features.behaviour import BEHAVIOUR_COLUMNS, BEHAVIOUR_SCHEMA, behaviour_counts
from ml.features.choices import AGES, BUY_CELLS, SALE_CELLS, buy_choices, price_history, sale_choices

NIGHT = date(2022, 12, 28)
TX = {
    "account_id": pl.String,
    "user_id": pl.String,
    "account_type": pl.String,
    "trade_date": pl.Date,
    "kind": pl.String,
    "asset_id": pl.String,
    "amount_usd": pl.Decimal(20, 6),
}
GAINS = {
    "account_id": pl.String,
    "asset_id": pl.String,
    "lot_id": pl.String,
    "acquired_date": pl.Date,
    "trade_date": pl.Date,
    "quantity": pl.Decimal(24, 9),
    "proceeds_usd": pl.Decimal(20, 6),
    "cost_basis_usd": pl.Decimal(20, 6),
    "gain_usd": pl.Decimal(20, 6),
    "term": pl.String,
    "is_voluntary": pl.Boolean,
}
LOTS = {
    name: GAINS[name]
    for name in ("account_id", "asset_id", "lot_id", "acquired_date", "quantity", "cost_basis_usd")
}


def tx(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(
        [
            (account, f"user_{account[0]}", kind_of, day, kind, asset, usd)
            for account, kind_of, day, kind, asset, usd in rows
        ],
        schema=TX,
        orient="row",
    )


def sale(account: str, asset: str, bought: date, sold: date, cost: float, proceeds: float, **more) -> dict:
    return {
        "account_id": account,
        "asset_id": asset,
        "lot_id": more.get("lot_id", f"{asset}_{bought}"),
        "acquired_date": bought,
        "trade_date": sold,
        "quantity": 10,
        "proceeds_usd": proceeds,
        "cost_basis_usd": cost,
        "gain_usd": proceeds - cost,
        "term": "long" if (sold - bought).days > 365 else "short",
        "is_voluntary": more.get("is_voluntary", True),
    }


def gains(*rows: dict) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=GAINS)


def panel(levels: dict[str, list[float]], start: date) -> pl.DataFrame:
    """Prices by session (calendar days, for short)."""
    rows = []
    for asset, prices in levels.items():
        steps = [None, *np.diff(np.log(prices))]
        rows += [(start + timedelta(days=i), asset, step) for i, step in enumerate(steps)]
    return pl.DataFrame(
        rows,
        schema={"as_of_date": pl.Date, "asset_id": pl.String, "total_return_log": pl.Float64},
        orient="row",
    )


class TestSummary:
    @pytest.fixture
    def row(self):
        transactions = tx(
            ("a1", "taxable", date(2021, 1, 4), "deposit", None, 10_000),
            ("a1", "taxable", date(2021, 1, 5), "buy", "x", -4_000),
            ("a1", "taxable", date(2021, 1, 5), "buy", "y", -4_000),
            ("a1", "taxable", date(2021, 3, 1), "sell", "x", 3_000),
            ("a1", "taxable", date(2021, 3, 3), "buy", "z", -3_100),  # replaces x
            ("a1", "taxable", date(2021, 3, 20), "buy", "x", -500),  # bought back within 30 days
            ("a1", "taxable", date(2022, 1, 7), "sell", "y", 6_000),  # day 367
            ("a1", "taxable", date(2022, 1, 12), "withdrawal", None, -5_000),
            ("a2", "roth_ira", date(2022, 2, 1), "sell", "y", 100),
            ("a1", "taxable", date(2023, 1, 3), "sell", "z", 1_000),  # after the night
        )
        realized = gains(
            sale("a1", "x", date(2021, 1, 5), date(2021, 3, 1), 4_000, 3_000),
            sale("a1", "y", date(2021, 1, 5), date(2022, 1, 7), 4_000, 6_000),
            sale("a2", "y", date(2021, 6, 1), date(2022, 2, 1), 90, 100),
            sale("a1", "z", date(2021, 3, 3), date(2023, 1, 3), 3_100, 1_000),
            sale("a1", "w", date(2021, 3, 3), date(2021, 6, 3), 100, 50, is_voluntary=False),
        )
        frame = behaviour_counts(transactions, realized, NIGHT)
        assert frame.schema == pl.Schema(BEHAVIOUR_SCHEMA)
        assert frame.height == 1
        return frame.row(0, named=True)

    def test_counts(self, row):
        expected = {
            "user_id": "user_a",
            "n_decisions": 6,
            "n_buys": 4,
            "n_sells": 3,
            "history_days": (NIGHT - date(2021, 1, 4)).days,
            "n_short_gain": 0,  # the IRA's sale is not a taxable gain
            "n_long_gain": 1,
            "n_short_loss": 1,
            "n_long_loss": 0,
            "n_held_21_120d": 1,
            "n_held_366d_on": 1,
            "n_gain_366_430d": 1,
            "n_gain_300_365d": 0,
            "median_days_gain": 367.0,
            "median_days_loss": 55.0,
            "short_gain_share": 0.0,
            "loss_share": 0.5,
            "december_loss_share": 0.0,
            "n_replaced_losses": 1,
            "n_rebought_losses": 1,
            "n_sells_for_cash": 1,
            "n_deposits": 1,
            "n_withdrawals": 1,
            "n_sale_choices": 0,
            "pgr": None,
        }
        assert {name: row[name] for name in expected} == expected

    def test_turnover_needs_lots(self, row):
        assert row["turnover_ann"] is None

    def test_turnover(self):
        transactions = tx(
            ("a1", "taxable", date(2022, 1, 3), "buy", "x", -4_000),
            ("a1", "taxable", date(2022, 1, 3), "buy", "y", -6_000),
            ("a1", "taxable", date(2022, 7, 1), "sell", "x", 5_000),
        )
        realized = gains(sale("a1", "x", date(2022, 1, 3), date(2022, 7, 1), 4_000, 5_000))
        lots = pl.DataFrame(
            [
                ("a1", "y", "l", date(2022, 1, 3), 10, 6_000, NIGHT),
                ("a1", "y", "l", date(2022, 1, 3), 10, 9, date(2022, 12, 27)),
            ],
            schema=LOTS | {"state_date": pl.Date},
            orient="row",
        )
        row = behaviour_counts(transactions, realized, NIGHT, lots=lots).row(0, named=True)
        held, span = (date(2022, 7, 1) - date(2022, 1, 3)).days, (NIGHT - date(2022, 1, 3)).days
        mean = (5_000 * held + 6_000 * span) / span
        assert row["turnover_ann"] == pytest.approx(5_000 / mean / (span / 365.25), rel=1e-6)

    def test_empty_frames_give_no_rows_and_an_idle_account_one(self):
        empty = behaviour_counts(tx(), gains(), NIGHT)
        assert empty.is_empty()
        accounts = pl.DataFrame(
            {"account_id": ["b1"], "user_id": ["user_b"], "account_type": ["taxable"], "lot_method": ["fifo"]}
        )
        idle = behaviour_counts(tx(), gains(), NIGHT, accounts=accounts).row(0, named=True)
        assert idle["user_id"] == "user_b"
        assert idle["n_decisions"] == idle["history_days"] == 0
        assert idle["turnover_ann"] is None

    def test_every_column_is_described(self):
        assert all(description.endswith(".") for _, description in BEHAVIOUR_COLUMNS.values())


class TestSaleChoices:
    START = date(2022, 1, 3)

    def methods(self, method: str) -> pl.DataFrame:
        return pl.DataFrame({"account_id": ["a1"], "lot_method": [method]})

    def open_lots(self, *rows: tuple[str, date, float]) -> pl.DataFrame:
        return pl.DataFrame(
            [("a1", asset, f"{asset}_{bought}", bought, 10, cost) for asset, bought, cost in rows],
            schema=LOTS,
            orient="row",
        )

    def count(self, method: str, *open_rows) -> dict:
        history = price_history(
            panel({"up": [100.0] * 30 + [120.0] * 30, "down": [100.0] * 30 + [90.0] * 30}, self.START)
        )
        sold = self.START + timedelta(days=40)
        realized = gains(sale("a1", "down", self.START, sold, 1000, 900))
        frame = sale_choices(realized, self.open_lots(*open_rows), self.methods(method), history)
        return frame.row(0, named=True) if frame.height else {}

    def test_a_loss_sold_while_a_gain_was_held(self):
        row = self.count("fifo", ("up", self.START, 1000.0))
        assert row["n_sale_choices"] == 1
        assert row["sold__21_120d_loss_5pct_on"] == 1.0
        assert row["sold_expected__21_120d_loss_5pct_on"] == 0.5
        assert row["sold_expected__21_120d_gain_5pct_on"] == 0.5
        assert (row["gains_sold"], row["gains_eligible"]) == (0, 1)
        assert (row["losses_sold"], row["losses_eligible"]) == (1, 1)
        assert sum(row[f"sold_expected__{cell}"] for cell in SALE_CELLS) == pytest.approx(1.0)

    def test_selling_all_or_one_of_a_kind_is_no_choice(self):
        assert self.count("fifo") == {}
        assert self.count("specific_id", ("down", self.START + timedelta(days=1), 1000.0)) == {}

    def test_under_fifo_an_asset_is_one_unit_under_specific_id_each_lot(self):
        later = self.START + timedelta(days=35)  # bought after the jump: neither gain nor loss
        rows = (("up", self.START, 1000.0), ("up", later, 1200.0))
        fifo, any_lot = self.count("fifo", *rows), self.count("specific_id", *rows)
        assert fifo["sold_expected__21_120d_gain_5pct_on"] == 0.5
        assert any_lot["sold_expected__21_120d_gain_5pct_on"] == pytest.approx(1 / 3)
        assert any_lot["sold_expected__0_5d_gain_below_5pct"] == pytest.approx(1 / 3)

    def test_lots_bought_later_were_no_choice(self):
        assert self.count("fifo", ("up", self.START + timedelta(days=40), 1000.0)) == {}


class TestBuyChoices:
    def test_terciles_and_expectation(self):
        rng = np.random.default_rng(0)
        levels = {f"x{i}": np.exp(np.cumsum(rng.normal(0, 0.005 * (i + 1), 100))).tolist() for i in range(6)}
        history = price_history(panel(levels, date(2022, 1, 3)))
        day = date(2022, 1, 3) + timedelta(days=99)
        today = history.filter(pl.col("as_of_date") == day)
        for part in (lambda c: c % 3, lambda c: c // 3 % 3, lambda c: c // 9):
            assert sorted(part(cell) for cell in today["buy_cell"]) == [0, 0, 1, 1, 2, 2]
        buys = pl.DataFrame({"account_id": ["a1"], "asset_id": ["x0"], "trade_date": [day]})
        row = buy_choices(buys, history).row(0, named=True)
        cell = BUY_CELLS[today.filter(pl.col("asset_id") == "x0")["buy_cell"].item()]
        assert row[f"bought__{cell}"] == 1.0
        assert cell.endswith("calm")
        shares = today.group_by("buy_cell").len()
        for number, count in shares.iter_rows():
            assert row[f"bought_expected__{BUY_CELLS[number]}"] == pytest.approx(count / 6)

    def test_a_small_or_short_universe_is_not_ranked(self):
        few = price_history(panel({f"x{i}": [100.0 + i] * 100 for i in range(5)}, date(2022, 1, 3)))
        assert few["buy_cell"].null_count() == few.height
        short = price_history(panel({f"x{i}": [100.0 + i] * 60 for i in range(8)}, date(2022, 1, 3)))
        assert short["buy_cell"].null_count() == short.height


def test_a_random_seller_sells_what_is_expected():
    """Over many sessions the counts of a random seller agree with the expectation; a slow loop agrees exactly."""
    rng = np.random.default_rng(3)
    start = date(2021, 1, 4)
    levels = {f"x{i}": np.exp(np.cumsum(rng.normal(0, 0.02, 400))).tolist() for i in range(8)}
    prices = panel(levels, start)
    realized, open_lots, held, eligible_log = [], [], {}, []
    for day in range(1, 400):
        today = start + timedelta(days=day)
        if len(held) < 8:
            asset = next(f"x{i}" for i in range(8) if f"x{i}" not in held)
            held[asset] = day
        elif day % 3 == 0:
            asset = f"x{rng.integers(8)}"
            bought = held.pop(asset)
            realized.append(sale("a1", asset, start + timedelta(days=bought), today, 1000, 1000))
            eligible_log.append((day, asset, dict(held) | {asset: bought}))
    for asset, bought in held.items():
        open_lots.append(
            (
                "a1",
                asset,
                f"{asset}_{start + timedelta(days=bought)}",
                start + timedelta(days=bought),
                10,
                1000,
            )
        )
    frame = sale_choices(
        gains(*realized),
        pl.DataFrame(open_lots, schema=LOTS, orient="row"),
        pl.DataFrame({"account_id": ["a1"], "lot_method": ["fifo"]}),
        price_history(prices),
    ).row(0, named=True)

    def cell(asset: str, bought: int, day: int) -> str:
        gain = levels[asset][day] / levels[asset][bought] - 1
        age = AGES[sum(day - bought > limit for limit in (5, 20, 120, 299, 365, 430))]
        band = ("loss_5pct_on", "loss_below_5pct", "gain_below_5pct", "gain_5pct_on")
        return f"{age}_{band[(gain > -0.05) + (gain >= 0) + (gain >= 0.05)]}"

    sold, expected, sessions = dict.fromkeys(SALE_CELLS, 0.0), dict.fromkeys(SALE_CELLS, 0.0), 0
    for day, asset, lots in eligible_log[-100:]:
        cells = {name: cell(name, bought, day) for name, bought in lots.items()}
        if len(set(cells.values())) == 1:
            continue
        sessions += 1
        sold[cells[asset]] += 1
        for name in cells:
            expected[cells[name]] += 1 / len(cells)
    assert frame["n_sale_choices"] == sessions > 80
    for name in SALE_CELLS:
        assert frame[f"sold__{name}"] == sold[name]
        assert frame[f"sold_expected__{name}"] == pytest.approx(expected[name], abs=1e-8)
