"""From the writer to the batch: shards and loader under kills, damage, full disks and restarts."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from shard_trials import (
    factory,
    flip_anywhere,
    flip_each_frame,
    kill_indexers,
    kill_releases,
    kill_writers,
    read_batches,
    sequence,
    small_study,
)

import mavfer
from mavfer.cli import run
from mavfer.errors import InvalidFile, NotFound, WrongVersion
from mavfer.study.shard_writer import ShardWriter
from mavfer.study.shards import Shard
from mavfer.study.splits import read_split

KILLS, BATCHES = 6, 300
ALL = factory.ALL
SESSIONS = ("S01-001", "S01-002", "S02-001")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Clips of three sessions. Do not change them."""
    study = small_study(tmp_path_factory.mktemp("clips") / "study", SESSIONS, frames=60)
    return mavfer.load(study.root, labels=None).clips(length=4, hop=3, start="random", seed=11)


@pytest.fixture
def study(tmp_path):
    return small_study(tmp_path / "study", SESSIONS)


def test_killed_writers_leave_nothing_that_is_listed(tmp_path):
    kill_writers(tmp_path / "study", KILLS)


def test_an_index_whose_making_was_killed_is_what_it_would_have_been(tmp_path):
    kill_indexers(tmp_path / "study", KILLS)


def test_a_killed_release_is_not_there_or_whole(tmp_path):
    kill_releases(tmp_path, 3)


def test_a_flipped_byte_of_every_frame_is_told_with_session_stream_and_frame(tmp_path):
    assert flip_each_frame(tmp_path / "study", frames=9) == 5 * 9


def test_a_flipped_bit_anywhere_is_told_or_changes_nothing(tmp_path):
    told, _ = flip_anywhere(tmp_path / "study", 30)

    assert told > 0


FULL_DISKS = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from shard_trials import factory
from mavfer.errors import DataError
path, pixels = Path(sys.argv[2]), factory.faces(20, 32, 32)
factory.write_shard(path, pixels, masks=True, at_once=3)
size = path.stat().st_size
for share in range(0, 100, 5):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size * share // 100, resource.RLIM_INFINITY))
    try:
        factory.write_shard(path, pixels, masks=True, at_once=3, profile="small")
    except DataError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limit")
def test_a_full_disk_is_told_wherever_it_strikes_and_the_old_shard_stays(tmp_path):
    path, shared = tmp_path / "S01-001.h5", Path(__file__).parent / "shared"
    command = [sys.executable, "-c", FULL_DISKS, str(shared), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()

    assert (done.returncode, done.stderr) == (0, "")
    assert len(lines) >= 15
    assert all(re.search(r"S01-001\.h5: cannot be written \(File too large\)", x) for x in lines)
    assert [entry.name for entry in tmp_path.iterdir()] == ["S01-001.h5"]
    with h5py.File(path) as file:
        assert file.attrs["profile"] == b"fast"


def test_somebody_elses_full_disk_is_not_taken_for_the_shards(tmp_path):
    def record():
        with ShardWriter(tmp_path / "S01-001.h5", factory.header()) as writer:
            writer.append(*factory.faces(8))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left"):
        record()
    assert list(tmp_path.iterdir()) == []


def test_memory_descriptors_and_threads_stay_bounded(tmp_path):
    early, late = read_batches(tmp_path / "study", BATCHES, warm_up=150, sessions=70)

    assert late <= 1.02 * early


def test_the_sequence_does_not_depend_on_threads(clips):
    loaders = [clips.loader(batch_size=5, threads=threads) for threads in (1, 2, 4)]

    assert len({sequence(loader) for loader in loaders}) == 1


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_the_sequence_of_all_ranks_together_is_that_of_one(clips, world_size):
    alone = [name_of(batch, 0) for batch in clips.loader(batch_size=1)]
    ranks = [
        [name_of(batch, 0) for batch in clips.loader(batch_size=1, rank=r, world_size=world_size)]
        for r in range(world_size)
    ]
    together = [ranks[n % world_size][n // world_size] for n in range(len(alone))]

    assert together == alone
    assert len(alone) == len(clips)


@pytest.mark.parametrize(("world_size", "threads"), [(1, 1), (2, 2), (4, 4)])
def test_the_sequence_goes_on_after_a_stop_at_every_third_batch(clips, world_size, threads):
    options = {"batch_size": 2, "world_size": world_size, "rank": world_size - 1}
    whole = [name_of(b, n) for b in clips.loader(**options) for n in range(len(b["session"]))]
    names, state = [], clips.loader(**options).state_dict()
    while state["epoch"] == 0:
        loader = clips.loader(threads=threads, **options)
        loader.load_state_dict(state)
        for number, batch in enumerate(loader, start=1):
            names += [name_of(batch, n) for n in range(len(batch["session"]))]
            if number == 3:
                break
        state = loader.state_dict()

    assert names == whole


def name_of(batch, number):
    """A hash over session, start and pixels of one clip of a batch."""
    return sequence([{key: batch[key][number : number + 1] for key in ("session", "start", *ALL)}])


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4")  # on two cores
def test_the_sequence_does_not_depend_on_the_workers_of_a_dataloader(clips):
    torch = pytest.importorskip("torch.utils.data")
    expected = sequence(clips.loader(batch_size=5, shuffle=False))
    for workers in (0, 1, 2, 4):
        loader = torch.DataLoader(clips, batch_size=5, num_workers=workers)

        assert sequence(loader) == expected, workers


def test_a_shard_of_a_newer_version_says_what_to_install(study):
    mavfer.load(study.root, labels=None)
    with h5py.File(study.shard_path("S01-002"), "r+") as file:
        file.attrs["version"] = 2

    with pytest.raises(WrongVersion, match=r"S01-002\.h5: shard version 2, .* Update mavfer"):
        mavfer.load(study.root, labels=None)
    assert run(["check", str(study.root)]) == 1


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.999])
def test_a_cut_off_shard_is_told_by_name(study, share):
    mavfer.load(study.root, labels=None)
    path = study.shard_path("S01-002")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])

    with pytest.raises(InvalidFile, match=r"S01-002\.h5: cannot be opened as HDF5; it is torn"):
        mavfer.load(study.root, labels=None)
    recording = mavfer.load(study.root, labels=None, verify="none")["S01-002"]
    with pytest.raises(InvalidFile, match=r"S01-002\.h5: cannot be opened as HDF5; it is torn"):
        recording.color[0]


@pytest.mark.parametrize("field", ["offset", "length"])
def test_an_index_that_points_outside_of_the_file_is_told_by_frame(study, field):
    with h5py.File(study.shard_path("S02-001"), "r+") as file:
        table = file["index/depth_mask"][:]
        table[field][7] = 2**31
        file["index/depth_mask"][...] = table
    recording = mavfer.load(study.root, labels=None)["S02-001"]

    with pytest.raises(InvalidFile, match="mask of depth frame 7: the index points to byte"):
        recording.color[0]


def test_a_mask_without_an_index_is_refused(study):
    with h5py.File(study.shard_path("S02-001"), "r+") as file:
        del file["index/depth_mask"]

    with pytest.raises(InvalidFile, match=r"'/index/depth_mask' is a dependency of '/masks/depth'"):
        mavfer.load(study.root, labels=None)


def test_a_listed_shard_that_is_gone_is_told_with_the_way_out(study):
    mavfer.load(study.root, labels=None)
    study.shard_path("S01-002").unlink()

    with pytest.raises(
        NotFound, match=r"S01-002\.h5: listed in index\.jsonl but missing\. Restore"
    ):
        mavfer.load(study.root, labels=None)


def test_a_label_of_another_frame_count_is_told_by_the_loader(study):
    factory.write_label(study, "S01-002", frames=19)
    clips = mavfer.load(study.root).clips(length=4, hop=4)

    with pytest.raises(InvalidFile, match=r"S01-002.*19.*20"):
        list(clips.loader(shuffle=False))


def test_a_subject_in_two_folds_is_refused(study):
    folds = [{"train": ["S01"], "val": ["S02"], "test": ["S01"]}]
    factory.write_split(study, folds)

    with pytest.raises(InvalidFile, match=r"S01"):
        read_split(study, "default")
    with pytest.raises(InvalidFile, match=r"S01"):
        mavfer.load(study.root, labels=None, split="train")


def test_pixels_stay_exact_whatever_is_appended_at_a_time(tmp_path):
    pixels = factory.faces(17)
    for at_once in (1, 3, 8, 17):
        path = tmp_path / f"S{at_once:02d}-001.h5"
        factory.write_shard(path, pixels, masks=True, at_once=at_once)
        shard = Shard(path)

        for name, expected in zip(ALL, pixels, strict=True):
            np.testing.assert_array_equal(shard.read(name, range(17)), expected)
            if name != "color":
                np.testing.assert_array_equal(shard.mask(name, range(17)), expected > 0)
