"""16-bit counts in FFV1: bit for bit, in any order, and damage is told."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.errors import ChecksumMismatch, InvalidFile, NotFound
from mavfer.study.counts_video import CountsVideo, CountsVideoWriter, checksum_of


def _write(path, frames, **options):
    height, width = frames[0].shape
    with CountsVideoWriter(
        path, height=height, width=width, milliseconds_a_frame=40, **options
    ) as video:
        for counts in frames:
            video.append(counts)


def _open(path, frames, count=None):
    shape = (count or len(frames), *frames[0].shape)
    checksums = np.array([checksum_of(counts) for counts in frames], np.uint32)
    return CountsVideo(path, shape=shape, milliseconds_a_frame=40, checksums=checksums)


def _smooth_frames(count, shape=(40, 60)):
    """Frames that compress, as a scene does."""
    rows, columns = np.indices(shape)
    return [(rows * 31 + columns * 7 + n * 400).astype(np.uint16) for n in range(count)]


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(2, 40), st.integers(2, 40)),
    largest=st.sampled_from([0, 1, 255, 4095, 65535]),
    order=st.lists(st.integers(0, 6), min_size=1, max_size=12),
)
def test_any_counts_come_back_in_any_order(tmp_path_factory, seed, shape, largest, order):
    path = tmp_path_factory.mktemp("counts") / "depth.mkv"
    random = np.random.default_rng(seed)
    frames = list(random.integers(0, largest, (7, *shape), np.uint16, endpoint=True))
    _write(path, frames)
    video = _open(path, frames)
    found = [video[row] for row in order]
    video.close()

    assert all(
        np.array_equal(counts, frames[row]) for counts, row in zip(found, order, strict=True)
    )
    assert video.shape == (7, *shape)


def test_frames_are_smaller_and_the_bytes_do_not_depend_on_threads(tmp_path):
    frames = _smooth_frames(9)
    _write(tmp_path / "one.mkv", frames)
    _write(tmp_path / "four.mkv", frames, threads=4)
    one, four = _open(tmp_path / "one.mkv", frames), _open(tmp_path / "four.mkv", frames)

    assert all(np.array_equal(one[row], four[row]) for row in range(9))
    assert (tmp_path / "one.mkv").stat().st_size < sum(counts.nbytes for counts in frames) / 4
    assert (tmp_path / "one.mkv").stat().st_size == (tmp_path / "four.mkv").stat().st_size
    one.close()
    four.close()


def test_the_video_is_what_the_format_says(tmp_path):
    _write(tmp_path / "depth.mkv", _smooth_frames(5))
    with av.open(str(tmp_path / "depth.mkv")) as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]

    assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("ffv1", "gray16le")
    assert stream.codec_context.extradata  # only versions 2 and later have any
    assert all(packet.is_keyframe for packet in packets)
    assert [packet.pts for packet in packets] == [0, 40, 80, 120, 160]


def test_negative_rows_count_from_the_end_and_others_are_no_frames(tmp_path):
    frames = _smooth_frames(5)
    _write(tmp_path / "depth.mkv", frames)
    video = _open(tmp_path / "depth.mkv", frames)

    assert np.array_equal(video[-1], frames[4])
    assert len(video) == 5
    with pytest.raises(IndexError, match="out of range"):
        video[5]
    video.close()


def test_a_changed_byte_is_told_with_its_frame_and_the_others_are_read(tmp_path):
    frames = _smooth_frames(30)
    path = tmp_path / "depth.mkv"
    _write(path, frames)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)
    video = _open(path, frames)
    told = []
    for row in range(30):
        try:
            assert np.array_equal(video[row], frames[row])
        except InvalidFile as error:
            told.append(f"frame {row}" in str(error))
    video.close()

    assert 1 <= len(told) <= 2
    assert all(told)


def test_a_video_that_is_cut_off_gives_what_is_there(tmp_path):
    frames = _smooth_frames(30)
    path = tmp_path / "depth.mkv"
    _write(path, frames)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    video = _open(path, frames)

    assert np.array_equal(video[5], frames[5])
    with pytest.raises(
        InvalidFile, match=r"depth\.mkv: frame 29 .*Restore the session from a copy"
    ):
        video[29]
    assert np.array_equal(video[6], frames[6])
    video.close()


def test_what_is_not_the_video_that_was_written_is_told(tmp_path):
    frames = _smooth_frames(4)
    path = tmp_path / "depth.mkv"
    with pytest.raises(NotFound, match=r"depth\.mkv: no such file"):
        _open(path, frames)
    path.write_bytes(b"torn")
    with pytest.raises(InvalidFile, match="cannot be opened as a video"):
        _open(path, frames)
    _write(path, frames)
    others = _open(path, _smooth_frames(8)[4:])
    with pytest.raises(ChecksumMismatch, match="frame 0 is not what was recorded"):
        others[0]
    more = _open(path, [*frames, *frames])
    with pytest.raises(InvalidFile, match="frame 4 of 8 is missing"):
        more[4]
    others.close()
    more.close()
