"""Each expert does what its name says; all hold the simplex, stale assets and symmetry."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.policy.account_state import AccountTax
from ml.policy.experts import expert_targets, plan_market
from ml.types import EXPERTS

MOMENTUM, GROWTH, DEFENSIVE, TAX_AWARE = range(4)


class TestInvariants:
    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10_000), st.integers(1, 25), st.integers(0, 8))
    def test_rows_are_simplices_and_stale_assets_keep_their_weight(self, build, seed, assets, count):
        rng = np.random.default_rng(seed)
        tradeable = rng.random(assets) < 0.8
        market = build.market(seed, assets, tradeable=tradeable)
        accounts = build.random(seed, count, assets)
        targets = expert_targets(market, accounts)
        assert targets.shape == (count, len(EXPERTS), assets + 1)
        assert (targets >= 0.0).all()
        np.testing.assert_allclose(targets.sum(axis=2), 1.0, atol=1e-12, rtol=0)
        stale = np.flatnonzero(~tradeable)
        expected = np.broadcast_to(accounts.current_weights[:, None, :], targets.shape)[:, :, stale]
        np.testing.assert_allclose(targets[:, :, stale], expected, atol=1e-12, rtol=0)

    @settings(max_examples=20, deadline=None)
    @given(st.integers(0, 10_000), st.integers(2, 20))
    def test_permuting_assets_permutes_targets(self, build, seed, assets):
        rng = np.random.default_rng(seed)
        market = build.market(seed, assets, tradeable=rng.random(assets) < 0.9)
        market.returns[: rng.integers(0, 252), 0] = np.nan
        accounts = build.random(seed, 4, assets)
        order = rng.permutation(assets)
        moved_market = build.market(
            seed,
            assets,
            returns=market.returns[:, order],
            tradeable=market.tradeable[order],
            **{name: values[order] for name, values in market.features.items()},
        )
        place = np.argsort(order)
        moved_accounts = build.accounts(
            np.concatenate(
                [accounts.current_weights[:, :-1][:, order], accounts.current_weights[:, -1:]], axis=1
            ),
            list(
                zip(
                    accounts.lot_account,
                    place[accounts.lot_asset],
                    accounts.lot_weight,
                    accounts.lot_gain_ratio,
                    accounts.lot_value_usd,
                    accounts.lot_days_to_long_term,
                    strict=True,
                )
            ),
            accounts.is_tax_deferred,
        )
        plain = expert_targets(market, accounts)
        moved = expert_targets(moved_market, moved_accounts)
        np.testing.assert_allclose(moved[:, :, :-1], plain[:, :, :-1][:, :, order], atol=1e-9, rtol=0)
        np.testing.assert_allclose(moved[:, :, -1], plain[:, :, -1], atol=1e-9, rtol=0)

    def test_same_input_same_bytes_and_chunks_agree(self, build):
        market, accounts = build.market(5, 9), build.random(5, 6, 9)
        whole = expert_targets(market, accounts)
        assert whole.tobytes() == expert_targets(market, accounts, plan_market(market)).tobytes()

    def test_one_asset_without_any_history(self, build):
        market = build.market(0, 1, returns=np.full((252, 1), np.nan), risk__volatility_252d_ann=[np.nan])
        targets = expert_targets(market, build.accounts([[0.0, 1.0]]))
        np.testing.assert_allclose(targets.sum(axis=2), 1.0, atol=1e-12)

    def test_nothing_tradeable_means_cash_for_new_money(self, build):
        market = build.market(0, 3, tradeable=np.zeros(3, dtype=bool))
        targets = expert_targets(market, build.accounts([[0.2, 0.0, 0.0, 0.8]]))
        np.testing.assert_allclose(targets[0], np.tile([0.2, 0, 0, 0.8], (4, 1)), atol=1e-12)

    def test_panels_refuse_what_they_cannot_mean(self, build):
        with pytest.raises(ValueError, match=r"account_1.*short positions"):
            build.accounts([[0.5, 0.5], [-0.1, 1.1]])
        with pytest.raises(ValueError, match="expected 6 assets and cash"):
            expert_targets(build.market(), build.accounts([[0.5, 0.5]]))


class TestMomentum:
    def test_winners_in_equal_parts_and_a_ramp_behind_them(self, build):
        market = build.market(assets=10, momentum__return_252d_ex_21d_log=np.arange(10) / 100)
        row = expert_targets(market, build.accounts([[0] * 10 + [1.0]]))[0, MOMENTUM]
        # Ranks (from the best) 0.05, 0.15, 0.25, 0.35: the ramp from 0.2 to 0.4 gives 1, 1, 3/4, 1/4.
        np.testing.assert_allclose(row[6:10], np.array([0.25, 0.75, 1, 1]) / 3, atol=1e-12)
        assert row[:6].sum() == 0 and row[-1] == pytest.approx(0, abs=1e-12)

    def test_ties_share(self, build):
        market = build.market(assets=3, momentum__return_252d_ex_21d_log=[0.2] * 3)
        row = expert_targets(market, build.accounts([[0, 0, 0, 1.0]]))[0, MOMENTUM]
        np.testing.assert_allclose(row, [1 / 3, 1 / 3, 1 / 3, 0], atol=1e-12)

    def test_what_is_held_moves_a_tenth_a_week(self, build):
        market = build.market(assets=10, momentum__return_252d_ex_21d_log=np.arange(10) / 100)
        current = np.zeros(11)
        current[0], current[9] = 0.6, 0.4
        row = expert_targets(market, build.accounts([current]))[0, MOMENTUM]
        goal = plan_market(market).momentum
        np.testing.assert_allclose(row, current + 0.1 * (goal - current), atol=1e-12)

    def test_bills_and_unknown_years_are_no_winners(self, build):
        market = build.market(
            assets=3, class__cash=[1.0, 0, 0], momentum__return_252d_ex_21d_log=[0.9, np.nan, 0.1]
        )
        row = expert_targets(market, build.accounts([[0, 0, 0, 1.0]]))[0, MOMENTUM]
        np.testing.assert_allclose(row, [0, 0, 1, 0], atol=1e-12)


class TestGrowth:
    def test_new_cash_goes_to_the_anchor_at_once(self, build, market):
        row = expert_targets(market, build.accounts([[0] * 6 + [1.0]]))[0, GROWTH]
        np.testing.assert_allclose(row, plan_market(market).growth_anchor, atol=1e-12)
        assert row[-1] == pytest.approx(0.005)

    def test_the_best_year_weighs_twice_the_middle_one(self, build):
        market = build.market(assets=5, momentum__return_252d_ex_21d_log=[0.1, 0.2, 0.3, 0.4, np.nan])
        anchor = plan_market(market).growth_anchor
        np.testing.assert_allclose(anchor[:-1] / anchor[4], [0.25, 0.75, 1.25, 1.75, 1.0], atol=1e-12)

    def test_positions_drift_and_only_free_lots_are_trimmed(self, build, market):
        current = np.array([0.5, 0.4, 0.095, 0, 0, 0, 0.005])
        short = [(0, 0, 0.5, 0.3, 5e4, 100), (0, 1, 0.4, 0.3, 4e4, 100)]
        held = expert_targets(market, build.accounts([current], short))[0, GROWTH]
        np.testing.assert_allclose(held, current, atol=1e-12)
        long = [(0, 0, 0.5, 0.3, 5e4, -1), (0, 1, 0.4, 0.3, 4e4, 100)]
        row = expert_targets(market, build.accounts([current], long))[0, GROWTH]
        goal = plan_market(market).growth_anchor
        trimmed = 0.25 * (0.5 - 1.5 * goal[0])
        assert row[0] == pytest.approx(0.5 - trimmed)
        assert row[1] == pytest.approx(0.4)
        assert row[2:6].sum() == pytest.approx(0.095 + trimmed)

    def test_bills_and_currencies_are_not_growth(self, build):
        market = build.market(
            assets=3,
            class__equity=[1.0, 0, 0],
            class__cash=[0, 1.0, 0],
            class__currency=[0, 0, 1.0],
        )
        row = expert_targets(market, build.accounts([[0, 0, 0, 1.0]]))[0, GROWTH]
        np.testing.assert_allclose(row, [0.995, 0, 0, 0.005], atol=1e-12)


class TestDefensive:
    @pytest.mark.parametrize(
        ("volatility", "cash"), [(0.05, 0.35), (0.12, 0.35), (0.20, 0.51), (0.30, 0.71), (0.9, 0.80)]
    )
    def test_cash_rises_with_market_volatility(self, build, volatility, cash):
        market = build.market(market_volatility_63d_ann=volatility)
        row = expert_targets(market, build.accounts([[0] * 6 + [1.0]]))[0, DEFENSIVE]
        assert row[-1] == pytest.approx(cash)

    def test_unknown_market_volatility_comes_from_the_panel(self, build):
        calm = build.market(market_volatility_63d_ann=np.nan)
        wild = build.market(market_volatility_63d_ann=np.nan, returns=calm.returns * 4)
        account = build.accounts([[0] * 6 + [1.0]])
        assert (
            expert_targets(wild, account)[0, DEFENSIVE, -1] > expert_targets(calm, account)[0, DEFENSIVE, -1]
        )

    def test_less_volatile_than_equal_weight(self, build, market):
        row = expert_targets(market, build.accounts([[0] * 6 + [1.0]]))[0, DEFENSIVE]
        risky = row[:-1] / row[:-1].sum()
        assert (market.returns @ risky).std() < market.returns.mean(axis=1).std()

    def test_a_stock_gone_quiet_is_not_the_whole_portfolio(self, build):
        returns = build.market().returns.copy()
        returns[:, 0] *= 0.01
        row = expert_targets(build.market(returns=returns), build.accounts([[0] * 6 + [1.0]]))[0, DEFENSIVE]
        assert row[0] < 0.75 * row[:-1].sum()


class TestTaxAware:
    """Accounts of 10,000 USD: two years' deduction of 3,000 USD each is 60 % of them."""

    def test_proceeds_go_to_what_is_short_of_equal_weight(self, build):
        market = build.market(assets=4)
        accounts = build.accounts([[0.4, 0.3, 0.2, 0.095, 0.005]], [(0, 0, 0.4, -0.2, 4000.0, 100)])
        row = expert_targets(market, accounts)[0, TAX_AWARE]
        goal = 0.995 / 3
        short = np.array([goal - 0.3, goal - 0.2, goal - 0.095])
        np.testing.assert_allclose(
            row, [0, *(np.array([0.3, 0.2, 0.095]) + 0.4 * short / short.sum()), 0.005]
        )

    @pytest.mark.parametrize(
        ("gain", "value", "sold"),
        [
            (-0.20, 1900.0, True),
            (-0.05, 951.0, True),  # loss 50.05
            (-0.05, 949.0, False),  # loss 49.95
            (-0.049, 9000.0, False),
            (np.nan, 3000.0, False),
            (-1.0, 0.0, False),
            (0.30, 3000.0, False),
        ],
    )
    def test_thresholds(self, build, gain, value, sold):
        lots = [(0, 0, 0.19, gain, value, 5)]
        accounts = build.accounts([[0.19, 0.2, 0.19, 0.19, 0.23]], lots)
        row = expert_targets(build.market(assets=4), accounts)[0, TAX_AWARE]
        assert bool(row[0] == 0.0) == sold

    def test_alone_the_proceeds_stay_in_cash(self, build):
        accounts = build.accounts([[0.9, 0.1]], [(0, 0, 0.9, -0.2, 900.0, 5)])
        row = expert_targets(build.market(assets=1), accounts)[0, TAX_AWARE]
        np.testing.assert_allclose(row, [0.0, 1.0], atol=1e-12)

    def test_a_locked_asset_is_not_bought(self, build):
        market, accounts = build.market(assets=4), build.accounts([[0.2, 0.2, 0.2, 0.1, 0.3]])
        tax = replace(AccountTax.untouched(accounts), is_locked=np.array([[False, False, False, True]]))
        row = expert_targets(market, accounts, tax=tax)[0, TAX_AWARE]
        np.testing.assert_allclose(row, [*[0.895 / 3] * 3, 0.1, 0.005], atol=1e-12)

    def test_short_term_gain_is_held_and_long_term_overweight_trimmed(self, build):
        market = build.market(assets=20)
        weights = np.zeros((2, 21))
        weights[:, 0], weights[:, -1] = 0.98, 0.02
        lots = [(0, 0, 0.98, 0.5, 9800.0, 200), (1, 0, 0.98, 0.5, 9800.0, -10)]
        rows = expert_targets(market, build.accounts(weights, lots))[:, TAX_AWARE]
        assert rows[0, 0] == pytest.approx(0.98)
        # A quarter of what stands above one and a half equal weights, spread over the other nineteen.
        freed = 0.25 * (0.98 - 1.5 * 0.995 / 20)
        assert rows[1, 0] == pytest.approx(0.98 - freed)
        np.testing.assert_allclose(rows[1, 1:-1], (freed + 0.015) / 19, atol=1e-12)

    def test_tax_deferred_accounts_harvest_nothing_and_trim_any_lot(self, build):
        market = build.market(assets=20)
        weights = np.zeros((1, 21))
        weights[:, 0], weights[:, 1], weights[:, -1] = 0.88, 0.1, 0.02
        lots = [(0, 0, 0.88, 0.5, 8800.0, 200), (0, 1, 0.04, -0.4, 400.0, 200)]
        row = expert_targets(market, build.accounts(weights, lots, [True]))[0, TAX_AWARE]
        limit = 1.5 * 0.995 / 20
        # The whole first lot is free to trim, and of the second position a quarter above the limit.
        assert row[0] == pytest.approx(0.88 - 0.25 * (0.88 - limit))
        assert row[1] == pytest.approx(0.1 - 0.25 * (0.1 - limit))
