"""Labels inside of shards: nothing moves, everything reads back, damage is told."""

import re
import subprocess
import sys

import h5py
import numpy as np
import pytest

import mavfer
from mavfer.errors import ChecksumMismatch, InvalidFile, NotFound
from mavfer.study.labels import label_to_release, read_label, read_label_traces
from mavfer.study.shard_labels import ShardLabel, read_shard_label, write_shard_labels
from mavfer.study.shards import Shard

DIMENSIONS = ("arousal", "valence")
FRAMES = 40

FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from mavfer.errors import DataError
from mavfer.study.shard_labels import ShardLabel, write_shard_labels
columns = {name: np.zeros(40, "f4") for name in ("a", "b", "c")}
label = ShardLabel(columns, {"text": "x" * 3000})
target = Path(sys.argv[1] + ".copy")
content = Path(sys.argv[1]).read_bytes()
path = Path(sys.argv[1])
for limit in map(int, sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        target.write_bytes(content); write_shard_labels(target, {"gold": label, "mean": label})
    except DataError as error:
        print(error)
"""


@pytest.fixture
def labelled(study, shard_factory):
    """The study, its first session with a label that has gaps and expressions."""
    values = [None if i % 5 == 0 else i / 50 for i in range(FRAMES)]
    classes = [None if i % 3 == 0 else i % 2 for i in range(FRAMES)]
    shard_factory.write_label(study, "S01-001", arousal=values, expression=classes)
    return study


def put_inside(study, session="S01-001", names=("gold",)):
    labels = {n: label_to_release(study, n, session, FRAMES, DIMENSIONS) for n in names}
    write_shard_labels(study.shard_path(session), labels)
    return labels


def test_no_byte_of_the_shard_is_moved_or_changed(labelled):
    path = labelled.shard_path("S01-001")
    before = Shard(path)
    indexes = {name: before.streams[name].table.copy() for name in before.streams}
    pixels = {name: before.read(name, range(FRAMES)) for name in before.streams}
    size = path.stat().st_size
    put_inside(labelled)
    after = Shard(path)
    after.verify()

    assert path.stat().st_size > size
    for name, table in indexes.items():
        np.testing.assert_array_equal(after.streams[name].table, table)
        np.testing.assert_array_equal(after.read(name, range(FRAMES)), pixels[name])


def test_the_index_still_tells_where_hdf5_keeps_each_frame(labelled):
    path = labelled.shard_path("S01-001")
    put_inside(labelled)
    with h5py.File(path) as file:
        offsets = {}
        file["color"].id.chunk_iter(lambda c: offsets.update({c.chunk_offset[0]: c.byte_offset}))

    assert [offsets[row] for row in range(FRAMES)] == list(
        Shard(path).streams["color"].table["offset"]
    )


def test_what_is_read_without_the_folder_is_what_was_read_with_it(labelled):
    with_folder = read_label(labelled, "gold", "S01-001", FRAMES, DIMENSIONS)
    traces, document = read_label_traces(labelled, "gold", "S01-001")
    put_inside(labelled)
    labelled.labels_folder.rename(labelled.root / "elsewhere")
    inside = read_label(labelled, "gold", "S01-001", FRAMES, DIMENSIONS)
    traces_inside, document_inside = read_label_traces(labelled, "gold", "S01-001")

    assert document_inside == document
    np.testing.assert_array_equal(inside.expression, with_folder.expression)
    for name in DIMENSIONS:
        np.testing.assert_array_equal(inside.values[name], with_folder.values[name])
        np.testing.assert_array_equal(traces_inside[name].raters, traces[name].raters)
        np.testing.assert_allclose(traces_inside[name].value, traces[name].value, rtol=1e-6)


def test_the_folder_comes_before_what_is_inside(labelled, shard_factory):
    put_inside(labelled)
    shard_factory.write_label(labelled, "S01-001", arousal=[0.25] * FRAMES)

    label = read_label(labelled, "gold", "S01-001", FRAMES, DIMENSIONS)
    assert set(label.values["arousal"]) == {np.float32(0.25)}


def test_a_shard_with_labels_says_so_in_the_index(labelled, shard_factory):
    shard_factory.write_label(labelled, "S01-001", name="mean")
    assert "labels" not in mavfer.load(labelled.root)["S01-001"].info

    put_inside(labelled, names=("gold", "mean"))

    recordings = mavfer.load(labelled.root)
    assert recordings["S01-001"].info["labels"] == ["gold", "mean"]
    assert "labels" not in recordings["S02-001"].info


def test_a_label_that_is_nowhere_is_told_with_the_verb_that_makes_it(labelled):
    put_inside(labelled)

    with pytest.raises(NotFound, match=r"labels.mean.S01-001\.csv: no such label. Make it: mavfer"):
        read_label(labelled, "mean", "S01-001", FRAMES, DIMENSIONS)
    with pytest.raises(NotFound, match=r"S01-001\.h5: no label 'mean' inside"):
        read_shard_label(labelled.shard_path("S01-001"), "mean")


def test_a_label_that_changed_is_not_given_out(labelled):
    path = labelled.labels_folder / "gold" / "S01-001.csv"
    path.write_text(path.read_text().replace("0.02", "0.03"))

    with pytest.raises(ChecksumMismatch, match=r"S01-001\.csv: changed since the label was made"):
        label_to_release(labelled, "gold", "S01-001", FRAMES, DIMENSIONS)


def test_changed_bytes_of_a_label_are_told(labelled):
    path = labelled.shard_path("S01-001")
    put_inside(labelled)
    with h5py.File(path) as file:
        place = file["labels/gold/arousal"].id.get_chunk_info(0).byte_offset
    with path.open("r+b") as handle:
        handle.seek(place + 9)
        handle.write(b"\x55")

    with pytest.raises(ChecksumMismatch, match="/labels/gold/arousal changed since it was written"):
        Shard(path).verify()
    with pytest.raises(ChecksumMismatch, match="/labels/gold/arousal changed since it was written"):
        read_shard_label(path, "gold")


def test_labels_of_another_length_or_without_a_document_are_told(study):
    short = ShardLabel({"arousal": np.zeros(7, np.float32)}, {"format": "mavfer.label"})
    first, second = study.shard_path("S01-001"), study.shard_path("S02-001")
    write_shard_labels(first, {"gold": short})
    write_shard_labels(second, {"gold": short})
    with h5py.File(second, "r+") as file:
        del file["documents/labels/gold"]

    with pytest.raises(InvalidFile, match=r"/labels/gold/arousal is \(7,\), must be \(40,\)"):
        Shard(first).verify()
    with pytest.raises(InvalidFile, match="label 'gold' has 7 rows, not 40"):
        read_label(study, "gold", "S01-001", FRAMES, DIMENSIONS)
    with pytest.raises(InvalidFile, match="label 'gold' has no document"):
        Shard(second).verify()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limit")
def test_a_full_disk_is_told_wherever_it_strikes(study):
    path = study.shard_path("S01-001")
    size = path.stat().st_size
    limits = range(size + 1, size + 10_000, 700)
    command = [sys.executable, "-c", FULL_DISK, str(path), *map(str, limits)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(limits)
    for line in done.stdout.splitlines():
        assert re.fullmatch(
            r".*S01-001\.h5\.copy: cannot be written \(File too large\)\. Free.*", line
        )
