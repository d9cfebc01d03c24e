"""Counts out of bytes that are built as the standard describes them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mavfer.errors import DeviceError
from recording.gige.pixel_formats import PIXEL_FORMATS, choose_pixel_format, unpack_counts

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def bytes_of(counts, layout):
    """The image as one number, built bit by bit: pixel k starts at bit k * step."""
    step = layout.bits if layout.is_packed else 16
    whole = sum(count << (k * step) for k, count in enumerate(counts.ravel().tolist()))
    data = whole.to_bytes(layout.frame_bytes(counts.size), "little")
    return np.frombuffer(data, np.uint8)


@pytest.mark.parametrize("name", PIXEL_FORMATS)
@given(data=st.data())
def test_counts_come_out_of_the_bytes_as_they_went_in(name, data):
    layout = PIXEL_FORMATS[name]
    elements = st.integers(0, (1 << layout.bits) - 1)
    counts = data.draw(arrays(np.uint16, data.draw(SHAPES), elements=elements))
    tail = np.full(5, 255, np.uint8)  # what a camera may send after the image
    found = unpack_counts(np.concatenate([bytes_of(counts, layout), tail]), layout, *counts.shape)

    assert found.dtype == np.uint16
    assert np.array_equal(found, counts)


def test_four_pixels_of_14_bits_fill_seven_bytes():
    data = np.array([0xFF, 0x3F, 0, 0, 0x01, 0, 0x80], np.uint8)

    assert PIXEL_FORMATS["Mono14p"].frame_bytes(4) == 7
    assert unpack_counts(data, PIXEL_FORMATS["Mono14p"], 1, 4).tolist() == [[16383, 0, 16, 8192]]


def test_counts_of_two_bytes_are_not_copied():
    data = np.zeros(24, np.uint8)
    unpack_counts(data, PIXEL_FORMATS["Mono16"], 3, 4)[2, 3] = 0x1234

    assert data[-2:].tolist() == [0x34, 0x12]


def test_the_format_is_the_best_that_is_offered_or_the_one_asked_for():
    offered = ["Mono8", "Mono16", "Mono14", "RGB8"]

    assert choose_pixel_format(offered, None).name == "Mono14"
    assert choose_pixel_format(offered, "Mono16").name == "Mono16"


def test_a_format_without_counts_is_refused_with_what_there_is():
    with pytest.raises(
        DeviceError, match=r"of 10 to 16 bits cannot .*offers Mono8, RGB8, read can"
    ):
        choose_pixel_format(["Mono8", "RGB8"], None)
    with pytest.raises(DeviceError, match=r"pixel format Mono8 cannot be had"):
        choose_pixel_format(["Mono8", "Mono16"], "Mono8")
