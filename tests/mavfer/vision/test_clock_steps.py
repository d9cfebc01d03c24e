import numpy as np
import pytest

from mavfer.vision.clock_edge import MAX_DRIFT_PPM
from mavfer.vision.clock_spacings import classify_spacings
from mavfer.vision.clock_steps import find_steps, rough_delays

PERIOD_NS = 33_333_333


def make_delays(frames=3000, seed=1, jitter_ns=0, dropped=()):
    """Device stamps and arrivals without drift; delays are exponential, one in fifty is late."""
    rng = np.random.default_rng(seed)
    device = np.arange(frames, dtype=np.int64) * PERIOD_NS
    device = np.delete(device, dropped)
    late = rng.exponential(2e6, len(device))
    late += (rng.random(len(device)) < 0.02) * rng.exponential(40e6, len(device))
    device += rng.normal(0, jitter_ns, len(device)).astype(np.int64)
    return device, np.maximum.accumulate(device + late.astype(np.int64))


def steps_of(device, host):
    elapsed = (host - host[0]).astype(float)
    level = rough_delays(elapsed, (host - device).astype(float)).level_ns
    return find_steps(elapsed, level, classify_spacings(device, host, 0))


@pytest.mark.parametrize("jitter_ns", [0, 5_000_000])
@pytest.mark.parametrize("size_ns", [50_000_000, -50_000_000, 3_000_000, -10 * PERIOD_NS])
def test_a_step_is_found_at_its_frame(size_ns, jitter_ns):
    device, host = make_delays(jitter_ns=jitter_ns, dropped=[1700])
    device[1700:] += size_ns

    assert steps_of(device, host) == [1700]


@pytest.mark.parametrize("jitter_ns", [0, 5_000_000])
def test_late_frames_are_no_steps(jitter_ns):
    for seed in range(5):
        device, host = make_delays(seed=seed, jitter_ns=jitter_ns, dropped=[50, 51, 900, 2000])
        host[900:1080] += 60_000_000  # six seconds
        host = np.maximum.accumulate(host)

        assert steps_of(device, host) == []


def test_steps_two_seconds_apart_are_found_by_odd_spacing():
    device, host = make_delays()
    device[1000:] += 50_000_000
    device[1060:] -= 50_000_000

    assert steps_of(device, host) == [1000, 1060]


def test_a_stamp_in_the_future_is_a_piece_of_its_own():
    device, host = make_delays(jitter_ns=5_000_000)
    device[1000] += 40_000_000

    assert steps_of(device, host) == [1000, 1001]


def test_rough_drift_survives_steps():
    device, host = make_delays(frames=18_000)
    device = device + np.rint(device * 60e-6).astype(np.int64)
    device[5000:] += 300_000_000
    device[9000:] -= 10**12
    rough = rough_delays((host - host[0]).astype(float), (host - device).astype(float))

    assert rough.drift == pytest.approx(-60e-6, abs=3e-6)
    assert rough.doubt < 5e-6


def test_a_step_in_the_middle_of_a_short_take_is_no_drift():
    device, host = make_delays(frames=300)
    device[150:] += 300_000_000
    rough = rough_delays((host - host[0]).astype(float), (host - device).astype(float))

    assert abs(rough.drift) < 1e-3


def test_no_more_drift_is_taken_out_than_a_clock_can_have():
    elapsed = np.arange(100) * 33e6
    rough = rough_delays(elapsed, 0.02 * elapsed)

    assert rough.drift == pytest.approx(0.02)
    np.testing.assert_allclose(rough.level_ns, (0.02 - MAX_DRIFT_PPM * 1e-6) * elapsed, atol=1)


def test_frames_that_wait_and_are_exposed_late_are_no_steps():
    for seed in range(20):
        device, host = make_delays(frames=400, seed=seed)
        rng = np.random.default_rng(seed)
        woken_late = (rng.random(400) < 0.2) * rng.exponential(6e6, 400)
        for first in rng.integers(0, 390, 15):
            host[first : first + rng.integers(2, 10)] += int(rng.uniform(5e6, 100e6))
        device += woken_late.astype(np.int64)
        host = np.maximum.accumulate(host + woken_late.astype(np.int64))

        assert steps_of(device, host) == []


def test_the_only_frame_in_time_is_no_stamp_of_the_future():
    device, host = make_delays(frames=3000)
    host[1000:1400] += 80_000_000
    host[1200] -= 80_000_000
    host[1199] = min(host[1199], host[1200])

    assert steps_of(device, np.maximum.accumulate(host)) == []
