"""Whether two cameras are held together, by their stamps."""

from __future__ import annotations

import numpy as np
import pytest

from recording.camera import ClockDomain
from recording.rig.phases import exposure_phase, exposure_times
from recording.rig.watching import STAMPS


def frames_of(rate_hz, seconds, *, phase_ms=0.0, ppm=0.0, crystal_ppm=0.0, seed=0, domain=0):
    """`STAMPS` (T,) of a camera whose rate is off by `ppm`, its clock by `crystal_ppm`."""
    random = np.random.default_rng(seed)
    number = np.arange(round(rate_hz * seconds))
    true_ns = number * 1e9 / rate_hz * (1 + ppm * 1e-6) + phase_ms * 1e6
    frames = np.zeros(len(number), STAMPS)
    frames["frame_number"] = number
    frames["domain"] = domain
    frames["host_ns"] = 10**12 + true_ns + 4e6 + random.exponential(1e6, len(number))
    frames["device_ns"] = true_ns * (1 + crystal_ppm * 1e-6) + 77e9
    if domain == ClockDomain.HOST:
        frames["device_ns"] = 10**12 + true_ns + 4e6
    return frames


def phase_of(seconds, one=(), other=()):
    times = [exposure_times(frames_of(30.0, seconds, **dict(who))) for who in (one, other)]
    return exposure_phase(*times)


def test_cameras_on_a_trigger_stand_still_and_a_long_look_is_sure_of_it():
    short, long = (
        phase_of(seconds, {"crystal_ppm": 40}, {"crystal_ppm": -25, "phase_ms": 4.0, "seed": 1})
        for seconds in (10, 300)
    )

    assert long.now_ms == pytest.approx(4.0, abs=0.1)
    assert not long.is_drifting
    assert long.drift_bound_ms_a_minute < 0.3 < short.drift_bound_ms_a_minute
    assert long.scatter_ms < 0.05


def test_cameras_that_run_freely_drift_past_each_other():
    phase = phase_of(300, {"ppm": 30}, {"phase_ms": 16.0, "seed": 1})

    assert phase.is_drifting
    assert phase.drift_ms_a_minute == pytest.approx(-30 * 0.06, abs=0.1)
    assert phase.now_ms == pytest.approx(16.0 - 30 * 0.06 * 5, abs=0.2)
    assert phase.most_ms == pytest.approx(16.0, abs=0.2)


def test_a_phase_goes_round_and_does_not_jump():
    phase = phase_of(300, {"ppm": 100}, {"phase_ms": 5.0, "seed": 1})

    assert phase.drift_ms_a_minute == pytest.approx(-6.0, abs=0.1)
    assert phase.now_ms == pytest.approx(5.0 - 30.0 + 1000 / 30, abs=0.3)
    assert phase.scatter_ms < 0.1


def test_uneven_stamps_show_as_scatter():
    frames = frames_of(30.0, 20, domain=ClockDomain.ARRIVAL)
    phase = exposure_phase(exposure_times(frames), exposure_times(frames_of(30.0, 20)))

    assert 1.0 < phase.scatter_ms < 4.0


def test_rates_that_differ_have_no_phase_and_two_frames_neither():
    slow, fast = (exposure_times(frames_of(rate_hz, 5)) for rate_hz in (25.0, 30.0))
    apart = exposure_times(frames_of(30.0, 5, phase_ms=60_000))

    assert exposure_phase(slow, fast) is None
    assert exposure_phase(fast, exposure_times(frames_of(30.0, 5)[:5])) is None
    assert exposure_phase(fast, apart) is None


def test_the_best_clock_is_taken():
    by_device = exposure_times(frames_of(30.0, 20, crystal_ppm=50))
    by_driver = exposure_times(frames_of(30.0, 20, domain=ClockDomain.HOST))
    arrivals = frames_of(30.0, 20, domain=ClockDomain.ARRIVAL)
    stuck = frames_of(30.0, 20)
    stuck["device_ns"] = 5

    assert by_device.fit.drift_ppm == pytest.approx(-50, abs=10)
    assert 0 < by_device.uncertainty_ms < 1
    assert by_driver.fit is None
    assert np.ptp(np.diff(by_driver.host_ns)) < 5
    assert np.array_equal(exposure_times(arrivals).host_ns, arrivals["host_ns"])
    assert exposure_times(stuck).problem == "the stamps stand still"


def test_a_clock_that_jumps_all_the_time_is_told():
    frames = frames_of(30.0, 20)
    frames["device_ns"] = np.random.default_rng(0).integers(0, 10**12, len(frames))
    times = exposure_times(frames)

    assert times.problem
    assert np.array_equal(times.host_ns, frames["host_ns"])
