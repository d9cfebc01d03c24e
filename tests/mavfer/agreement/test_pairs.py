import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mavfer import agreement, metrics
from mavfer.agreement.pairs import others_mean
from mavfer.errors import CommandError

NAN = float("nan")
VALUES = st.one_of(st.just(NAN), st.integers(-3, 3).map(float), st.floats(-9, 9))


@pytest.mark.parametrize("measure", metrics.MEASURES)
@settings(max_examples=40)
@given(ratings=arrays(float, (4, 12), elements=VALUES))
def test_a_matrix_holds_what_the_measure_says_of_every_pair(measure, ratings):
    exact = metrics.MEASURES[measure]
    expected = [[exact(a, b) for b in ratings] for a in ratings]

    found = agreement.pairwise(ratings, measure)
    np.testing.assert_allclose(found, expected, atol=1e-9, equal_nan=True)


def test_digits_survive_a_far_offset():
    wave = np.sin(np.arange(200) / 9)
    ratings = np.stack([wave, wave + 0.1, -wave]) + 1e6

    for measure, exact in metrics.MEASURES.items():
        expected = [[exact(a, b) for b in ratings] for a in ratings]
        np.testing.assert_allclose(agreement.pairwise(ratings, measure), expected, atol=1e-9)


def test_digits_survive_where_two_have_little_in_common():
    wave = np.sin(np.arange(200) / 9)
    early, late = wave.copy(), 0.7 * wave
    early[20:] = NAN
    late[20:] += 1e6  # its own mean is far from where it is at the times in common
    ratings = np.stack([early, late, wave])

    for measure, exact in metrics.MEASURES.items():
        expected = [[exact(a, b) for b in ratings] for a in ratings]
        np.testing.assert_allclose(agreement.pairwise(ratings, measure), expected, atol=1e-9)


@pytest.mark.parametrize("measure", metrics.MEASURES)
@settings(max_examples=40)
@given(ratings=arrays(float, (4, 12), elements=VALUES))
def test_a_rater_is_compared_with_the_others_by_any_measure(measure, ratings):
    exact, others = metrics.MEASURES[measure], others_mean(ratings)
    expected = [exact(a, b) for a, b in zip(ratings, others, strict=True)]

    found = agreement.leave_one_out(ratings, measure)
    np.testing.assert_allclose(found, expected, atol=1e-12, equal_nan=True)


def test_a_rater_is_compared_with_the_mean_of_the_others_who_are_there():
    a, b, c = np.random.default_rng(1).normal(size=(3, 20))
    b[:5] = NAN
    others_of_a = np.where(np.isnan(b), c, (b + c) / 2)

    found = agreement.leave_one_out([a, b, c], "pearson")
    assert found[0] == pytest.approx(metrics.pearson(a, others_of_a), abs=1e-12)
    assert found[1] == pytest.approx(metrics.pearson(b, (a + c) / 2), abs=1e-12)


def test_a_single_rater_has_nobody_to_compare_with():
    assert np.isnan(agreement.leave_one_out([[1.0, 2.0, 3.0]])).all()
    assert agreement.pairwise([[1.0, 2.0, 3.0]]).tolist() == [[1.0]]
    with pytest.raises(CommandError, match="Choose one of ccc, pearson"):
        agreement.pairwise([[1.0, 2.0]], "r2")
    with pytest.raises(CommandError, match="Choose one of ccc, pearson"):
        agreement.leave_one_out([[1.0, 2.0]], "r2")
