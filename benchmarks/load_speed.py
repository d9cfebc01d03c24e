"""How fast clips come out of shards, how large shards are, and how fast they are written.

Against HDF5 with gzip, WebDataset, and video (torchcodec, FFV1), each made from the same pixels and
each read by PyTorch's DataLoader with two workers; ours by its own loader with two threads. All
take turns within each round. Clips of 32 frames, batches of 4, three streams of 224x224.

    python benchmarks/load_speed.py [--quick] [--study FOLDER]

Peers come with `pip install 'mavfer[bench]'`, PyTorch with `pip install 'mavfer[train]'`;
torchcodec needs the libraries of FFmpeg from the system (Debian: apt-get install ffmpeg). What is
missing is left out. Counting the CPU time of workers needs Linux.
"""
# ruff: noqa: E402 (threads are told how many they are before numpy loads)

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import cv2
import h5py
import numpy as np
from peers import gzip_hdf5, ours, torchcodec_video, webdataset_tar
from peers.content import LIGHTINGS, existing_or_new
from peers.loading import data_loader
from peers.measuring import Rates, rate_of_batches, rate_of_clips

import mavfer
from mavfer.errors import NotFound
from mavfer.files import write_jsonl
from mavfer.streams import STREAM_NAMES
from mavfer.study.shard_index import read_index, rebuild_index
from mavfer.study.shard_writer import ShardHeader, ShardWriter
from mavfer.study.study import Study, software_versions

PLACES = 20_000
PACKAGES = ("torch", "webdataset", "torchcodec", "av", "opencv-python")


class Contest:
    """Everybody who reads clips, with files of the same pixels."""

    def __init__(self, root: Path, files: Path, seconds: float):
        self.root, self.seconds = root, seconds
        self.recordings = list(mavfer.load(root, labels=None))
        self.places = ours.places(root, PLACES)
        self.sizes = {}
        self.rates = Rates()
        self._files = files
        self._turns = {
            "ours": lambda: self._rate_ours("random"),
            "ours_aligned": lambda: self._rate_ours("group"),
        }
        self._enter_gzip()
        self._enter_webdataset()
        self._enter_torchcodec()

    def run(self, rounds: int) -> None:
        """Rounds in which all take turns."""
        for _ in range(rounds):
            for name, turn in self._turns.items():
                self.rates.add(name, turn())

    def _rate_ours(self, start):
        return rate_of_batches(ours.batches(self.root, start), self.seconds)

    def _rate_loader(self, dataset, **options):
        with data_loader(dataset, **options) as batches:
            return rate_of_batches(batches, self.seconds)

    def _enter_gzip(self):
        folder = self._files / "gzip"
        self.sizes["gzip_hdf5"] = gzip_hdf5.write(self.recordings, folder)
        clips = gzip_hdf5.Clips(folder, self.places)
        _require_same(clips[0], self.recordings, self.places[0], STREAM_NAMES)
        if _has("torch", "mavfer[train]"):
            order = range(len(clips))
            self._turns["gzip_hdf5"] = lambda: self._rate_loader(clips, order=order)

    def _enter_webdataset(self):
        if not (_has("torch", "mavfer[train]") and _has("webdataset", "mavfer[bench]")):
            return
        folder = self._files / "webdataset"
        self.sizes["webdataset"] = webdataset_tar.write(self.recordings, folder)
        self._turns["webdataset"] = lambda: self._rate_loader(
            webdataset_tar.clips(folder), batch_size=None
        )

    def _enter_torchcodec(self):
        package = f"mavfer[bench], and the system package {torchcodec_video.SYSTEM_PACKAGE}"
        if not (_has("torch", "mavfer[train]") and _has("torchcodec.decoders", package)):
            return
        folder = self._files / "video"
        self.sizes["torchcodec_ffv1"] = torchcodec_video.write(self.recordings, folder)
        clips = torchcodec_video.Clips(folder, self.places)
        _require_same(clips[0], self.recordings, self.places[0], ("depth", "thermal"))
        order = range(len(clips))
        bare = torchcodec_video.ColorReader(folder, self.places)
        own = ours.ColorReader(self.root, self.places)
        self._turns |= {
            "torchcodec_ffv1": lambda: self._rate_loader(
                torchcodec_video.Clips(folder, self.places), order=order
            ),
            "torchcodec_color": lambda: rate_of_clips(bare.read, self.seconds),
            "ours_color": lambda: rate_of_clips(own.read, self.seconds),
        }

    def ratios(self) -> dict[str, float]:
        """Ours over theirs in clips a second, of those who took part."""
        pairs = {
            "gzip_hdf5": ("ours", "gzip_hdf5"),
            "gzip_hdf5_aligned": ("ours_aligned", "gzip_hdf5"),  # any start is the same to gzip
            "webdataset": ("ours", "webdataset"),
            "torchcodec_ffv1": ("ours", "torchcodec_ffv1"),
        }
        found = {}
        for key, (own, peer) in pairs.items():
            if peer in self.rates:
                found |= {f"{key}_{c}": self.rates.ratio(own, peer, c) for c in ("wall", "cpu")}
                found[key] = found[f"{key}_wall"]
        if "torchcodec_color" in self.rates:
            found["torchcodec_color_cpu"] = self.rates.ratio(
                "ours_color", "torchcodec_color", "cpu"
            )
        return found


def _has(module: str, extra: str) -> bool:
    try:
        __import__(module)
    except (ImportError, OSError, RuntimeError) as error:  # torchcodec without FFmpeg: the latter
        reason = str(error).strip().partition("\n")[0]
        print(f"without {module} ({reason}): install {extra}", file=sys.stderr)
        return False
    return True


def _require_same(clip, recordings, place, names):
    """Stops where a peer's clip is not what was recorded."""
    session, first = place
    recording = next(r for r in recordings if r.session == session)
    for name in names:
        expected = recording.stream(name)[first : first + ours.LENGTH]
        assert np.array_equal(clip[name], expected), (name, place)


def sizes(contest: Contest) -> dict[str, float]:
    """Bytes of the files over bytes of the pixels, apart by light."""
    values = {}
    for lighting in LIGHTINGS:
        chosen = [r for r in contest.recordings if r.info["settings"]["lighting"] == lighting]
        raw = sum(_raw_bytes(r) for r in chosen)
        own = sum(r.shard.path.stat().st_size for r in chosen)
        values[f"{lighting}_size_over_raw"] = own / raw
        for peer, found in contest.sizes.items():
            values[f"{lighting}_{peer}_size_over_raw"] = sum(found[r.session] for r in chosen) / raw
        values[f"{lighting}_size_over_gzip"] = own / sum(
            contest.sizes["gzip_hdf5"][r.session] for r in chosen
        )
    return values


def _raw_bytes(recording) -> int:
    streams = [recording.stream(name) for name in STREAM_NAMES]
    return sum(int(np.prod(s.shape)) * s.dtype.itemsize for s in streams)


def write_again(root: Path, folder: Path) -> dict[str, float]:
    """A study in `folder` whose shards today's writer wrote from those in `root`.

    Gives MB of pixels a CPU second that shards take in, and with their reading back at the end.
    """
    study = Study.create(folder, name="again")
    recordings = list(mavfer.load(root, labels=None))
    _write_again(recordings[0], study)  # compiles what is not compiled yet
    taking, total = zip(*(_write_again(r, study) for r in recordings), strict=True)
    rebuild_index(study)
    megabytes = sum(map(_raw_bytes, recordings)) / 1e6
    return {
        "writer_mb_per_cpu_second": megabytes / sum(taking),
        "writer_and_read_back_mb_per_cpu_second": megabytes / sum(total),
    }


def _write_again(recording, study: Study) -> tuple[float, float]:
    """CPU seconds until all frames are taken, and until the shard is whole."""
    kept = ("session", "subject", "kind", "alignment", "inputs_sha256", "settings")
    header = ShardHeader(**{key: recording.info[key] for key in kept})
    pixels = [recording.stream(name)[:] for name in STREAM_NAMES]
    masks = {f"{name}_mask": _mask(recording, name) for name in ("depth", "thermal")}
    with h5py.File(recording.shard.path) as file:
        columns = {name: column[:] for name, column in file["frames"].items()}
    begun = time.process_time()
    with ShardWriter(study.shards_folder / f"{recording.session}.h5", header) as writer:
        writer.append(*pixels, **masks)
        taken = time.process_time()
        writer.finish(columns)
    return taken - begun, time.process_time() - begun


def _mask(recording, name):
    try:
        return recording.shard.mask(name, range(len(recording)))
    except NotFound:
        return None


def open_time(root: Path, folder: Path) -> dict[str, float]:
    """CPU milliseconds of mavfer.load for a study of 1,000 sessions, the best of five."""
    study = Study.create(folder, name="thousand")
    line = read_index(Study.open(root))[0]
    lines = []
    study.shards_folder.mkdir(exist_ok=True)
    for number in range(1000):
        path = study.shards_folder / f"S{number:04d}-001.h5"
        path.touch()
        status = path.stat()
        identity = {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "file": path.name}
        lines.append(line | identity | {"session": path.stem, "subject": path.stem[:-4]})
    write_jsonl(study.index_path, lines)
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        assert len(mavfer.load(folder)) == 1000
        seconds.append(time.process_time() - begun)
    return {"open_1000_sessions_cpu_ms": 1000 * min(seconds)}


def first_batch(root: Path) -> dict[str, float]:
    """`ours.first_batch` in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(ours.first_batch, root, 20).result()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 short sessions, one round")
    parser.add_argument("--study", type=Path, help="keep the simulated study here and use it again")
    options = parser.parse_args()
    sessions, frames, rounds, seconds = (2, 64, 1, 1.0) if options.quick else (4, 300, 5, 3.0)
    cv2.setNumThreads(1)
    with existing_or_new(options.study, sessions=sessions, frames=frames) as (origin, files):
        root = files / "again"
        values = write_again(origin, root) | first_batch(root)
        contest = Contest(root, files, seconds)
        contest.run(rounds)
        values |= contest.rates.values() | sizes(contest)
        values |= open_time(root, files / "thousand")
    result = {"benchmark": "load_speed", "ratios": contest.ratios(), "values": values}
    print(json.dumps({**result, "versions": software_versions(*PACKAGES)}))


if __name__ == "__main__":
    main()
