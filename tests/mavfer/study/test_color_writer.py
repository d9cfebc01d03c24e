"""color.mkv as the recorder writes it."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from make_videos import number_of, picture_of

from mavfer.errors import CommandError, InvalidFile
from mavfer.study.color_writer import ColorWriter, join_color, require_joinable
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


@pytest.mark.parametrize("size", [(64, 48), (65, 49)])
def test_frames_that_are_jpeg_already_are_stored_as_they_are(tmp_path, size):
    path = tmp_path / "color.mkv"
    light = np.random.default_rng(1).integers(0, 60, (size[1], size[0], 1), np.uint8)
    picture = light + np.array([180, 90, 30], np.uint8)
    _, jpeg = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    writer = ColorWriter(path, width=size[0], height=size[1], rate_hz=30, codec="jpeg95")
    for number in range(4):
        writer.append_jpeg(bytes(jpeg), 10**15 + number * PERIOD_NS)
    writer.close()
    frames = list(read_video(path))
    wanted = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)[:, :, ::-1].astype(int)

    assert [round(frame.time_ns / 1e6) for frame in frames] == [0, 33, 67, 100]
    assert np.abs(frames[3].rgb().astype(int) - wanted).max() <= 4
    assert bytes(jpeg) in path.read_bytes()


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


@pytest.mark.parametrize("codec", ["h264", "jpeg95", "x264-lossless"])
def test_a_second_file_goes_behind_the_first_with_its_times(tmp_path, codec):
    first, second, whole = (tmp_path / f"{name}.mkv" for name in ("first", "second", "whole"))
    _write(first, 20, codec=codec).close()
    pause_ns = 5_000_000_000
    writer = ColorWriter(
        second, width=64, height=48, rate_hz=30, codec=codec, begins_ns=10**15 - pause_ns
    )
    for number in range(20, 33):
        writer.append(picture_of(number), 10**15 + number * PERIOD_NS)
    writer.close()
    require_joinable(first, rate_hz=30, codec=codec)
    join_color(first, second, whole)
    frames = list(read_video(whole))
    times_ms = [round(frame.time_ns / 1e6) for frame in frames]

    assert [number_of(frame.rgb()) for frame in frames] == list(range(33))
    assert [number_of(f.rgb()) for f in read_video(whole, first=20)] == list(range(20, 33))
    assert times_ms[:20] == [round(n * 33.333333) for n in range(20)]
    assert times_ms[20:] == [5000 + round(n * 33.333333) for n in range(20, 33)]
    assert count_packets(whole) == 33


def test_frames_of_another_encoder_do_not_go_behind_a_file(tmp_path):
    first, second = tmp_path / "first.mkv", tmp_path / "second.mkv"
    _write(first, 3).close()
    _write(second, 3, size=(66, 48)).close()
    with pytest.raises(InvalidFile, match=r"first\.mkv: .* another encoder .*width differs"):
        join_color(first, second, tmp_path / "whole.mkv")
    with pytest.raises(InvalidFile, match="name differs"):
        require_joinable(first, rate_hz=30, codec="jpeg95")
