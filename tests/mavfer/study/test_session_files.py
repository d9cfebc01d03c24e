"""Files that are, or are no longer, what they were when a take was finished."""

from __future__ import annotations

import hashlib

import pytest

from mavfer.study.session import Session
from mavfer.study.session_files import (
    FileReport,
    bytes_to_hash,
    compare_files,
    describe_files,
    recorded_files,
)

CONTENT = {"color.mkv": b"pictures", "streams.h5": b"stamps and counts"}


@pytest.fixture
def session(tmp_path):
    """A session of two small files, and others that may change."""
    for name, content in {**CONTENT, "subject.json": b"{}", ".lock": b""}.items():
        (tmp_path / name).write_bytes(content)
    return Session(tmp_path, {"files": describe_files(tmp_path)})


def test_files_of_frames_are_described_by_size_and_hash_and_others_are_not(session):
    described = session.document["files"]

    assert described == {
        name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in CONTENT.items()
    }
    assert compare_files(session) == recorded_files(described)
    assert {file.state for file in compare_files(session).values()} == {"as recorded"}


def test_one_changed_byte_is_told_unless_hashes_are_left_out(session):
    (session.folder / "streams.h5").write_bytes(b"stamps and Counts")
    thorough, quick = compare_files(session), compare_files(session, is_quick=True)

    assert {name: file.state for name, file in thorough.items()} == {
        "color.mkv": "as recorded",
        "streams.h5": "changed",
    }
    assert thorough["streams.h5"].sha256 == hashlib.sha256(b"stamps and Counts").hexdigest()
    assert quick["streams.h5"] == FileReport("not compared", 17, None)


@pytest.mark.parametrize("is_quick", [False, True])
def test_another_size_and_a_missing_file_are_told_without_hashes(session, is_quick):
    (session.folder / "color.mkv").write_bytes(b"picture")
    (session.folder / "streams.h5").unlink()
    files = compare_files(session, is_quick=is_quick)

    assert files == {
        "color.mkv": FileReport("changed", 7, None),
        "streams.h5": FileReport("missing", None, None),
    }


def test_a_session_without_hashes_has_nothing_to_compare(session):
    assert compare_files(Session(session.folder, {})) == {}


def test_hashing_tells_how_far_it_is(session):
    told = []
    compare_files(session, advance=told.append)

    assert sum(told) == bytes_to_hash(session.folder) == sum(map(len, CONTENT.values()))


def test_what_progress_raises_ends_the_hashing_of_all_files(tmp_path):
    for name in ("color.mkv", "streams.h5"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(64 << 20)
    told = []

    def interrupt(count):
        told.append(count)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        describe_files(tmp_path, interrupt)

    assert sum(told) <= 2 << 20  # a block of each file at most
