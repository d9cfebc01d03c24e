import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from mavfer import fusion
from mavfer.errors import CommandError, InvalidArray
from mavfer.fusion.lags import shifted

RATE_HZ = 25


def panel(seed, seconds=60, raters=6, bad=True):
    """Late, scaled, biased, noisy copies of a slow latent; one is mirrored, one still."""
    random = np.random.default_rng(seed)
    before, frames = 7 * RATE_HZ, seconds * RATE_HZ
    follows = np.exp(-1 / (4 * RATE_HZ))
    noise = random.normal(size=2000 + before + frames)
    latent = lfilter([0.4 * np.sqrt(1 - follows**2)], [1, -follows], noise)[2000:]
    lags = random.uniform(1, 6, raters)
    times = before + np.arange(frames)
    late = np.array(
        [np.interp(times - lag * RATE_HZ, np.arange(len(latent)), latent) for lag in lags]
    )
    gain, bias = random.uniform(0.5, 1.5, (raters, 1)), random.uniform(-0.3, 0.3, (raters, 1))
    traces = late * gain + bias + random.normal(0, 0.3, late.shape)
    if bad:
        traces[0] *= -1
        traces[1] = 0.2
    return latent[before:], traces, lags


def test_relative_lags_are_found_to_a_tenth_of_a_second():
    errors = []
    for seed in range(12):
        _, traces, lags = panel(seed)
        found = fusion.estimate_lags(traces, RATE_HZ)
        assert np.isnan(found[1])
        good = np.array([0, 2, 3, 4, 5])
        difference = found[good] - lags[good]
        errors += list(np.abs(difference - np.median(difference)))

    assert np.median(errors) <= 0.03
    assert np.quantile(errors, 0.95) <= 0.1


def test_a_reference_gives_absolute_lags():
    errors = []
    for seed in range(12):
        latent, traces, lags = panel(seed)
        found = fusion.estimate_lags(traces, RATE_HZ, reference=latent)
        errors += list(np.abs(found - lags)[[0, 2, 3, 4, 5]])

    assert np.median(errors) <= 0.05
    assert np.quantile(errors, 0.95) <= 0.15


def test_the_fastest_rater_has_no_lag():
    _, traces, _ = panel(3)

    assert np.nanmin(fusion.estimate_lags(traces, RATE_HZ)) == 0


@settings(max_examples=20)
@given(st.permutations(range(5)))
def test_the_order_of_raters_is_free(order):
    wave = np.cumsum(np.random.default_rng(0).normal(size=400))
    traces = np.stack([np.roll(wave, lag)[60:] for lag in (0, 7, 20, 31, 50)])
    lags = fusion.estimate_lags(traces, 10)

    assert lags.tolist() == [0, 0.7, 2, 3.1, 5]
    assert fusion.estimate_lags(traces[list(order)], 10).tolist() == lags[list(order)].tolist()


def test_sessions_put_one_after_the_other_tell_one_lag():
    gap = np.full((3, 200), np.nan)
    parts = [panel(seed, seconds=15, raters=3, bad=False)[1] for seed in range(6)]
    random = np.random.default_rng(1)
    wave = np.cumsum(random.normal(size=(6, 500)), axis=1)
    pieces = [np.stack([np.roll(w, lag)[100:] for lag in (0, 10, 40)]) for w in wave]
    joined = np.concatenate([part for piece in pieces for part in (piece, gap)], axis=1)

    assert fusion.estimate_lags(joined, RATE_HZ).tolist() == [0, 0.4, 1.6]
    assert fusion.estimate_lags(np.stack(parts), RATE_HZ).shape == (6, 3)


def test_lags_that_cannot_be_told_are_nan():
    flat, noise = np.ones(300), np.random.default_rng(0).normal(size=(3, 300))
    wave = np.cumsum(noise[0])

    assert fusion.estimate_lags([wave], RATE_HZ).tolist() == [0]
    assert np.isnan(fusion.estimate_lags([flat, flat], RATE_HZ)).all()
    assert np.isnan(fusion.estimate_lags([wave, wave, flat], RATE_HZ)).tolist() == [0, 0, 1]
    assert np.isnan(fusion.estimate_lags([flat], RATE_HZ, reference=wave)).all()
    assert np.isnan(fusion.estimate_lags([[1.0, 2.0], [1.0, 2.0]], RATE_HZ)).all()


def test_a_trace_moves_earlier_by_whole_and_broken_frames():
    ramp = np.arange(6.0)
    moved = shifted(np.stack([ramp, ramp, ramp, ramp]), np.array([0, 2, 0.5, -1]))

    nan = np.nan
    np.testing.assert_array_equal(
        moved,
        [
            ramp,
            [2, 3, 4, 5, nan, nan],
            [0.5, 1.5, 2.5, 3.5, 4.5, nan],
            [nan, 0, 1, 2, 3, 4],
        ],
    )


def test_impossible_requests_are_told():
    with pytest.raises(CommandError, match="must be above 0"):
        fusion.estimate_lags([[1.0, 2.0]], 0)
    with pytest.raises(InvalidArray, match=r"must be \(2,\) as the ratings"):
        fusion.estimate_lags([[1.0, 2.0]], 25, reference=[1.0])
