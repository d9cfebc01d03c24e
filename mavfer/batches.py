"""Batches of clips, decoded by threads into buffers that are used again.

Worker processes would cost more than the decoding itself: a batch of four clips of 32 frames is 45
MB, and fresh memory for it, shared with another process, takes 14 ms a clip. Decompression, checks
and numpy's arithmetic run outside of Python's lock, so threads do.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ClipSource", "Loader"]

Batch = dict[str, Any]


class ClipSource(Protocol):
    """What a loader needs of clips."""

    seed: int

    def order(self, epoch: int, *, shuffle: bool) -> NDArray[np.int64]:
        """Numbers of all clips as an epoch goes through them (N,)."""

    def empty_batch(self, count: int) -> Batch:
        """Arrays for `count` clips."""

    def read_into(self, index: int, batch: Batch, place: int, *, epoch: int) -> None:
        """Writes one clip, as it is in `epoch`, into row `place` of a batch."""


class Loader:
    """Goes through the clips once for every `for batch in loader`, then on to the next epoch.

    A batch is a dict of arrays (B, T, …) that lives until the next one is asked for. The order
    depends on the clips' seed and the epoch only, not on threads, world size or interruptions.
    """

    def __init__(
        self,
        clips: ClipSource,
        *,
        batch_size: int,
        threads: int,
        prefetch: int,
        shuffle: bool,
        rank: int,
        world_size: int,
        drop_last: bool,
    ) -> None:
        least = {"batch_size": (batch_size, 1), "threads": (threads, 1), "prefetch": (prefetch, 0)}
        for name, (value, lowest) in least.items():
            if value < lowest:
                message = f"loader: {name} is {value}, must be {lowest} or more"
                raise CommandError(message)
        if not 0 <= rank < world_size:
            message = f"loader: rank {rank} of world_size {world_size}"
            raise CommandError(message)
        self.clips = clips
        self.batch_size, self.threads, self.prefetch = batch_size, threads, prefetch
        self.shuffle, self.drop_last = shuffle, drop_last
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        self._position = 0
        self._resume_at = 0

    def __len__(self) -> int:
        """Batches a whole epoch."""
        return len(self._batches(0, 0))

    def __iter__(self) -> Iterator[Batch]:
        begin, self._resume_at = self._resume_at, 0
        self._position = begin
        epoch = self.epoch
        batches = self._batches(epoch, begin)
        with _Ring(self.clips, self.batch_size, self.threads, self.prefetch) as ring:
            for number, batch in enumerate(ring.run(batches, epoch), start=1):
                self._position = begin + number * self.batch_size * self.world_size
                yield batch
        self.epoch = epoch + 1
        self._position = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch of the next loop."""
        self.epoch = epoch

    def state_dict(self) -> dict[str, int]:
        """Where the loader stands, counted over all processes; batches handed out are done."""
        return {"seed": self.clips.seed, "epoch": self.epoch, "position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Lets the next loop go on from where `state` was taken.

        Raises:
            CommandError: The state belongs to clips with another seed.
        """
        if state["seed"] != self.clips.seed:
            message = f"loader: state of seed {state['seed']}, the clips have {self.clips.seed}"
            raise CommandError(message)
        self.epoch = state["epoch"]
        self._resume_at = self._position = state["position"]

    def _batches(self, epoch: int, begin: int) -> list[NDArray[np.int64]]:
        """Clips of this process from `begin` on, cut into batches."""
        order = self.clips.order(epoch, shuffle=self.shuffle)[begin:]
        if self.drop_last:
            whole = self.batch_size * self.world_size
            order = order[: len(order) // whole * whole]
        own = order[self.rank :: self.world_size]
        return [own[at : at + self.batch_size] for at in range(0, len(own), self.batch_size)]


class _Ring:
    """Buffers in turn: one is with the reader, the others are being filled."""

    def __init__(self, clips: ClipSource, batch_size: int, threads: int, prefetch: int) -> None:
        self._clips = clips
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mavfer-clips")
        self._free = [clips.empty_batch(batch_size) for _ in range(prefetch + 1)]

    def __enter__(self) -> _Ring:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, batches: list[NDArray[np.int64]], epoch: int) -> Iterator[Batch]:
        """The batches in order; an exception of a thread comes out here."""
        under_way: deque[tuple[Batch, int, list[Future[None]]]] = deque()
        left = iter(batches)
        self._fill(under_way, left, epoch)
        while under_way:
            buffers, count, clips = under_way.popleft()
            for clip in clips:
                clip.result()
            yield buffers if count == len(buffers["start"]) else _shortened(buffers, count)
            self._free.append(buffers)
            self._fill(under_way, left, epoch)

    def _fill(
        self,
        under_way: deque[tuple[Batch, int, list[Future[None]]]],
        left: Iterator[NDArray[np.int64]],
        epoch: int,
    ) -> None:
        """Starts a batch in every free buffer."""
        read_into = self._clips.read_into
        while self._free and (indices := next(left, None)) is not None:
            buffers = self._free.pop()
            clips = [
                self._pool.submit(read_into, int(index), buffers, place, epoch=epoch)
                for place, index in enumerate(indices)
            ]
            under_way.append((buffers, len(indices), clips))


def _shortened(batch: Batch, count: int) -> Batch:
    """The first `count` clips of a batch."""
    return {
        key: _shortened(value, count) if isinstance(value, dict) else value[:count]
        for key, value in batch.items()
    }
