import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import Interpolation, VideoReformatter
from hypothesis import example, given, settings
from hypothesis import strategies as st
from skimage import data

from mavfer.errors import InvalidArray
from mavfer.vision.alignment import warp_color
from mavfer.vision.color_crop import crop_yuv420

SHAPE = (224, 224)
CAREFUL = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""FFmpeg's default takes chroma from the next sample and rounds down, a level too dark."""
CODES = {True: 1, False: 5}
RANGES = {True: 2, False: 1}


@pytest.fixture(scope="module")
def picture():
    return np.ascontiguousarray(cv2.resize(data.astronaut(), (640, 480)))


def around_face(scale, turn=0.1, x=300.0, y=105.0):
    """A crop whose middle is the face, about (300, 105) of the picture."""
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.column_stack([linear, 111.5 - linear @ [x, y]])


def encoded(picture, *, is_full_range=False, is_bt709=False):
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    frame = VideoReformatter().reformat(
        frame,
        format="yuv420p",
        dst_colorspace=CODES[is_bt709],
        dst_color_range=RANGES[is_full_range],
        interpolation=CAREFUL,
    )
    frame.colorspace, frame.color_range = CODES[is_bt709], RANGES[is_full_range]
    return frame


def planes(frame):
    width, height = frame.width, frame.height
    half = (-(-width // 2), -(-height // 2))
    return [
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:rows, :columns]
        for plane, (columns, rows) in zip(frame.planes, ((width, height), half, half), strict=True)
    ]


def crop(frame, matrix, shape=SHAPE, *, is_full_range=False, is_bt709=False):
    return crop_yuv420(
        *planes(frame), matrix, shape, is_full_range=is_full_range, is_bt709=is_bt709
    )


@pytest.mark.parametrize("is_bt709", [False, True])
@pytest.mark.parametrize("is_full_range", [False, True])
@pytest.mark.parametrize("scale", [0.3, 0.5, 0.9, 1.6])
def test_crops_are_those_of_the_converted_frame(picture, scale, is_full_range, is_bt709):
    kind = {"is_full_range": is_full_range, "is_bt709": is_bt709}
    frame, matrix = encoded(picture, **kind), around_face(scale)
    converted = VideoReformatter().reformat(frame, format="rgb24", interpolation=CAREFUL)
    expected = warp_color(converted.to_ndarray(), matrix, SHAPE)

    found = crop(frame, matrix, **kind)
    error = np.abs(found.astype(int) - expected)

    assert found.shape == (*SHAPE, 3)
    assert found.dtype == np.uint8
    assert error.mean() <= 0.6
    assert np.percentile(error, 99) <= 4


@pytest.mark.parametrize("scale", [0.4, 0.9, 1.6])
def test_crops_are_nearer_to_the_picture_than_those_by_the_default_converter(picture, scale):
    frame, matrix = encoded(picture), around_face(scale)
    default = warp_color(frame.reformat(format="rgb24").to_ndarray(), matrix, SHAPE)
    truth = warp_color(picture, matrix, SHAPE).astype(int)

    assert np.abs(crop(frame, matrix) - truth).mean() < np.abs(default - truth).mean()


@given(
    st.floats(0.2, 3),
    st.floats(-3.1, 3.1),
    st.floats(-700, 1300),
    st.floats(-700, 1100),
)
@example(scale=2.0, turn=-2.225073858507e-311, x=17.0, y=0.0)
@example(scale=1.0, turn=1e-12, x=300.0, y=479.0)
@settings(max_examples=40, deadline=None)
def test_one_color_stays_one_color_and_all_beyond_is_black(scale, turn, x, y):
    matrix = around_face(scale, turn, x, y)
    y_plane, half = np.full((480, 640), 150, np.uint8), (240, 320)
    u, v = np.full(half, 110, np.uint8), np.full(half, 150, np.uint8)

    found = crop_yuv420(y_plane, u, v, matrix, (60, 80), is_full_range=True, is_bt709=False)
    inside = warp_color(np.full((480, 640), 255, np.uint8), matrix, (60, 80))

    color = np.array([150 + 1.402 * 22, 150 + 0.344 * 18 - 0.714 * 22, 150 - 1.772 * 18])
    # Pixels at the rim are mixed with black, chroma over two pixels of the frame.
    near = np.ones((15, 15), np.uint8)
    within = cv2.erode(inside, near) == 255
    beyond = cv2.dilate(inside, near) == 0
    assert np.abs(found[within].astype(float) - color).max(initial=0) <= 1
    assert found[beyond].max(initial=0) <= 1


@pytest.mark.parametrize("shape", [(223, 111), (1, 1), (7, 224)])
def test_crops_have_any_size(picture, shape):
    frame, matrix = encoded(picture), around_face(0.9)
    whole = crop(frame, matrix).astype(int)

    part = crop(frame, matrix, shape)

    assert part.shape == (*shape, 3)
    assert np.abs(part - whole[: shape[0], : shape[1]])[:-1, :-1].max(initial=0) <= 1


def test_frames_of_an_odd_size_have_chroma_to_their_rim(picture):
    odd = np.ascontiguousarray(picture[:479, :639])
    frame, matrix = encoded(odd), around_face(0.9, 0, 560, 400)
    converted = VideoReformatter().reformat(frame, format="rgb24", interpolation=CAREFUL)
    expected = warp_color(converted.to_ndarray(), matrix, SHAPE).astype(int)

    assert np.abs(crop(frame, matrix) - expected).mean() < 0.8


def test_planes_that_do_not_belong_together_are_refused(picture):
    y, u, v = planes(encoded(picture))

    with pytest.raises(InvalidArray, match=r"chroma must be uint8 \(240, 320\)"):
        crop_yuv420(y, u[:-1], v, np.eye(2, 3), SHAPE, is_full_range=False, is_bt709=False)
    with pytest.raises(InvalidArray, match="Convert the frame to RGB"):
        crop_yuv420(
            y.astype(np.uint16), u, v, np.eye(2, 3), SHAPE, is_full_range=False, is_bt709=False
        )
