"""Finding a lamp in the mean levels of streams, and the offset of their stamps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recording.rig.flash import find_changes, flash_offsets, match_changes


def levels_of(times_ns, exposure_ns, flashes_ns, *, noise=0.1, low=60.0, high=90.0, fades_ns=0):
    """Mean levels (T,) of frames in whose middle the stamps lie; the lamp goes on and off in turn.

    It takes `fades_ns` to do so, as a hand takes to cover a lens.
    """
    fine = np.linspace(-0.5, 0.5, 101) * exposure_ns
    moments = times_ns[:, None] + fine[None]
    done = np.zeros(moments.shape)
    for number, flash_ns in enumerate(flashes_ns):
        share = np.clip((moments - flash_ns) / max(fades_ns, 1), 0, 1)
        done += share if number % 2 == 0 else -share
    random = np.random.default_rng(len(times_ns))
    return low + (high - low) * done.mean(1) + random.normal(0, noise, len(times_ns))


def stamps(rate_hz, seconds, phase=0.0, later_ms=0.0):
    """True middles of exposures and what a camera says they are, int64 nanoseconds."""
    true_ns = ((np.arange(int(seconds * rate_hz)) + phase) * 1e9 / rate_hz).astype(np.int64)
    return true_ns, true_ns + round(later_ms * 1e6)


@settings(max_examples=40, deadline=None)
@given(
    rate_hz=st.sampled_from([9.0, 25.0, 30.0, 60.0]),
    phase=st.floats(0, 1),
    exposed=st.floats(0.01, 1.0),
    at=st.floats(2.0, 4.0),
    size=st.sampled_from([-30.0, 2.0, 100.0]),
)
def test_a_lamp_is_found_once_and_its_bound_holds(rate_hz, phase, exposed, at, size):
    true_ns, _ = stamps(rate_hz, 7.0, phase)
    flash_ns = round(at * 1e9)
    levels = levels_of(true_ns, exposed * 1e9 / rate_hz, [flash_ns], noise=0.02, high=60.0 + size)
    changes = find_changes(true_ns, levels)

    assert len(changes) == 1
    slack_ns = 0.06 * 1e9 / rate_hz  # noise may tip a frame that is half lit
    assert changes[0].first_ns - slack_ns <= flash_ns <= changes[0].last_ns + slack_ns
    assert changes[0].last_ns - changes[0].first_ns < 1.01e9 / rate_hz
    assert changes[0].size == pytest.approx(size, abs=0.2)


def test_a_head_that_moves_and_noise_are_no_lamp():
    true_ns, _ = stamps(30.0, 20.0)
    levels = 60 + 3 * np.sin(true_ns / 1e9) + np.random.default_rng(0).normal(0, 0.2, len(true_ns))

    assert find_changes(true_ns, levels) == []
    assert find_changes(true_ns, np.full(len(true_ns), 60.0)) == []
    assert find_changes(true_ns[:8], levels[:8]) == []
    assert find_changes(true_ns[:20], levels[:20]) == []


def test_a_hand_is_bounded_by_its_begin_and_end():
    true_ns, _ = stamps(30.0, 6.0)
    fades_ns = 200_000_000
    levels = levels_of(true_ns, 8_000_000, [3_000_000_000], fades_ns=fades_ns, high=20.0)
    (change,) = find_changes(true_ns, levels)

    assert change.first_ns <= 3_000_000_000 + 0.1 * fades_ns
    assert change.last_ns >= 3_000_000_000 + 0.9 * fades_ns - 1


def test_offsets_are_found_and_flashes_narrow_them():
    flashes_ns = [2_000_000_000, 3_217_000_000, 4_409_000_000, 5_633_000_000]
    later_ms = {"color": 5.0, "depth": -3.0, "thermal": 27.0}
    rates_hz = {"color": 30.0, "depth": 30.0, "thermal": 25.0}
    changes = {}
    for number, stream in enumerate(later_ms):
        true_ns, said_ns = stamps(rates_hz[stream], 8.0, 0.3 * number, later_ms[stream])
        changes[stream] = find_changes(said_ns, levels_of(true_ns, 8_000_000, flashes_ns))
    flashes = match_changes(changes)
    offsets = {offset.stream: offset for offset in flash_offsets(flashes)}
    single = flash_offsets(flashes[:1])

    assert len(flashes) == 4
    assert list(offsets) == ["depth", "thermal"]
    for stream, offset in offsets.items():
        truth_ms = later_ms[stream] - later_ms["color"]
        assert abs(offset.offset_ms - truth_ms) <= offset.uncertainty_ms + 1
        assert offset.agree
        assert offset.flashes == 4
    assert single[1].uncertainty_ms == pytest.approx((1000 / 30 + 40) / 2, abs=0.1)
    assert offsets["thermal"].uncertainty_ms < 0.7 * single[1].uncertainty_ms


def test_flashes_that_contradict_each_other_are_told():
    changes = {}
    for stream, later_ms in {"color": (0, 0), "thermal": (0, 200)}.items():
        true_ns, _ = stamps(30.0, 8.0)
        flashes_ns = [2_000_000_000 + later_ms[0] * 10**6, 5_000_000_000 + later_ms[1] * 10**6]
        changes[stream] = find_changes(true_ns, levels_of(true_ns, 8_000_000, flashes_ns))
    (offset,) = flash_offsets(match_changes(changes))

    assert not offset.agree
    assert offset.uncertainty_ms == pytest.approx(1000 / 30, abs=0.1)


def test_a_board_that_is_moved_all_the_time_is_found_each_time():
    flashes_ns = [1_000_000_000, 1_700_000_000, 2_400_000_000, 3_100_000_000]
    true_ns, _ = stamps(30.0, 4.5)
    changes = find_changes(true_ns, levels_of(true_ns, 8_000_000, flashes_ns))

    assert [round(change.middle_ns / 1e8) for change in changes] == [10, 17, 24, 31]


def test_a_change_that_one_stream_did_not_see_is_no_flash():
    true_ns, _ = stamps(30.0, 6.0)
    seen = find_changes(true_ns, levels_of(true_ns, 8_000_000, [3_000_000_000]))

    assert match_changes({"color": seen, "depth": []}) == []
    assert flash_offsets([]) == []
