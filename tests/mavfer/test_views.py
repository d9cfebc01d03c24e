import numpy as np
import pytest

import mavfer
from mavfer.errors import CommandError
from mavfer.views import VIEWS, compute_view, nose_places


@pytest.fixture(scope="module")
def ds(shard_factory, tmp_path_factory):
    study = shard_factory.make_study(tmp_path_factory.mktemp("views") / "study")
    return mavfer.load(study.root, labels=None)


def test_units_are_millimetres_and_degrees_celsius_with_nan_for_no_data():
    frames = np.array([[[0, 750], [30715, 27315]]], np.uint16)

    np.testing.assert_array_equal(
        compute_view("depth_mm", frames), [[[np.nan, 750], [30715, 27315]]]
    )
    np.testing.assert_allclose(compute_view("thermal_celsius", frames)[0, 1], [34, 0], atol=1e-5)
    assert np.isnan(compute_view("thermal_celsius", frames)[0, 0, 0])
    assert compute_view("thermal_celsius", frames).dtype == np.float32


def test_depth_is_relative_to_the_median_around_the_nose():
    slope = np.arange(40) * 3 + 700
    frames = np.broadcast_to(slope, (3, 40, 40)).astype(np.uint16)
    frames[1, 18:23, 28:33] = 0  # a hole where the nose is
    frames[2] = 0
    noses = np.array([[20, 20], [30, 20], [5, 5]], np.float32)
    relative = compute_view("depth_relative", frames, noses)

    np.testing.assert_array_equal(relative[0], frames[0] - 760.0)
    assert np.nanmedian(relative[1]) == pytest.approx(0)  # the frame's median stands in
    assert np.isnan(relative[1, 20, 30])
    assert np.isnan(relative[2]).all()


def test_a_nose_at_the_edge_and_an_unknown_one_are_no_problem():
    frames = np.full((2, 10, 12), 500, np.uint16)
    noses = np.array([[40, -3], [np.nan, np.nan]], np.float32)

    np.testing.assert_array_equal(compute_view("depth_relative", frames, noses), 0)


def test_noses_follow_the_crop_and_frames_without_landmarks_take_the_median():
    landmarks = np.full((3, 68, 2), 0, np.float32)
    landmarks[0, [29, 30, 33]] = [100, 50]
    landmarks[1, [29, 30, 33]] = [120, 70]
    landmarks[2] = np.nan
    matrix = np.tile(np.array([[0.5, 0, -10], [0, 0.5, 5]]), (3, 1, 1))

    np.testing.assert_allclose(nose_places(landmarks, matrix), [[40, 30], [50, 40], [45, 35]])
    assert np.isnan(nose_places(np.full((2, 68, 2), np.nan, np.float32), matrix[:2])).all()


def test_recordings_have_views_that_index_like_frames(ds):
    rec = ds["S01-001"]
    depth = rec.depth[:]

    assert rec.depth_mm.shape == rec.depth.shape
    assert repr(rec.thermal_celsius) == "<thermal_celsius float32 (40, 24, 20), degrees Celsius>"
    np.testing.assert_array_equal(rec.depth_mm[5:9], np.where(depth[5:9], depth[5:9], np.nan))
    np.testing.assert_array_equal(rec.depth_mm[[3, -1], 2], rec.depth_mm[:][[3, -1], 2])
    np.testing.assert_array_equal(rec.depth_relative[7], rec.depth_relative[:][7])
    assert np.nanmedian(rec.depth_mm[7] - rec.depth_relative[7]) > 0
    np.testing.assert_array_equal(rec.depth[:], depth)  # raw stays raw
    assert np.isnan(ds["S01-002"].thermal_celsius[0]).all()  # the session has none


def test_clips_and_batches_carry_the_views_asked_for(ds):
    clips = ds.clips(length=6, hop=6, views=tuple(VIEWS))
    batch = next(iter(clips.loader(batch_size=len(clips), shuffle=False)))
    for index in range(len(clips)):
        recording, rows = clips.locate(index)
        for name, view in VIEWS.items():
            expected = recording.view(name)[rows.start : rows.stop]

            np.testing.assert_array_equal(clips[index][name], expected)
            np.testing.assert_array_equal(batch[name][index], expected)
            np.testing.assert_array_equal(batch[view.stream][index], clips[index][view.stream])


def test_views_that_cannot_be_are_told(ds):
    with pytest.raises(CommandError, match=r"views is \('heat',\). Give some of depth_mm, depth_r"):
        ds.clips(views=("heat",))
    with pytest.raises(CommandError, match=r"views is 'depth_mm'. Give some of .* in a tuple"):
        ds.clips(views="depth_mm")
    color = mavfer.load(ds.study.root, modalities=("color",), labels=None)
    with pytest.raises(CommandError, match="view depth_mm needs the stream depth"):
        color.clips(views=("depth_mm",))
