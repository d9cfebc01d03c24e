import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import lz4 as reference

numba = pytest.importorskip("numba")

from mavfer.study.kernels import lz4  # noqa: E402 (needs numba)
from mavfer.study.kernels.machine_words import address_of  # noqa: E402 (needs numba)


@numba.njit
def run_compress(data, size, out, tables):
    begin = address_of(out)
    return lz4.compress(address_of(data), size, begin, tables) - begin


@numba.njit
def run_decompress(block, length, out, size):
    at, to = address_of(block), address_of(out)
    return lz4.decompress(at, at + length, at + block.size, to, to + size)


def padded(data):
    return np.frombuffer(bytes(data) + bytes(lz4.PADDING), np.uint8).copy()


def compress(data):
    out = np.zeros(lz4.largest(len(data)), np.uint8)
    tables = np.empty(lz4.HASH_SIZE + max(len(data), 1), np.int32)
    return out[: run_compress(padded(data), len(data), out, tables)].copy()


def decompress(block, size):
    out = np.full(size + lz4.PADDING, 99, np.uint8)
    is_whole = run_decompress(np.asarray(block), len(block), out, size)
    return out[:size].tobytes() if is_whole else None


@st.composite
def data(draw):
    """Bytes with repetitions of every period, long runs and noise."""
    parts = draw(
        st.lists(
            st.tuples(st.binary(min_size=1, max_size=20), st.integers(1, 90)),
            min_size=0,
            max_size=8,
        )
    )
    return b"".join(part * times for part, times in parts)


@settings(max_examples=200, deadline=None)
@given(data())
def test_bytes_come_back_by_either_reader(content):
    block = compress(content)

    assert decompress(block, len(content)) == content
    if content:  # the reference takes no empty block
        assert (
            bytes(reference.decompress(struct.pack("<I", len(content)) + block.tobytes()))
            == content
        )


@settings(max_examples=100, deadline=None)
@given(data().filter(len), st.integers(1, 12))
def test_blocks_of_another_writer_are_read(content, acceleration):
    block = np.frombuffer(bytes(reference.compress(content, acceleration)), np.uint8)[4:].copy()

    assert decompress(block, len(content)) == content


def test_distances_beyond_64_kibibytes_are_not_used():
    random = np.random.default_rng(0)
    part = random.integers(0, 256, 500, dtype=np.uint8).tobytes()
    content = part + random.integers(0, 256, 70_000, dtype=np.uint8).tobytes() + part

    assert decompress(compress(content), len(content)) == content


def test_damaged_blocks_are_refused_and_nothing_is_written_behind_the_end():
    random = np.random.default_rng(0)
    content = b"".join(bytes([n % 7]) * (n % 40 + 1) for n in range(200))
    whole = compress(content)
    out = np.zeros(len(content) + 2 * lz4.PADDING, np.uint8)
    for _ in range(3000):
        block = whole[: random.integers(1, len(whole) + 1)].copy()
        block[random.integers(0, len(block))] = random.integers(0, 256)
        run_decompress(block, len(block), out, len(content))

    np.testing.assert_array_equal(out[len(content) + lz4.PADDING :], 0)


def test_a_block_of_another_size_is_refused():
    block = compress(b"abcabcabc" * 20)

    assert decompress(block, 179) is None
    assert decompress(block, 181) is None
    assert decompress(np.array([0x10, 65, 9, 0], np.uint8), 5) is None  # reaches before the begin
