import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mavfer.errors import InvalidArray
from mavfer.fusion import recola

NAN = float("nan")
VALUES = st.floats(-5, 5).map(lambda value: round(value, 3))
RATE = recola.BIN_RATE_HZ


def wandering(seed=0, times=2000):
    """A slow curve that is unlike itself at every other time."""
    random = np.random.default_rng(seed)
    steps = random.normal(0, 1, times + 200)
    return np.convolve(steps, np.hanning(100), "valid")[:times] / 10


def late_by(trace, bins):
    """What raters say who are late by whole bins; positive is later."""
    padded = np.pad(trace, 200, "edge")
    return np.stack([padded[200 - each : 200 - each + len(trace)] for each in bins])


# Cleaning.


def test_of_samples_at_one_time_the_first_counts():
    times, values = recola.clean_samples([0.0, 0.1, 0.1, 0.1, 0.2, 0.2], [1, 2, 3, 4, 5, 6])

    assert times.tolist() == [0.0, 0.1, 0.2]
    assert values.tolist() == [1, 2, 5]


def test_samples_out_of_order_by_less_than_a_second_are_sorted():
    times, values = recola.clean_samples([0.0, 0.9, 0.3, 1.2], [1, 2, 3, NAN])

    assert times.tolist() == [0.0, 0.3, 0.9]
    assert values.tolist() == [1, 3, 2]


def test_a_long_later_pass_replaces_what_it_covers():
    once = np.arange(0, 30, 0.5)
    again = np.arange(5.25, 17, 0.5)
    times, values = recola.clean_samples(
        np.concatenate([once, again]), np.concatenate([np.zeros(60), np.ones(24)])
    )

    inside = (times >= 5.25) & (times <= 16.75)
    assert (np.diff(times) > 0).all()
    assert times[inside].tolist() == again.tolist()
    assert values[inside].tolist() == [1.0] * 24
    assert times[~inside].tolist() == [t for t in once if not 5.25 <= t <= 16.75]
    assert not values[~inside].any()


@pytest.mark.parametrize(
    ("again", "what"),
    [(np.arange(5, 15.1, 1.01), "10 samples"), (np.arange(5, 15.01, 0.5), "10 s")],
)
def test_a_short_later_pass_is_not_used(again, what):
    once = np.arange(0, 30, 0.5)
    times, values = recola.clean_samples(
        np.concatenate([once, again]), np.concatenate([np.zeros(60), np.ones(len(again))])
    )

    assert times.tolist() == once.tolist(), what
    assert not values.any()


def test_no_samples_stay_none():
    times, values = recola.clean_samples([0.0, 1.0], [NAN, NAN])

    assert times.size == values.size == 0


@pytest.mark.parametrize(
    ("times", "values", "message"),
    [
        ([0.0, 1.0], [1.0], "give two"),
        ([0.0, NAN], [1.0, 2.0], "not finite"),
        ([0.0, 1.0], [1.0, np.inf], "an infinite value"),
    ],
)
def test_torn_samples_are_an_error(times, values, message):
    with pytest.raises(InvalidArray, match=message):
        recola.clean_samples(times, values)


# Acceptance.


def test_a_whole_trace_would_have_been_accepted():
    assert recola.acceptance_doubts(np.arange(4.9, 290, 19.9), 300.0) == ()


def test_doubts_say_what_is_missing_where():
    doubts = recola.acceptance_doubts(np.array([5.5, 100.0, 120.0, 139.9, 150.0]), 300.0)

    assert doubts == (
        "starts at 5.5 s",
        "ends at 150.0 of 300.0 s",
        "nothing for 94.5 s from 5.5 s on",
        "nothing for 20.0 s from 100.0 s on",
    )
    assert recola.acceptance_doubts(np.array([]), 300.0) == ("no samples",)


# Bins.


def test_five_minutes_are_7501_bins():
    grid = recola.grid_seconds(300.0)

    assert len(grid) == 7501
    assert grid[[0, 1, -1]].tolist() == [0.0, 0.04, 300.0]
    assert recola.grid_seconds(1.001)[-1] == 1.04
    assert recola.grid_seconds(0.0).tolist() == [0.0]


def test_a_bin_is_the_mean_of_its_samples():
    times = np.array([0.0, 0.019, 0.021, 0.03, 0.059, 0.12, 5.0])
    trace = recola.binned_trace(times, np.array([1.0, 3, 10, 20, 60, 7, 9]), 0.16)

    np.testing.assert_allclose(trace, [2, 30, NAN, 7, NAN])


def test_gaps_are_filled_by_the_curve_of_scipy_and_the_ends_as_the_script_has_it():
    trace = np.array([NAN, NAN, 1.0, NAN, NAN, 2.0, NAN, 5.0, NAN])
    filled = recola.filled_trace(trace)

    # Slopes at the knots (steps 3 and 2, rises 1/3 and 3/2), after Fritsch and Carlson:
    # inside a weighted harmonic mean, at the ends a one-sided difference, here cut to 0.
    middle = (7 + 8) / (7 / (1 / 3) + 8 / (3 / 2))
    start = max(((2 * 3 + 2) * (1 / 3) - 3 * (3 / 2)) / 5, 0)
    s = 1 / 3
    expected = (
        (1 + 2 * s) * (1 - s) ** 2 * 1
        + s * (1 - s) ** 2 * 3 * start
        + s**2 * (3 - 2 * s) * 2
        + s**2 * (s - 1) * 3 * middle
    )
    assert filled[:3].tolist() == [0, 0, 1]
    assert filled[3] == pytest.approx(expected, abs=1e-12)
    assert filled[[5, 7, 8]].tolist() == [2, 5, 5]


@given(arrays(float, st.integers(1, 40), elements=st.one_of(VALUES, st.just(NAN))))
def test_filling_keeps_values_and_overshoots_none(trace):
    filled = recola.filled_trace(trace)
    known = ~np.isnan(trace)

    np.testing.assert_array_equal(filled[known], trace[known])
    assert np.isnan(filled).any() == (not known.any())
    if known.any():
        assert filled.min() >= min(trace[known].min(), 0) - 1e-12
        assert filled.max() <= max(trace[known].max(), 0) + 1e-12


# Synchronisation and the mean.


def brute_force_lags(traces):
    """The rule spelled out: a loop for every rater, other and delay, and the pair's own mean."""
    raters, times = traces.shape
    delays = np.zeros((raters, raters))
    for one in range(raters):
        kept = traces[one, 50 : times - 51]
        for other in set(range(raters)) - {one}:
            errors = []
            for delay in range(-50, 51):
                moved = traces[other, 50 - delay : 50 - delay + len(kept)]
                errors.append(np.mean((kept - (kept + moved) / 2) ** 2))
            least = int(np.argmin(errors))
            delays[one, other] = 0 if least in {0, 100} else least - 50
    mean = delays.sum(axis=0) / (raters - 1)
    return -np.sign(mean) * np.floor(np.abs(mean) + 0.5)


@pytest.mark.parametrize("seed", range(3))
def test_lags_are_those_of_the_rule_spelled_out(seed):
    random = np.random.default_rng(seed)
    lags = random.integers(0, 70, 5)
    traces = late_by(wandering(seed, 600), lags) + random.normal(0, 0.1, (5, 600))
    centred = recola.zero_mean(traces)

    assert recola.synchrony_lags(centred).tolist() == brute_force_lags(centred).tolist()


def test_two_raters_each_go_all_the_way_to_the_other():
    traces = recola.zero_mean(late_by(wandering(), [0, 20]))

    assert recola.synchrony_lags(traces).tolist() == [-20, 20]


def test_lags_are_means_over_the_others():
    traces = recola.zero_mean(late_by(wandering(), [0, 10, 20]))

    assert recola.synchrony_lags(traces).tolist() == [-15, 0, 15]


def test_halves_are_rounded_away_from_zero():
    traces = recola.zero_mean(late_by(wandering(), [0, 0, 5]))

    assert recola.synchrony_lags(traces).tolist() == [-3, -3, 5]


def test_a_delay_at_the_limit_counts_as_none():
    trace = wandering()

    assert recola.synchrony_lags(recola.zero_mean(late_by(trace, [0, 49]))).tolist() == [-49, 49]
    ramp = np.linspace(-1, 1, 2000)
    assert recola.synchrony_lags(np.stack([ramp, ramp + 0.5])).tolist() == [0, 0]


def test_a_rater_who_never_moved_stays():
    traces = np.stack([*late_by(wandering(), [0, 20]), np.full(2000, 0.1)])

    assert recola.synchrony_lags(recola.zero_mean(traces))[2] == 0


def test_what_is_shorter_than_four_seconds_is_not_synchronised():
    traces = late_by(wandering(times=101), [0, 5])

    assert recola.synchrony_lags(recola.zero_mean(traces)).tolist() == [0, 0]


def test_moving_repeats_the_ends():
    traces = late_by(wandering(), [0, 20])
    fused = recola.fuse_recola(traces)
    centred = recola.zero_mean(traces)

    assert fused.lags_seconds.tolist() == [-0.8, 0.8]
    np.testing.assert_array_equal(fused.raters[1, :-20], centred[1, 20:])
    assert (fused.raters[1, -20:] == centred[1, -1]).all()
    assert (fused.raters[0, :20] == centred[0, 0]).all()


@given(trace=arrays(float, 150, elements=VALUES), raters=st.integers(1, 4))
def test_of_identical_traces_it_is_the_trace_less_its_mean(trace, raters):
    fused = recola.fuse_recola([trace] * raters)

    assert not fused.lags_seconds.any()
    np.testing.assert_allclose(fused.trace, trace - trace.mean(), atol=1e-12)


def test_order_is_free_and_a_constant_changes_nothing():
    traces = late_by(wandering(), [0, 7, 13, 30])
    traces += np.random.default_rng(1).normal(0, 0.1, traces.shape)
    plain = recola.fuse_recola(traces)
    mixed = recola.fuse_recola(traces[[2, 0, 3, 1]] + [[5], [-3], [0], [1]])

    np.testing.assert_allclose(mixed.trace, plain.trace, atol=1e-12)
    assert mixed.lags_seconds.tolist() == plain.lags_seconds[[2, 0, 3, 1]].tolist()
    assert plain.weights.tolist() == [0.25] * 4


@pytest.mark.parametrize("traces", [np.zeros(5), np.zeros((2, 0)), [[0, NAN]], np.zeros((1, 2, 3))])
def test_traces_must_be_whole(traces):
    with pytest.raises(InvalidArray, match="shape"):
        recola.fuse_recola(traces)
