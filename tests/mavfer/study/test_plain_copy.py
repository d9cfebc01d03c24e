"""Plain copies: the same pixels, for readers that have no plugin and no mavfer."""

import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pytest

import mavfer
from mavfer.errors import DataError, InvalidFile
from mavfer.study.labels import label_to_release
from mavfer.study.plain_copy import verify_plain_copy, write_plain_copy
from mavfer.study.shard_labels import write_shard_labels
from mavfer.study.shards import Shard

BARE_READER = """
import sys
import h5py
with h5py.File(sys.argv[1]) as file:
    print(file["color"][:].sum(dtype="u8"), file["depth"][:].sum(dtype="u8"))
    print(file["masks/depth"][:].sum(), file["labels/gold/arousal"].shape)
    print("hdf5plugin" in sys.modules)
"""

FULL_DISK = """
import resource, sys
from pathlib import Path
from mavfer.errors import DataError
from mavfer.study.plain_copy import write_plain_copy
path = Path(sys.argv[1])
for limit in map(int, sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write_plain_copy(path, Path(f"{path}.{limit}"))
    except DataError as error:
        print(error)
"""


@pytest.fixture
def shard(shard_factory, tmp_path):
    """A shard of every stream with masks, three groups, the last one short, and a label."""
    study = shard_factory.make_study(tmp_path / "study", {"S01-001": {"frames": 19, "masks": True}})
    shard_factory.write_label(study, "S01-001", 19)
    label = label_to_release(study, "gold", "S01-001", 19, ["arousal", "valence"])
    write_shard_labels(study.shard_path("S01-001"), {"gold": label})
    return Shard(study.shard_path("S01-001"))


@pytest.fixture
def plain(shard, tmp_path):
    write_plain_copy(shard.path, tmp_path / "S01-001.h5")
    return tmp_path / "S01-001.h5"


def test_pixels_masks_columns_and_labels_are_those_of_the_shard(shard, plain):
    verify_plain_copy(plain)
    with h5py.File(plain) as file:
        for name in shard.streams:
            np.testing.assert_array_equal(file[name][:], shard.read(name, range(19)))
        for name in ("depth", "thermal"):
            np.testing.assert_array_equal(file[f"masks/{name}"][:], shard.mask(name, range(19)))
        for name in file["frames"]:
            assert file["frames"][name][:].tobytes() == shard.column(name).tobytes()

        assert file.attrs["profile"] == "plain"
        assert "pixels stand as they are" in file.attrs["formula"]
        assert set(file["labels/gold"]) > {"arousal", "valence", "arousal_raters"}
        assert "index" not in file


def test_only_filters_that_every_hdf5_has_are_used_one_frame_a_chunk(plain):
    with h5py.File(plain) as file:
        for name in ("color", "depth", "thermal", "masks/depth"):
            dataset = file[name]

            assert (dataset.compression, dataset.compression_opts, dataset.shuffle) == (
                "gzip",
                4,
                True,
            )
            assert dataset.chunks == (1, *dataset.shape[1:])


def test_a_reader_without_plugins_reads_it(shard, plain):
    command = [sys.executable, "-c", BARE_READER, str(plain)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    color, depth = (shard.read(name, range(19)).sum(dtype="u8") for name in ("color", "depth"))

    assert done.stdout.splitlines() == [
        f"{color} {depth}",
        f"{shard.mask('depth', range(19)).sum()} (19,)",
        "False",
    ]


def test_the_same_shard_gives_the_same_bytes(shard, plain, tmp_path):
    write_plain_copy(shard.path, tmp_path / "again.h5")

    assert (tmp_path / "again.h5").read_bytes() == plain.read_bytes()


def test_a_plain_copy_in_a_shards_place_says_what_it_is(shard, plain):
    shutil.copyfile(plain, shard.path)

    with pytest.raises(InvalidFile, match=r"a plain copy for readers without mavfer\."):
        Shard(shard.path).read("color", range(1))
    with pytest.raises(InvalidFile, match="not a valid shard file"):
        mavfer.load(shard.path.parents[1])


def test_nothing_is_written_over(shard, plain):
    with pytest.raises(DataError, match="cannot be written"):
        write_plain_copy(shard.path, plain)
    verify_plain_copy(plain)


def test_a_torn_copy_is_told(plain):
    plain.write_bytes(plain.read_bytes()[:-400])

    with pytest.raises(InvalidFile, match=r"S01-001\.h5"):
        verify_plain_copy(plain)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limit")
def test_a_full_disk_is_told_wherever_it_strikes(shard, plain):
    size = plain.stat().st_size
    limits = [int(size * share) for share in (0.001, 0.2, 0.6, 0.9, 0.97, 0.999)]
    command = [sys.executable, "-c", FULL_DISK, str(shard.path), *map(str, (*limits, size))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    reason = r"cannot be written \(File too large\)\. Free space, then run again"
    assert done.stderr == ""
    for line, limit in zip(done.stdout.splitlines(), limits, strict=True):
        assert re.fullmatch(rf".*S01-001\.h5\.{limit}: {reason}", line)
