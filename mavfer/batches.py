"""Batches of clips, decoded by threads into buffers that are used again.

Worker processes would cost more than the decoding itself: a batch of four clips of 32 frames is 45
MB, and fresh memory for it, shared with another process, takes 14 ms a clip. Decompression, checks
and numpy's arithmetic run outside of Python's lock, so threads do.
"""

from __future__ import annotations

import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["ClipOrder", "ClipSource", "Loader", "empty_array"]

Batch = dict[str, Any]


class ClipSource(Protocol):
    """What a loader needs of clips."""

    seed: int

    def __len__(self) -> int: ...

    def order(self, epoch: int, *, shuffle: bool) -> NDArray[np.int64]:
        """Numbers of all clips as an epoch goes through them (N,)."""

    def empty_batch(self, count: int) -> Batch:
        """Arrays for `count` clips."""

    def read_into(self, index: int, batch: Batch, place: int, *, epoch: int) -> None:
        """Writes one clip, as it is in `epoch`, into row `place` of a batch."""


class ClipOrder:
    """Numbers of clips in the order of (seed, epoch): a sampler for torch's DataLoader.

    It counts what it has handed out, and a DataLoader with workers asks ahead of what was trained
    on: give `state_dict` the number of clips that are done.
    """

    def __init__(self, clips: ClipSource, *, shuffle: bool, rank: int, world_size: int) -> None:
        _require_rank(rank, world_size)
        self.clips = clips
        self.shuffle = shuffle
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        self._begin = 0

    def __len__(self) -> int:
        return len(range(self._begin + self.rank, len(self.clips), self.world_size))

    def __iter__(self) -> Iterator[int]:
        order = self.clips.order(self.epoch, shuffle=self.shuffle)[self._begin :]
        return iter(order[self.rank :: self.world_size].tolist())

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch, from its beginning; clips with random starts need it told too."""
        self.epoch, self._begin = epoch, 0

    def state_dict(self, done: int) -> dict[str, int]:
        """Where the sampler stands once this process is done with `done` clips of the epoch."""
        position = self._begin + done * self.world_size
        return {"seed": self.clips.seed, "epoch": self.epoch, "position": position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Lets the next loop go on from where `state` was taken; a loader's state serves as well.

        Raises:
            CommandError: The state belongs to clips with another seed.
        """
        _require_seed(state, self.clips.seed)
        self.epoch, self._begin = state["epoch"], state["position"]


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
        _require_rank(rank, world_size)
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
        _require_seed(state, self.clips.seed)
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


def empty_array(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """Zeros for a batch; pinned, so that copies to the GPU run beside, where torch has one.

    torch is asked only where the program has imported it.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        kind = getattr(torch, dtype)
        pinned: NDArray[Any] = torch.zeros(shape, dtype=kind, pin_memory=True).numpy()
        return pinned
    return np.zeros(shape, dtype)


def _require_rank(rank: int, world_size: int) -> None:
    if not 0 <= rank < world_size:
        message = f"loader: rank {rank} of world_size {world_size}"
        raise CommandError(message)


def _require_seed(state: dict[str, int], seed: int) -> None:
    if state["seed"] != seed:
        message = f"loader: state of seed {state['seed']}, the clips have {seed}"
        raise CommandError(message)
