"""Counters and clocks of GigE Vision, made to grow."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from recording.gvsp_stamps import BlockCounter, TickClock, monotonic_from_realtime

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


def test_a_moment_of_the_wall_clock_is_found_on_the_monotonic_clock():
    before_ns, realtime_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
    time.sleep(0.01)

    assert before_ns - 10**6 < monotonic_from_realtime(realtime_ns) < after_ns + 10**6


def test_a_wall_clock_that_was_set_in_between_gives_the_present():
    for wrong_ns in (-3_600 * 10**9, 3_600 * 10**9):
        before_ns = time.monotonic_ns()

        assert (
            before_ns <= monotonic_from_realtime(time.time_ns() + wrong_ns) <= time.monotonic_ns()
        )
