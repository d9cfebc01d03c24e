"""Takes and their chunks in the database: begun, added to, finished, told.

Every function here either refuses before it writes or writes all of it, so that the changes of
many raters can share one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from sqlalchemy import func, insert, select, update

from annotator_web.refusals import Refusal
from annotator_web.store.database import chunks, takes
from annotator_web.store.samples import names_of, unpack
from mavfer.study.study import utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Connection

__all__ = [
    "MOST_CHUNKS",
    "MOST_TAKES",
    "Chunk",
    "Purpose",
    "Take",
    "add_chunk",
    "begin_take",
    "find_takes",
    "finish_take",
    "require_take",
    "samples_of",
    "state_of",
]

Purpose = Literal["rating", "repeat", "practice", "calibration"]

MOST_CHUNKS: Final = 100_000
"""Chunks a take may have: a day of one a second."""

MOST_TAKES: Final = 999
"""Takes a rater may begin of one session."""

_SHOWN_MISSING: Final = 1_000


@dataclass(frozen=True)
class Take:
    """One time a rater rates a session."""

    id: str
    rater: int
    session: str
    number: int
    """Take of this rater and session, from 1."""
    dimensions: tuple[str, ...]
    client: dict[str, Any]
    """What the browser said of itself."""
    purpose: Purpose
    """Why it was given; repeats are hidden from raters and never count."""
    scale: dict[str, Any]
    """Dimension to {"kind", "low", "high"} as it was when the take began."""
    video_sha256: str | None
    contiguous: int
    """Chunks held without a gap from the first."""
    finished_utc: str | None
    chunks: int | None
    """Chunks that the finished take has."""
    samples: int | None
    """Samples that the finished take has."""

    @property
    def is_finished(self) -> bool:
        """Whether the server has confirmed the whole of it."""
        return self.finished_utc is not None


@dataclass(frozen=True)
class Chunk:
    """One second or so of samples, packed."""

    seq: int
    samples: int
    last_media_time: float
    blob: bytes


def begin_take(connection: Connection, take: str, row: Mapping[str, Any]) -> Take:
    """Begins the next take of a rater and session.

    Args:
        connection: A writing one.
        take: The new take's id.
        row: rater, session, dimensions, client, purpose, scale, video_sha256.

    Raises:
        Refusal: 409 where the rater began too many.
    """
    last = select(func.max(takes.c.number)).where(
        takes.c.rater == row["rater"], takes.c.session == row["session"]
    )
    number = (connection.execute(last).scalar() or 0) + 1
    if number > MOST_TAKES:
        message = f"session {row['session']}: {MOST_TAKES} takes were begun"
        raise Refusal(409, "too_many_takes", message, "Go on with one of them")
    values = {**row, "id": take, "number": number, "contiguous": 0, "created_utc": utc_now()}
    connection.execute(insert(takes).values(values))
    return require_take(connection, take, row["rater"])


def find_takes(connection: Connection, rater: int, session: str | None = None) -> list[Take]:
    """The takes of one rater and session, oldest first; those of all sessions where it is None."""
    query = select(*_TAKE_COLUMNS).where(takes.c.rater == rater)
    if session is not None:
        query = query.where(takes.c.session == session)
    order = takes.c.created_utc, takes.c.session, takes.c.number
    return [_take(row) for row in connection.execute(query.order_by(*order))]


def require_take(connection: Connection, take: str, rater: int) -> Take:
    """The take, if it is this rater's.

    Raises:
        Refusal: 404 where it is not; whether another rater has it is nobody's business.
    """
    query = select(*_TAKE_COLUMNS).where(takes.c.id == take, takes.c.rater == rater)
    row = connection.execute(query).first()
    if row is None:
        message = f"take {take[:40]}: not one of yours"
        raise Refusal(404, "no_such_take", message, "Begin one with POST /api/v1/takes")
    return _take(row)


def add_chunk(connection: Connection, take: Take, chunk: Chunk) -> int:
    """Stores a chunk, once; returns the number of chunks held without a gap.

    Raises:
        Refusal: 409 where the number is taken by other samples, or the take is finished.
    """
    held = connection.execute(
        select(chunks.c.blob).where(chunks.c.take == take.id, chunks.c.seq == chunk.seq)
    ).scalar()
    query = select(takes.c.contiguous, takes.c.finished_utc).where(takes.c.id == take.id)
    contiguous, finished_utc = connection.execute(query).one()
    if held is not None:
        _require_same(take, chunk, held)
        return int(contiguous)
    if finished_utc is not None:
        message = f"take {take.id} is finished; chunk {chunk.seq} came too late"
        raise Refusal(409, "finished", message, "Begin a new take")
    row = {
        "take": take.id,
        "seq": chunk.seq,
        "samples": chunk.samples,
        "last_media_time": chunk.last_media_time,
        "blob": chunk.blob,
    }
    connection.execute(insert(chunks), row)
    if chunk.seq != contiguous:
        return int(contiguous)
    contiguous = _end_of_run(connection, take.id, chunk.seq)
    connection.execute(update(takes).where(takes.c.id == take.id), {"contiguous": contiguous})
    return contiguous


def finish_take(
    connection: Connection,
    take: Take,
    *,
    chunk_count: int,
    sample_count: int,
    client: Mapping[str, Any] | None = None,
) -> None:
    """Finishes a take of which everything is held; finishing it again is no change.

    Args:
        connection: A writing one.
        take: The take.
        chunk_count: Chunks that were sent.
        sample_count: Samples that were sent.
        client: What the browser says of itself in the end, added to what it said at the beginning.

    Raises:
        Refusal: 409 with the missing numbers where chunks lack, or where the counts differ.
    """
    query = select(func.count(), func.sum(chunks.c.samples)).where(chunks.c.take == take.id)
    held_chunks, held_samples = connection.execute(query).one()
    take = require_take(connection, take.id, take.rater)
    if take.contiguous < chunk_count:
        missing = _missing(connection, take.id, chunk_count)
        message = f"take {take.id}: {chunk_count - held_chunks} of {chunk_count} chunks lack"
        hint = "Send the missing chunks, then finish again"
        raise Refusal(409, "incomplete", message, hint, missing=missing)
    if (held_chunks, held_samples or 0) != (chunk_count, sample_count):
        message = (
            f"take {take.id}: {held_chunks} chunks with {held_samples or 0} samples are held, "
            f"{chunk_count} with {sample_count} were said"
        )
        raise Refusal(409, "counts_differ", message, "Count again what was sent", missing=[])
    if not take.is_finished:
        row = {
            "finished_utc": utc_now(),
            "chunks": chunk_count,
            "samples": sample_count,
            "client": {**take.client, **(client or {})},
        }
        connection.execute(update(takes).where(takes.c.id == take.id), row)


def state_of(connection: Connection, take: Take) -> dict[str, Any]:
    """What a client needs to go on with a take: GET /api/v1/takes/ID."""
    query = select(
        func.max(chunks.c.seq), func.count(), func.coalesce(func.sum(chunks.c.samples), 0)
    ).where(chunks.c.take == take.id)
    last, held, samples = connection.execute(query).one()
    count = 0 if last is None else last + 1
    return {
        "take": take.id,
        "session": take.session,
        "number": take.number,
        "dimensions": list(take.dimensions),
        "scale": take.scale,
        "state": "finished" if take.is_finished else "open",
        "contiguous": take.contiguous,
        "missing": _missing(connection, take.id, count) if held < count else [],
        "chunks": count,
        "samples": samples,
        **_last_of(connection, take),
    }


def _last_of(connection: Connection, take: Take) -> dict[str, Any]:
    """Where the chunks without a gap end: time, frame and the values held there."""
    names = names_of(take.dimensions)
    query = select(chunks.c.blob).where(
        chunks.c.take == take.id, chunks.c.seq == take.contiguous - 1
    )
    blob = connection.execute(query).scalar()
    if blob is None:
        return {"media_time": 0.0, "frame": None, "values": dict.fromkeys(take.dimensions)}
    columns = unpack(blob, names)
    last = dict(zip(names, map(_last_known, columns), strict=True))
    return {
        "media_time": float(columns[0, -1]),
        "frame": None if last["frame"] is None else int(last["frame"]),
        "values": {name: last[name] for name in take.dimensions},
    }


def _last_known(column: NDArray[np.float64]) -> float | None:
    known = column[~np.isnan(column)]
    return float(known[-1]) if len(known) else None


def samples_of(connection: Connection, take: str, names: Sequence[str]) -> NDArray[np.float64]:
    """All samples of a take in the order of its chunks, (columns, N); `names` as in `unpack`."""
    query = select(chunks.c.blob).where(chunks.c.take == take).order_by(chunks.c.seq)
    blocks = [unpack(blob, names) for (blob,) in connection.execute(query)]
    return np.concatenate(blocks, axis=1) if blocks else np.empty((len(names), 0))


def _require_same(take: Take, chunk: Chunk, held: bytes) -> None:
    names = names_of(take.dimensions)
    if held == chunk.blob:
        return
    if not np.array_equal(unpack(held, names), unpack(chunk.blob, names), equal_nan=True):
        message = f"take {take.id}: chunk {chunk.seq} is held with other samples"
        raise Refusal(409, "chunk_differs", message, "Send new samples under a new number")


def _end_of_run(connection: Connection, take: str, seq: int) -> int:
    """The first number from `seq` on that is not held."""
    numbers = connection.execute(
        select(chunks.c.seq)
        .where(chunks.c.take == take, chunks.c.seq >= seq)
        .order_by(chunks.c.seq)
    )
    end = seq
    for (number,) in numbers:
        if number != end:
            break
        end += 1
    return end


def _missing(connection: Connection, take: str, count: int) -> list[int]:
    """Numbers below `count` that are not held; the first thousand."""
    query = select(chunks.c.seq).where(chunks.c.take == take)
    held = {seq for (seq,) in connection.execute(query)}
    missing = (seq for seq in range(count) if seq not in held)
    return [seq for _, seq in zip(range(_SHOWN_MISSING), missing, strict=False)]


_TAKE_COLUMNS: Final = (
    takes.c.id,
    takes.c.rater,
    takes.c.session,
    takes.c.number,
    takes.c.dimensions,
    takes.c.client,
    takes.c.purpose,
    takes.c.scale,
    takes.c.video_sha256,
    takes.c.contiguous,
    takes.c.finished_utc,
    takes.c.chunks,
    takes.c.samples,
)


def _take(row: Any) -> Take:
    values = row._asdict()
    values["dimensions"] = tuple(values["dimensions"])
    return Take(**values)
