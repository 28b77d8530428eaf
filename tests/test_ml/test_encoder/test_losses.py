"""Losses against plain loops, collapse measures against hand values."""

import math

import numpy as np
import pytest
import torch

from ml.encoder.losses import (
    effective_rank,
    feature_loss,
    info_nce,
    known_huber,
    masked_mean,
    mean_cosine,
    patch_loss,
    variance_covariance,
)
from ml.encoder.statistics import fit_shared_statistics, fit_statistics
from ml.features.catalog import FEATURES


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_info_nce_is_that_of_loops():
    first, second = numbers(2, 5, 8), numbers(2, 5, 8, seed=1)
    is_asset = torch.ones(2, 5, dtype=torch.bool)
    is_asset[1, 3:] = False
    total, count = 0.0, 0
    for b in range(2):
        assets = [i for i in range(5) if is_asset[b, i]]
        for a, c in ((first[b], second[b]), (second[b], first[b])):
            for i in assets:
                score = {j: math.exp(float(torch.cosine_similarity(a[i], c[j], dim=0)) / 0.2) for j in assets}
                total -= math.log(score[i] / sum(score.values()))
                count += 1
    assert float(info_nce(first, second, is_asset, 0.2)) == pytest.approx(total / count, rel=1e-5)


def test_info_nce_of_a_date_without_assets_is_finite():
    first = numbers(2, 3, 4).requires_grad_()
    is_asset = torch.tensor([[True, True, True], [False, False, False]])
    loss = info_nce(first, numbers(2, 3, 4, seed=1), is_asset, 0.2)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(first.grad).all()


def test_variance_and_covariance_are_those_of_numpy():
    z = numbers(3, 6, 4) * torch.tensor([0.5, 1.0, 2.0, 0.1])
    is_asset = torch.ones(3, 6, dtype=torch.bool)
    is_asset[2, 4:] = False
    rows = [z[b, is_asset[b]].numpy() for b in range(3)]
    centred = np.concatenate([one - one.mean(0) for one in rows])
    covariance = centred.T @ centred / (len(centred) - 3)
    deviation = np.sqrt(np.diag(covariance) + 1e-4)
    variance, off_diagonal = variance_covariance(z, is_asset)
    assert float(variance) == pytest.approx(np.maximum(0, 1 - deviation).mean(), rel=1e-4)
    squares = (covariance**2).sum() - (np.diag(covariance) ** 2).sum()
    assert float(off_diagonal) == pytest.approx(squares / 4, rel=1e-4)


def test_feature_loss_counts_hidden_features_double():
    predicted, scores = numbers(1, 2, 50), numbers(1, 2, 50, seed=1)
    hidden = numbers(1, 2, 50, seed=2) > 0
    is_asset = torch.tensor([[True, False]])
    total = weight = 0.0
    for i, spec in enumerate(FEATURES):
        w = 1.0 if hidden[0, 0, i] else 0.5
        flag = 8.0 if spec.unit == "flag" else 1.0
        total += w * flag * float(predicted[0, 0, i] - scores[0, 0, i]) ** 2
        weight += w
    assert float(feature_loss(predicted, scores, hidden, is_asset)) == pytest.approx(total / weight, rel=1e-5)


def test_hidden_days_alone_count():
    predicted, actual = numbers(1, 1, 64, 5), numbers(1, 1, 64, 5, seed=1)
    hidden = torch.zeros(1, 1, 64, 5, dtype=torch.bool)
    hidden[0, 0, 3, 0] = True
    gap = abs(float(predicted[0, 0, 3, 0] - actual[0, 0, 3, 0]))
    huber = gap**2 / 2 if gap < 1 else gap - 0.5
    assert float(patch_loss(predicted, actual, hidden)) == pytest.approx(huber, rel=1e-5)


def test_unknown_targets_do_not_count():
    predicted = torch.tensor([[0.0, 1.0]], requires_grad=True)
    loss = known_huber(predicted, torch.tensor([[0.5, torch.nan]]))
    loss.backward()
    assert loss.item() == pytest.approx(0.125)
    assert torch.equal(predicted.grad, torch.tensor([[-0.5, 0.0]]))
    assert float(masked_mean(torch.tensor([torch.nan]), torch.tensor([False]))) == 0


def test_collapse_measures_by_hand():
    assert float(mean_cosine(torch.ones(5, 3))) == pytest.approx(1)
    assert float(effective_rank(torch.ones(5, 3))) == pytest.approx(1)
    assert float(mean_cosine(torch.eye(4))) == pytest.approx(0)
    assert float(effective_rank(torch.eye(4))) == pytest.approx(4)
    half = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert float(mean_cosine(half)) == pytest.approx(1 / 3)
    share = np.array([2 / 3, 1 / 3])
    assert float(effective_rank(half)) == pytest.approx(math.exp(-(share * np.log(share)).sum()))


def test_statistics_whiten_within_groups_and_shrink_what_a_group_shares():
    common = 3 * numbers(40, 1, 4, seed=3)
    z = (common + numbers(40, 50, 4)) @ numbers(4, 4, seed=4)
    date = torch.arange(40).repeat_interleave(50)
    whole = fit_statistics(z.reshape(-1, 4), date, 0.0, 0.0)
    within = (z - z.mean(1, keepdim=True)).reshape(-1, 4) @ whole.matrix
    torch.testing.assert_close(within.T @ within / (2000 - 40), torch.eye(4), atol=1e-3, rtol=1e-3)
    shrunk = fit_statistics(z.reshape(-1, 4), date, 0.0, 4.0)
    present = torch.ones(40, 50, dtype=torch.bool)
    cosine = [torch.stack([mean_cosine(one) for one in s.apply(z, present)]).mean() for s in (whole, shrunk)]
    assert cosine[1] < cosine[0]


def test_a_share_counts_like_that_many_copies_of_the_cells():
    few, many = numbers(30, 4, seed=1), numbers(60, 4, seed=2) + 1
    groups = [torch.arange(len(one)) % 5 for one in (few, many)]
    shared = fit_shared_statistics([(few, groups[0], 1.0), (many, groups[1], 3.0)], 0.1, 4.0)
    copies = torch.cat([few.repeat(2, 1), many.repeat(3, 1)])
    group = torch.cat([groups[0].repeat(2), 5 + groups[1].repeat(3)])
    whole = fit_shared_statistics([(copies, group, 7.0)], 0.1, 4.0)
    torch.testing.assert_close(shared.mean, whole.mean)
    torch.testing.assert_close(shared.matrix, whole.matrix)
    rows = copies - torch.stack([copies[group == one].mean(0) for one in group])
    within = whole.matrix @ (rows.T @ rows / len(rows)) @ whole.matrix
    assert torch.linalg.eigvalsh(within).max() < 1


def test_a_universe_that_lacks_facts_does_not_point_one_way_once_its_kind_was_seen():
    known, offset = numbers(200, 6, seed=1), 4 * torch.eye(6)[0]
    bare, unseen = (numbers(200, 6, seed=one) + offset for one in (2, 3))
    date = torch.zeros(200, dtype=torch.int64)
    present = torch.ones(200, dtype=torch.bool)
    alone, both = (
        fit_shared_statistics([(one, date, 1.0) for one in sources], 0.05, 16.0)
        for sources in ((known,), (known, bare))
    )
    cosines = [float(mean_cosine(one.apply(unseen, present))) for one in (alone, both)]
    assert cosines[0] > 0.5 and abs(cosines[1]) < 0.1
