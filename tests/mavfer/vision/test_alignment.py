import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.errors import CommandError, InvalidArray
from mavfer.vision.alignment import PRESETS, crop_matrix, find_preset, warp_color
from mavfer.vision.geometry import apply_matrix, estimate_similarity, invert_matrix
from mavfer.vision.landmarks import FIVE_POINTS
from mavfer.vision.mean_face import MEAN_FACE

ALIGNED = [name for name, preset in PRESETS.items() if preset.size is not None]


def face_in_frame(angle=0.2, scale=55.0, x=310.0, y=200.0):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return MEAN_FACE[:, :2] @ (scale * turn).T + [x, y]


@given(
    st.sampled_from(ALIGNED),
    st.floats(-3, 3),
    st.floats(10, 300),
    st.floats(0, 1000),
    st.floats(0, 1000),
)
def test_the_mean_face_lands_on_its_place_from_anywhere(name, angle, scale, x, y):
    preset = PRESETS[name]
    landmarks = face_in_frame(angle, scale, x, y)

    matrix = crop_matrix(landmarks, preset)

    np.testing.assert_allclose(apply_matrix(matrix, landmarks), preset.canonical(), atol=1e-6)
    np.testing.assert_allclose(
        apply_matrix(invert_matrix(matrix), preset.canonical()), landmarks, atol=1e-6
    )


def test_a_smile_does_not_move_the_crop():
    neutral = face_in_frame()
    smiling = neutral.copy()
    smiling[48:68] += [6, -4]
    smiling[:17] += 3

    np.testing.assert_array_equal(
        crop_matrix(smiling, PRESETS["mavfer224"]), crop_matrix(neutral, PRESETS["mavfer224"])
    )


def test_our_preset_leaves_room_for_forehead_and_chin():
    canonical = PRESETS["mavfer224"].canonical()

    assert canonical[8, 1] < 0.95 * 224
    assert canonical[17:27, 1].min() > 0.15 * 224
    assert canonical[0, 0] > 0.1 * 224
    assert canonical[42:48, 0].mean() - canonical[36:42, 0].mean() == pytest.approx(
        0.35 * 224, rel=1e-3
    )


def test_arcface_preset_fits_the_published_points():
    published = np.array(
        [
            (38.2946, 51.6963),
            (73.5318, 51.5014),
            (56.0252, 71.7366),
            (41.5493, 92.3655),
            (70.7299, 92.2041),
        ]
    )
    face = PRESETS["arcface112"].canonical()
    ours = np.array([face[36:42].mean(0), face[42:48].mean(0), face[30], face[48], face[54]])
    step = estimate_similarity(ours, published)

    assert np.abs(apply_matrix(step, ours) - ours).max() < 0.3
    assert np.abs(ours - published).max() < 3


def test_arcface224_is_arcface112_at_twice_the_size():
    small, large = PRESETS["arcface112"].canonical(), PRESETS["arcface224"].canonical()

    np.testing.assert_allclose((large + 0.5) / 2, small + 0.5)


def test_ffhq_preset_follows_its_formula():
    face = MEAN_FACE[:, :2]
    eyes = face[42:48].mean(0) - face[36:42].mean(0)
    down = (face[48] + face[54]) / 2 - (face[36:42].mean(0) + face[42:48].mean(0)) / 2
    half_side = max(2.0 * np.hypot(*eyes), 1.8 * np.hypot(*down))
    preset = PRESETS["ffhq256"]

    assert preset.eye_distance == pytest.approx(1 / (2 * half_side), rel=0.01)
    assert preset.eye_y == pytest.approx(0.5 - 0.1 * down[1] * preset.eye_distance, abs=0.005)


def test_no_face_has_no_crop():
    assert np.isnan(crop_matrix(np.full((68, 2), np.nan), PRESETS["mavfer224"])).all()


def test_preset_none_keeps_the_frame():
    preset = find_preset("none")

    np.testing.assert_array_equal(crop_matrix(face_in_frame(), preset), np.eye(2, 3))
    assert preset.crop_shape(480, 640) == (480, 640)
    with pytest.raises(CommandError, match="leaves faces where they are"):
        preset.canonical()


def test_five_points_give_nearly_the_crop_of_all():
    landmarks = face_in_frame()
    few = np.full_like(landmarks, np.nan)
    few[list(FIVE_POINTS)] = landmarks[list(FIVE_POINTS)]
    preset = PRESETS["mavfer224"]

    np.testing.assert_allclose(crop_matrix(few, preset), crop_matrix(landmarks, preset), atol=1e-9)


def test_a_custom_preset_puts_the_eyes_where_it_says():
    preset = find_preset("custom:eyes=0.25,size=200,y=0.40,x=0.55")
    face = preset.canonical()
    left, right = face[36:42].mean(axis=0), face[42:48].mean(axis=0)

    assert preset.name == "custom:size=200,eyes=0.25,x=0.55,y=0.4"
    assert preset.crop_shape(480, 640) == (200, 200)
    np.testing.assert_allclose((left + right) / 2 + 0.5, (110, 80), atol=0.1)
    np.testing.assert_allclose(right - left, (50, 0), atol=0.2)


@given(
    st.integers(32, 2048),
    st.floats(0.05, 0.5).map(lambda share: round(share, 3)),
    st.floats(0.25, 0.75).map(lambda share: round(share, 3)),
)
def test_the_name_of_a_custom_preset_is_the_preset(size, eyes, x):
    preset = find_preset(f"custom:size={size},eyes={eyes},x={x}")

    assert find_preset(preset.name) == preset


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", r"'' is none of size, eyes, x, y"),
        ("size=256", "eyes is missing"),
        ("eyes=0.3,x=0.5", "size is missing"),
        ("size=256,eyes=0.3,z=1", "'z' is none of"),
        ("size=256,eyes=0.3,size=224", "said twice"),
        ("size=big,eyes=0.3", "size is a number from 32 to 2048, not 'big'"),
        ("size=8,eyes=0.3", "size is a number from 32 to 2048, not '8'"),
        ("size=100.5,eyes=0.3", "size is in whole pixels"),
        ("size=256,eyes=0", "eyes is a number from 0.05 to 0.9"),
        ("size=256,eyes=nan", "eyes is a number from 0.05 to 0.9"),
        ("size=256,eyes=0.3,y=1.5", "y is a number from 0 to 1"),
        ("size=256,eyes=0.5,x=0.2", "one of the eyes would lie outside"),
    ],
)
def test_nonsense_in_a_custom_preset_is_told(text, what):
    with pytest.raises(CommandError, match=what + ".*Write for example custom:size=256,eyes=0.3"):
        find_preset(f"custom:{text}")


def test_unknown_presets_are_refused_with_the_list():
    with pytest.raises(CommandError, match=r"mavfer224, arcface112.*none, and custom:size="):
        find_preset("square")


def test_five_landmarks_are_not_68():
    with pytest.raises(InvalidArray, match=r"got \(5, 2\)"):
        crop_matrix(np.zeros((5, 2)), PRESETS["mavfer224"])


def test_identity_warp_changes_nothing():
    frame = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)

    np.testing.assert_array_equal(warp_color(frame, np.eye(2, 3), (40, 60)), frame)


def test_beyond_the_frame_is_black():
    frame = np.full((40, 60, 3), 255, np.uint8)

    crop = warp_color(frame, np.array([[1.0, 0, 20], [0, 1, 0]]), (40, 60))

    assert (crop[:, :20] == 0).all()
    assert (crop[:, 20:] == 255).all()


@pytest.mark.parametrize("shrink", [1.75, 2, 3, 4])
def test_shrinking_averages_instead_of_skipping(shrink):
    y, x = np.mgrid[:240, :240]
    checks = np.where((x + y) % 2, 255, 0).astype(np.uint8)
    shift = -(shrink - 1) / 2 / shrink
    matrix = np.array([[1 / shrink, 0, shift], [0, 1 / shrink, shift]])

    crop = warp_color(checks, matrix, (60, 60))

    assert np.abs(crop[2:-2, 2:-2].astype(float) - 127.5).max() < 40


@pytest.mark.parametrize("shrink", [0.5, 1, 1.8, 2, 3.5])
def test_warped_features_lie_where_the_matrix_says(shrink):
    y, x = np.mgrid[:480, :640]
    frame = np.rint(250 * np.exp(-((x - 300.3) ** 2 + (y - 200.6) ** 2) / (2 * 14.0**2)))
    matrix = np.array([[1 / shrink, 0.02, -50.0], [-0.02, 1 / shrink, 10.0]])
    matrix[:, 2] += 110 - apply_matrix(matrix, np.array([[300.3, 200.6]]))[0]

    crop = warp_color(frame.astype(np.uint8), matrix, (224, 224)).astype(float)

    rows, columns = np.mgrid[:224, :224]
    centre = (crop * columns).sum() / crop.sum(), (crop * rows).sum() / crop.sum()
    np.testing.assert_allclose(centre, (110, 110), atol=0.1)


def test_mean_face_is_symmetric_and_in_eye_distances():
    left, right = MEAN_FACE[36:42].mean(0), MEAN_FACE[42:48].mean(0)

    np.testing.assert_allclose(right - left, [1, 0, 0], atol=0.002)
    np.testing.assert_allclose((left + right)[:2] / 2, 0, atol=0.002)
    np.testing.assert_allclose(MEAN_FACE[:17][::-1] * [-1, 1, 1], MEAN_FACE[:17])
    assert MEAN_FACE[30, 2] == MEAN_FACE[:, 2].min()
