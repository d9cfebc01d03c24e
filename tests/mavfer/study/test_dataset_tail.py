"""Rows added one by one to HDF5 datasets."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from mavfer.study.dataset_tail import DatasetTail
from mavfer.study.hdf5 import open_hdf5
from mavfer.study.streams_file import MARKERS, TIMES


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "rows.h5", "w", libver="latest") as file:
        yield file


def test_rows_of_a_table_come_back_as_they_were(file):
    times = file.create_dataset("times", (0,), TIMES, maxshape=(None,), chunks=(4,))
    markers = file.create_dataset("markers", (0,), MARKERS, maxshape=(None,), chunks=(4,))
    rows = [(2**60 + n, -n, n, 3 * n, 7, 65535 - n) for n in range(9)]
    labels = [(n, f"mark {n}".encode()) for n in range(6)]
    for dataset, items in ((times, rows), (markers, labels)):
        tail = DatasetTail(dataset)
        for item in items:
            tail.append(np.array(item, dataset.dtype))

    assert times[:].tolist() == rows
    assert markers[:].tolist() == labels


def test_what_was_there_stays_in_front(file):
    numbers = file.create_dataset("numbers", data=np.arange(6.0).reshape(3, 2), maxshape=(None, 2))
    tail = DatasetTail(numbers)
    tail.append(np.array([6, 7]))  # whole numbers become what the dataset holds
    tail.append(np.array([[8.0, 9.0]])[:, ::-1])

    assert numbers[:].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [9, 8]]


def test_frames_that_lie_anyhow_in_memory_are_added(file):
    frames = file.create_dataset(
        "frames", (0, 4, 6), np.uint16, maxshape=(None, 4, 6), chunks=(1, 4, 6), compression=1
    )
    counts = np.arange(24, dtype=np.uint16).reshape(4, 6)
    tail = DatasetTail(frames)
    tail.append(counts)
    tail.append(np.asfortranarray(counts)[::-1])

    assert np.array_equal(frames[0], counts)
    assert np.array_equal(frames[1], counts[::-1])


def test_a_row_can_be_read_as_soon_as_it_was_added(tmp_path):
    with h5py.File(tmp_path / "growing.h5", "w", libver=("v110", "v110")) as file:
        numbers = file.create_dataset("numbers", (0,), "<i8", maxshape=(None,), chunks=(8,))
        tail = DatasetTail(numbers)
        file.swmr_mode = True
        for number in range(20):
            tail.append(np.array(number))
            with open_hdf5(tmp_path / "growing.h5", swmr=True) as reading:
                assert reading["numbers"][-1] == number
