"""Frames packed outside of HDF5, read back by HDF5's own filter."""

from __future__ import annotations

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mavfer.study import kernels
from mavfer.study.counts_packer import BITSHUFFLE_FILTER, counts_packer

pytest.importorskip("numba")


@pytest.fixture(scope="module")
def file():
    with h5py.File("counts.h5", "w", driver="core", backing_store=False) as file:
        yield file


def _read_by_filter(file, counts, chunk):
    """What a plain reader makes of a packed frame."""
    dataset = file.create_dataset(
        None, (1, *counts.shape), np.uint16, chunks=(1, *counts.shape),
        compression=hdf5plugin.Bitshuffle(cname="lz4"),
    )  # fmt: skip
    dataset.id.write_direct_chunk((0, 0, 0), chunk)
    return dataset[0]


def _scene(shape, noise_counts, seed=0):
    """A slope with noise, and a hole, as depth has them."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    counts = 6000 + 3 * rows + columns // 4 + rng.normal(0, noise_counts, shape)
    counts[: shape[0] // 5, : shape[1] // 3] = 0
    return counts.astype(np.uint16)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 140), st.integers(1, 140)),
    noise_counts=st.sampled_from([0, 1, 9, 2000]),
    step=st.sampled_from([1, 1, 257]),
    seed=st.integers(0, 99),
)
def test_the_filter_restores_every_frame(file, shape, noise_counts, step, seed):
    counts = _scene(shape, noise_counts, seed) * np.uint16(step)
    packed = counts_packer(shape).pack(counts)

    assert np.array_equal(_read_by_filter(file, counts, packed), counts)


@pytest.mark.parametrize("value", [0, 1, 255, 256, 0x8001, 65535])
def test_frames_of_one_value_take_a_hundredth(file, value):
    counts = np.full((96, 128), value, np.uint16)
    packed = counts_packer(counts.shape).pack(counts)

    assert len(packed) < counts.nbytes / 100
    assert np.array_equal(_read_by_filter(file, counts, packed), counts)


def test_room_is_little_more_than_the_filter_itself_takes(file):
    counts = _scene((480, 640), 4)
    dataset = file.create_dataset(
        None, (1, *counts.shape), data=counts[None], chunks=(1, *counts.shape),
        compression=hdf5plugin.Bitshuffle(cname="lz4"),
    )  # fmt: skip
    packed = counts_packer(counts.shape).pack(counts)

    assert dataset.id.get_create_plist().get_filter(0)[0] == BITSHUFFLE_FILTER
    assert len(packed) < 1.1 * dataset.id.get_storage_size()
    assert len(packed) < 0.6 * counts.nbytes


def test_frames_that_lie_anyhow_in_memory_are_packed_alike():
    counts = _scene((40, 60), 5)
    packer = counts_packer(counts.shape)
    packed = bytes(packer.pack(counts))
    locked, turned = counts.copy(), np.asfortranarray(counts)
    locked.flags.writeable = False

    assert bytes(packer.pack(locked)) == packed
    assert bytes(packer.pack(turned)) == packed


def test_a_frame_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"frame of \(3, 4\) in a stream of \(4, 3\)"):
        counts_packer((4, 3)).pack(np.zeros((3, 4), np.uint16))


def test_without_numba_the_filter_must_do(monkeypatch):
    kernels.find_kernels.cache_clear()
    monkeypatch.setattr(kernels, "find_spec", lambda _name: None)

    assert counts_packer((4, 3)) is None

    kernels.find_kernels.cache_clear()
