"""Intervals and comparisons draw subjects, pair them, and take the mean of all seeds."""

import math

import numpy as np
import pytest

from baselines.compare import ccc_interval, compare_ccc, holm
from baselines.moments import Moments
from mavfer import metrics

FRAMES = 60


def labels(subjects=12, sessions=1):
    random = np.random.default_rng(0)
    return {
        f"S{number:02}-{take:03}": random.normal(0, 1, FRAMES).cumsum() / 8
        for number in range(subjects)
        for take in range(1, sessions + 1)
    }


def predictions(truth, error, seed):
    """Labels with an error, and with a bias of every subject's own."""
    random = np.random.default_rng(seed)
    return {
        name: label + random.normal(0, error) + random.normal(0, error, FRAMES)
        for name, label in truth.items()
    }


def sums(truth, error, seed):
    made = predictions(truth, error, seed)
    return {name: Moments.of(made[name], label) for name, label in truth.items()}


def test_the_interval_is_that_of_drawing_subjects_by_hand():
    truth = labels(6)
    made = predictions(truth, 0.5, 1)
    random = np.random.default_rng(3)
    chosen = random.integers(0, 6, (200, 6))
    names = sorted(truth)

    interval = ccc_interval([sums(truth, 0.5, 1)], resamples=200, seed=3)

    by_hand = [
        metrics.ccc(
            np.concatenate([made[names[i]] for i in row]),
            np.concatenate([truth[names[i]] for i in row]),
        )
        for row in chosen
    ]
    np.testing.assert_allclose(
        (interval.low, interval.high), np.percentile(by_hand, [2.5, 97.5]), rtol=1e-9
    )
    assert (interval.unit, interval.blocks, interval.is_rough) == ("subject", 6, True)


def test_sessions_of_a_subject_are_drawn_together():
    truth = labels(5, sessions=3)

    interval = ccc_interval([sums(truth, 0.5, 1)])

    assert (interval.unit, interval.blocks) == ("subject", 5)


def test_of_a_single_subject_sessions_are_drawn_and_of_a_single_session_nothing():
    assert ccc_interval([sums(labels(1, sessions=4), 0.5, 1)]).unit == "session"
    alone = ccc_interval([sums(labels(1), 0.5, 1)])
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


def test_all_seeds_are_told_and_none_is_chosen():
    truth = labels()
    seeds = [sums(truth, 0.5, seed) for seed in range(3)]

    interval = ccc_interval(seeds)

    single = [ccc_interval([each]).mean for each in seeds]
    assert interval.values == tuple(single)
    assert interval.mean == pytest.approx(np.mean(single))
    assert interval.deviation == pytest.approx(np.std(single, ddof=1))


def test_a_clear_difference_is_seen_and_none_is_not():
    truth = labels()
    good, bad = ([sums(truth, error, seed) for seed in range(3)] for error in (0.3, 1.5))

    apart = compare_ccc(good, bad)
    alike = compare_ccc(good, good)

    assert apart.difference == pytest.approx(apart.first.mean - apart.second.mean)
    assert apart.low > 0
    assert apart.p < 0.01
    assert (alike.difference, alike.low, alike.high, alike.p) == (0, 0, 0, 1)


def test_the_other_way_round_is_the_mirror():
    truth = labels()
    one, two = ([sums(truth, error, 5)] for error in (0.5, 0.6))

    there, back = compare_ccc(one, two), compare_ccc(two, one)

    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert back.p == there.p


def test_the_interval_of_subjects_is_wider_than_that_of_frames():
    truth = labels(10)
    made = predictions(truth, 0.5, 1)
    a, b = (np.concatenate([each[name] for name in truth]) for each in (made, truth))
    random = np.random.default_rng(0)
    drawn = [metrics.ccc(a[rows], b[rows]) for rows in random.integers(0, len(a), (200, len(a)))]

    interval = ccc_interval([sums(truth, 0.5, 1)])

    assert interval.high - interval.low > 2 * np.ptp(np.percentile(drawn, [2.5, 97.5]))


def test_nothing_is_said_of_what_is_not_known():
    assert np.isnan(holm([math.nan, 0.01])[0])
    assert holm([math.nan, 0.01])[1] == 0.01
