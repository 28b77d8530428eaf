from dataclasses import replace

import numpy as np
import pytest
import torch

from ml.features.catalog import FEATURE_COLUMNS
from ml.policy.config import TrainConfig
from ml.policy.dividends import dividend_ratio
from ml.policy.experts import plan_market
from ml.policy.panels import MarketPanel
from ml.policy.regime import regime_features
from ml.policy.spans import draw_windows
from ml.policy.windows import WindowError, decision_sessions, join_windows, make_windows, take_groups
from tests.test_ml.test_policy.policy_helpers import ASSETS, SESSIONS, FeatureEmbedder, make_panel


@pytest.fixture(scope="module")
def panel():
    return make_panel()


@pytest.fixture(scope="module")
def embeddings(panel):
    return FeatureEmbedder().embed_panel(panel, np.arange(len(panel.dates)))


def test_decisions_are_the_first_sessions_of_weeks():
    dates = np.array(["2024-01-05", "2024-01-09", "2024-01-10", "2024-01-16", "2024-01-17"], "datetime64[D]")
    assert decision_sessions(dates).tolist() == [0, 1, 3]
    assert decision_sessions(dates[:4]).tolist() == [0, 1]  # nothing after the last one fills it


def test_windows_have_the_shapes_that_they_say_and_repeat(panel, embeddings):
    wanted = {"groups": 3, "weeks": 6, "assets": 7}
    one = make_windows(panel, embeddings, **wanted, seed=4)
    two = make_windows(panel, embeddings, **wanted, seed=4)
    other = make_windows(panel, embeddings, **wanted, seed=5)
    assert one.sizes == (3, 6, 7)
    assert one.embedding.shape == (3, 7, 7, 64)
    assert torch.allclose(one.expert_target.sum(-1), torch.ones(3, 7, 3), atol=1e-6)
    assert (one.fill_day[:, 1:] > one.fill_day[:, :-1]).all()
    for name in one.__slots__:
        left, right = getattr(one, name), getattr(two, name)
        assert torch.equal(left, right) if left is not None else right is None, name
    assert not torch.equal(one.decision_price, other.decision_price)
    assert join_windows([one, other]).sizes == (6, 6, 7)
    assert torch.equal(take_groups(one, torch.tensor([2])).regime[0], one.regime[2])


def test_padding_cannot_be_traded(panel, embeddings):
    window = make_windows(panel, embeddings, groups=2, weeks=4, assets=ASSETS + 3, seed=0)
    assert not window.is_tradeable[..., ASSETS:].any()
    assert (window.decision_price[..., ASSETS:] == 1).all()
    assert (window.expert_target[..., ASSETS:-1] == 0).all()


def test_the_open_is_the_fill_where_it_is_known(panel, embeddings):
    gaps = panel.channels.copy()
    gaps[:, :, 2] = 0.01
    opened = make_windows(replace(panel, channels=gaps), embeddings, groups=1, weeks=4, assets=5, seed=0)
    assert torch.allclose(opened.fill_price / opened.decision_price, torch.tensor(0.01).exp(), atol=1e-5)
    closed = make_windows(panel, embeddings, groups=1, weeks=4, assets=5, seed=0)
    assert torch.equal(opened.decision_price, closed.decision_price)


def test_the_past_does_not_see_the_future(panel, embeddings):
    """Altered returns after a window's week change nothing that was known by then."""
    window = make_windows(panel, embeddings, groups=1, weeks=5, assets=ASSETS, seed=2)
    day = int(window.fill_day[0, 2])
    session = int(np.searchsorted(panel.dates.astype(np.int64), day))
    channels = panel.channels.copy()
    channels[session + 1 :, :, 0] += 0.02
    later = make_windows(
        replace(panel, channels=channels), embeddings, groups=1, weeks=5, assets=ASSETS, seed=2
    )
    for name in ("decision_price", "fill_price", "regime", "expert_target"):
        assert torch.equal(getattr(window, name)[:, :3], getattr(later, name)[:, :3]), name
        assert not torch.equal(getattr(window, name)[:, 3:], getattr(later, name)[:, 3:]), name


def test_delisted_assets_are_said_so(panel, embeddings):
    channels, present = panel.channels.copy(), panel.is_present.copy()
    channels[380:, 0, 0], present[380:, 0] = np.nan, False
    gone = replace(panel, channels=channels, is_present=present)
    window = make_windows(gone, embeddings, groups=4, weeks=40, assets=ASSETS, seed=1)
    delisted = window.is_delisted.any(1).any(0)
    assert delisted.sum() >= 1
    assert not (window.is_delisted & window.is_tradeable).any()


def test_too_short_a_panel_is_refused(panel, embeddings):
    with pytest.raises(WindowError, match="do not fit"):
        make_windows(panel, embeddings, groups=1, weeks=500, assets=4, seed=0)
    with pytest.raises(WindowError, match="embed more"):
        make_windows(panel, embeddings[:9], groups=1, weeks=20, assets=4, seed=0, sessions=np.arange(9))


def test_spans_are_dealt_to_the_panels_in_turn(panel):
    config = TrainConfig(ranges=3, universes_per_range=2, weeks=5, assets=6)
    other = make_panel(seed=1, assets=6)
    drawn = draw_windows([panel, other], FeatureEmbedder(), config, seed=0)
    assert drawn.sizes == (6, 5, 6)
    assert drawn.embedding[drawn.is_tradeable].abs().sum(-1).gt(0).all()
    again = draw_windows([panel, other], FeatureEmbedder(), config, seed=0)
    assert torch.equal(drawn.embedding, again.embedding)


def test_the_regime_by_hand():
    market = np.array([np.nan] + [0.01, -0.01] * 40)
    returns = np.tile([0.001, -0.001, np.nan], (80, 1))
    found = regime_features(market, returns)
    assert found[0] == pytest.approx(market[-21:].std(ddof=1) * np.sqrt(252))
    assert found[2] == pytest.approx(market[-63:].sum())
    assert found[3] == pytest.approx(0.0)
    assert found[4] == pytest.approx(0.063)
    assert np.isfinite(regime_features(np.array([]), np.zeros((0, 0)))).all()
    assert np.array_equal(found, regime_features(market, returns[:, [2, 1, 0]]))


def test_windows_hold_what_the_experts_hold(panel, embeddings):
    """The market side in a window is ``plan_market``'s at the same session; the columns are in random order."""
    window = make_windows(panel, embeddings, groups=1, weeks=20, assets=ASSETS, seed=3)
    assert window.expert_target is not None
    decisions = decision_sessions(panel.dates)
    fills = panel.dates[decisions + 1].astype("datetime64[D]").astype(int)
    session = int(decisions[np.flatnonzero(fills == int(window.fill_day[0, 7]))[0]])
    recent = slice(max(0, session + 1 - 252), session + 1)
    returns = panel.total_return_log[recent].astype(np.float64)
    regime = regime_features(panel.channels[recent, 0, 4], returns)
    market = MarketPanel.from_matrix(
        panel.dates[session].astype(object),
        panel.asset_ids,
        panel.features[session].astype(np.float64),
        FEATURE_COLUMNS,
        returns,
        np.ones(ASSETS, dtype=bool),
        float(regime[1]),
    )
    plan = plan_market(market)
    for ours, theirs in zip(window.expert_target[0, 7].numpy(), plan.portfolios, strict=True):
        np.testing.assert_allclose(np.sort(ours[:-1]), np.sort(theirs[:-1]), atol=1e-6)
        assert ours[-1] == pytest.approx(theirs[-1], abs=1e-6)


def test_dividends_leave_the_price_and_keep_the_total_return(panel, embeddings):
    features, quarter = panel.features.copy(), 63
    since = FEATURE_COLUMNS.index("lifecycle__days_since_ex_dividend")
    days = panel.dates.astype(int)[:, None]
    last_ex = np.where(np.arange(SESSIONS) >= 40, (np.arange(SESSIONS) - 40) // quarter * quarter + 40, -1)
    features[:, :, since] = np.where(last_ex[:, None] < 0, 400, days - days[np.maximum(last_ex, 0)])
    features[:, :, FEATURE_COLUMNS.index("income__dividend_yield_ttm_pct")] = 4.0
    features[:, 0, since] = 400  # accumulates
    paying = replace(panel, features=features)
    ratio = dividend_ratio(paying)
    assert (ratio[:, 0] == 0).all()
    assert np.flatnonzero(ratio[:, 1]).tolist() == list(range(40, SESSIONS, quarter))
    assert ratio[60:, 1].sum() / (days[-1, 0] - days[59, 0]) * 365 == pytest.approx(0.04, rel=0.2)
    wanted = {"groups": 1, "weeks": 40, "assets": ASSETS, "seed": 0}
    without, window = make_windows(panel, embeddings, **wanted), make_windows(paying, embeddings, **wanted)
    assert (without.dividend == 0).all()
    assert (window.dividend > 0).sum() >= 2 * (ASSETS - 1)
    # a share whose dividends buy more of it at once is the total return's index
    held = torch.ones(ASSETS)
    for t in range(40):
        held = held * (1 + window.dividend[0, t] / window.fill_price[0, t])
    after = held * window.decision_price[0, 40]
    assert torch.allclose(after.sort().values, without.decision_price[0, 40].sort().values, rtol=2e-3)
