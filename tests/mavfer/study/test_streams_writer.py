"""streams.h5: written in SWMR mode, read while it grows, abandoned, joined and packed anew."""

from __future__ import annotations

import hdf5plugin
import numpy as np

from mavfer.study import streams_writer
from mavfer.study.hdf5 import open_hdf5
from mavfer.study.streams_file import (
    DROPS,
    MARKERS,
    detail_names,
    drop_row,
    event_row,
    open_streams,
    stamp_row,
)
from mavfer.study.streams_writer import StreamsWriter, copy_streams, has_same_packing

SHAPES = {"depth": (6, 8), "thermal": (4, 5)}


def _counts(number, shape):
    return np.random.default_rng(number).integers(0, 65536, shape, dtype=np.uint16)


def _stamp(number):
    return stamp_row(host_ns=number * 10, device_ns=number * 9, domain=0, frame_number=number)


def _fill(writer, frames):
    for number in range(frames):
        writer.append_frame("color", None, _stamp(number))
        for stream, shape in SHAPES.items():
            writer.append_frame(stream, _counts(number, shape), _stamp(number))


def test_what_is_appended_comes_back(tmp_path):
    path = tmp_path / "streams.h5"
    with StreamsWriter(path, "S01-001", SHAPES) as writer:
        _fill(writer, 20)
        writer.append_row("/markers", np.array((5, b"stimulus"), MARKERS))
        writer.append_row("/drops", np.array((1, 3, 55, 2), DROPS))
        writer.append_row("/events", event_row(7, "shutter_closed", "x" * 200, "thermal"))
    with open_streams(path) as file:
        for stream, shape in SHAPES.items():
            assert np.array_equal(
                file[f"/{stream}/frames"][:], [_counts(number, shape) for number in range(20)]
            )
            assert file[f"/{stream}/frames"].chunks == (1, *shape)
        assert file["/color/times"]["host_ns"].tolist() == list(range(0, 200, 10))
        assert file["/markers"][0]["label"] == b"stimulus"
        assert file["/events"][0]["text"] == b"x" * 128
        assert file["/drops"].shape == (1,)


def test_details_lie_beside_the_stamps_with_their_names(tmp_path):
    torn, whole = tmp_path / "torn.h5", tmp_path / "whole.h5"
    names = {"color": ("gain_db", "sensor_celsius"), "depth": ()}
    writer = StreamsWriter(torn, "S01-001", {"depth": (6, 8)}, names)
    for number in range(9):
        writer.append_frame("color", None, _stamp(number), (number / 3, np.nan))
        writer.append_frame("depth", _counts(number, (6, 8)), _stamp(number))
    writer.abandon()
    with open_streams(torn) as file:
        copy_streams([(file, {"color": 7, "depth": 8})], whole)
    with open_streams(whole) as file:
        assert detail_names(file, "color") == ("gain_db", "sensor_celsius")
        assert detail_names(file, "depth") == detail_names(file, "thermal") == ()
        assert file["/color/details"][:, 0].tolist() == [number / 3 for number in range(7)]
        assert np.isnan(file["/color/details"][:, 1]).all()
        assert "/depth/details" not in file
        assert file["/depth/times"].shape == (8,)


def test_two_files_become_one_with_the_rows_of_both(tmp_path):
    whole = tmp_path / "whole.h5"
    paths = [tmp_path / "first.h5", tmp_path / "second.h5"]
    for path, first in zip(paths, (0, 100), strict=True):
        with StreamsWriter(path, "S01-001", {"depth": (6, 8)}, {"depth": ["gain_db"]}) as writer:
            for number in range(first, first + 5):
                writer.append_frame("color", None, _stamp(number))
                writer.append_frame("depth", _counts(number, (6, 8)), _stamp(number), (number / 2,))
            writer.append_row("/drops", drop_row("depth", first + 5, 55, "link"))
    with open_streams(paths[0]) as first, open_streams(paths[1]) as second:
        parts = [(first, {"color": 5, "depth": 4}), (second, {"color": 5, "depth": 3})]
        copy_streams(parts, whole, drops=np.array([drop_row("color", 9, 1, "disk")], DROPS))
    numbers = [0, 1, 2, 3, 100, 101, 102]
    with open_streams(whole) as file:
        assert file["/color/times"].shape == (10,)
        assert file["/depth/times"]["frame_number"].tolist() == numbers
        assert np.array_equal(file["/depth/frames"][:], [_counts(n, (6, 8)) for n in numbers])
        assert file["/depth/details"][:, 0].tolist() == [n / 2 for n in numbers]
        assert file["/drops"]["frame_number"].tolist() == [5, 105, 9]


def test_frames_that_an_earlier_version_packed_are_packed_anew(tmp_path, monkeypatch):
    earlier, whole = tmp_path / "earlier.h5", tmp_path / "whole.h5"
    bit_planes = hdf5plugin.Blosc2(cname="zstd", clevel=1, filters=hdf5plugin.Blosc2.BITSHUFFLE)
    with monkeypatch.context() as patch:
        patch.setattr(streams_writer, "_PACKINGS", dict.fromkeys(SHAPES, bit_planes))
        with StreamsWriter(earlier, "S01-001", SHAPES) as writer:
            _fill(writer, 7)
    with open_streams(earlier) as file:
        copy_streams([(file, {"color": 7, "depth": 6, "thermal": 7})], whole)
        with open_streams(whole) as copy:
            same = {s: has_same_packing(file[f"/{s}/frames"], copy[f"/{s}/frames"]) for s in SHAPES}

            assert same == {"depth": False, "thermal": False}
            assert has_same_packing(copy["/depth/frames"], copy["/depth/frames"])
            for stream, count in (("depth", 6), ("thermal", 7)):
                assert np.array_equal(
                    copy[f"/{stream}/frames"][:],
                    [_counts(number, SHAPES[stream]) for number in range(count)],
                )


def test_a_file_can_be_read_while_it_grows(tmp_path):
    path = tmp_path / "streams.h5"
    with StreamsWriter(path, "S01-001", SHAPES) as writer:
        _fill(writer, 5)
        with open_hdf5(path, swmr=True) as file:
            assert file["/depth/frames"].shape[0] == 5
            assert np.array_equal(file["/depth/frames"][4], _counts(4, (6, 8)))


def test_an_abandoned_file_holds_everything_that_was_written(tmp_path):
    path = tmp_path / "streams.h5"
    writer = StreamsWriter(path, "S01-001", SHAPES)
    _fill(writer, 12)
    writer.abandon()
    writer.abandon()
    with open_streams(path) as file:
        assert file["/thermal/times"].shape == (12,)
        assert np.array_equal(file["/thermal/frames"][11], _counts(11, (4, 5)))


def test_an_abandoned_file_is_made_whole_by_copying(tmp_path):
    torn, whole = tmp_path / "torn.h5", tmp_path / "whole.h5"
    writer = StreamsWriter(torn, "S01-001", SHAPES)
    _fill(writer, 12)
    writer.append_row("/drops", np.array((1, 3, 55, 2), DROPS))
    writer.abandon()
    with open_streams(torn) as file:
        copy_streams([(file, {"color": 10, "depth": 11, "thermal": 9})], whole)
    with open_hdf5(whole) as file:
        assert [file[f"/{s}/times"].shape[0] for s in ("color", "depth", "thermal")] == [10, 11, 9]
        assert np.array_equal(file["/depth/frames"][10], _counts(10, (6, 8)))
        assert file["/drops"]["frame_number"].tolist() == [3]
