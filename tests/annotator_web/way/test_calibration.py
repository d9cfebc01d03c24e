import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotator_web.project import Dimension
from annotator_web.way import calibration

DIMENSIONS = (
    Dimension("arousal", -1, 1, "calm", "excited"),
    Dimension("valence", 0, 10, "unpleasant", "pleasant"),
)
TIMES = np.arange(calibration.FRAMES) / calibration.RATE_HZ


def followed(lag_seconds, noise=0.0, seed=0):
    target = calibration.target_at(TIMES - lag_seconds, DIMENSIONS)
    random = np.random.default_rng(seed)
    return target + noise * random.standard_normal(target.shape) * [[1], [5]]


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 2.5), st.integers(0, 99))
def test_the_lag_is_found_within_a_frame_or_two(lag_seconds, seed):
    found = calibration.reaction_of(TIMES, followed(lag_seconds, 0.1, seed), DIMENSIONS)

    assert found == pytest.approx(lag_seconds, abs=0.035)


def test_one_dimension_is_enough():
    found = calibration.reaction_of(TIMES, followed(0.7, 0.1)[:1], DIMENSIONS[:1])

    assert found == pytest.approx(0.7, abs=0.035)


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-3, 1e6), st.floats(-1e3, 1e3))
def test_where_the_scale_has_no_ends_any_stretch_of_it_will_do(stretch, start):
    given_values = start + stretch * followed(0.7, 0.1)

    found = calibration.reaction_of(TIMES, given_values, DIMENSIONS)

    assert found == pytest.approx(0.7, abs=0.035)


def test_each_dimension_counts_alike_whatever_its_scale():
    values = followed(0.7, 0.05)
    values[0] = -values[0]  # the ends mistaken on the narrow scale, followed on the wide one

    assert calibration.reaction_of(TIMES, values, DIMENSIONS) is None


def test_a_resting_hand_has_no_reaction_time():
    still = np.zeros((2, len(TIMES)))

    assert calibration.reaction_of(TIMES, still, DIMENSIONS) is None


def test_who_moves_at_random_has_no_reaction_time():
    random = np.random.default_rng(3).standard_normal((2, len(TIMES)))
    wandering = np.cumsum(random, axis=1) / 20

    assert calibration.reaction_of(TIMES, wandering, DIMENSIONS) is None


def test_half_a_clip_is_not_enough():
    few = TIMES < calibration.SECONDS / 3

    assert calibration.reaction_of(TIMES[few], followed(0.5)[:, few], DIMENSIONS) is None


def test_the_clip_stays_within_the_scales_and_says_its_steps():
    document = calibration.clip_document(DIMENSIONS)
    target = calibration.target_at(TIMES, DIMENSIONS)

    assert target.shape == (2, calibration.FRAMES)
    assert target[0].min() >= -1
    assert target[1].max() <= 10
    for step in document["steps"][:-1]:
        at = np.searchsorted(TIMES, step["start_seconds"] + 0.5)
        assert target[:, at] == pytest.approx([step["arousal"], step["valence"]])
