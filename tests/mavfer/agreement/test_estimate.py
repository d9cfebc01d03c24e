import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mavfer import agreement, metrics
from mavfer.agreement.estimate import by_session
from mavfer.errors import InvalidArray

NAN = float("nan")
VALUES = st.one_of(st.just(NAN), st.integers(0, 3).map(float), st.floats(0, 9))
SESSIONS = arrays(float, (3, 4, 10), elements=VALUES)


def fields(estimate):
    return np.stack([estimate.value, estimate.low, estimate.high, estimate.f, estimate.p], axis=-1)


def of_every_form(ratings):
    return np.stack([fields(each) for each in agreement.icc(ratings).values()], axis=-2)


STATISTICS = {
    "icc": of_every_form,
    "alpha": lambda ratings: fields(agreement.cronbach_alpha(ratings)),
    "alpha, pairwise": lambda ratings: fields(agreement.cronbach_alpha(ratings, "pairwise")),
    **{
        level: lambda ratings, level=level: agreement.krippendorff_alpha(ratings, level)
        for level in ("nominal", "ordinal", "interval", "ratio")
    },
    **{
        f"pairs, {measure}": lambda ratings, measure=measure: agreement.pairwise(ratings, measure)
        for measure in metrics.MEASURES
    },
    **{
        f"others, {measure}": lambda ratings, m=measure: agreement.leave_one_out(ratings, m)
        for measure in metrics.MEASURES
    },
}
BETWEEN_RATERS = [name for name in STATISTICS if name.startswith(("pairs", "others"))]
CHANCE_OF_ALL = [name for name in STATISTICS if name not in BETWEEN_RATERS]


def traces(sessions=3, raters=4, times=300, seed=0):
    random = np.random.default_rng(seed)
    noise = random.normal(size=(sessions, raters, times))
    return np.abs(3 + random.normal(size=(sessions, 1, times)) + noise)


@pytest.mark.parametrize("name", STATISTICS)
@given(ratings=SESSIONS)
@settings(max_examples=25)
def test_sessions_together_are_as_each_by_itself(name, ratings):
    expected = [STATISTICS[name](session) for session in ratings]

    found = STATISTICS[name](ratings)
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9, equal_nan=True)


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("has_gaps", [False, True])
def test_many_sessions_are_as_each_by_itself_to_the_last_digits(name, has_gaps):
    # More than are taken at once; few values, as every two of them make a ratio.
    ratings = np.round(traces(sessions=60, raters=5, times=1000), 1)
    if has_gaps:
        ratings[20:40, 1, :100] = ratings[30:50, 4, 700:] = NAN
    statistic = STATISTICS[name]

    found = statistic(ratings)
    for at in (0, 19, 20, 35, 45, 59):
        np.testing.assert_allclose(found[at], statistic(ratings[at]), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", STATISTICS)
def test_the_order_of_raters_is_free(name):
    ratings = traces()
    ratings[1, 2, 50:80] = NAN
    order = np.array([2, 0, 3, 1])
    expected = STATISTICS[name](ratings)
    if name.startswith("pairs"):
        expected = expected[:, order][:, :, order]
    elif name.startswith("others"):
        expected = expected[:, order]

    found = STATISTICS[name](ratings[:, order])
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [each for each in STATISTICS if "sda" not in each])
def test_the_order_of_frames_is_free(name):
    ratings = traces()
    ratings[1, 2, 50:80] = NAN
    mixed = ratings[..., np.random.default_rng(1).permutation(300)]

    np.testing.assert_allclose(
        STATISTICS[name](mixed), STATISTICS[name](ratings), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize(
    "name", [each for each in STATISTICS if each != "ratio" and "sagr" not in each]
)
def test_a_constant_for_all_changes_nothing(name):
    ratings = np.round(2**20 * traces()) / 2**20

    np.testing.assert_allclose(
        STATISTICS[name](ratings + 2.0**20), STATISTICS[name](ratings), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", STATISTICS)
def test_nothing_to_go_by_is_unknown_and_never_zero(name):
    for nothing in (np.full((2, 3, 5), NAN), np.empty((2, 3, 0))):
        assert np.isnan(STATISTICS[name](nothing)).all()
    alone = traces(raters=1)
    assert name.startswith("pairs") or np.isnan(STATISTICS[name](alone)).all()


@pytest.mark.parametrize("name", CHANCE_OF_ALL)
def test_a_single_value_throughout_has_no_reliability(name):
    assert np.isnan(STATISTICS[name](np.full((2, 3, 7), 0.1))).all()
    one_time = np.full((2, 3, 7), NAN)
    one_time[..., 2] = [1.0, 2.0, 4.0]
    assert (
        name in {"nominal", "ordinal", "interval", "ratio"}
        or np.isnan(STATISTICS[name](one_time)).all()
    )


def test_any_kind_of_array_is_taken():
    ratings = np.round(traces(), 1).astype(np.float32)
    expected = of_every_form(ratings.astype(np.float64))

    for same in (ratings, np.asfortranarray(ratings), ratings.tolist()):
        np.testing.assert_allclose(of_every_form(same), expected, rtol=1e-12)


def test_a_session_that_cannot_be_taken_is_refused_among_many():
    ratings = traces(sessions=60, times=2000)
    ratings[55, 1, 7] = -np.inf
    with pytest.raises(InvalidArray, match="infinite value"):
        agreement.pairwise(ratings)
    with pytest.raises(InvalidArray, match=r"shape \(0, 3, 5\)"):
        agreement.icc(np.empty((0, 3, 5)))
    with pytest.raises(InvalidArray, match=r"shape \(1, 1, 1, 1\)"):
        agreement.icc(np.zeros((1, 1, 1, 1)))


def test_values_whose_sum_is_infinite_are_taken():
    with np.errstate(over="ignore", invalid="ignore"):
        assert by_session(lambda few: few[:, 0, 0], np.full((2, 4), 1e308)) == 1e308
