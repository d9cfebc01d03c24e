"""Sums of sessions say every score exactly, and can be added in any order."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from baselines.moments import Moments, total_of
from mavfer import metrics
from mavfer.errors import InvalidArray

NAN = float("nan")


def example(count=1000, *, offset=0.0, spread=1.0):
    random = np.random.default_rng(0)
    label = offset + spread * random.normal(0, 1, count)
    predicted = label + spread * random.normal(0.3, 0.5, count)
    label[::17] = NAN
    return predicted, label


def told(moments):
    return [getattr(moments, name)() for name in ("ccc", "pearson", "rmse", "mae", "sagr")]


@pytest.mark.parametrize(("offset", "spread"), [(0, 1), (0, 1e-6), (1000, 0.01), (-5, 3)])
def test_every_score_is_that_of_one_float64_pass(offset, spread):
    predicted, label = example(offset=offset, spread=spread)

    moments = Moments.of(predicted, label)

    expected = [
        getattr(metrics, name)(predicted, label) for name in ("ccc", "pearson", "rmse", "mae")
    ]
    np.testing.assert_allclose(told(moments)[:4], expected, rtol=1e-12, atol=0)
    assert moments.sagr() == metrics.sagr(predicted, label)
    assert moments.ccc(ddof=1) == pytest.approx(metrics.ccc(predicted, label, ddof=1), rel=1e-12)
    assert moments.frames == np.isfinite(label).sum()


@given(cuts=st.lists(st.integers(0, 300), max_size=40), order=st.randoms())
def test_parts_in_any_order_are_the_whole_to_the_last_bit(cuts, order):
    predicted, label = example(300, offset=1000, spread=0.01)
    edges = [0, *sorted(cuts), 300]
    spans = [slice(a, b) for a, b in pairwise(edges)]
    order.shuffle(spans)

    parts = total_of(Moments.of(predicted[span], label[span]) for span in spans)

    assert parts == Moments.of(predicted, label)


def test_frames_one_by_one_are_the_whole():
    predicted, label = example(200)

    singles = total_of(Moments.of([a], [b]) for a, b in zip(predicted, label, strict=True))

    assert singles == Moments.of(predicted, label)


@pytest.mark.parametrize(
    ("predicted", "label"),
    [
        ([], []),
        ([1.0], [2.0]),
        ([0.1] * 7, [0.1] * 7),
        ([0.1] * 7, [0.2] * 7),
        ([0.1] * 3, [0.1, 0.2, 0.3]),
        ([NAN, 1.0], [1.0, NAN]),
        ([0.0, -1.0, 1.0], [0.0, 1.0, -1.0]),
    ],
)
def test_what_is_undefined_is_undefined_in_both(predicted, label):
    moments = Moments.of(predicted, label)

    expected = [
        getattr(metrics, name)(predicted, label)
        for name in ("ccc", "pearson", "rmse", "mae", "sagr")
    ]
    np.testing.assert_allclose(told(moments), expected, rtol=1e-12)


def test_sums_about_a_centre_are_those_of_shifted_values():
    predicted, label = example(50, offset=7)
    is_there = np.isfinite(label)
    a, b = predicted[is_there] - 7, label[is_there] - 7

    sums = Moments.of(predicted, label).about(7.0)

    expected = [len(a), a.sum(), b.sum(), (a**2).sum(), (b**2).sum(), (a * b).sum()]
    np.testing.assert_allclose(sums, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("predicted", "label", "message"),
    [([1.0], [1.0, 2.0], r"of one length"), ([np.inf], [1.0], "infinite value")],
)
def test_traces_that_do_not_go_together_are_named(predicted, label, message):
    with pytest.raises(InvalidArray, match=message):
        Moments.of(predicted, label)
