"""Clips per second of wall time and of CPU time, workers included, in steady state."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Rate", "Rates", "cpu_seconds", "cpu_seconds_of", "rate_of_batches", "rate_of_clips"]

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Rate:
    """Clips a second."""

    wall: float
    cpu: float


class Rates:
    """What each contender reached, round by round."""

    def __init__(self):
        self._rounds: dict[str, list[Rate]] = {}

    def __contains__(self, name):
        return name in self._rounds

    def add(self, name: str, rate: Rate) -> None:
        """What one contender reached in one round."""
        self._rounds.setdefault(name, []).append(rate)

    def values(self) -> dict[str, float]:
        """Medians in clips a second, and the whole range over the median."""
        values = {}
        for name, rounds in self._rounds.items():
            for clock in ("wall", "cpu"):
                found = [getattr(rate, clock) for rate in rounds]
                values[f"{name}_clips_per_{clock}_second"] = median(found)
                values[f"{name}_{clock}_spread"] = (max(found) - min(found)) / median(found)
        return values

    def ratio(self, ours: str, theirs: str, clock: str) -> float:
        """How many times as many clips ours gives: median over the rounds, each a ratio."""
        pairs = zip(self._rounds[ours], self._rounds[theirs], strict=True)
        return median(getattr(a, clock) / getattr(b, clock) for a, b in pairs)


def cpu_seconds() -> float:
    """CPU time so far of this process and all that it started and that still live (Linux)."""
    return time.process_time() + sum(map(_ticks, _descendants(os.getpid()))) / _TICKS_A_SECOND


def cpu_seconds_of(pid: int) -> float:
    """CPU time so far of another process, its threads included (Linux)."""
    return _ticks(pid) / _TICKS_A_SECOND


def rate_of_batches(batches: Iterable[dict], seconds: float, *, warm_batches: int = 4) -> Rate:
    """Batches from a loader, from when it has started and while it runs on.

    One pixel of every frame is looked at, so that a batch has really come.
    """
    left: Iterator[dict] = iter(batches)
    for _ in range(warm_batches):
        _look_at(next(left))
    begun, begun_cpu, clips = time.perf_counter(), cpu_seconds(), 0
    while time.perf_counter() - begun < seconds:
        clips += _look_at(next(left))
    return Rate(clips / (time.perf_counter() - begun), clips / (cpu_seconds() - begun_cpu))


def rate_of_clips(read: Callable[[int], object], seconds: float) -> Rate:
    """Clips read one after the other by a function of their number, in this process."""
    read(0)
    begun, begun_cpu, clips = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begun < seconds:
        read(clips)
        clips += 1
    return Rate(clips / (time.perf_counter() - begun), clips / (time.process_time() - begun_cpu))


def _look_at(batch: dict) -> int:
    """Clips of the batch."""
    for name in ("color", "depth", "thermal"):
        assert batch[name][:, :, 100, 100].shape[:2] == batch["color"].shape[:2]
        int(batch[name][:, :, 100, 100].reshape(-1)[0])
    return len(batch["color"])


def _ticks(pid: int) -> int:
    try:
        # After the name, which may hold spaces, utime and stime are the 12th and 13th.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0  # ended in between
    return int(fields[11]) + int(fields[12])


def _descendants(pid: int) -> list[int]:
    found = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, listed.read_text().split()):
            found += [child, *_descendants(child)]
    return found
