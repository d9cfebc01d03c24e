"""A take's color as its cameras gave it: frames, or JPEGs that are kept untouched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import cv2
import pytest
from counting_rig import number_of, picture_of

from mavfer.errors import CommandError
from mavfer.study.color_writer import join_color, require_joinable
from mavfer.study.video_reader import read_video
from recording.camera import CameraInfo, ClockDomain, Frame
from recording.writer import TakeWriter

_HALVED = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422
_QUARTERED = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420


def _jpeg(number, sampling):
    """As a webcam packs a frame: with another quality and other colors than ours."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 80, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    return cv2.imencode(".jpg", picture_of(number), options)[1].tobytes()


def _frames(numbers, sampling):
    for number in numbers:
        yield Frame(
            pixels=picture_of(number),
            host_ns=number * 33_000_000,
            device_ns=number * 33_000_000,
            domain=ClockDomain.HOST,
            frame_number=number,
            exposure_ns=0,
            jpeg=None if sampling is None else _jpeg(number, sampling),
        )


def _write(folder, frames, codec, **info):
    folder.mkdir()
    camera = CameraInfo("color", "webcam", "7", 64, 48, 30.0, "uint8", **info)
    writer = TakeWriter(folder, "S01-001", [camera], codec=codec, reserve_bytes=0, begins_ns=0)
    try:
        for frame in frames:
            writer.append("color", frame)
    finally:
        writer.close()
    return folder / "color.mkv"


def _packets(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_a_camera_s_own_jpegs_are_kept_bit_for_bit(tmp_path):
    frames = list(_frames(range(9), _HALVED))
    path = _write(tmp_path / "take", frames, "camera-jpeg", gives_jpeg=True)
    pictures = [frame.rgb() for frame in read_video(path)]

    assert _packets(path) == [frame.jpeg for frame in frames]
    assert [number_of(picture) for picture in pictures] == list(range(9))


@pytest.mark.parametrize("codec", ["jpeg95", "h264"])
def test_other_codecs_encode_the_pixels_anew(tmp_path, codec):
    frames = list(_frames(range(5), _HALVED))
    path = _write(tmp_path / "take", frames, codec, gives_jpeg=True)

    assert not {frame.jpeg for frame in frames} & set(_packets(path))
    assert [number_of(frame.rgb()) for frame in read_video(path)] == list(range(5))


def test_a_segment_goes_behind_jpegs_of_any_kind(tmp_path):
    paths = [
        _write(tmp_path / name, _frames(numbers, sampling), "camera-jpeg", gives_jpeg=True)
        for name, numbers, sampling in (
            ("first", range(4), _HALVED),
            ("second", range(4, 9), _QUARTERED),
        )
    ]
    whole = tmp_path / "whole.mkv"
    require_joinable(paths[0], rate_hz=30, codec="camera-jpeg")
    join_color(*paths, whole)

    assert _packets(whole) == _packets(paths[0]) + _packets(paths[1])
    assert [number_of(frame.rgb()) for frame in read_video(whole)] == list(range(9))


def test_a_camera_that_gives_no_jpegs_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(CommandError, match=r"webcam gives no JPEGs\. Ask .* or choose jpeg95"):
        _write(tmp_path / "take", [], "camera-jpeg")

    assert list((tmp_path / "take").iterdir()) == []


_OPENING = """
import sys
from counting_rig import CountingRig
from recording.lane import Lane
from recording.reader import Patience

def is_loaded():
    return "mavfer.study.kernels.counts" in sys.modules

camera = CountingRig(3).cameras[0]
camera.open = lambda: print("camera", is_loaded())
lane = Lane(camera, is_paced=False, queue_frames=9, patience=Patience())
print("before", is_loaded())
lane.open()
lane.stop()
lane.join()
"""


def test_no_camera_is_open_while_what_writes_its_frames_is_loaded():
    done = subprocess.run(
        [sys.executable, "-c", _OPENING],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parent,
    )  # fmt: skip

    assert done.stdout.splitlines() == ["before False", "camera True"]
