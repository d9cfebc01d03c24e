"""What tells tables and frames from changed ones."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from archive_factory import archive_by_hand

from mavfer.files import sha256_of
from mavfer.study.fingerprints import (
    fingerprint_of_streams,
    holds_what_was_archived,
    pixels_sha256,
    tables_sha256,
)
from mavfer.study.streams_file import event_row, open_streams, stamp_row
from mavfer.study.streams_writer import StreamsWriter

FRAMES = [np.arange(12, dtype=np.uint16).reshape(3, 4) * number for number in range(5)]


def _write(path, *, host_ns=10, gain=1.0, names=("gain_db",), event="started"):
    with StreamsWriter(
        path, "S01-001", {"depth": (3, 4), "thermal": (3, 4)}, {"depth": names}
    ) as writer:
        for number, counts in enumerate(FRAMES):
            stamp = stamp_row(host_ns=host_ns, device_ns=0, domain=0, frame_number=number)
            writer.append_frame("color", None, stamp)
            writer.append_frame("depth", counts, stamp, (gain,) * len(names))
            writer.append_frame("thermal", counts, stamp)
        writer.append_row("/events", event_row(7, event, ""))


def _tables(path):
    with open_streams(path) as file:
        return tables_sha256(file)


@pytest.mark.parametrize(
    "change",
    [{"host_ns": 11}, {"gain": 1.5}, {"names": ("gain",)}, {"event": "stopped"}],
    ids=lambda change: next(iter(change)),
)
def test_any_table_that_changes_changes_the_hash(tmp_path, change):
    _write(tmp_path / "one.h5")
    _write(tmp_path / "same.h5")
    _write(tmp_path / "other.h5", **change)

    assert _tables(tmp_path / "one.h5") == _tables(tmp_path / "same.h5")
    assert _tables(tmp_path / "one.h5") != _tables(tmp_path / "other.h5")


def test_the_hash_of_pixels_is_that_of_their_bytes(tmp_path):
    path = tmp_path / "streams.h5"
    _write(path)
    counted = []
    with open_streams(path) as file:
        found = pixels_sha256(file.frames("depth"), counted.append)

    assert found == hashlib.sha256(b"".join(counts.tobytes() for counts in FRAMES)).hexdigest()
    assert counted == [1] * len(FRAMES)


def test_an_archived_file_is_known_by_what_it_was_until_something_changes(tmp_path):
    path = tmp_path / "streams.h5"
    _write(path)
    before = sha256_of(path)
    archive_by_hand(path)
    with open_streams(path) as file:
        is_same = holds_what_was_archived(file, file.note, is_quick=False)

    assert is_same
    assert fingerprint_of_streams(path) == before
    video = tmp_path / "depth.mkv"
    content = video.read_bytes()
    video.write_bytes(content[:-1])
    changed = fingerprint_of_streams(path)
    video.unlink()

    assert len({before, changed, fingerprint_of_streams(path)}) == 3
