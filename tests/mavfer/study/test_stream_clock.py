"""Times of a stream's frames and how sure they are, from stamps as a recorder writes them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mavfer.errors import InvalidArray
from mavfer.study.stream_clock import fit_stream_clock
from mavfer.study.streams_file import CLOCK_DOMAINS, TIMES

MS = 1_000_000
PERIOD_NS = 1_000_000_000 // 30
EXPOSURE_NS = 8 * MS
REPEATED, RESTARTED = 4, 8


def _times(frames, *, seed=0, domain="device"):
    """Stamps of frames whose arrivals are 2 ms late and more, and when they were exposed."""
    delay_ns = (2 * MS + np.random.default_rng(seed).exponential(2 * MS, frames)).astype(np.int64)
    middle_ns = 10**10 + np.arange(frames, dtype=np.int64) * PERIOD_NS
    times = np.zeros(frames, TIMES)
    times["host_ns"] = middle_ns + EXPOSURE_NS // 2 + delay_ns
    times["device_ns"] = middle_ns - 10**10
    times["exposure_ns"], times["domain"] = EXPOSURE_NS, CLOCK_DOMAINS[domain]
    times["frame_number"] = np.arange(frames)
    return times, middle_ns


def test_the_stated_uncertainty_is_that_of_every_frame():
    times, middle_ns = _times(900)
    clock = fit_stream_clock(times)
    told = clock.describe()
    error_ns = clock.host_ns - middle_ns - 2 * MS

    assert (np.abs(error_ns) <= clock.fit.uncertainty_ns).all()
    assert told["uncertainty_max_ms"] >= np.abs(error_ns).max() / MS
    assert 0 < told["uncertainty_median_ms"] <= told["uncertainty_max_ms"] < 1
    assert told["is_usable"] is True
    assert clock.domains == ("device",)
    assert told["pieces"] == [
        {
            "first_frame": 0,
            "frames": 900,
            "cause": "start",
            "jump_ms": 0.0,
            "uncertainty_ms": told["uncertainty_max_ms"],
        }
    ]


def test_a_clock_that_is_set_has_two_pieces():
    times, _ = _times(900)
    times["device_ns"][400:] += 50 * MS
    pieces = fit_stream_clock(times).describe()["pieces"]

    assert [(p["first_frame"], p["frames"], p["cause"]) for p in pieces] == [
        (0, 400, "start"),
        (400, 500, "step"),
    ]
    assert pieces[1]["jump_ms"] == pytest.approx(50, abs=0.5)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("strayed_ms", [-40.0, -3.0, -0.4, 0.1, 0.6, 12.0])
def test_a_camera_that_came_back_costs_no_more_than_its_times_are_said_to_be_sure(seed, strayed_ms):
    times, middle_ns = _times(1200, seed=seed)
    times = np.delete(times, range(500, 560))
    middle_ns = np.delete(middle_ns, range(500, 560))
    times["device_ns"][500:] += round(strayed_ms * MS)  # moved by the arrival of its first frame
    times["flags"][500] = RESTARTED
    clock = fit_stream_clock(times)
    error_ns = clock.host_ns - middle_ns - 2 * MS

    assert (np.abs(error_ns) <= clock.fit.uncertainty_ns).all()


def test_an_exposure_that_is_sent_again_keeps_its_time():
    times, middle_ns = _times(90)
    times["frame_number"] = np.arange(90) // 3
    times["flags"] = np.where(np.arange(90) % 3 > 0, REPEATED, 0)
    clock = fit_stream_clock(times)
    again = clock.host_ns.reshape(30, 3)

    assert (again == again[:, :1]).all()
    assert np.abs(again[:, 0] - middle_ns[::3] - 2 * MS).max() < MS


def test_equal_pictures_under_numbers_of_their_own_keep_their_times():
    times, _ = _times(90)
    times["flags"][40:60] = REPEATED  # as behind a closed shutter

    assert (np.diff(fit_stream_clock(times).host_ns) > 0).all()


def test_arrivals_have_no_uncertainty_to_tell():
    times, _ = _times(90, domain="arrival")
    clock = fit_stream_clock(times)
    told = clock.describe()

    assert clock.host_ns.tolist() == times["host_ns"].tolist()
    assert clock.domains == ("arrival",)
    assert told["is_usable"] is False
    assert told["uncertainty_median_ms"] is None
    assert told["uncertainty_max_ms"] is None
    assert told["pieces"][0]["uncertainty_ms"] is None
    json.dumps(told, allow_nan=False)


def _stamped_by_the_driver(frames, *, seed=0):
    """Stamps of the host's clock, 20 ms before the arrival and more."""
    times, middle_ns = _times(frames, seed=seed, domain="host")
    times["device_ns"] = middle_ns
    times["host_ns"] += 20 * MS
    return times, middle_ns


@pytest.mark.parametrize("frames", [1, 2, 900])
def test_stamps_of_the_hosts_driver_are_the_times(frames):
    times, middle_ns = _stamped_by_the_driver(frames)
    clock = fit_stream_clock(times)
    told = clock.describe()

    assert clock.host_ns.tolist() == middle_ns.tolist()
    assert clock.domains == ("host",)
    assert clock.is_used
    assert told["drift_ppm"] == told["bound_ms"] == told["uncertainty_max_ms"] == 0
    assert told["residual_median_ms"] >= 22
    assert len(told["pieces"]) == 1


def test_stamps_of_the_hosts_driver_do_not_jump_after_a_gap():
    times, middle_ns = _stamped_by_the_driver(900)
    times, middle_ns = np.delete(times, range(300, 500)), np.delete(middle_ns, range(300, 500))
    times["flags"][300] = RESTARTED

    assert fit_stream_clock(times).host_ns.tolist() == middle_ns.tolist()


def test_stamps_far_from_the_arrivals_are_not_of_the_hosts_clock():
    times, middle_ns = _stamped_by_the_driver(900)
    times["device_ns"] += 10**18  # the wall clock
    clock = fit_stream_clock(times)

    assert np.abs(clock.host_ns - middle_ns - 22 * MS).max() < MS


def test_a_stream_without_frames_has_no_clock():
    with pytest.raises(InvalidArray, match="as many device stamps as arrivals and at least one"):
        fit_stream_clock(np.empty(0, TIMES))
