"""Ours, and the clips that everybody reads."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import mavfer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BATCH", "LENGTH", "ColorReader", "batches", "first_batch", "places"]

LENGTH, BATCH = 32, 4


def batches(root: Path, start: str) -> Iterator[dict]:
    """Batches without end, decoded by two threads; every frame may begin a clip."""
    clips = mavfer.load(root, labels=None).clips(length=LENGTH, hop=1, start=start)
    loader = clips.loader(batch_size=BATCH, threads=2, drop_last=True)
    for _ in count():
        yield from loader


def places(root: Path, number: int) -> list[tuple[str, int]]:
    """Session and first frame of `number` clips, in the order in which our loader takes them."""
    clips = mavfer.load(root, labels=None).clips(length=LENGTH, hop=1, start="random")
    found: list[tuple[str, int]] = []
    for epoch in count():
        for index in clips.order(epoch, shuffle=True):
            recording, rows = clips.locate(int(index), epoch=epoch)
            found.append((recording.session, rows.start))
            if len(found) == number:
                return found
    raise AssertionError


class ColorReader:
    """One clip's color frames at a time, no loader."""

    def __init__(self, root: Path, wanted: list[tuple[str, int]]):
        self._recordings = {r.session: r for r in mavfer.load(root, labels=None)}
        self._wanted = wanted
        self._frames = np.empty((LENGTH, 224, 224, 3), np.uint8)

    def read(self, number: int) -> np.ndarray:
        """uint8 (T, H, W, 3), overwritten by the next call."""
        session, first = self._wanted[number % len(self._wanted)]
        return self._recordings[session].color.read(range(first, first + LENGTH), self._frames)


def first_batch(root: Path, number: int) -> dict[str, float]:
    """Milliseconds from mavfer.load to the first batch, and the most memory that batches take.

    To be called in a process of its own (on Linux).
    """
    before = _memory_mb("VmRSS")
    begun = time.perf_counter()
    left = batches(root, "random")
    next(left)
    milliseconds = 1000 * (time.perf_counter() - begun)
    for _ in range(number):
        next(left)
    return {"first_batch_ms": milliseconds, "loader_peak_mb": _memory_mb("VmHWM") - before}


def _memory_mb(field: str) -> float:
    """What /proc says; getrusage would count what the parent had before it started us."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024
