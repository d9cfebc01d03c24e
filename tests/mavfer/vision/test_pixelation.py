import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from mavfer.errors import InvalidArray
from mavfer.vision.faces import FaceFinder
from mavfer.vision.geometry import invert_matrix
from mavfer.vision.head_covers import covered_pixels, head_outline
from mavfer.vision.pixelation import hide_in_depth, hide_in_thermal, pixelate
from mavfer.vision.registration import PixelMask

cv2 = pytest.importorskip("cv2", reason="needs the extra preprocess")

PORTRAIT_FACE = np.array([222.5, 126.5, 88.0])
"""Where dlib finds the astronaut's face."""
PLACES = [(170, 200, 1.5), (470, 210, 1.3)]
"""Of two people in a frame of 640 x 480: x and y of the face, enlargement."""
NOBODY = np.full((1, 3), np.nan)


def portrait_in(x, y, scale):
    """Matrix (2, 3) that brings the portrait's face to a place."""
    middle = PORTRAIT_FACE[:2]
    return np.array([[scale, 0, x - scale * middle[0]], [0, scale, y - scale * middle[1]]])


def two_people():
    """RGB frame (480, 640, 3) and their boxes (2, 3)."""
    frame = np.full((480, 640, 3), 150, np.uint8)
    boxes = []
    for x, y, scale in PLACES:
        half = slice(0, 320) if x < 320 else slice(320, 640)
        person = cv2.warpAffine(
            data.astronaut(), portrait_in(x, y, scale), (640, 480), borderMode=cv2.BORDER_REPLICATE
        )
        frame[:, half] = person[:, half]
        boxes.append((x, y, scale * PORTRAIT_FACE[2]))
    return frame, np.array(boxes)


def gray_of(frame):
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def enlarged(frame, times):
    return cv2.resize(gray_of(frame), None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)


def planes_of(frame):
    """Y, U and V of an RGB frame of even size, each a view into one array."""
    height, width = frame.shape[:2]
    planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420)
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    return planes, (planes[:height], chroma[0], chroma[1])


def faces_in(gray, threshold=-0.3):
    return FaceFinder(detection_width=gray.shape[1]).find(gray, threshold=threshold)


def test_no_face_is_found_where_faces_were_hidden():
    frame, boxes = two_people()
    assert len(faces_in(gray_of(frame), 0)) == 2
    pixelate(frame, boxes)

    assert faces_in(gray_of(frame)) == []


def test_the_subject_is_still_found_beside_somebody_who_is_hidden():
    frame, boxes = two_people()
    pixelate(frame, boxes[1:], spared=boxes[0])
    faces = faces_in(gray_of(frame))

    assert len(faces) == 1
    assert abs(faces[0].box.x - boxes[0, 0]) < 0.1 * boxes[0, 2]


@pytest.mark.parametrize("shift", [0, 20, 60])
def test_a_track_that_lies_on_the_subject_does_not_hide_the_subject(shift):
    frame, boxes = two_people()
    x, y, width = boxes[0]
    pixelate(frame, np.array([[x + shift, y, 1.4 * width]]), spared=boxes[0])
    faces = [face.box for face in faces_in(gray_of(frame), 0)]

    assert any(abs(face.x - boxes[0, 0]) < 0.1 * boxes[0, 2] for face in faces)


@pytest.mark.parametrize("width", [18, 30, 50, 120, 220])
def test_faces_of_any_size_are_hidden(width):
    scale = width / PORTRAIT_FACE[2]
    middle = (320, 260)
    frame = cv2.warpAffine(data.astronaut(), portrait_in(*middle, scale), (640, 480))
    half = min(int(1.5 * width), 240)
    window = slice(260 - half, 260 + half), slice(320 - half, 320 + half)
    assert len(faces_in(enlarged(frame[window], 110 / width))) == 1
    pixelate(frame, np.array([[*middle, width]]))

    assert faces_in(enlarged(frame[window], 110 / width)) == []


def test_cells_are_the_means_of_what_they_hide():
    picture = np.random.default_rng(0).integers(0, 256, (300, 300), dtype=np.uint8)
    before, box = picture.copy(), np.array([150.0, 150, 100])
    pixelate(picture, box[None])
    changed = picture != before
    levels = [np.unique(picture[row, 120:180]).size for row in range(100, 200)]

    assert max(levels) <= 6  # cells are 12 pixels wide
    assert picture[covered_pixels(box[None], (300, 300))].std() < 0.15 * before.std()
    assert abs(picture[changed].mean() - before[changed].mean()) < 2
    assert changed[covered_pixels(box[None], (300, 300))].mean() > 0.95


@settings(max_examples=150)
@given(
    st.floats(-300, 500),
    st.floats(-300, 500),
    st.floats(1, 400),
    st.sampled_from([(61, 83), (61, 83, 3), (1, 1), (240, 11)]),
)
def test_heads_anywhere_and_of_any_size_are_hidden_to_the_frames_edge(x, y, width, shape):
    picture = np.random.default_rng(0).integers(1, 255, shape, dtype=np.uint8)
    boxes = np.array([[x, y, width]])
    apart = np.zeros(shape, bool)
    apart[covered_pixels(boxes * [1, 1, 1.6] + [0, 0, 12], shape[:2])] = True
    before = picture.copy()
    pixelate(picture, boxes)

    np.testing.assert_array_equal(picture[~apart], before[~apart])


def test_nobody_is_hidden_where_nobody_is():
    frame, _ = two_people()
    before = frame.copy()
    pixelate(frame, NOBODY)
    pixelate(frame, np.empty((0, 3)))
    pixelate(frame, np.array([[5000.0, 100, 80]]))

    np.testing.assert_array_equal(frame, before)
    with pytest.raises(InvalidArray, match=r"x, y and width in each row"):
        pixelate(frame, np.zeros((2, 2)))


def test_a_turned_crop_hides_the_same_head():
    frame, boxes = two_people()
    angle = 0.5
    turn = 0.9 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([turn, [112, 112] - turn @ boxes[0, :2]])
    crop = cv2.warpAffine(frame, matrix, (224, 224))
    before = crop.copy()
    pixelate(crop, boxes[:1], matrix=matrix)
    hidden = covered_pixels(boxes[:1], (224, 224), matrix=matrix)
    upright = cv2.warpAffine(crop, invert_matrix(matrix), (640, 480))

    assert (crop != before).any(axis=2)[hidden].mean() > 0.9
    assert faces_in(gray_of(upright)) == []


def test_many_frames_of_a_moving_face_do_not_add_up_to_the_face():
    """As those of cells in the frame's own grid do, which shows that the attack works."""
    gray = gray_of(data.astronaut())
    random = np.random.default_rng(0)
    of_face, of_frame = np.zeros((2, 480, 640))
    for _ in range(80):
        x, y = np.array([320, 240]) + random.uniform(-40, 40, 2)
        scale = 1.6 * random.uniform(0.94, 1.06)
        to_frame, to_middle = portrait_in(x, y, scale), portrait_in(320, 240, 1.6)
        frame = cv2.warpAffine(gray, to_frame, (640, 480), borderMode=cv2.BORDER_REPLICATE)
        box = np.array([x, y, 1.1 * scale * PORTRAIT_FACE[2]])
        trembling = box + random.normal(0, 0.4, 3)
        cells = np.rint(2 * head_outline(box).reach() / 12).astype(int)
        back = (np.vstack([to_middle, [0, 0, 1]]) @ np.linalg.inv([*to_frame, [0, 0, 1]]))[:2]
        of_frame += cv2.warpAffine(in_grid_of_frame(frame, *cells), back, (640, 480)) / 80
        pixelate(frame, trembling[None])
        of_face += cv2.warpAffine(frame, back, (640, 480)) / 80

    assert len(faces_in(sharpened(of_frame, *cells))) == 1
    assert faces_in(sharpened(of_face, *cells)) == []
    assert faces_in(of_face.astype(np.uint8)) == []


def in_grid_of_frame(frame, width, height):
    cells = (frame.shape[1] // width, frame.shape[0] // height)
    whole = frame[: cells[1] * height, : cells[0] * width]
    means = cv2.resize(whole, cells, interpolation=cv2.INTER_AREA)
    frame = frame.copy()
    size = whole.shape[::-1]
    frame[: size[1], : size[0]] = cv2.resize(means, size, interpolation=cv2.INTER_NEAREST)
    return frame


def sharpened(picture, width, height):
    """Undoes the blur of cells twice as Wiener's filter does: once seen, once drawn."""
    y, x = np.meshgrid(*(np.fft.fftfreq(side) for side in picture.shape), indexing="ij")
    blur = (np.sinc(x * width) * np.sinc(y * height)) ** 2
    sharp = np.fft.ifft2(np.fft.fft2(picture) * blur / (blur**2 + 0.003)).real
    return np.clip(sharp, 0, 255).astype(np.uint8)


def test_depth_of_heads_is_taken_out_and_marked():
    depth = np.full((240, 320), 900, np.uint16)
    mask = np.full((240, 320), PixelMask.MEASURED, np.uint8)
    boxes = np.array([[100.0, 120, 50], [310, 20, 60]])
    hide_in_depth(depth, boxes, mask=mask)
    hidden = covered_pixels(boxes, (240, 320))

    np.testing.assert_array_equal(depth == 0, hidden)
    np.testing.assert_array_equal(mask == PixelMask.OCCLUDED, hidden)
    assert (mask[~hidden] == PixelMask.MEASURED).all()
    assert hidden.sum() > 5000


def test_temperatures_of_heads_are_coarse_means_of_what_was_measured():
    random = np.random.default_rng(0)
    thermal = random.normal(30_700, 200, (200, 200)).astype(np.uint16)
    thermal[random.random(thermal.shape) < 0.2] = 0
    before, mask = thermal.copy(), np.full((200, 200), PixelMask.MEASURED, np.uint8)
    boxes = np.array([[100.0, 110, 70]])
    hide_in_thermal(thermal, boxes, mask=mask)
    hidden = covered_pixels(boxes, (200, 200)) & (before > 0)

    np.testing.assert_array_equal(thermal == 0, before == 0)
    assert abs(thermal[hidden].mean() - before[hidden].mean()) < 5
    assert thermal[hidden].std() < 40
    assert (mask[hidden] == PixelMask.INTERPOLATED).all()
    assert (mask[before == 0] == PixelMask.MEASURED).all()
    np.testing.assert_array_equal(thermal[mask == 1], before[mask == 1])


def test_a_head_beyond_a_thermal_picture_changes_nothing():
    thermal = np.full((20, 20), 30_000, np.uint16)
    hide_in_thermal(thermal, np.array([[500.0, 500, 30]]))

    assert (thermal == 30_000).all()


def test_hiding_a_face_costs_a_small_part_of_blurring_it():
    planes = np.random.default_rng(0).integers(0, 256, (1080, 1280), dtype=np.uint8)
    y, (u, v) = planes[:720], planes[720:].reshape(2, 360, 640)
    boxes = np.array([[600.0, 300, 150]])
    patch = y[150:450, 450:750].copy()
    ours = seconds(lambda: (y, u, v, boxes))
    blur = seconds(lambda: cv2.GaussianBlur(patch, (0, 0), 15))

    assert ours < blur / 6


def seconds(work):
    """Processor time of one of the quickest of many turns."""
    turns = []
    for _ in range(30):
        begin = time.process_time()
        work()
        turns.append(time.process_time() - begin)
    return sorted(turns)[5]
