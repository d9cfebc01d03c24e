"""Stretches of finished frames: laid down and taken up without a change."""

from __future__ import annotations

import numpy as np
import pytest

from mavfer.preprocess.crops import QUALITY, Crops, Measures
from mavfer.preprocess.segments import GROUP_FRAMES, Segment, groups_of, pictures_of
from mavfer.study.picture_encoder import EncodedPicture
from mavfer.study.shard_streams import encode_frames

random = np.random.default_rng(3)


def crops_of(*, with_thermal=True):
    color = random.integers(0, 255, (16, 16, 3), np.uint8)
    depth = random.integers(0, 900, (16, 16), np.uint16)
    mask = random.integers(0, 4, (16, 16), np.uint8)
    thermal = (depth, mask) if with_thermal else (None, None)
    measures = Measures((1.0, 2.0, np.nan), np.zeros(1, QUALITY), 7, 0)
    return Crops(color, depth, thermal[0], mask, thermal[1], measures)


@pytest.mark.parametrize("count", [1, 8, 13, 16])
def test_groups_come_out_as_if_they_had_been_encoded_at_once(count):
    frames = [crops_of() for _ in range(count)]
    segment = Segment("fast")
    for crops in frames:
        segment.add(crops)
    groups = list(groups_of(segment.arrays()))

    assert len(groups) == -(-count // GROUP_FRAMES)
    for number, group in enumerate(groups):
        chosen = frames[number * GROUP_FRAMES : (number + 1) * GROUP_FRAMES]
        for stream in ("color", "depth", "thermal"):
            stacked = np.stack([getattr(crops, stream) for crops in chosen])
            assert group[stream] == encode_frames(stacked, "fast")
        assert len(group["depth_mask"].chunks) == len(chosen)


def test_streams_that_are_not_there_leave_nothing():
    segment = Segment("fast")
    segment.add(crops_of(with_thermal=False))
    (group,) = groups_of(segment.arrays())

    assert set(group) == {"color", "depth", "depth_mask"}


def test_columns_have_a_row_a_frame():
    segment = Segment("fast")
    for _ in range(11):
        segment.add(crops_of())
    arrays = segment.arrays()

    assert arrays["pose"].shape == (11, 3)
    assert arrays["quality"].shape == (11,)
    assert arrays["valid"].tolist() == [7] * 11


def test_pictures_come_out_as_they_went_in():
    pictures = [EncodedPicture(b"abc", 0, True), EncodedPicture(b"", 3000, False)]
    segment = Segment("fast")
    segment.add(crops_of())
    segment.add_pictures(pictures)

    assert list(pictures_of(segment.arrays())) == pictures
