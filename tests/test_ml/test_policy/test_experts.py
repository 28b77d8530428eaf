"""Each expert does what its name says; all hold the simplex, stale assets and symmetry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    def test_winners_by_volatility_scaled_return(self, build):
        market = build.market(
            assets=6,
            risk__volatility_252d_ann=[0.2, 0.4, 0.2, 0.2, 0.2, 0.2],
            momentum__return_252d_ex_21d_log=[0.3, 0.5, 0.2, -0.1, 0.1, 0.05],
        )
        row = expert_targets(market, build.accounts([[0] * 6 + [1.0]]))[0, MOMENTUM]
        # Scores 1.5, 1.25, 1.0 ...; two slots of six; weights by inverse volatility 5 : 2.5.
        np.testing.assert_allclose(row, [2 / 3, 1 / 3, 0, 0, 0, 0, 0], atol=1e-12)

    def test_losers_leave_their_slots_in_cash(self, build):
        market = build.market(assets=4, momentum__return_252d_ex_21d_log=[0.2, -0.1, -0.2, -0.3])
        row = expert_targets(market, build.accounts([[0, 0, 0, 0, 1.0]]))[0, MOMENTUM]
        np.testing.assert_allclose(row, [0.5, 0, 0, 0, 0.5], atol=1e-12)

    def test_ties_at_the_cut_are_all_taken(self, build):
        market = build.market(
            assets=3, risk__volatility_252d_ann=[0.2] * 3, momentum__return_252d_ex_21d_log=[0.2] * 3
        )
        row = expert_targets(market, build.accounts([[0, 0, 0, 1.0]]))[0, MOMENTUM]
        np.testing.assert_allclose(row, [1 / 3, 1 / 3, 1 / 3, 0], atol=1e-12)


class TestGrowth:
    def test_new_cash_goes_to_the_anchor_at_once(self, build, market):
        row = expert_targets(market, build.accounts([[0] * 6 + [1.0]]))[0, GROWTH]
        np.testing.assert_allclose(row, plan_market(market).growth_anchor, atol=1e-12)
        assert row[-1] == pytest.approx(0.02)
        assert (row[:-1] > 0.08).all()

    def test_turnover_is_low_once_invested(self, build, market):
        current = np.array([0.5, 0.48, 0, 0, 0, 0, 0.02])
        row = expert_targets(market, build.accounts([current]))[0, GROWTH]
        anchor = plan_market(market).growth_anchor
        np.testing.assert_allclose(row, current + 0.05 * (anchor - current), atol=1e-12)

    def test_bills_and_currencies_are_not_growth(self, build):
        market = build.market(
            assets=3,
            class__equity=[1.0, 0, 0],
            class__cash=[0, 1.0, 0],
            class__currency=[0, 0, 1.0],
        )
        row = expert_targets(market, build.accounts([[0, 0, 0, 1.0]]))[0, GROWTH]
        np.testing.assert_allclose(row, [0.98, 0, 0, 0.02], atol=1e-12)


class TestDefensive:
    @pytest.mark.parametrize(
        ("volatility", "cash"), [(0.05, 0.10), (0.12, 0.10), (0.20, 0.22), (0.30, 0.37), (0.9, 0.60)]
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
    @pytest.fixture
    def paired(self, build):
        """Assets 0 and 1 move together, 2 and 3 on their own."""
        rng = np.random.default_rng(0)
        returns = rng.normal(0, 0.01, (252, 4))
        returns[:, 1] = returns[:, 0] + rng.normal(0, 0.002, 252)
        return build.market(assets=4, returns=returns)

    def test_loss_moves_to_the_most_correlated_substitute(self, build, paired):
        accounts = build.accounts([[0.3, 0.2, 0.2, 0.28, 0.02]], [(0, 0, 0.3, -0.2, 3000.0, 100)])
        row = expert_targets(paired, accounts)[0, TAX_AWARE]
        np.testing.assert_allclose(row, [0.0, 0.5, 0.2, 0.28, 0.02], atol=1e-12)

    def test_substitute_is_not_itself_harvested(self, build, paired):
        lots = [(0, 0, 0.3, -0.2, 3000.0, 100), (0, 1, 0.2, -0.2, 2000.0, 100)]
        row = expert_targets(paired, build.accounts([[0.3, 0.2, 0.2, 0.28, 0.02]], lots))[0, TAX_AWARE]
        assert row[0] == 0.0
        assert row[1] == 0.0
        assert row[2:4].sum() == pytest.approx(0.98)

    @pytest.mark.parametrize(
        ("gain", "value", "sold"),
        [
            (-0.20, 3000.0, True),
            (-0.05, 951.0, True),  # loss 50.05
            (-0.05, 949.0, False),  # loss 49.95
            (-0.049, 9000.0, False),
            (np.nan, 3000.0, False),
            (-1.0, 0.0, False),
            (0.30, 3000.0, False),
        ],
    )
    def test_thresholds(self, build, paired, gain, value, sold):
        lots = [(0, 0, 0.19, gain, value, 5)]
        accounts = build.accounts([[0.19, 0.2, 0.19, 0.19, 0.23]], lots)
        row = expert_targets(paired, accounts)[0, TAX_AWARE]
        assert bool(row[0] == 0.0) == sold

    def test_without_a_substitute_the_proceeds_stay_in_cash(self, build):
        market = build.market(assets=1)
        accounts = build.accounts([[0.9, 0.1]], [(0, 0, 0.9, -0.5, 900.0, 5)])
        np.testing.assert_allclose(expert_targets(market, accounts)[0, TAX_AWARE], [0.0, 1.0], atol=1e-12)

    def test_the_same_series_under_another_id_is_no_substitute(self, build):
        rng = np.random.default_rng(1)
        returns = rng.normal(0, 0.01, (252, 3))
        returns[:, 1] = returns[:, 0]
        market = build.market(assets=3, returns=returns)
        accounts = build.accounts([[0.4, 0.0, 0.58, 0.02]], [(0, 0, 0.4, -0.2, 4000.0, 5)])
        np.testing.assert_allclose(
            expert_targets(market, accounts)[0, TAX_AWARE], [0.0, 0.0, 0.98, 0.02], atol=1e-12
        )

    def test_short_term_gain_is_held_and_long_term_overweight_trimmed(self, build):
        market = build.market(assets=20)
        weights = np.zeros((2, 21))
        weights[:, 0], weights[:, -1] = 0.98, 0.02
        lots = [(0, 0, 0.98, 0.5, 9800.0, 200), (1, 0, 0.98, 0.5, 9800.0, -10)]
        rows = expert_targets(market, build.accounts(weights, lots))[:, TAX_AWARE]
        assert rows[0, 0] == pytest.approx(0.98)
        # A quarter of what stands above 20 %, spread evenly over all twenty (itself included).
        freed = 0.25 * 0.78
        assert rows[1, 0] == pytest.approx(0.98 - freed + freed / 20)
        np.testing.assert_allclose(rows[1, 1:-1], freed / 20, atol=1e-12)

    def test_tax_deferred_accounts_harvest_nothing_and_trim_any_lot(self, build):
        market = build.market(assets=20)
        weights = np.zeros((1, 21))
        weights[:, 0], weights[:, 1], weights[:, -1] = 0.88, 0.1, 0.02
        lots = [(0, 0, 0.88, 0.5, 8800.0, 200), (0, 1, 0.1, -0.4, 1000.0, 200)]
        row = expert_targets(market, build.accounts(weights, lots, [True]))[0, TAX_AWARE]
        assert row[1] > 0.1
        assert row[0] < 0.88

    def test_new_cash_avoids_what_is_being_harvested(self, build, paired):
        accounts = build.accounts([[0.3, 0.1, 0.1, 0.1, 0.4]], [(0, 0, 0.3, -0.2, 3000.0, 100)])
        row = expert_targets(paired, accounts)[0, TAX_AWARE]
        share = 0.38 / 3
        np.testing.assert_allclose(row, [0, 0.4 + share, 0.1 + share, 0.1 + share, 0.02], atol=1e-12)
