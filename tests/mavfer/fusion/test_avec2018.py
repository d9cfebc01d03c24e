import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mavfer import metrics
from mavfer.errors import InvalidArray
from mavfer.fusion.avec2018 import fuse_avec2018

NAN = float("nan")
VALUES = st.floats(-5, 5).map(lambda value: round(value, 3))


def noisy(seed=0, raters=5, times=300):
    random = np.random.default_rng(seed)
    common = np.cumsum(random.normal(0, 0.1, times))
    levels = random.normal(0, 0.5, (raters, 1))
    return common + levels + random.normal(0, 0.3, (raters, times))


def test_the_level_is_weighted_by_hand():
    fused = fuse_avec2018([[0, 1, 2], [1, 2, 3], [0, 0, 3]])

    # Means 1, 2, 1; variances 2/3, 2/3, 2; covariances 2/3 (1 and 2), 1 (with 3).
    one_two = 2 * (2 / 3) / (2 / 3 + 2 / 3 + 1)
    one_three = 2 * 1 / (2 / 3 + 2)
    two_three = 2 * 1 / (2 / 3 + 2 + 1)
    reliability = np.array([one_two + one_three, one_two + two_three, one_three + two_three]) / 2
    level = reliability @ [1, 2, 1] / reliability.sum()
    np.testing.assert_allclose(fused.weights, reliability / reliability.sum(), atol=1e-12)
    np.testing.assert_allclose(fused.trace, np.array([1, 3, 8]) / 3 - 4 / 3 + level, atol=1e-12)
    assert not fused.is_fallback
    assert fused.lags_seconds.tolist() == [0, 0, 0]


def test_only_the_level_differs_from_the_plain_mean():
    traces = noisy()
    fused = fuse_avec2018(traces)

    difference = fused.trace - traces.mean(axis=0)
    np.testing.assert_allclose(difference, difference[0], atol=1e-12)
    assert fused.trace.mean() == pytest.approx(fused.weights @ traces.mean(axis=1))


def test_weights_are_mean_concordances_and_may_be_negative():
    traces = noisy(raters=4)
    traces[3] = -traces[3]
    fused = fuse_avec2018(traces)

    pairs = [[metrics.ccc(a, b) for b in traces] for a in traces]
    reliability = (np.sum(pairs, axis=1) - 1) / 3
    assert fused.weights[3] < 0
    np.testing.assert_allclose(fused.weights, reliability / reliability.sum(), atol=1e-9)


@given(trace=arrays(float, 30, elements=VALUES), raters=st.integers(1, 4))
def test_of_identical_traces_it_is_the_trace(trace, raters):
    np.testing.assert_allclose(fuse_avec2018([trace] * raters).trace, trace, atol=1e-12)


def test_order_is_free_and_a_common_constant_moves_the_level_alone():
    traces, order = noisy(), [3, 0, 4, 2, 1]
    plain, mixed = fuse_avec2018(traces), fuse_avec2018(traces[order] + 2.5)

    np.testing.assert_allclose(mixed.trace, plain.trace + 2.5, atol=1e-10)
    np.testing.assert_allclose(mixed.weights, plain.weights[order], atol=1e-10)


@pytest.mark.parametrize(
    "traces",
    [
        [[0, 1, 2]],
        [[0, 1, 2], [2, 1, 0]],
        [[1, 1], [3, 3]],
        [[1, 1], [1, 1]],
        [[0, 1, 2], [0, 1, 2], [0, 1, 2], [2, 1, 0.01]],  # 0.33 for each of three, -1 for one
    ],
)
def test_where_nothing_can_be_weighted_all_count_alike(traces):
    fused = fuse_avec2018(traces)

    assert fused.is_fallback
    np.testing.assert_allclose(fused.trace, np.mean(traces, axis=0), atol=1e-12)


def test_missing_values_count_for_nothing():
    traces = [[0, 1, 2, NAN], [1, 2, 3, NAN], [0, NAN, 3, NAN]]
    fused = fuse_avec2018(traces)

    means = np.array([1, 2, 1.5])
    expected = np.array([1 / 3, 1.5, 8 / 3]) - 12 / 8 + fused.weights @ means
    np.testing.assert_allclose(fused.trace[:3], expected, atol=1e-12)
    assert np.isnan(fused.trace[3])


@pytest.mark.parametrize("traces", [[1, 2, 3], [[1, 2], [NAN, NAN]], np.zeros((1, 2, 3))])
def test_bad_arrays_are_told(traces):
    with pytest.raises(InvalidArray, match="shape"):
        fuse_avec2018(traces)
