"""LZ4 blocks, compressed and decompressed.

A block of LZ4 is a row of sequences: a token with two lengths, literal bytes, the distance to bytes
before and how many of them to repeat. Any decoder of LZ4 reads what is written here. Own code is
worth it for bit planes: half of them are noise, which a general compressor searches in vain and
chops into matches of four bytes, and undoing those takes longer than all else that a frame needs.

Everything works on addresses: numba counts references to arrays wherever they are passed on, and
that costs more than the work itself. Callers pass arrays with `PADDING` bytes to spare, and
`decompress` answers damaged bytes by False before it would leave them.
"""
# ruff: noqa: PLR0917 (compiled functions are called by position)

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from mavfer.study.kernels.machine_words import (
    address_of,
    load1,
    load2,
    load4,
    load8,
    store1,
    store2,
    store4,
    store8,
    trailing_zeros,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "HASH_SIZE",
    "PADDING",
    "common_bytes",
    "compress",
    "decompress",
    "largest",
    "write_sequence",
]

PADDING: Final = 64
"""Bytes that arrays need beyond their content: copies are made in steps of eight."""

_HASH_BITS: Final = 15
HASH_SIZE: Final = 1 << _HASH_BITS
"""Length of the table of latest places that `compress` uses."""

_WIDE: Final = 16
_MATCH_WIDE: Final = 24
_LEAST_MATCH: Final = 4
_LONG: Final = 15
_FARTHEST: Final = 65535
# A block ends with literals: no match begins in its last 12 bytes or ends in its last 5.
_LAST_START: Final = 12
_LAST_END: Final = 5

_WORTHWHILE: Final = 6
"""Bytes a match must have to be taken: one of four saves a byte and costs two jumps."""
_SHIFT_TO_HASHED: Final = np.uint64(8 * (8 - _WORTHWHILE))
_SPREAD: Final = np.uint64(0x9E3779B185EBCA87)
"""Knuth's multiplicative hash, 64 bits."""
_DEPTH: Final = 4
"""Earlier places that are compared."""
_PATIENCE: Final = 5
"""Failures (as a power of 2) after which the search takes longer steps."""
_LONG_ENOUGH: Final = 64
"""Matches of this length are neither bettered nor learnt byte by byte."""

_EACH_BYTE: Final = np.uint64(0x0101010101010101)


@njit(cache=True, nogil=True, inline="always")
def _continued(at: int, end: int, count: int) -> tuple[int, int]:
    """A length with the bytes that continue it, and where they end."""
    if count == _LONG:
        more = 255
        while more == 255 and at < end:  # noqa: PLR2004 (the format's)
            more = load1(at)
            count += more
            at += 1
    return count, at


@njit(cache=True, nogil=True, inline="always")
def _copy_literals(at: int, to: int, stop: int, readable: int) -> None:
    """Fills `to` to `stop` from `at`; where `readable` allows in wide steps."""
    if at + (stop - to) + _WIDE > readable:
        while to < stop:
            store1(to, load1(at))
            to += 1
            at += 1
        return
    store8(to, load8(at))
    store8(to + 8, load8(at + 8))
    to += _WIDE
    at += _WIDE
    while to < stop:
        store8(to, load8(at))
        to += 8
        at += 8


@njit(cache=True, nogil=True, inline="always")
def _repeat(offset: int, to: int, stop: int) -> None:
    """Fills `to` to `stop` with what stands `offset` bytes before."""
    if offset >= 8:  # noqa: PLR2004 (bytes of a step)
        store8(to, load8(to - offset))
        store8(to + 8, load8(to + 8 - offset))
        store8(to + 16, load8(to + 16 - offset))
        to += _MATCH_WIDE
        while to < stop:
            store8(to, load8(to - offset))
            to += 8
    elif offset == 1:
        run = np.uint64(load1(to - 1)) * _EACH_BYTE
        while to < stop:
            store8(to, run)  # type: ignore[arg-type]  # an int inside of numba
            to += 8
    else:  # eight bytes one by one; from then on a multiple of the period is eight or more
        for step in range(8):
            store1(to + step, load1(to + step - offset))
        to += 8
        offset *= (7 + offset) // offset
        while to < stop:
            store8(to, load8(to - offset))
            to += 8


@njit(cache=True, nogil=True, error_model="numpy")
def decompress(at: int, end: int, readable: int, begin: int, limit: int) -> bool:
    """Whether the block from `at` to `end` fills the memory from `begin` to `limit` exactly.

    Args:
        at: Address of the block.
        end: Address after the block.
        readable: Address up to which may be read.
        begin: Address to write to.
        limit: Address after what is written; `PADDING` bytes more may be changed.
    """
    to = begin
    while at < end:
        token = load1(at)
        count, at = _continued(at + 1, end, token >> 4)
        stop = to + count
        if at + count > end or stop > limit:
            return False
        _copy_literals(at, to, stop, readable)
        at += count
        to = stop
        if at >= end:
            break
        if at + 2 > end:
            return False
        offset = load2(at)
        count, at = _continued(at + 2, end, token & _LONG)
        stop = to + count + _LEAST_MATCH
        if offset == 0 or to - offset < begin or stop > limit:
            return False
        _repeat(offset, to, stop)
        to = stop
    return to == limit


def largest(size: int) -> int:
    """Bytes that `size` bytes may need at most (LZ4's own bound), with room for wide copies."""
    return size + size // 255 + 16 + PADDING


@njit(cache=True, nogil=True, inline="always")
def _hash(address: int) -> int:
    word = load8(address) << _SHIFT_TO_HASHED
    return int(np.int64((word * _SPREAD) >> np.uint64(64 - _HASH_BITS)))


@njit(cache=True, nogil=True, inline="always")
def common_bytes(earlier: int, later: int, stop: int) -> int:
    """Equal bytes from two addresses on, the later one not reaching `stop`."""
    at = later
    while at + 8 <= stop:
        difference = load8(earlier + at - later) ^ load8(at)
        if difference:
            return at - later + int(np.int64(trailing_zeros(difference)) >> 3)
        at += 8
    while at < stop and load1(earlier + at - later) == load1(at):
        at += 1
    return at - later


@njit(cache=True, nogil=True, inline="always")
def _find(
    base: int, place: int, stop: int, least: int, latest: int, earlier: int
) -> tuple[int, int]:
    """Length and distance of the longest match above `least` bytes, else (0, 0)."""
    best, distance = least, 0
    at = load4(latest + 4 * _hash(base + place)) - 1
    left = _DEPTH
    while left > 0 and at >= 0 and place - at <= _FARTHEST:
        left -= 1
        if load1(base + at + best) == load1(base + place + best):
            count = common_bytes(base + at, base + place, stop)
            if count > best:
                best, distance = count, place - at
        at = load4(earlier + 4 * at) - 1
    return (best, distance) if distance else (0, 0)


@njit(cache=True, nogil=True, inline="always")
def _learn(base: int, place: int, latest: int, earlier: int) -> None:
    """Remembers a place for later searches; 0 stands for none."""
    entry = latest + 4 * _hash(base + place)
    before = load4(entry)
    if before != place + 1:
        store4(earlier + 4 * place, before)
        store4(entry, place + 1)


@njit(cache=True, nogil=True, inline="always")
def _write_length(to: int, count: int) -> int:
    while count >= 255:  # noqa: PLR2004 (the format's)
        store1(to, 255)
        to += 1
        count -= 255
    store1(to, count)
    return to + 1


@njit(cache=True, nogil=True)
def write_sequence(at: int, literals: int, offset: int, length: int, to: int) -> int:
    """Writes one sequence and answers where the next begins; no match where `length` is 0."""
    token, to = to, to + 1
    first = min(literals, _LONG)
    if first == _LONG:
        to = _write_length(to, literals - _LONG)
    step = 0
    while step < literals:
        store8(to + step, load8(at + step))
        step += 8
    to += literals
    second = 0
    if length:
        store2(to, offset)
        to += 2
        second = min(length - _LEAST_MATCH, _LONG)
        if second == _LONG:
            to = _write_length(to, length - _LEAST_MATCH - _LONG)
    store1(token, first << 4 | second)
    return to


@njit(cache=True, nogil=True)
def compress(base: int, size: int, to: int, tables: NDArray[np.int32]) -> int:
    """Address after the LZ4 block written to `to`, which has room for `largest(size)` bytes.

    Greedy with one step of looking ahead; where nothing is found the steps grow.

    Args:
        base: Address of the bytes, with `PADDING` readable bytes behind them.
        size: How many.
        to: Address to write to.
        tables: int32 (HASH_SIZE + size,) or longer, overwritten.
    """
    tables[:HASH_SIZE] = 0
    latest = address_of(tables)
    earlier = latest + 4 * HASH_SIZE
    place = pending = failures = 0
    stop = base + size - _LAST_END
    last = size - _LAST_START
    while place <= last:
        length, distance = _find(base, place, stop, _WORTHWHILE - 1, latest, earlier)
        _learn(base, place, latest, earlier)
        if not length:
            failures += 1
            place += 1 + (failures >> _PATIENCE)
            continue
        if length < _LONG_ENOUGH and place < last:
            longer, farther = _find(base, place + 1, stop, length + 1, latest, earlier)
            if longer:
                place, length, distance = place + 1, longer, farther
        while (
            place > pending
            and place > distance
            and load1(base + place - 1) == load1(base + place - distance - 1)
        ):
            place, length = place - 1, length + 1
        to = write_sequence(base + pending, place - pending, distance, length, to)
        pending = place + length
        step = 1 if length < _LONG_ENOUGH else 4
        place += 1
        while place < pending and place < last:
            _learn(base, place, latest, earlier)
            place += step
        place, failures = pending, 0
    return int(write_sequence(base + pending, size - pending, 0, 0, to))
