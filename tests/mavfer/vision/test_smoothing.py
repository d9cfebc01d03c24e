import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import savgol_filter

from mavfer.errors import InvalidArray
from mavfer.vision.landmarks import FIVE_POINTS
from mavfer.vision.mean_face import MEAN_FACE
from mavfer.vision.smoothing import REACH, _savitzky_golay, smooth_landmarks


def moving_face(frames=90, rate_hz=30):
    """A head that sways, tilts and comes nearer, with a mouth that opens: truth without jitter."""
    t = np.arange(frames)[:, None] / rate_hz
    turn = (70 + 8 * np.sin(1.5 * t)) * np.exp(1j * 0.15 * np.sin(2 * t))
    shape = (MEAN_FACE[:, :2] @ np.array([1, 1j]))[None].repeat(frames, axis=0)
    shape[:, 55:60] += 0.1j * (1 + np.sin(3 * t))
    points = turn * shape + 300 + 50 * np.sin(t) + 1j * (200 + 30 * np.cos(1.3 * t))
    return np.stack([points.real, points.imag], axis=-1)


def jitter_of(track, truth):
    return np.sqrt(np.mean(np.diff(track - truth, axis=0) ** 2))


def test_jitter_falls_and_the_error_does_not_rise():
    truth = moving_face()
    raw = (truth + np.random.default_rng(0).normal(0, 0.7, truth.shape)).astype(np.float32)

    smooth = smooth_landmarks(raw)

    assert jitter_of(smooth, truth) < 0.25 * jitter_of(raw, truth)
    assert np.sqrt(np.mean((smooth - truth) ** 2)) < 0.6 * np.sqrt(np.mean((raw - truth) ** 2))


def lag_of(track, truth):
    """Frames by which a track is late, by least squares over the known motion."""
    speed = np.gradient(truth, axis=0)
    return -np.sum((track - truth) * speed) / np.sum(speed**2)


def test_motion_is_followed_without_lag():
    truth = moving_face()
    smooth = smooth_landmarks(truth.astype(np.float32))

    assert abs(lag_of(smooth, truth)) < 0.01
    assert np.abs(smooth - truth).max() < 0.5


@settings(max_examples=20, deadline=None)
@given(
    st.floats(0.3, 2.0),
    st.floats(10, 60),
    st.floats(0.05, 1.5),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
def test_smoothing_adds_no_lag_and_no_error(rate, reach, noise, is_five, seed):
    t = np.arange(75) / 30
    path = reach * (np.sin(2 * np.pi * rate * t) + 1j * np.cos(4 * t))
    turn = 70 * (1 + 0.06 * np.sin(5 * t)) * np.exp(0.14j * np.sin(2 * np.pi * rate * t + 1))
    points = path[:, None] + turn[:, None] * (MEAN_FACE[:, :2] @ np.array([1, 1j]))
    truth = np.stack([points.real, points.imag], axis=-1)
    known = list(FIVE_POINTS) if is_five else list(range(68))
    raw = np.full(truth.shape, np.nan, np.float32)
    rng = np.random.default_rng(seed)
    raw[:, known] = truth[:, known] + rng.normal(0, noise, (len(t), len(known), 2))

    smooth = smooth_landmarks(raw)[:, known]

    late = lag_of(smooth, truth[:, known]) - lag_of(raw[:, known], truth[:, known])
    errors = [np.sqrt(np.mean((x - truth[:, known]) ** 2)) for x in (smooth, raw[:, known])]
    assert abs(late) <= 0.1
    # What the fastest of these motions, 2 Hz over 60 px, is rounded off by.
    assert errors[0] <= errors[1] + 0.05


def test_points_that_a_model_does_not_know_stay_unknown():
    truth = moving_face()
    raw = np.full(truth.shape, np.nan, np.float32)
    known = list(FIVE_POINTS)
    noise = np.random.default_rng(0).normal(0, 0.7, (len(truth), 5, 2))
    raw[:, known] = truth[:, known] + noise
    raw[30:34] = np.nan

    smooth = smooth_landmarks(raw)

    np.testing.assert_array_equal(np.isnan(smooth), np.isnan(raw))
    jitter = [np.sqrt(np.nanmean(np.diff(x - truth, axis=0) ** 2)) for x in (smooth, raw)]
    assert jitter[0] < 0.3 * jitter[1]


def test_missing_frames_stay_missing_and_others_are_all_there():
    raw = moving_face().astype(np.float32)
    gone = [0, 10, 11, 12, 40, 41, 42, 43, 44, 45, 46, 89]
    raw[gone] = np.nan
    before = raw.copy()

    smooth = smooth_landmarks(raw)

    np.testing.assert_array_equal(np.isnan(smooth), np.isnan(raw))
    np.testing.assert_array_equal(raw, before)
    assert smooth.dtype == np.float32
    assert np.abs(smooth - raw)[np.isfinite(raw)].max() < 0.8


@pytest.mark.parametrize(("gap", "is_one_segment"), [(5, True), (6, False)])
def test_long_gaps_part_what_comes_before_from_what_comes_after(gap, is_one_segment):
    raw = moving_face(60).astype(np.float32)
    raw[30 : 30 + gap] = np.nan
    moved = raw.copy()
    moved[30 + gap :] += 40

    reach = np.abs(smooth_landmarks(moved)[:30] - smooth_landmarks(raw)[:30]).max()

    assert (reach > 1) == is_one_segment


def test_segments_of_a_few_frames_stay_raw():
    raw = moving_face(4).astype(np.float32)

    np.testing.assert_array_equal(smooth_landmarks(raw), raw)


def test_no_face_at_all_is_fine():
    raw = np.full((7, 68, 2), np.nan, np.float32)

    assert np.isnan(smooth_landmarks(raw)).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(5, 40), st.floats(-20, 20), st.floats(0.2, 5))
def test_a_face_that_only_moves_evenly_is_left_as_it_is(frames, speed, scale):
    face = (MEAN_FACE[:, :2] * 60 * scale)[None] + np.arange(frames)[:, None, None] * speed

    np.testing.assert_allclose(smooth_landmarks(face.astype(np.float32)), face, atol=0.02 * scale)


def test_flat_arrays_are_refused():
    with pytest.raises(InvalidArray, match=r"needs landmarks \(T, 68, 2\)"):
        smooth_landmarks(np.zeros((10, 136), np.float32))


@given(
    st.integers(2, 7),
    st.integers(0, 40),
    st.sampled_from([2, 4]),
    st.sampled_from([(), (3,)]),
    st.integers(0, 2**32 - 1),
)
def test_the_filter_is_that_of_savitzky_and_golay_as_scipy_has_it(half, more, order, shape, seed):
    window = 2 * half + 1
    values = np.random.default_rng(seed).normal(0, 100, (window + more, *shape))

    ours = _savitzky_golay(values, window, order)

    theirs = savgol_filter(values, window, order, axis=0, mode="interp")
    np.testing.assert_allclose(ours, theirs, atol=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(0, 110), st.integers(1, 12))
def test_a_take_smoothed_piece_by_piece_is_the_take_smoothed_at_once(seed, first, count):
    random = np.random.default_rng(seed)
    path = np.cumsum(random.normal(0, 1, (120, 1, 2)), axis=0)
    landmarks = (MEAN_FACE[:, :2] * 80 + 300 + path + random.normal(0, 0.5, (120, 68, 2))).astype(
        "f4"
    )
    for start in random.integers(0, 120, 6):
        landmarks[start : start + random.integers(1, 12)] = np.nan
    stop = min(first + count, 120)
    begin, end = max(first - REACH, 0), min(stop + REACH, 120)
    piece = smooth_landmarks(landmarks[begin:end])[first - begin : stop - begin]

    np.testing.assert_allclose(piece, smooth_landmarks(landmarks)[first:stop], atol=1e-3)
