"""Reading video files of many layouts."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from make_videos import make_video, number_of, picture_of

from mavfer.errors import InvalidFile, NotFound
from mavfer.study.video_reader import describe_video, read_video


@pytest.mark.parametrize(
    "layout", ["yuv420p", "yuvj420p", "yuv444p", "nv12", "gray", "yuv420p10le", "gray10le"]
)
def test_every_layout_becomes_rgb_and_luma_of_eight_bits(tmp_path, layout):
    codec = "mjpeg" if layout == "yuvj420p" else "libx264"
    path = make_video(tmp_path / "any.mkv", 12, codec=codec, layout=layout)
    frames = list(read_video(path))

    assert [number_of(frame.rgb()) for frame in frames] == list(range(12))
    assert [number_of(frame.gray()) for frame in frames] == list(range(12))
    assert frames[0].rgb().dtype == frames[0].gray().dtype == np.uint8
    assert frames[0].rgb().shape == (48, 64, 3)
    assert [frame.index for frame in frames] == list(range(12))


@pytest.mark.parametrize("layout", ["yuv420p", "yuvj420p", "yuv444p10le"])
def test_black_and_white_stay_black_and_white(tmp_path, layout):
    steps = np.repeat(np.linspace(0, 255, 16).astype(np.uint8), 8)
    ramp = np.broadcast_to(steps[None, :, None], (48, 128, 3)).copy()
    codec, options = ("mjpeg", {}) if layout == "yuvj420p" else ("libx264", {"crf": "4"})
    path = make_video(tmp_path / "ramp.mkv", 3, codec=codec, layout=layout, size=(128, 48),
                      pictures=[ramp] * 3, options=options)  # fmt: skip
    shown = next(read_video(path)).rgb().astype(int)

    assert np.abs(shown[8, 4::8] - ramp[8, 4::8]).max() <= 8


def test_luma_of_eight_bits_is_not_copied_and_outlives_its_frame(tmp_path):
    path = make_video(tmp_path / "plain.mp4", 12)
    lumas = [frame.gray() for frame in read_video(path)]

    assert not lumas[0].flags.owndata
    assert [number_of(luma) for luma in lumas] == list(range(12))


def test_a_turn_that_is_given_takes_the_place_of_the_file_s(tmp_path):
    path = make_video(tmp_path / "phone.mp4", 3, turn=90)
    shapes = [next(read_video(path, rotation_degrees=turn)).rgb().shape[:2] for turn in (0, 90)]

    assert next(read_video(path)).rotation_degrees == 270
    assert shapes == [(48, 64), (64, 48)]


def test_a_turned_picture_is_turned_clockwise(tmp_path):
    path = make_video(tmp_path / "plain.mp4", 3)
    frame = next(read_video(path, rotation_degrees=90))
    upright = next(read_video(path)).rgb()

    assert np.array_equal(frame.rgb(), np.rot90(upright, -1))
    assert np.array_equal(frame.rgb()[:, -1], upright[0])  # what was on top is on the right


def test_a_file_says_what_is_in_it(tmp_path):
    path = make_video(tmp_path / "talk.mp4", 30, tone_seconds=0.5)
    described = describe_video(path)

    assert (described.codec, described.audio_codec) == ("h264", "aac")
    assert (described.width, described.height) == (64, 48)
    assert described.declared_frames == 30
    assert described.rate_hz == pytest.approx(30)
    assert described.declared_seconds == pytest.approx(1.0)


def test_what_is_no_video_is_refused(tmp_path):
    path = tmp_path / "text.mp4"
    path.write_text("hello")

    with pytest.raises(InvalidFile, match=r"text\.mp4: cannot be opened as a video"):
        next(read_video(path))
    with pytest.raises(NotFound, match="no such file"):
        next(read_video(tmp_path / "missing.mp4"))


def test_a_cover_picture_is_not_taken_for_the_video(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.codec_context.width, cover.codec_context.height = 64, 48
        cover.codec_context.pix_fmt = "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(picture_of(1), format="rgb24").reformat(
            format="yuvj420p"
        )
        frame.pts = 0
        container.mux(cover.encode(frame))
    with pytest.raises(InvalidFile, match="holds no video stream"):
        next(read_video(path))


@pytest.mark.parametrize("first", [0, 1, 11, 12, 13, 23])
@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mjpeg"])
def test_reading_from_a_frame_on_gives_what_reading_all_gives(tmp_path, codec, first):
    path = tmp_path / "video.mkv"
    layout = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    make_video(path, codec=codec, layout=layout)
    whole = [frame.gray().copy() for frame in read_video(path)]
    frames = [(frame.index, frame.gray()) for frame in read_video(path, first=first)]

    assert [index for index, _ in frames] == list(range(first, len(whole)))
    for index, gray in frames:
        np.testing.assert_array_equal(gray, whole[index])


def test_planes_are_views_of_what_was_coded(tmp_path):
    path = tmp_path / "video.mkv"
    make_video(path)
    frame = next(read_video(path))
    planes = frame.planes()

    assert (planes.y.shape, planes.u.shape, planes.v.shape) == ((48, 64), (24, 32), (24, 32))
    np.testing.assert_array_equal(planes.y, frame.gray())
    assert planes.v[2, 2] > planes.v[-2, -2] + 40
    assert not planes.is_full_range


@pytest.mark.parametrize("layout", ["yuv444p", "yuv422p"])
def test_frames_of_other_layouts_have_no_planes_to_offer(tmp_path, layout):
    path = tmp_path / "video.mkv"
    make_video(path, layout=layout)

    assert next(read_video(path)).planes() is None
