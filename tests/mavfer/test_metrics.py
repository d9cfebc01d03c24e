from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mavfer import metrics
from mavfer.errors import InvalidArray

NAN = float("nan")
VALUES = st.floats(-100, 100).map(lambda value: round(value, 3))


# Peak flow of 17 people, in l/min, by a large and by a small meter: Bland and Altman 1986, Lancet
# 327(8476), 307-310, first measurements; the worked example of Lin's coefficient in Stata's help.
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
SMALL = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def exact_ccc(a, b):
    """Lin's coefficient in whole fractions."""
    a, b, n = [Fraction(x) for x in a], [Fraction(x) for x in b], len(a)
    mean_a, mean_b = sum(a) / n, sum(b) / n
    product = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / n
    squares = sum((x - mean_a) ** 2 for x in a) / n + sum((y - mean_b) ** 2 for y in b) / n
    return float(2 * product / (squares + (mean_a - mean_b) ** 2))


def traces(count=1, least=2):
    return st.integers(least, 40).flatmap(
        lambda length: st.tuples(*[arrays(float, length, elements=VALUES)] * count)
    )


def varies(trace):
    return trace.min() < trace.max()


def test_ccc_is_that_of_a_published_example():
    a, b = [3, -0.5, 2, 7], [2.5, 0.0, 2, 8]
    da, db = np.subtract(a, np.mean(a)), np.subtract(b, np.mean(b))
    bias = (np.mean(a) - np.mean(b)) ** 2

    assert metrics.ccc(a, b) == pytest.approx(0.97679, abs=5e-6)
    assert metrics.ccc(a, b) == pytest.approx(
        2 * np.mean(da * db) / (np.var(a) + np.var(b) + bias), abs=1e-15
    )


def test_the_worked_example_of_peak_flow_meters():
    precision = metrics.pearson(LARGE, SMALL)

    assert metrics.ccc(LARGE, SMALL) == pytest.approx(0.943, abs=0.0005)
    assert precision == pytest.approx(0.943, abs=0.0005)
    assert metrics.ccc(LARGE, SMALL) / precision == pytest.approx(0.999, abs=0.0005)
    assert metrics.ccc(LARGE, SMALL) == pytest.approx(exact_ccc(LARGE, SMALL), abs=1e-15)


@given(traces(2), st.sampled_from([0.0, 1e3, 1e6, -1e9]))
def test_no_digit_is_lost_to_a_far_offset(two, offset):
    a, b = (np.round(1024 * trace) / 1024 + offset for trace in two)
    assume(varies(a) or varies(b))

    assert metrics.ccc(a, b) == pytest.approx(exact_ccc(a, b), abs=1e-12)


def test_ddof_divides_variances_and_covariance_alike():
    a, b = [3, -0.5, 2, 7], [2.5, 0.0, 2, 8]
    covariance = np.cov(a, b)
    bias = (np.mean(a) - np.mean(b)) ** 2

    assert metrics.ccc(a, b, ddof=1) == pytest.approx(
        2 * covariance[0, 1] / (covariance[0, 0] + covariance[1, 1] + bias), abs=1e-15
    )
    assert metrics.ccc(a, b, ddof=1) != metrics.ccc(a, b)


@given(traces())
def test_ccc_of_a_trace_with_itself_is_one_for_any_length(one):
    (trace,) = one
    assume(varies(trace))

    assert metrics.ccc(trace, trace) == 1
    assert metrics.ccc(trace, trace, ddof=1) == 1
    assert metrics.pearson(trace, trace) == pytest.approx(1, abs=1e-12)


@given(traces(2))
def test_the_order_of_the_two_is_free(two):
    a, b = two

    for measure in metrics.MEASURES.values():
        assert measure(a, b) == pytest.approx(measure(b, a), abs=1e-12, nan_ok=True)


@given(traces(2), st.floats(-50, 50))
def test_adding_a_constant_moves_bias_only(two, constant):
    a, b = two
    assume(varies(a) and varies(b))
    moved = b + constant

    assert metrics.pearson(a, moved) == pytest.approx(metrics.pearson(a, b), abs=1e-7)
    assert abs(metrics.ccc(a, moved)) <= 1
    assert metrics.rmse(b, moved) == pytest.approx(abs(constant), abs=1e-9)
    assert metrics.mae(b, moved) == pytest.approx(abs(constant), abs=1e-9)


@given(traces(2))
def test_ccc_is_never_further_from_zero_than_pearson(two):
    a, b = two
    assume(varies(a) and varies(b))

    assert abs(metrics.ccc(a, b)) <= abs(metrics.pearson(a, b)) + 1e-12


@given(traces(2, least=3))
def test_missing_values_are_left_out_and_never_count_as_zero(two):
    a, b = two
    gap_a, gap_b = np.insert(a, 1, NAN), np.insert(b, 1, 7.0)

    for name, measure in metrics.MEASURES.items():
        if name != "sda":  # a step over a gap is none
            assert measure(gap_a, gap_b) == pytest.approx(measure(a, b), abs=1e-12, nan_ok=True)


def test_a_step_over_a_gap_does_not_count():
    assert metrics.sda([0, 1, NAN, 0, 1], [0, 1, 5, 9, 8]) == 0  # up with up, up with down


def test_constants_have_documented_answers():
    flat, other, line = np.full(9, 0.1), np.full(9, 0.3), np.arange(9.0)

    assert np.isnan(metrics.ccc(flat, flat))
    assert metrics.ccc(flat, other) == 0
    assert metrics.ccc(flat, line) == 0
    assert np.isnan(metrics.pearson(flat, line))
    assert np.isnan(metrics.spearman(flat, line))
    assert metrics.rmse(flat, flat) == 0
    assert metrics.sda(flat, flat) == 1


def test_one_pair_two_pairs_and_none_have_documented_answers():
    for name, measure in metrics.MEASURES.items():
        assert np.isnan(measure([NAN, 1], [1, NAN])), name
        assert np.isnan(measure([], [])), name
    assert np.isnan(metrics.ccc([1], [1]))
    assert metrics.ccc([1], [2]) == 0
    assert np.isnan(metrics.ccc([1], [2], ddof=1))
    assert metrics.pearson([1, 2], [5, 4]) == -1
    assert np.isnan(metrics.sda([1], [1]))


def test_spearman_shares_ranks_among_equal_values():
    from scipy.stats import spearmanr

    a, b = [1, 2, 2, 4, 9, 0], [3, 1, 4, 4, 8, 8]

    assert metrics.spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)


@given(traces(), st.integers(0, 10))
def test_ranks_are_those_of_scipy_and_leave_gaps_out(one, gaps):
    from scipy.stats import rankdata

    trace = np.concatenate([*one, np.full(gaps, NAN)])[
        np.random.default_rng(0).permutation(len(one[0]) + gaps)
    ]
    is_there = ~np.isnan(trace)
    found = metrics.ranks(trace)

    np.testing.assert_array_equal(found[is_there], rankdata(trace[is_there]))
    assert np.isnan(found[~is_there]).all()


def test_ranks_of_nothing_are_nothing():
    assert metrics.ranks(np.empty((2, 0))).shape == (2, 0)
    assert metrics.ranks(np.array([0.0, -0.0, 3.0])).tolist() == [1.5, 1.5, 3]


@pytest.mark.parametrize("measure", metrics.MEASURES)
@settings(max_examples=40)
@given(rows=arrays(float, (2, 5, 9), elements=st.one_of(st.just(NAN), VALUES)))
def test_rows_are_compared_as_pairs_of_traces(measure, rows):
    expected = [metrics.MEASURES[measure](a, b) for a, b in zip(*rows, strict=True)]

    found = metrics.compare_rows(*rows, measure)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12, equal_nan=True)


def test_signs_and_steps_are_counted_by_hand():
    assert metrics.sagr([-1, 0, 2, 3], [-2, 0, -1, 5]) == 0.75
    assert metrics.sda([0, 1, 1, 0], [5, 6, 6, 7]) == pytest.approx(1 / 3)


def test_traces_that_do_not_fit_are_refused():
    with pytest.raises(InvalidArray, match=r"shapes \(2,\) and \(3,\)"):
        metrics.ccc([1, 2], [1, 2, 3])
    with pytest.raises(InvalidArray, match="both must be"):
        metrics.rmse([[1, 2]], [[1, 2]])
    with pytest.raises(InvalidArray, match="infinite value"):
        metrics.pearson([1, np.inf], [1, 2])
