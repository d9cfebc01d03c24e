"""HDF5 as most people write it: gzip at h5py's default level 4, one frame a chunk."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from mavfer.streams import STREAM_NAMES
from peers.ours import LENGTH

__all__ = ["Clips", "write"]


def write(recordings, folder: Path) -> dict[str, int]:
    """Files with the pixels of the recordings; bytes of each session."""
    folder.mkdir()
    for recording in recordings:
        with h5py.File(folder / f"{recording.session}.h5", "w") as file:
            for name in STREAM_NAMES:
                pixels = recording.stream(name)[:]
                chunks = (1, *pixels.shape[1:])
                file.create_dataset(name, data=pixels, chunks=chunks, compression="gzip")
    return {path.stem: path.stat().st_size for path in folder.iterdir()}


class Clips:
    """Map-style: clip n is read from a file that each worker opens once, frame by frame.

    Frame by frame is a little faster than one slice of 32 frames, which h5py gathers chunk by chunk
    as well.
    """

    def __init__(self, folder: Path, places: list[tuple[str, int]]):
        self._folder, self._places = folder, places
        self._files: dict[str, h5py.File] = {}

    def __len__(self):
        return len(self._places)

    def __getitem__(self, number):
        session, first = self._places[number]
        if session not in self._files:
            self._files[session] = h5py.File(self._folder / f"{session}.h5")
        return {name: self._frames(self._files[session][name], first) for name in STREAM_NAMES}

    @staticmethod
    def _frames(dataset, first):
        frames = np.empty((LENGTH, *dataset.shape[1:]), dataset.dtype)
        for turn in range(LENGTH):
            frames[turn] = dataset[first + turn]
        return frames
