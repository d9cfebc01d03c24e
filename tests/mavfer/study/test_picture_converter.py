"""Frames in the layout of an encoder: colors, orders of bytes, sizes."""

from __future__ import annotations

import av
import numpy as np
import pytest

from mavfer.study import kernels
from mavfer.study.picture_converter import PictureConverter, as_stored


def _picture(height=36, width=64, seed=0):
    """Colored slopes with noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((height, width))
    slopes = np.stack([4 * columns, 7 * rows, 255 - 2 * columns - 2 * rows], axis=-1)
    return np.clip(slopes + rng.normal(0, 3, slopes.shape), 0, 255).astype(np.uint8)


def _as_bgr_view(pixels):
    return np.ascontiguousarray(pixels[..., ::-1])[..., ::-1]


@pytest.fixture
def without_numba(monkeypatch):
    kernels.find_kernels.cache_clear()
    monkeypatch.setattr(kernels, "find_spec", lambda _name: None)
    yield
    kernels.find_kernels.cache_clear()


def _squared_error(frame, pixels):
    return np.mean((frame.to_ndarray(format="rgb24").astype(float) - pixels) ** 2)


def test_frames_of_bgr_are_turned_back_and_not_copied():
    pixels = _picture()
    view = _as_bgr_view(pixels)
    stored, order = as_stored(view)

    assert order == "bgr24"
    assert np.shares_memory(stored, view)
    assert np.array_equal(stored[..., ::-1], pixels)
    assert as_stored(pixels)[0] is pixels
    assert as_stored(pixels)[1] == "rgb24"
    assert np.array_equal(as_stored(pixels[::2])[0], pixels[::2])


@pytest.mark.parametrize(
    "color", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (9, 99, 199)]
)
def test_plain_colors_become_what_bt_601_says(color):
    pixels = np.full((4, 6, 3), color, np.uint8)
    planes = PictureConverter("yuv420p", 6, 4).convert(pixels).to_ndarray()
    red, green, blue = (value / 255 for value in color)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = (blue - luma) / 1.772, (red - luma) / 1.402

    assert np.abs(planes[:4].astype(float) - (16 + 219 * luma)).max() <= 1
    assert np.abs(planes[4].astype(float) - (128 + 224 * chroma[0])).max() <= 1
    assert np.abs(planes[5].astype(float) - (128 + 224 * chroma[1])).max() <= 1


@pytest.mark.parametrize("order", [np.asarray, _as_bgr_view])
def test_the_compiled_loop_is_no_farther_from_the_picture_than_libswscale(order):
    pixels = _picture(92, 160)
    frame = PictureConverter("yuv420p", 160, 92).convert(order(pixels))
    again = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")

    assert _squared_error(frame, pixels) <= _squared_error(again, pixels)


@pytest.mark.usefixtures("without_numba")
@pytest.mark.parametrize("order", [np.asarray, _as_bgr_view])
def test_without_numba_libswscale_converts(order):
    pixels = _picture()
    frame = PictureConverter("yuv420p", 64, 36).convert(order(pixels))

    assert frame.format.name == "yuv420p"
    assert _squared_error(frame, pixels) < 40


@pytest.mark.parametrize(
    ("pixel_format", "size", "most"),
    [("yuv444p", (31, 17), 4), ("rgb24", (64, 36), 0), ("yuv420p", (64, 38), 40)],
)
@pytest.mark.parametrize("order", [np.asarray, _as_bgr_view])
def test_other_layouts_and_sizes_are_left_to_libswscale(pixel_format, size, most, order):
    width, height = size
    pixels = _picture(height, width)
    frame = PictureConverter(pixel_format, width, height).convert(order(pixels))

    assert (frame.width, frame.height, frame.format.name) == (width, height, pixel_format)
    assert _squared_error(frame, pixels) <= most


def test_a_frame_that_may_not_be_written_to_is_converted_alike():
    pixels = _picture()
    locked = pixels.copy()
    locked.flags.writeable = False
    converter = PictureConverter("yuv420p", 64, 36)
    planes = converter.convert(pixels).to_ndarray().copy()

    assert np.array_equal(converter.convert(locked).to_ndarray(), planes)
