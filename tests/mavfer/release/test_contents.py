from dataclasses import FrozenInstanceError, replace

import pytest


def test_subjects_and_streams_are_those_of_the_released_sessions(contents):
    assert contents.subjects == ("S01", "S02", "V01")
    assert contents.simulated_subjects == ("V01",)
    assert contents.streams == ("color", "depth", "thermal")
    assert [line["session"] for line in contents.of_stream("depth")] == [
        "S01-001",
        "S02-001",
        "V01-001",
    ]


def test_totals_are_sums_over_sessions(contents):
    assert contents.frames == 1500
    assert contents.total("carried_frames") == 60
    assert contents.size == 1000 * len(contents.files)
    assert contents.seconds == pytest.approx((3 * 299 + 599) / 30)


def test_the_median_length_leaves_stills_out(contents):
    still = {**contents.lines[0], "session": "S03-001", "kind": "stills", "seconds": 0.0}
    with_still = replace(contents, lines=(*contents.lines, still))
    only_still = replace(contents, lines=(still,))

    assert with_still.median_seconds == contents.median_seconds == pytest.approx(299 / 30)
    assert only_still.median_seconds == 0.0


def test_files_below_a_folder_are_not_those_of_folders_that_begin_alike(contents):
    found = [file.path for file in contents.files_below("shards")]

    assert len(found) == 5
    assert not contents.files_below("shard")


def test_contents_cannot_be_changed(contents):
    with pytest.raises(FrozenInstanceError, match="version"):
        contents.version = "2"
