import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from baselines.prediction_steps import (
    Centre,
    Gain,
    Median,
    Offset,
    Scale,
    Shift,
    deviation_known,
    mean_known,
)

NAN = float("nan")
VALUES = st.floats(-5, 5).map(lambda value: round(value, 3))
RECORDINGS = arrays(float, st.integers(1, 30), elements=st.one_of(VALUES, st.just(NAN)))


def test_a_median_takes_out_what_stands_alone():
    filtered = Median(3)(np.array([0.0, 9.0, 0.0, 1.0, 1.0]))

    assert filtered.tolist() == [0, 0, 1, 1, 1]


def test_a_median_skips_what_is_missing():
    filtered = Median(3)(np.array([0.0, 9.0, NAN, 0.0, 1.0, 1.0]))

    np.testing.assert_array_equal(filtered, [0, 0, NAN, 1, 1, 1])


def test_centre_and_scale_by_hand():
    recording = np.array([1.0, 3.0, NAN])

    np.testing.assert_array_equal(Centre(0.5)(recording), [-0.5, 1.5, NAN])
    # The deviation is 1; the mean of 2 is multiplied too.
    np.testing.assert_array_equal(Scale(2.0)(recording), [2, 6, NAN])
    np.testing.assert_array_equal(Scale(2.0)(np.array([3.0, 3.0])), [3, 3])


def test_a_shift_repeats_the_end():
    recording = np.array([1.0, 2.0, 3.0, 4.0])

    assert Shift(1)(recording).tolist() == [1, 1, 2, 3]
    assert Shift(-2)(recording).tolist() == [3, 4, 4, 4]
    assert Shift(9)(recording).tolist() == [1, 1, 1, 1]
    assert Shift(-9)(recording).tolist() == [4, 4, 4, 4]
    assert Shift(3)(np.empty(0)).tolist() == []


def test_offset_and_gain_are_the_same_for_all():
    recording = np.array([1.0, NAN, 3.0])

    np.testing.assert_array_equal(Offset(-1.0)(recording), [0, NAN, 2])
    np.testing.assert_array_equal(Gain(2.0)(recording), [2, NAN, 6])


@pytest.mark.parametrize("step", [Median(4), Centre(0.3), Scale(0.5), Offset(1.0), Gain(2.0)])
@given(recording=RECORDINGS)
def test_what_is_missing_stays_missing_and_the_given_array_as_it_was(step, recording):
    before = recording.copy()
    out = step(recording)

    np.testing.assert_array_equal(np.isnan(out), np.isnan(before))
    np.testing.assert_array_equal(recording, before)


@given(recording=RECORDINGS, target=VALUES)
def test_centre_and_scale_reach_their_target(recording, target):
    if np.isnan(recording).all():
        return
    scaled = Scale(abs(target))(recording)

    assert mean_known(Centre(target)(recording)) == pytest.approx(target, abs=1e-9)
    if np.nanstd(recording) > 1e-6:
        assert deviation_known(scaled) == pytest.approx(abs(target), abs=1e-9)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (Median(10), "median of 10 samples"),
        (Centre(0.25), "each recording's mean set to 0.25"),
        (Scale(0.5), "each recording's deviation set to 0.5"),
        (Shift(6), "6 samples later"),
        (Shift(-6), "6 samples earlier"),
        (Offset(0.5), "+0.5"),
        (Gain(2.0), "times 2"),
    ],
)
def test_a_step_says_what_it_does(step, text):
    assert str(step) == text
