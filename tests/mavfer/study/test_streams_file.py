"""streams.h5: opened whole or torn, its frames within it or beside it."""

from __future__ import annotations

import numpy as np
import pytest
from archive_factory import archive_by_hand

from mavfer.errors import ChecksumMismatch, InvalidFile, NotFound
from mavfer.schema import load_schema
from mavfer.study.hdf5 import describe, open_hdf5
from mavfer.study.streams_file import (
    DROPS,
    EVENTS,
    MARKERS,
    TIMES,
    open_streams,
    read_frame,
    stamp_row,
)
from mavfer.study.streams_writer import StreamsWriter, copy_streams, write_color_times

SHAPES = {"depth": (6, 8), "thermal": (4, 5)}


def _counts(number, shape):
    return np.random.default_rng(number).integers(0, 65536, shape, dtype=np.uint16)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "streams.h5"
    with StreamsWriter(path, "S01-001", SHAPES, {"depth": ["gain_db"]}) as writer:
        for number in range(20):
            stamp = stamp_row(host_ns=number * 10, device_ns=0, domain=0, frame_number=number)
            writer.append_frame("color", None, stamp)
            writer.append_frame("depth", _counts(number, (6, 8)), stamp, (number / 2,))
            writer.append_frame("thermal", _counts(number, (4, 5)), stamp)
    return path


@pytest.fixture(params=["within", "beside"])
def either(request, path):
    """The same file, recorded and archived."""
    if request.param == "beside":
        archive_by_hand(path)
    return path


def test_frames_are_read_alike_within_the_file_and_beside_it(either):
    with open_streams(either) as file:
        for stream, shape in SHAPES.items():
            frames = file.frames(stream)
            for row in (0, 1, 2, 19, 3, 3, 18, 0):
                assert np.array_equal(read_frame(frames, row), _counts(row, shape))
            assert frames.shape == (20, *shape)
            assert file.count_frames(stream) == 20
        assert not file.has_frames("color")
        assert file.count_frames("color") == 0
        assert file["/depth/details"][:, 0].tolist() == [number / 2 for number in range(20)]
        assert file["/thermal/times"]["host_ns"].tolist() == list(range(0, 200, 10))


def test_frames_beside_the_file_come_back_into_it(path):
    with open_streams(path) as file:
        packed = {stream: file.packed_bytes(stream) for stream in SHAPES}
    archive_by_hand(path)
    whole = path.with_name("whole.h5")
    with open_streams(path) as file:
        assert {stream: file.packed_bytes(stream) for stream in SHAPES} == packed
        rows = {"color": 20, "depth": 20, "thermal": 20}
        copy_streams([(file, rows)], whole)
    with open_hdf5(whole) as file:
        for stream, shape in SHAPES.items():
            wanted = [_counts(number, shape) for number in range(20)]
            assert np.array_equal(file[f"/{stream}/frames"][:], wanted)
            assert f"/{stream}/checksums" not in file


def test_a_video_that_is_missing_or_cut_off_counts_for_nothing(path):
    archive_by_hand(path)
    depth, thermal = path.with_name("depth.mkv"), path.with_name("thermal.mkv")
    depth.unlink()
    thermal.write_bytes(thermal.read_bytes()[:-100])
    with open_streams(path) as file:
        assert file.count_frames("depth") == 0
        assert file.count_frames("thermal") == 0
        with pytest.raises(NotFound, match=r"depth\.mkv: no such file"):
            file.frames("depth")


def test_a_video_with_other_frames_is_told(path):
    archive_by_hand(path)
    depth = path.with_name("depth.mkv")
    depth.write_bytes(path.with_name("thermal.mkv").read_bytes())
    with open_streams(path) as file:
        frames = file.frames("depth")
        with pytest.raises(ChecksumMismatch, match=r"depth\.mkv: frame 3 is not what was recorded"):
            read_frame(frames, 3)


def test_a_torn_file_is_told_as_such(path, tmp_path):
    path.write_bytes(path.read_bytes()[:900])

    with (
        pytest.raises(InvalidFile, match=r"streams\.h5: cannot be opened as HDF5"),
        open_streams(path),
    ):
        pass
    with pytest.raises(NotFound, match="no such file"), open_streams(tmp_path / "none.h5"):
        pass


def test_a_file_of_another_format_is_refused(tmp_path):
    path = tmp_path / "streams.h5"
    write_color_times(path, "S01-001", np.zeros(3, TIMES))
    with open_hdf5(path) as file:
        described = describe(file)

    assert described["attributes"]["session"] == "S01-001"
    path.unlink()
    write_color_times(path, "not a session", np.zeros(3, TIMES))
    with pytest.raises(InvalidFile, match="not a valid streams file"), open_streams(path):
        pass


def test_the_tables_are_those_of_the_schema():
    members = load_schema("streams")["properties"]["members"]["properties"]
    tables = {"/color/times": TIMES, "/markers": MARKERS, "/drops": DROPS, "/events": EVENTS}
    for name, dtype in tables.items():
        wanted = members[name]["properties"]["dtype"]["const"]
        found = {
            field: f"S{dtype[field].itemsize}" if dtype[field].kind == "S" else dtype[field].name
            for field in dtype.names
        }

        assert found == wanted
