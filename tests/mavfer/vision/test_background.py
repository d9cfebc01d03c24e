import numpy as np
import pytest

from mavfer.errors import InvalidArray
from mavfer.vision.alignment import PRESETS, crop_matrix
from mavfer.vision.background import blank_background, subject_region
from mavfer.vision.geometry import CameraModel, apply_matrix
from mavfer.vision.landmarks import FIVE_POINTS
from mavfer.vision.mean_face import MEAN_FACE
from recording.simulated import SimulatedRig

cv2 = pytest.importorskip("cv2", reason="needs the extra preprocess")

PRESET, WIDE = PRESETS["mavfer224"], PRESETS["ffhq256"]
SHAPE = (224, 224)
FRAME_FACE = 40 * MEAN_FACE[:, :2] + [320, 200]


def region_of(landmarks, depth_crop=None, shape=SHAPE):
    return subject_region(landmarks, crop_matrix(landmarks, PRESET), shape, depth_crop)


def in_crop(points):
    """Pixels (N, 2) of the crop of points of the mean face, in eye distances."""
    matrix = crop_matrix(FRAME_FACE, PRESET)
    frame = 40 * np.asarray(points, float) + [320, 200]
    return np.rint(apply_matrix(matrix, frame)).astype(int)


def test_the_region_holds_the_face_and_not_the_corners():
    region = region_of(FRAME_FACE)
    x, y = in_crop(MEAN_FACE[:, :2]).T
    inside = (x >= 0) & (x < 224) & (y >= 0) & (y < 224)

    assert region[y[inside], x[inside]].all()
    assert not region[-1, [0, 1, -2, -1]].any()
    assert 0.6 < region.mean() < 0.9


def test_forehead_ears_and_hair_belong_to_the_region():
    matrix = crop_matrix(FRAME_FACE, WIDE)
    region = subject_region(FRAME_FACE, matrix, (256, 256))
    head = 40 * np.array([[0, -1.8], [0, -1.2], [-1.25, 0.2], [1.25, 0.2]]) + [320, 200]
    shoulders = 40 * np.array([[-1.7, 1.9], [1.7, 1.9], [-1.8, -0.8], [1.8, -0.8]]) + [320, 200]

    assert all(region[y, x] for x, y in np.rint(apply_matrix(matrix, head)).astype(int))
    assert not any(region[y, x] for x, y in np.rint(apply_matrix(matrix, shoulders)).astype(int))


def test_five_points_give_much_the_same_region_as_all():
    five = np.full((68, 2), np.nan)
    five[list(FIVE_POINTS)] = FRAME_FACE[list(FIVE_POINTS)]
    matrix = crop_matrix(FRAME_FACE, PRESET)
    ours, whole = (subject_region(points, matrix, SHAPE) for points in (five, FRAME_FACE))

    assert (ours == whole).mean() > 0.98


def test_the_region_turns_with_the_head():
    turn = np.array([[0.0, -1], [1, 0]])
    turned = (FRAME_FACE - 320) @ turn.T + 320
    matrix = np.array([[1.0, 0, -208], [0, 1, -208]])
    upright = subject_region(FRAME_FACE, matrix, SHAPE)
    on_side = subject_region(turned, matrix, SHAPE)

    assert abs(upright.sum() / on_side.sum() - 1) < 0.2
    assert (upright != on_side).mean() > 0.1


def test_without_a_face_there_is_no_region():
    nothing = np.full((68, 2), np.nan)

    assert not subject_region(nothing, np.full((2, 3), np.nan), SHAPE).any()
    assert not subject_region(FRAME_FACE, np.full((2, 3), np.nan), SHAPE).any()
    with pytest.raises(InvalidArray, match=r"landmarks of shape \(68, 2\), got \(5, 2\)"):
        subject_region(nothing[:5], np.eye(2, 3), SHAPE)


def test_what_is_far_before_or_behind_the_face_is_left_out_but_not_noise():
    depth = np.full(SHAPE, 700, np.uint16)
    depth[:, 180:] = 1600  # a wall beside the head
    depth[190:, :60] = 500  # a hand before it
    depth[100, 100], depth[120, 110] = 2400, 0  # a speck, and a hole
    region, flat = region_of(FRAME_FACE, depth), region_of(FRAME_FACE)

    assert not region[:, 180:].any()
    assert not region[190:, :60].any()
    assert region[100, 100]
    assert region[120, 110]
    np.testing.assert_array_equal(region[:180, :180], flat[:180, :180])


def test_depth_without_a_single_measurement_decides_nothing():
    np.testing.assert_array_equal(
        region_of(FRAME_FACE, np.zeros(SHAPE, np.uint16)), region_of(FRAME_FACE)
    )


def test_blanking_leaves_the_region_alone_in_every_stream():
    region = region_of(FRAME_FACE)
    random = np.random.default_rng(0)
    color = random.integers(1, 256, (*SHAPE, 3), dtype=np.uint8)
    depth, mask = np.full(SHAPE, 700, np.uint16), np.ones(SHAPE, np.uint8)
    before = color.copy()
    for picture in (color, depth, mask):
        blank_background(picture, region)

    np.testing.assert_array_equal(color[region], before[region])
    assert not color[~region].any()
    np.testing.assert_array_equal(depth > 0, region)
    np.testing.assert_array_equal(mask > 0, region)


def test_of_a_rendered_person_the_head_stays_and_the_room_goes():
    rig = SimulatedRig(3, seconds=1.0, lighting="bright", pace="fast", subject_code="S03")
    stream = rig.truth().streams["color"]
    landmarks, own_ns = stream.landmarks[20].astype(float), int(stream.true_ns[20])
    matrix = crop_matrix(landmarks, WIDE)
    camera = CameraModel.from_document(rig.calibration["cameras"]["color"])
    frame = rig.render_truth("depth", camera, own_ns)
    depth = cv2.warpAffine(frame, matrix, (256, 256), flags=cv2.INTER_NEAREST)
    region = subject_region(landmarks, matrix, (256, 256), depth.astype(np.uint16))
    left, top, right, bottom = face_rectangle(apply_matrix(matrix, landmarks))
    is_room = depth > np.median(depth[top:bottom, left:right]) + 300
    inner = np.zeros_like(region)
    inner[top:bottom, left:right] = True

    assert (region & is_room).mean() < 0.001
    assert region[inner & ~is_room].mean() > 0.999
    assert is_room.mean() > 0.2


def face_rectangle(points):
    """Left, top, right and bottom in a crop: from brows to mouth, between the eyes' ends."""
    low, high = points[[17, 26, 36, 45, 54, 48]].min(0), points[[36, 45, 54, 48]].max(0)
    return *np.rint(low).astype(int), *np.rint(high).astype(int)
