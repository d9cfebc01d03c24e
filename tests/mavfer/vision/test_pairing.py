import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.errors import NotAligned
from mavfer.vision.clocks import fit_clock
from mavfer.vision.pairing import pair_limit_ns, pair_nearest, sync_statistics

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
