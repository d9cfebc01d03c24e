import numpy as np
import pytest

from mavfer.vision.clock_counter import find_resolution_ns, unwrap_counter

PERIOD_NS = 33_333_333
MICROSECONDS_NS = 2**32 * 1000


def make_counter(wrap_ns, seconds=600, begin=0.9):
    """Stamps of a counter, and arrivals that are late by up to 80 ms."""
    true = np.arange(seconds * 30, dtype=np.int64) * PERIOD_NS
    late = np.random.default_rng(1).integers(0, 80_000_000, len(true))
    count = true + int(begin * wrap_ns)
    return count - np.floor(count / wrap_ns).astype(np.int64) * round(wrap_ns), count, true + late


@pytest.mark.parametrize("tick_hz", [1e6, 4.8e7, 1e9])
def test_a_counter_of_known_period_goes_on_after_every_roll_over(tick_hz):
    wrap_ns = 2**32 * 1e9 / tick_hz
    stamps, count, host = make_counter(wrap_ns)

    unwrapped = stamps + unwrap_counter(stamps, host, wrap_ns)

    assert np.abs(unwrapped - count).max() <= 1000 * abs(round(wrap_ns) - wrap_ns)


def test_a_roll_over_of_microseconds_is_told_from_its_jump():
    stamps, count, host = make_counter(MICROSECONDS_NS)

    np.testing.assert_array_equal(stamps + unwrap_counter(stamps, host), count)


def test_roll_overs_during_a_long_gap_are_counted_by_the_arrivals():
    stamps, count, host = make_counter(2**32)  # nanoseconds: every 4.3 s
    is_there = (np.arange(len(stamps)) < 100) | (np.arange(len(stamps)) > 1000)
    stamps, count, host = stamps[is_there], count[is_there], host[is_there]

    np.testing.assert_array_equal(stamps + unwrap_counter(stamps, host, 2**32), count)


def test_a_clock_that_was_set_is_no_roll_over():
    stamps, _, host = make_counter(10**15)
    stamps[5000:] -= 100_000_000_000

    assert not unwrap_counter(stamps, host).any()


@pytest.mark.parametrize("resolution_ns", [1_000_000, 125_000, 1_000])
def test_resolution_is_found_despite_drops_and_a_step(resolution_ns):
    device = np.arange(600, dtype=np.int64) * PERIOD_NS // resolution_ns * resolution_ns
    device[300:] += 50_000_007
    device = np.delete(device, [20, 21, 400])

    assert find_resolution_ns(device) == resolution_ns


@pytest.mark.parametrize("period_ns", [33_333_333, 40_000_000])
def test_stamps_always_as_far_apart_tell_no_resolution(period_ns):
    assert find_resolution_ns(np.arange(50) * period_ns) == 0


def test_one_stamp_tells_no_resolution():
    assert find_resolution_ns(np.array([5])) == 0
