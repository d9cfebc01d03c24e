"""color.mkv as the recorder writes it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from make_videos import number_of, picture_of

from mavfer.errors import CommandError
from mavfer.study.color_writer import ColorWriter
from mavfer.study.video_copy import count_frames, count_packets
from mavfer.study.video_reader import read_video

PERIOD_NS = 33_333_333


def _write(path, frames, **options):
    size = options.pop("size", (64, 48))
    writer = ColorWriter(path, width=size[0], height=size[1], rate_hz=30, **options)
    for number in range(frames):
        writer.append(picture_of(number, *size), 10**15 + number * PERIOD_NS)
    return writer


@pytest.mark.parametrize("codec", ["h264", "jpeg95", "x264-lossless"])
def test_every_frame_comes_back_in_order(tmp_path, codec):
    path = tmp_path / "color.mkv"
    _write(path, 40, codec=codec).close()
    frames = [frame.rgb() for frame in read_video(path)]

    assert [number_of(frame) for frame in frames] == list(range(40))
    assert count_frames(path) == count_packets(path) == 40
    if codec == "x264-lossless":
        assert np.array_equal(frames, [picture_of(number) for number in range(40)])


@pytest.mark.parametrize("codec", ["h264", "jpeg95", "x264-lossless"])
def test_odd_sizes_lose_no_pixel(tmp_path, codec):
    path = tmp_path / "color.mkv"
    _write(path, 5, codec=codec, size=(65, 49)).close()

    assert next(read_video(path)).rgb().shape == (49, 65, 3)


def test_frames_that_arrive_in_one_millisecond_are_all_kept(tmp_path):
    path = tmp_path / "color.mkv"
    writer = ColorWriter(path, width=64, height=48, rate_hz=30)
    for number in range(10):
        writer.append(picture_of(number), 10**15 + number * 1000)
    writer.close()

    assert [number_of(frame.rgb()) for frame in read_video(path)] == list(range(10))


def test_an_unknown_codec_is_refused(tmp_path):
    with pytest.raises(CommandError, match="color codec 'divx': unknown; known: h264"):
        ColorWriter(tmp_path / "color.mkv", width=64, height=48, rate_hz=30, codec="divx")


def test_closing_again_is_harmless(tmp_path):
    writer = _write(tmp_path / "color.mkv", 3)
    writer.close()
    writer.close()

    assert count_frames(tmp_path / "color.mkv") == 3
