"""Times of frames whose file tells them badly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.errors import InvalidFile
from mavfer.study.video_source import regular_times

PATH = Path("clip.mp4")
PERIOD_NS = 40_000_000


@given(
    st.lists(st.integers(1_000, 10**9), min_size=25, max_size=60),
    st.integers(0, 10**15),
    st.integers(0, 24),
    st.sampled_from([None, "equal", "before"]),
)
def test_one_bad_stamp_is_mended_and_the_others_stay(steps, start, where, fault):
    true = start + np.cumsum([0, *steps])
    told = [int(time) for time in true]
    told[where] = None if fault is None or where == 0 else told[where - 1] - (fault == "before")
    times, repaired = regular_times(told, PATH)
    good = [index for index in range(len(told)) if index != where]

    assert repaired == 1
    assert times[0] == 0
    assert (np.diff(times) > 0).all()
    assert (np.diff(times[good]) == np.diff(true[good])).all()


def test_good_stamps_are_taken_as_they_are():
    told = [100, 140, 190, 230]

    assert regular_times(told, PATH)[0].tolist() == [0, 40, 90, 130]
    assert regular_times([7], PATH)[0].tolist() == [0]


def test_missing_stamps_at_the_ends_are_a_usual_distance_away():
    told = [None, *range(0, PERIOD_NS * 40, PERIOD_NS), None]
    times, repaired = regular_times(told, PATH)

    assert repaired == 2
    assert (np.diff(times) == PERIOD_NS).all()


@pytest.mark.parametrize("told", [[None] * 30, [5] * 30, list(range(30, 0, -1))])
def test_a_file_without_usable_stamps_is_refused(told):
    with pytest.raises(InvalidFile, match=r"clip\.mp4: .* of 30 frames have no stamp"):
        regular_times(told, PATH)
