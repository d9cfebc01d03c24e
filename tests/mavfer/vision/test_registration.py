import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import (
    binary_dilation,
    binary_erosion,
    distance_transform_edt,
    map_coordinates,
)

from mavfer.errors import InvalidArray, NotAligned
from mavfer.vision.geometry import Calibration, apply_matrix
from mavfer.vision.registration import PixelMask, Registrar, register_depth, register_thermal

sys.path.insert(0, str(Path(__file__).parent))
import scene

SHAPE = (224, 224)
POSES = {
    "frontal": scene.rigid((5, -8, 700)),
    "turned": scene.rigid((-30, 10, 620), 0.3, 0.1, 0.05),
    "far": scene.rigid((40, -20, 1100), -0.2, -0.1, 0.1),
}


def register(subject, *, noise_seed=None, holes=0.01, matrix=None):
    rng = None if noise_seed is None else np.random.default_rng(noise_seed)
    counts = scene.depth_counts(subject, rng, holes=holes)
    matrix = scene.crop_of_head(subject) if matrix is None else matrix
    depth, mask = register_depth(counts, 0.1, scene.DEPTH, scene.COLOR, matrix, SHAPE)
    return counts, matrix, depth, mask


def reference_depth(counts, matrix, shape):
    """Slow and independent: every depth pixel's point projected, nearest kept within a pixel."""
    y, x = np.nonzero(counts)
    z = counts[y, x] * 0.1
    rays = scene.DEPTH.rays(np.stack([x, y], 1).astype(float))
    own = np.column_stack([rays * z[:, None], z])
    motion = np.linalg.inv(scene.DEPTH.camera_from_color)
    points = own @ motion[:3, :3].T + motion[:3, 3]
    place = np.rint(apply_matrix(matrix, scene.COLOR.project(points))).astype(int)
    result = np.full(shape, np.inf)
    inside = ((place >= 0) & (place < [shape[1], shape[0]])).all(1)
    np.minimum.at(result, (place[inside, 1], place[inside, 0]), points[inside, 2])
    return result


@pytest.mark.parametrize("pose", POSES)
def test_noisy_depth_comes_out_within_a_millimetre(pose):
    subject = scene.Scene(POSES[pose])
    _, matrix, depth, _ = register(subject, noise_seed=0)
    _, points, is_head = scene.crop_truth(subject, matrix)
    face = binary_erosion(is_head, iterations=4)
    known = face & (depth > 0)
    error = np.abs(depth - points[..., 2])[known]

    assert known.sum() / face.sum() >= 0.97
    assert np.median(error) <= 1.0
    assert np.percentile(error, 95) <= 3.5
    assert (error > 20).mean() <= 1e-3


def test_depth_is_along_the_color_camera_not_the_depth_camera():
    subject = scene.Scene()
    _, matrix, depth, _ = register(subject)
    _, points, is_head = scene.crop_truth(subject, matrix)
    face = binary_erosion(is_head, iterations=4) & (depth > 0)
    motion = scene.DEPTH.camera_from_color
    own = points[face] @ motion[:3, :3].T + motion[:3, 3]

    assert abs(np.mean(depth[face] - points[face][:, 2])) < 0.1
    assert abs(np.mean(depth[face] - own[:, 2])) > 1


def test_background_is_never_taken_for_face_nor_face_for_background():
    subject = scene.Scene(POSES["turned"])
    _, matrix, depth, _ = register(subject, noise_seed=1)
    _, points, is_head = scene.crop_truth(subject, matrix)
    rim = binary_dilation(is_head, iterations=2) & ~binary_erosion(is_head, iterations=2)
    known = (depth > 0) & ~rim

    assert (np.abs(depth - points[..., 2])[known] > 50).mean() < 0.002


def test_registration_agrees_with_plain_point_projection():
    subject = scene.Scene(POSES["turned"])
    counts, matrix, depth, _ = register(subject)
    reference = reference_depth(counts, matrix, SHAPE)
    both = np.isfinite(reference) & (depth > 0)
    _, _, is_head = scene.crop_truth(subject, matrix)
    interior = both & binary_erosion(is_head, iterations=4)
    apart = np.abs(depth - reference)[interior]

    assert interior.sum() > 10_000
    assert np.median(apart) < 1.5
    # Points alone let what is behind shine through between them.
    assert (apart > 30).mean() < 0.03


def test_single_missing_pixels_are_mended_and_said_so():
    subject = scene.Scene()
    _, matrix, depth, mask = register(subject, noise_seed=2, holes=0.05)
    _, _, is_head = scene.crop_truth(subject, matrix)
    face = binary_erosion(is_head, iterations=4)

    assert (depth[face] > 0).mean() > 0.98
    assert 0.02 < (mask[face] == PixelMask.INTERPOLATED).mean() < 0.4


def test_large_holes_stay_empty():
    subject = scene.Scene()
    counts = scene.depth_counts(subject)
    counts[230:250, 300:340] = 0
    matrix = scene.crop_of_head(subject)

    depth, mask = register_depth(counts, 0.1, scene.DEPTH, scene.COLOR, matrix, SHAPE)

    assert ((depth == 0) == ((mask & 3) == 0)).all()
    assert 300 < (depth == 0)[60:170, 60:170].sum() < 3000


def test_what_a_bar_hides_from_the_depth_camera_is_marked():
    subject = scene.Scene(bar_mm=450)
    _, matrix, depth, mask = register(subject)
    _, points, _ = scene.crop_truth(subject, matrix)
    hidden = (mask == PixelMask.OCCLUDED)[60:160, 40:180]

    assert hidden.sum() > 300
    assert (depth[mask == PixelMask.OCCLUDED] == 0).all()
    bar = binary_erosion(points[..., 2] < 460, iterations=3)
    assert np.abs(depth[bar] - 450).max() <= 1


def test_registrar_gives_what_the_functions_give():
    subject = scene.Scene()
    counts, matrix, depth, mask = register(subject)
    thermal = scene.thermal_frame(subject)
    registrar = Registrar(Calibration(scene.COLOR, scene.DEPTH, scene.THERMAL), SHAPE)

    again, again_mask = registrar.depth(counts, 0.1, matrix)
    warm, warm_mask = registrar.thermal(thermal, again, matrix)

    np.testing.assert_array_equal(again, depth)
    np.testing.assert_array_equal(again_mask, mask)
    expected = register_thermal(thermal, scene.THERMAL, depth, scene.COLOR, matrix)
    np.testing.assert_array_equal(warm, expected[0])
    np.testing.assert_array_equal(warm_mask, expected[1])
    assert depth.dtype == warm.dtype == np.uint16
    assert mask.dtype == warm_mask.dtype == np.uint8


@pytest.mark.parametrize("pose", POSES)
def test_temperatures_are_those_of_the_skin(pose):
    subject = scene.Scene(POSES[pose])
    _, matrix, depth, _ = register(subject, noise_seed=3)
    warm, _ = register_thermal(
        scene.thermal_frame(subject), scene.THERMAL, depth, scene.COLOR, matrix
    )
    _, points, is_head = scene.crop_truth(subject, matrix)
    face = binary_erosion(is_head, iterations=4) & (warm > 0)
    error = np.abs(warm - scene.temperature(points, subject.head))[face]

    # The waves are 33 centikelvin a millimetre at their steepest; a thermal pixel is 2 mm.
    assert np.median(error) < 8
    assert face.sum() / is_head.sum() > 0.75


@pytest.mark.parametrize("pose", POSES)
def test_thermal_pixels_are_looked_up_within_half_a_pixel(pose):
    """A thermal frame that carries its own coordinates shows where each crop pixel looked."""
    subject = scene.Scene(POSES[pose])
    _, matrix, depth, _ = register(subject, noise_seed=4)
    _, points, is_head = scene.crop_truth(subject, matrix)
    truth = scene.THERMAL.project(points.reshape(-1, 3)).reshape(*SHAPE, 2)
    face = binary_erosion(is_head, iterations=4)
    y, x = np.mgrid[: scene.THERMAL.height, : scene.THERMAL.width]

    looked = [
        register_thermal(
            (1000 + 100 * axis).astype(np.uint16), scene.THERMAL, depth, scene.COLOR, matrix
        )[0]
        for axis in (x, y)
    ]
    seen = face & (looked[0] > 0)
    where = (np.stack(looked, -1).astype(float) - 1000) / 100
    error = np.hypot(*(where - truth)[seen].T)

    assert seen.sum() / face.sum() > 0.85
    assert np.median(error) < 0.1
    assert np.percentile(error, 95) < 0.5


def test_skin_behind_a_bar_is_not_given_the_bars_temperature():
    subject = scene.Scene(bar_mm=450)
    thermal = scene.thermal_frame(subject)
    _, points, _ = subject.see(scene.THERMAL)
    thermal[points[..., 2] < 460] = 40_000
    _, matrix, depth, _ = register(subject)
    _, crop_points, _ = scene.crop_truth(subject, matrix)

    warm, mask = register_thermal(thermal, scene.THERMAL, depth, scene.COLOR, matrix)

    # How far from the bar, in thermal pixels, each point behind it is seen. The bar's own rim is
    # known to the depth camera's pixel only.
    place = scene.THERMAL.project(crop_points.reshape(-1, 3)).reshape(*SHAPE, 2)
    from_bar = distance_transform_edt(thermal != 40_000)
    distance = map_coordinates(from_bar, [place[..., 1], place[..., 0]], order=0)
    behind = binary_erosion((depth > 0) & (crop_points[..., 2] > 500), iterations=3)
    assert (warm[behind & (distance > 1.5)] < 33_000).all()
    assert (warm[behind] > 35_000).mean() < 0.006
    assert (mask == PixelMask.OCCLUDED).sum() > 300
    assert (warm[mask == PixelMask.OCCLUDED] == 0).all()


def test_small_depth_holes_are_bridged_for_temperature_only():
    subject = scene.Scene()
    _, matrix, depth, _ = register(subject)
    holed = depth.copy()
    holed[100:110, 90:102] = 0

    warm, mask = register_thermal(
        scene.thermal_frame(subject), scene.THERMAL, holed, scene.COLOR, matrix
    )

    assert (warm[100:110, 90:102] > 0).all()
    assert (mask[100:110, 90:102] == PixelMask.INTERPOLATED).all()
    assert (holed[100:110, 90:102] == 0).all()


def test_missing_thermal_pixels_do_not_pull_their_neighbours_down():
    subject = scene.Scene()
    _, matrix, depth, _ = register(subject)
    thermal = np.full((256, 320), 30_700, np.uint16)
    thermal[::7, ::5] = 0

    warm, _ = register_thermal(thermal, scene.THERMAL, depth, scene.COLOR, matrix)

    assert set(np.unique(warm)) <= {0, 30_700}
    assert (warm > 0).sum() > 20_000


def test_bilinear_matches_scipy():
    subject = scene.Scene()
    _, matrix, depth, _ = register(subject)
    rng = np.random.default_rng(0)
    smooth = np.rint(30_000 + 500 * rng.random((256, 320))).astype(np.uint16)

    warm, mask = register_thermal(smooth, scene.THERMAL, depth, scene.COLOR, matrix)

    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    y, x = np.mgrid[:224, :224]
    pixels = np.stack([x.ravel(), y.ravel(), np.ones(x.size)], 1) @ inverse[:2].T
    rays = np.column_stack([scene.COLOR.rays(pixels), np.ones(x.size)])
    place = scene.THERMAL.project(rays * depth.reshape(-1, 1)).reshape(*SHAPE, 2)
    expected = map_coordinates(smooth.astype(float), [place[..., 1], place[..., 0]], order=1)
    known = mask == PixelMask.MEASURED
    assert np.median(np.abs(warm - expected)[known]) <= 1
    assert np.percentile(np.abs(warm - expected)[known], 99) <= 8


def test_a_crop_outside_the_depth_frame_is_empty():
    matrix = np.array([[1.0, 0, 5000], [0, 1, 0]])

    _, _, depth, mask = register(scene.Scene(), matrix=matrix)

    assert not depth.any()
    assert not mask.any()


def test_frames_may_lie_in_memory_in_any_way():
    subject = scene.Scene()
    counts, matrix, depth, _ = register(subject)
    spread = np.zeros((480, 1280), np.uint16)
    spread[:, ::2] = counts

    again, _ = register_depth(spread[:, ::2], 0.1, scene.DEPTH, scene.COLOR, matrix, SHAPE)

    np.testing.assert_array_equal(again, depth)


@pytest.mark.parametrize("distance_mm", [500, 750, 1000, 1200])
def test_face_is_filled_and_exact_at_every_distance(distance_mm):
    subject = scene.Scene(scene.rigid((5, -8, distance_mm)))
    _, matrix, depth, mask = register(subject, noise_seed=8)
    _, points, is_head = scene.crop_truth(subject, matrix)
    face = binary_erosion(is_head, iterations=4)
    known = face & (depth > 0)
    error = np.abs(depth - points[..., 2])[known]

    # A lone pixel of the scene errs by 1.5 mm at a metre, growing with the square.
    noise_mm = 1.5 * (distance_mm / 1000) ** 2
    assert known.sum() / face.sum() >= 0.995
    assert np.median(error) <= 0.25 + 0.5 * noise_mm
    assert (error > 20).mean() <= 1e-4
    assert (mask[known] & (PixelMask.MEASURED | PixelMask.INTERPOLATED) > 0).all()


def test_a_near_object_beside_the_head_stays_in_the_crop():
    """What is much nearer than the face lies elsewhere in the depth frame than the face."""
    subject = scene.Scene(bar_mm=260)
    _, matrix, depth, _ = register(subject)
    _, points, _ = scene.crop_truth(subject, matrix)
    bar = binary_erosion(points[..., 2] < 270, iterations=3)

    assert bar.sum() > 1000
    assert np.abs(depth[bar] - 260).max() <= 1


def test_frames_of_another_size_are_refused():
    with pytest.raises(InvalidArray, match=r"calibration is for uint16 \(480, 640\)"):
        register_depth(
            np.zeros((10, 10), np.uint16), 1.0, scene.DEPTH, scene.COLOR, np.eye(2, 3), SHAPE
        )


def test_thermal_without_a_thermal_camera_is_refused():
    registrar = Registrar(Calibration(scene.COLOR, scene.DEPTH, None), SHAPE)

    with pytest.raises(NotAligned, match="no thermal camera"):
        registrar.thermal(np.zeros((4, 4), np.uint16), np.zeros(SHAPE, np.uint16), np.eye(2, 3))
