"""What shards and loader must stand; tests/test_path_shards.py asks little, test_soak.py all."""

import hashlib
import os
import resource
import threading
from pathlib import Path

import numpy as np
import pytest
from killing import imported, kills

import mavfer
from mavfer.errors import ChecksumMismatch, MavferError
from mavfer.release.folder import remove_folder
from mavfer.release.run import release_study
from mavfer.study import descriptors
from mavfer.study.hdf5 import reading_hdf5
from mavfer.study.shard_index import read_index
from mavfer.study.shards import Shard

factory = imported("shard_factory")


def small_study(root, sessions=("S01-001",), *, frames=20, size=(12, 10), masks=True):
    """A study whose clips are quickly read."""
    height, width = size
    options = {name: {"masks": masks} for name in sessions}
    return factory.make_study(root, options, frames=frames, height=height, width=width)


def kill_writers(root, times, seed=0):
    """Kills writers of S02-001; gives how many left a part, and how many a shard before."""
    study = small_study(root)
    path = study.shard_path("S02-001")
    part = path.with_name(path.name + ".part")
    parts = shards = 0
    for _ in kills("write", study.root, times=times, seed=seed):
        parts, shards = parts + part.exists(), shards + path.exists()
        expected = ["S01-001", *["S02-001"] * path.exists()]
        assert [line["session"] for line in read_index(study)] == expected
        dataset = mavfer.load(study.root, labels=None, verify="full")
        assert dataset.sessions == expected
        if part.exists() and part.stat().st_size:
            require_whole_groups(part)
    factory.write_shard(path, factory.faces(9), at_once=5)
    Shard(path).verify()

    assert not part.exists()
    return parts, shards


def require_whole_groups(part):
    """What was killed is HDF5 with whole groups, or not yet HDF5 at all."""
    try:
        with reading_hdf5(part) as file:
            rows = {name: file[name].shape[0] for name in factory.ALL if name in file}
    except MavferError:
        return
    assert all(count % 8 == 0 or count == 30 for count in rows.values())


def kill_indexers(root, times, seed=0):
    """Kills those who make the index of shards anew."""
    study = small_study(root, [f"S{number:02d}-001" for number in range(6)])
    expected = [line | {"mtime_ns": 0} for line in read_index(study)]
    for _ in kills("index", study.root, times=times, seed=seed):
        assert [line | {"mtime_ns": 0} for line in read_index(study)] == expected


def kill_releases(folder, times, seed=0):
    """Kills releases; gives how many were whole already."""
    study = imported("release_factory").make_releasable(factory, folder / "study")
    target, whole = folder / "release", 0
    for _ in kills("release", study.root, times=times, seed=seed):
        whole += target.exists()
        if target.exists():
            mavfer.load(target, labels=None, verify="full")
    if target.exists():
        remove_folder(target)
    release_study(study.root, target)

    assert len(mavfer.load(target, labels=None, verify="full")) == 2
    assert not [path.name for path in folder.iterdir() if path.name.startswith("release.")]
    return whole


def flip_each_frame(root, frames):
    """Flips one byte of every frame and mask in turn; gives how many."""
    study = small_study(root, frames=frames)
    path = study.shard_path("S01-001")
    good, random, flips = Shard(path), np.random.default_rng(7), 0
    held = {str(n): good.read(n, range(good.frames)) for n in good.streams}
    held |= {f"mask of {n}": good.mask(n, range(good.frames)) for n in good.masks}
    for index in (*good.streams.values(), *good.masks.values()):
        for frame, (offset, length, _) in enumerate(index.table.tolist()):
            with Flipped(path, offset + int(random.integers(length)), int(random.integers(8))):
                text = f"session S01-001, {index.name} frame {frame}, byte {offset}: the bytes"
                with pytest.raises(ChecksumMismatch, match=text):
                    Shard(path).verify()
                with pytest.raises(ChecksumMismatch, match=text):
                    read_frame(Shard(path), index.name, frame)
                other = (frame + good.group_size) % good.frames
                still = read_frame(Shard(path), index.name, other)
                assert np.array_equal(still, held[index.name][other])
            flips += 1
    Shard(path).verify()
    return flips


def read_frame(shard, name, frame):
    rows = range(frame, frame + 1)
    if name.startswith("mask of "):
        return shard.mask(name.removeprefix("mask of "), rows)[0]
    return shard.read(name, rows)[0]


class Flipped:
    """One bit of a file is another one, and its times tell nothing, as when a disk forgets."""

    def __init__(self, path, offset, bit):
        self.path, self.offset, self.bit = path, offset, bit

    def __enter__(self):
        self.turn_over()

    def __exit__(self, *exception):
        self.turn_over()

    def turn_over(self):
        status = self.path.stat()
        with self.path.open("r+b") as file:
            file.seek(self.offset)
            byte = file.read(1)[0]
            file.seek(self.offset)
            file.write(bytes([byte ^ (1 << self.bit)]))
        os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        descriptors.forget(self.path)


def flip_anywhere(root, times, seed=0):
    """Flips bits anywhere in a shard; gives how often verify() told, and how often not.

    Where verify() says nothing, pixels and masks are those that were written; and whatever was
    flipped, full verification tells.
    """
    study = small_study(root)
    path = study.shard_path("S01-001")
    expected, random = all_pixels(path), np.random.default_rng(seed)
    mavfer.load(study.root, labels=None)
    told = 0
    for _ in range(times):
        place = int(random.integers(path.stat().st_size)), int(random.integers(8))
        with Flipped(path, *place):
            try:
                Shard(path).verify()
            except MavferError:
                told += 1
            else:
                assert all_pixels(path) == expected, place
            with pytest.raises(MavferError, match=r"S01-001\.h5"):
                mavfer.load(study.root, labels=None, verify="full")
    return told, times - told


def all_pixels(path):
    """Frames and masks of a shard as bytes."""
    shard = Shard(path)
    rows = range(shard.frames)
    pixels = [shard.read(name, rows) for name in shard.streams]
    pixels += [shard.mask(name, rows) for name in shard.masks]
    return [array.tobytes() for array in pixels]


def read_batches(root, batches, *, warm_up, sessions):
    """Reads batches of many sessions; gives memory in bytes after `warm_up` and at the end."""
    names = [f"S{number:03d}-001" for number in range(sessions)]
    study = small_study(root, names, frames=24, size=(16, 16), masks=False)
    clips = mavfer.load(study.root, labels=None).clips(length=4, hop=4, start="random")
    loader = clips.loader(batch_size=4, threads=2)
    segments = shared_memory()
    done, early = 0, 0
    while done < batches:
        for _ in loader:
            done += 1
            early = memory_bytes() if done == warm_up else early
            if done == batches:
                break
    open_files = len(list(Path("/proc/self/fd").iterdir()))

    assert open_files < descriptors.MAX_OPEN_FILES + 64
    assert shared_memory() == segments
    assert not [t for t in threading.enumerate() if t.name.startswith("mavfer-clips")]
    return early, memory_bytes()


def memory_bytes():
    """Memory of this process that is really there."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def shared_memory():
    """Names of shared segments that torch or Python make."""
    if not Path("/dev/shm").is_dir():
        return []
    own = (f"torch_{os.getpid()}_", "psm_")
    return sorted(path.name for path in Path("/dev/shm").iterdir() if path.name.startswith(own))


def sequence(batches):
    """A hash over session, start and pixels of clips in the order in which they come."""
    digest = hashlib.sha256()
    for batch in batches:
        for number, session in enumerate(batch["session"]):
            digest.update(f"{session} {int(batch['start'][number])};".encode())
            for stream in factory.ALL:
                digest.update(np.asarray(batch[stream][number]).tobytes())
    return digest.hexdigest()
