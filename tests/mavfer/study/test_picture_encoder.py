"""Pictures for raters that were encoded in stretches, by whoever and whenever."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from make_videos import number_of, picture_of

from mavfer.errors import InvalidArray
from mavfer.study.media_writer import writing_media
from mavfer.study.picture_encoder import PictureEncoder
from mavfer.study.video_reader import read_video

SIZE = (64, 48)
STEP = 3000


def stretch(first, stop):
    """The pictures of some frames, encoded by themselves, and their colors."""
    encoder = PictureEncoder(SIZE)
    pictures = []
    for number in range(first, stop):
        pictures += encoder.encode(picture_of(number), number * STEP, (number + 1) * STEP)
    return pictures + encoder.finish(), encoder.color_tags


def write(path, stretches, count):
    host_ns = np.arange(count) * (STEP * 10**9 // 90_000)
    with writing_media(
        path, session="S01-001", host_ns=host_ns, size=SIZE, sound_from=None,
        session_sha256="0" * 64,
    ) as media:  # fmt: skip
        media.describe_pictures(stretches[0][1])
        for pictures, _ in stretches:
            media.write_encoded(pictures)


def test_stretches_one_after_the_other_are_one_video(tmp_path):
    path = tmp_path / "S01-001.mp4"
    write(path, [stretch(0, 40), stretch(40, 41), stretch(41, 90)], 90)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        keys = [packet.pts // STEP for packet in packets if packet.is_keyframe]

    assert [number_of(frame.rgb()) for frame in read_video(path)] == list(range(90))
    assert keys == [0, 30, 40, 41, 71]


def test_the_same_frames_give_the_same_bytes():
    assert stretch(0, 20) == stretch(0, 20)


@pytest.mark.parametrize("count", [3, 5])
def test_too_few_or_too_many_pictures_leave_no_video(tmp_path, count):
    path = tmp_path / "S01-001.mp4"

    with pytest.raises(InvalidArray, match=r"media: .*4 times"):
        write(path, [stretch(0, count)], 4)
    assert list(tmp_path.iterdir()) == []


def test_no_frames_give_no_pictures():
    encoder = PictureEncoder(SIZE)

    assert encoder.finish() == []
    assert encoder.color_tags is None
