"""Shapes of faces are compared whatever the head does, and tell the label."""

import numpy as np
import pytest
from toy_study import latents, shard_factory

import mavfer
from baselines.config import read_config
from baselines.data import session_view
from baselines.models import find_model
from baselines.models.classical.landmarks_svr import crop_points, normal_shape
from mavfer.metrics import ccc

FRAMES = 48
CONFIG = read_config(
    "landmarks_svr", "demo", ["size=32", "shift_pixels=1", "rate_hz=0", "most_frames=500"]
)
BOTH = ("arousal", "valence")


def face(arousal, valence, random):
    """Landmarks (T, 68, 2) in pixels of a crop of 48: a mouth that opens, and corners that rise."""
    everybody = np.random.default_rng(5).uniform(8, 40, (68, 2))
    points = np.tile(everybody + random.normal(0, 1, (68, 2)), (FRAMES, 1, 1))
    points[:, 36:42] = [16, 16]
    points[:, 42:48] = [32, 16]
    points[:, 57, 1] = 36 + 3 * arousal
    points[:, [48, 54], 1] = 34 - 3 * valence[:, None]
    return points


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Four subjects whose landmarks tell the label, with heads that move."""
    factory = shard_factory()
    study = factory.Study.create(tmp_path_factory.mktemp("faces") / "study", name="faces")
    random = np.random.default_rng(4)
    for number in range(4):
        session = f"S0{number}-001"
        arousal, valence = latents(number)
        table = factory.columns(FRAMES)
        points = face(arousal, valence, random) + random.normal(0, 0.1, (FRAMES, 68, 2))
        inverse = table["crop_matrix_inverse"]
        table["landmarks"] = (
            points @ inverse[:, :, :2].swapaxes(1, 2) + inverse[:, None, :, 2]
        ).astype(np.float32)
        if number == 3:
            table["landmarks"][10:13] = np.nan
        study.add_participant(session[:3])
        path = study.shard_path(session)
        pixels = factory.faces(FRAMES, 48, 48, seed=number)
        factory.write_shard(path, pixels, alignment="none", table=table)
        factory.write_label(
            study, session, FRAMES, arousal=arousal.tolist(), valence=valence.tolist()
        )
    return study


def views(study, streams=("color",)):
    data = mavfer.load(study.root, modalities=streams)
    return [session_view(r, CONFIG, BOTH) for r in data]


def test_landmarks_tell_a_held_out_subjects_label(faces):
    *seen, held_out = views(faces)
    model = find_model("landmarks_svr")(CONFIG, ("color",), BOTH)

    model.fit(seen)
    values = model.predict(held_out)

    assert min(ccc(values[:, n], held_out.labels[:, n]) for n in range(2)) > 0.8
    np.testing.assert_allclose(values[11], values[9] + (values[13] - values[9]) / 2)


def test_points_lie_in_the_crop_again(faces):
    points = crop_points(views(faces)[0])

    assert points.shape == (FRAMES, 68, 2)
    np.testing.assert_allclose(points[:, 36:42].mean(1), np.tile([16, 16], (FRAMES, 1)), atol=0.3)


def test_a_head_that_moves_turns_or_comes_nearer_keeps_its_shape():
    points = np.random.default_rng(0).uniform(0, 100, (3, 68, 2))
    turn = 1.7 * np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])

    moved = points @ turn.T + [30, -12]

    np.testing.assert_allclose(normal_shape(moved), normal_shape(points), atol=1e-9)
    eyes = normal_shape(points).reshape(3, 2, 68)
    np.testing.assert_allclose(eyes[:, 0, 36:42].mean(1), -0.5)
    np.testing.assert_allclose(eyes[:, 1, 42:48].mean(1), 0, atol=1e-12)


def test_eyes_in_one_place_are_no_shape():
    assert np.isnan(normal_shape(np.ones((1, 68, 2)))).all()


def test_depth_and_thermal_are_measured_around_the_points(faces):
    (view, *_) = views(faces, ("thermal",))
    model = find_model("landmarks_svr")(CONFIG, ("thermal",), BOTH)
    pictures = np.zeros_like(view.frames["thermal"])
    points = crop_points(view)
    side = view.frames["thermal"].shape[-1]
    pictures[...] = np.arange(side)[:, None]  # each row its own number

    view.frames["thermal"] = pictures
    measured = model.features(view)[:, :68]

    per_pixel = 32 / 48  # of the view, a margin of one around it
    expected = np.clip((points[..., 1] + 0.5) * per_pixel + 1 - 0.5, 1, side - 2)
    np.testing.assert_allclose(measured, expected, atol=0.51)
