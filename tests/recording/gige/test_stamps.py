"""Counters and clocks of GigE Vision, made to grow."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording.gige.stamps import ArrivalClock, BlockCounter, TickClock

WRAP = 1 << 32


def block_id(number):
    """The id of 16 bits that a camera gives its frame `number`, from 1 on."""
    return (number - 1) % 65_535 + 1


@given(st.integers(1, 65_535), st.lists(st.integers(1, 32_000), max_size=20))
def test_block_ids_count_on_over_the_wrap_and_over_gaps(first, steps):
    counter, number = BlockCounter(), first

    assert counter.number(block_id(first)) == first
    for step in steps:
        number += step
        assert counter.number(block_id(number)) == number


def test_block_ids_of_64_bits_pass_as_they_are():
    counter = BlockCounter()

    assert [counter.number(id) for id in (65_534, 65_536, 65_537)] == [65_534, 65_536, 65_537]


def test_a_camera_that_counts_anew_is_not_taken_for_a_wrap():
    counter = BlockCounter()

    assert [counter.number(id) for id in (500, 501, 1, 2)] == [500, 501, 1, 2]


@given(st.integers(0, WRAP - 1), st.lists(st.floats(0.001, 100.0), min_size=1, max_size=20))
def test_ticks_of_32_bits_count_on_over_the_wrap(first_ticks, steps_seconds):
    ticks_hz = 10_000_000  # wraps after 429 seconds
    clock, ticks, host_ns = TickClock(ticks_hz), first_ticks, 10**15
    before = clock.unwrap(ticks % WRAP * 100, host_ns)
    for seconds in steps_seconds:
        ticks += round(seconds * ticks_hz)
        host_ns += round(seconds * 1e9)
        now = clock.unwrap(ticks % WRAP * 100, host_ns + 30_000_000)

        assert now - before == round(seconds * ticks_hz) * 100
        before = now


def test_a_clock_that_was_set_anew_is_left_as_it_is():
    clock = TickClock(1_000_000)

    assert clock.unwrap(90_000_000_000, 5_000_000_000) == 90_000_000_000
    assert clock.unwrap(1_000_000, 5_030_000_000) == 1_000_000


def test_moments_of_the_wall_clock_are_found_on_the_monotonic_clock():
    clock, moments = ArrivalClock(), []
    for _ in range(3):
        before_ns, realtime_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        moments.append((before_ns, realtime_ns, after_ns))
        time.sleep(0.01)

    for before_ns, realtime_ns, after_ns in moments:  # all read after all have come
        assert before_ns - 10**6 < clock.monotonic(realtime_ns) < after_ns + 10**6


@pytest.mark.parametrize("step_ns", [-3_600 * 10**9, 3_600 * 10**9])
def test_a_wall_clock_that_is_set_while_a_frame_waits_is_seen_through(monkeypatch, step_ns):
    clock = ArrivalClock()
    arrived_ns, realtime_ns, wall_clock = time.monotonic_ns(), time.time_ns(), time.time_ns
    time.sleep(0.05)
    monkeypatch.setattr(time, "time_ns", lambda: wall_clock() + step_ns)
    waited = clock.monotonic(realtime_ns)
    fresh = clock.monotonic(time.time_ns())

    assert abs(waited - arrived_ns) < 10**7
    assert abs(fresh - time.monotonic_ns()) < 10**7


def test_arrivals_keep_their_order_where_the_wall_clock_makes_no_sense():
    clock = ArrivalClock()
    found = [clock.monotonic(realtime_ns) for realtime_ns in (0, 10**20, 7, 7)]

    assert sorted(set(found)) == found
    assert abs(found[-1] - time.monotonic_ns()) < 10**8
