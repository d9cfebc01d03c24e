import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.errors import InvalidArray, NotAligned
from mavfer.vision.clocks import fit_clock, pair_limit_ns, pair_nearest, sync_statistics

PERIOD_NS = 33_333_333
SHORTEST_DELAY_NS = 4_000_000
BOOT_NS = 987_654_321_012_345


def make_take(seconds, drift_ppm, seed, burst_share=0.02):
    """Device stamps, arrivals and true host times + shortest delay of a 30 fps take."""
    rng = np.random.default_rng(seed)
    frames = max(1, round(seconds * 30))
    exposure = np.arange(frames, dtype=np.int64) * PERIOD_NS
    exposure = exposure[rng.random(frames) > 0.01] if frames > 10 else exposure
    device = 5_000_000_000_000 + exposure + np.rint(exposure * drift_ppm * 1e-6).astype(np.int64)
    delay = rng.exponential(2e6, len(exposure))
    delay += (rng.random(len(exposure)) < burst_share) * rng.exponential(40e6, len(exposure))
    earliest = BOOT_NS + exposure + SHORTEST_DELAY_NS
    return device, np.maximum.accumulate(earliest + delay.astype(np.int64)), earliest


@pytest.mark.parametrize(("seconds", "median_ms", "worst_ms"), [(600, 0.01, 0.1), (3, 0.1, 1.0)])
def test_fit_finds_the_clock_under_drift_jitter_and_bursts(seconds, median_ms, worst_ms):
    errors = []
    for seed in range(50):
        drift_ppm = np.random.default_rng(1000 + seed).uniform(-100, 100)
        device, host, truth = make_take(seconds, drift_ppm, seed)
        errors.append(np.abs(fit_clock(device, host).to_host(device) - truth).max() / 1e6)

    assert np.median(errors) <= median_ms
    assert max(errors) <= worst_ms


def test_fit_is_not_biased_like_least_squares():
    device, host, truth = make_take(60, 50, 3)
    x = (device - device[0]).astype(float)
    line = np.polyfit(x, (host - host[0]).astype(float), 1)
    squares_error = np.median(np.abs(np.polyval(line, x) + host[0] - truth))

    ours = np.median(np.abs(fit_clock(device, host).to_host(device) - truth))

    assert ours < squares_error / 10


def test_fit_reports_drift_and_delays():
    device, host, truth = make_take(300, -60, 1)

    fit = fit_clock(device, host)

    assert fit.drift_ppm == pytest.approx(60, abs=1)
    assert fit.residual_median_ms == pytest.approx(np.median(host - truth) / 1e6, abs=0.1)
    assert fit.residual_max_ms >= fit.residual_p95_ms >= fit.residual_median_ms
    assert fit.bound_ms < 0.3
    assert fit.frames == len(device)


def test_bound_tells_of_a_clock_that_does_not_run_straight():
    device, host, _ = make_take(300, 0, 1)
    bent = host + (20e6 * np.sin(np.linspace(0, np.pi, len(host)))).astype(np.int64)

    assert fit_clock(device, bent).bound_ms > 5


def test_arrival_stamps_are_left_as_they_are():
    _, host, _ = make_take(20, 0, 2)
    fit = fit_clock(host, host)

    np.testing.assert_array_equal(fit.to_host(host), host)
    assert fit.drift_ppm == 0
    assert fit.residual_max_ms == 0


def test_nanoseconds_survive_large_stamps():
    device = np.array([2**61 + 1, 2**61 + 1 + PERIOD_NS, 2**61 + 1 + 2 * PERIOD_NS])
    host = device - 2**60

    np.testing.assert_array_equal(fit_clock(device, host).to_host(device), host)


def test_one_frame_maps_to_its_arrival():
    fit = fit_clock(np.array([77]), np.array([BOOT_NS]))

    assert fit.to_host(np.array([77]))[0] == BOOT_NS
    assert fit.is_usable


def test_two_frames_do_not_invent_a_drift():
    fit = fit_clock(np.array([0, PERIOD_NS]), np.array([BOOT_NS, BOOT_NS + PERIOD_NS + 9_000_000]))

    assert abs(fit.drift_ppm) <= 500
    assert fit.to_host(np.array([0]))[0] == BOOT_NS


def test_constant_stamps_are_said_to_be_unusable():
    fit = fit_clock(np.full(30, 5), BOOT_NS + np.arange(30) * PERIOD_NS)

    assert not fit.is_usable
    assert fit.drift_ppm == 0


def test_repeated_stamps_are_allowed():
    device, host, truth = make_take(20, 30, 4)
    again = np.repeat(device, 2)

    fit = fit_clock(again, np.repeat(host, 2))

    assert np.abs(fit.to_host(device) - truth).max() < 0.3e6


def test_backwards_stamps_name_the_frame():
    device = np.arange(20, dtype=np.int64) * PERIOD_NS
    device[12] = 0

    with pytest.raises(NotAligned, match="at frame 12"):
        fit_clock(device, device)


@pytest.mark.parametrize("factor", [1000, 0.001, 1.01])
def test_stamps_in_other_units_are_refused(factor):
    device, host, _ = make_take(3, 0, 5)

    with pytest.raises(NotAligned, match="not nanoseconds"):
        fit_clock(((device - device[0]) * factor).astype(np.int64), host)


@pytest.mark.parametrize(("device", "host"), [([], []), ([1, 2], [1])])
def test_empty_or_unequal_columns_are_refused(device, host):
    with pytest.raises(InvalidArray, match="as many device stamps"):
        fit_clock(np.array(device, np.int64), np.array(host, np.int64))


times = st.lists(st.integers(0, 10**6), min_size=1, max_size=40).map(
    lambda values: np.array(sorted(values), dtype=np.int64)
)


@given(times, times, st.integers(0, 10**5))
def test_pairs_are_the_nearest_frames(color, other, limit):
    index, gap = pair_nearest(color, other, limit)
    distance = np.abs(color[:, None] - other[None, :]).min(axis=1)

    np.testing.assert_array_equal(index >= 0, distance <= limit)
    found = index >= 0
    np.testing.assert_array_equal(np.abs(gap[found]), distance[found])
    np.testing.assert_array_equal(gap[found], other[index[found]] - color[found])
    assert index.dtype == gap.dtype == np.int64


def test_an_empty_stream_pairs_with_nothing():
    index, gap = pair_nearest(np.arange(3), np.array([], np.int64), 10)

    assert index.tolist() == [-1, -1, -1]
    assert gap.tolist() == [0, 0, 0]


def test_pairing_refuses_times_that_go_back():
    with pytest.raises(NotAligned, match="at frame 1"):
        pair_nearest(np.arange(3), np.array([5, 4], np.int64), 10)


def test_limit_is_half_a_period_and_five_milliseconds():
    assert pair_limit_ns(40_000_000) == 25_000_000


def test_statistics_count_what_happened():
    color = np.arange(10, dtype=np.int64) * 40_000_000
    other = np.array([1, 2, 4, 8, 9], np.int64) * 40_000_000 + 1_000_000
    index, gap = pair_nearest(color, other, pair_limit_ns(40_000_000))

    report = sync_statistics(color, other, index, gap, fit_clock(other, other))

    assert (report.frames, report.pairs, report.missing, report.duplicates) == (10, 5, 5, 0)
    assert report.gap_median_ms == report.gap_max_ms == pytest.approx(1)
    assert report.longest_hole_ms == pytest.approx(160)


def test_statistics_count_partners_that_serve_twice():
    color = np.arange(6, dtype=np.int64) * 20
    other = np.arange(3, dtype=np.int64) * 40
    index, gap = pair_nearest(color, other, 30)

    assert sync_statistics(color, other, index, gap, fit_clock(other, other)).duplicates == 3
