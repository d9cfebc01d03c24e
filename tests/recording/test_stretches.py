"""Counts and clocks that go on over the gaps of a camera."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recording.camera import ClockDomain, Frame, FrameFlag, LostFrame
from recording.stretches import LastStamp, Stretches

RATE_HZ = 25.0
PERIOD_NS = 40_000_000
PIXELS = np.zeros((2, 2), np.uint16)


def _frame(number, host_ns, device_ns):
    return Frame(PIXELS, host_ns, device_ns, ClockDomain.DEVICE, number, 0)


def _carried(stretches, frame):
    carried, gap = stretches.carry(frame)
    return carried.frame_number, carried.device_ns, carried.flags, gap


def test_an_undisturbed_stream_passes_as_it_is():
    stretches = Stretches(RATE_HZ)
    frames = [_frame(n, 10**9 + n * PERIOD_NS, n * PERIOD_NS) for n in (5, 6, 9)]

    assert [stretches.carry(frame) for frame in frames] == [(frame, None) for frame in frames]


@given(
    away_periods=st.integers(2, 10**6),
    count=st.integers(0, 3),
    clock_ns=st.integers(0, 10**15),
    before=st.integers(10, 10**6),
)
def test_a_camera_that_counts_anew_goes_on_by_the_time_that_passed(
    away_periods, count, clock_ns, before
):
    stretches = Stretches(RATE_HZ, LastStamp(10**12, 7 * 10**14, before))
    host_ns = 10**12 + away_periods * PERIOD_NS
    number, device_ns, flags, gap = _carried(stretches, _frame(count, host_ns, clock_ns))
    next_number, next_device_ns, next_flags, none = _carried(
        stretches, _frame(count + 1, host_ns + PERIOD_NS, clock_ns + PERIOD_NS)
    )

    assert abs(number - before - away_periods) <= 3 + 0.02 * away_periods
    assert number > before
    assert gap.frames == number - before - 1
    assert gap.seconds == away_periods / RATE_HZ
    assert flags == FrameFlag.RESTARTED
    assert device_ns - gap.moved_ns == clock_ns
    assert abs(device_ns - 7 * 10**14 - away_periods * PERIOD_NS) <= 10**8 + 5e-4 * (
        away_periods * PERIOD_NS
    )
    assert device_ns >= 7 * 10**14
    assert (next_number, next_device_ns) == (number + 1, device_ns + PERIOD_NS)
    assert next_flags == FrameFlag(0)
    assert none is None


def test_a_count_and_a_clock_that_went_on_by_themselves_are_left_alone():
    stretches = Stretches(RATE_HZ)
    stretches.carry(_frame(100, 10**9, 5 * 10**9))
    stretches.restart()
    late_ns = 30_000_000
    frame = _frame(151, 10**9 + 50 * PERIOD_NS + late_ns, 5 * 10**9 + 50 * PERIOD_NS)
    number, device_ns, flags, gap = _carried(stretches, frame)

    assert (number, device_ns) == (151, frame.device_ns)
    assert flags == FrameFlag.RESTARTED
    assert gap.frames == 50
    assert gap.moved_ns == 0


def test_a_camera_may_leave_twice():
    stretches = Stretches(RATE_HZ)
    stretches.carry(_frame(10, 0, 0))
    for seconds in (4, 8):
        stretches.restart()
        number, device_ns, _, gap = _carried(stretches, _frame(0, seconds * 10**9, 77))

        assert number == 10 + seconds * 25
        assert device_ns == seconds * 10**9
        assert gap.frames == 99


def test_word_of_a_lost_frame_gets_the_number_that_goes_on():
    stretches = Stretches(RATE_HZ, LastStamp(0, 0, 10))
    stretches.carry(_frame(0, 40 * PERIOD_NS, 0))

    assert stretches.renumber(LostFrame(1, 41 * PERIOD_NS)).frame_number == 51


def test_a_restart_before_the_first_frame_is_no_gap():
    stretches = Stretches(RATE_HZ)
    stretches.restart()
    frame = _frame(0, 10**9, 0)

    assert not stretches.is_between
    assert stretches.carry(frame) == (frame, None)


def test_the_text_of_the_longest_gap_fits_the_table_of_events():
    stretches = Stretches(60, LastStamp(0, 2**62, 2**31))
    _, gap = stretches.carry(_frame(2**31, 86_400 * 10**9, 0))

    assert len(str(gap).encode()) <= 128


def test_stamps_of_the_hosts_clock_are_left_as_they_are():
    stretches = Stretches(RATE_HZ, LastStamp(10**12, 10**12 - 5_000_000, 7))
    waited = Frame(PIXELS, 10**12 + 10**9, 10**12 + 6 * 10**8, ClockDomain.HOST, 0, 0)
    carried, gap = stretches.carry(waited)

    assert carried.device_ns == waited.device_ns
    assert gap.moved_ns == 0
