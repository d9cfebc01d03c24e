"""The video that raters see, and the table of its times."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
from make_videos import make_video, number_of, picture_of

from mavfer.errors import InvalidArray
from mavfer.files import read_json, sha256_of
from mavfer.schema import find_problems
from mavfer.study.media_writer import TICKS_PER_SECOND, media_pts, writing_media
from mavfer.study.video_reader import read_video


def _write(path, host_ns, frames, size=(64, 48), sound_from=None):
    with writing_media(path, session="S01-001", host_ns=np.asarray(host_ns), size=size,
                       sound_from=sound_from, session_sha256="0" * 64) as writer:  # fmt: skip
        for frame in frames:
            writer.write(frame)
    return read_json(path.with_suffix(".json"))


def _demuxed(path):
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        return [p.pts for p in packets], [p.pts for p in packets if p.is_keyframe]


def test_each_frame_is_at_the_very_time_that_its_stamp_says(tmp_path):
    random = np.random.default_rng(5)
    host_ns = 10**14 + np.cumsum(random.integers(1_000_000, 90_000_000, 80))
    path = tmp_path / "S01-001.mp4"
    table = _write(path, host_ns, [picture_of(n) for n in range(80)])
    wanted = [round(int(ns - host_ns[0]) * TICKS_PER_SECOND / 1e9) for ns in host_ns]
    found, _ = _demuxed(path)

    assert found == wanted == table["pts"]
    assert find_problems(table, "media") == []
    assert table["video_sha256"] == sha256_of(path)
    assert [number_of(frame.rgb()) for frame in read_video(path)] == list(range(80))


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=50))
def test_stamps_increase_and_stay_within_a_tick_for_frames_a_tick_apart(steps_ns):
    host_ns = np.cumsum(np.array(steps_ns, np.int64)) + 10**15
    pts = media_pts(host_ns)
    exact = (host_ns - host_ns[0]) * 90_000 / 1e9

    assert pts[0] == 0
    assert (np.diff(pts) > 0).all()
    assert (pts - exact >= -0.51).all()
    if (np.diff(host_ns) > 12_000).all():
        assert np.abs(pts - exact).max() <= 0.51


def test_times_that_go_backwards_are_refused():
    with pytest.raises(InvalidArray, match="arrival times that never go backwards"):
        media_pts(np.array([5, 4]))
    with pytest.raises(InvalidArray, match="needs at least one frame"):
        media_pts(np.array([], np.int64))


@pytest.mark.parametrize("period_ms", [8, 33, 400, 1500])
def test_a_browser_can_jump_to_any_second(tmp_path, period_ms):
    count = max(6, 3000 // period_ms)
    host_ns = np.arange(count) * period_ms * 1_000_000
    path = tmp_path / "S01-001.mp4"
    _write(path, host_ns, [picture_of(n) for n in range(count)])
    _, keys = _demuxed(path)
    widest = max(b - a for a, b in pairwise(keys))

    assert widest <= max(TICKS_PER_SECOND, period_ms * 90)


def test_the_index_stands_before_the_pictures(tmp_path):
    path = tmp_path / "S01-001.mp4"
    _write(path, np.arange(10) * 33_000_000, [picture_of(n) for n in range(10)])
    content = path.read_bytes()

    assert 0 < content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize(
    ("layout", "codec"),
    [("yuv420p", "libx264"), ("yuvj420p", "mjpeg"), ("yuv420p10le", "libx264"), ("gray", "ffv1")],
)
def test_frames_of_any_layout_are_passed_on_in_their_colors(tmp_path, layout, codec):
    source = make_video(tmp_path / "color.mkv", 12, codec=codec, layout=layout)
    path = tmp_path / "S01-001.mp4"
    _write(path, np.arange(12) * 33_000_000, read_video(source))
    shown = [frame.rgb().astype(int) for frame in read_video(path)]
    before = [frame.rgb().astype(int) for frame in read_video(source)]

    assert [number_of(picture) for picture in shown] == list(range(12))
    assert np.abs(shown[3][30:] - before[3][30:]).mean() < 6
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"


def test_turned_and_odd_pictures_become_upright_and_even(tmp_path):
    source = make_video(tmp_path / "color.mkv", 6, layout="yuv444p", size=(65, 49))
    path = tmp_path / "S01-001.mp4"
    table = _write(
        path, np.arange(6) * 33_000_000, read_video(source, rotation_degrees=90), (49, 65)
    )
    upright = next(read_video(source, rotation_degrees=90)).rgb().astype(int)
    shown = next(read_video(path)).rgb().astype(int)

    assert (table["width"], table["height"]) == (48, 64)
    assert np.abs(shown - upright[:64, :48]).mean() < 8


def test_too_few_or_too_many_frames_leave_no_file(tmp_path):
    path = tmp_path / "S01-001.mp4"
    for count in (3, 5):
        with pytest.raises(InvalidArray, match="frames"):
            _write(path, np.arange(4) * 33_000_000, [picture_of(n) for n in range(count)])

    assert list(tmp_path.iterdir()) == []


def test_an_error_while_writing_leaves_what_was_there(tmp_path):
    path = tmp_path / "S01-001.mp4"
    _write(path, np.arange(4) * 33_000_000, [picture_of(n) for n in range(4)])
    before = sha256_of(path)

    def failing():
        yield picture_of(0)
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        _write(path, np.arange(4) * 33_000_000, failing())

    assert sha256_of(path) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["S01-001.json", "S01-001.mp4"]


def test_a_single_frame_is_a_video_too(tmp_path):
    path = tmp_path / "S01-001.mp4"
    table = _write(path, [77], [picture_of(9)])

    assert table["pts"] == [0]
    assert [number_of(frame.rgb()) for frame in read_video(path)] == [9]
