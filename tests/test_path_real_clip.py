"""A video of a real face, from the file to mavfer.load()."""

import numpy as np
import pytest

import mavfer
from mavfer.cli import run
from mavfer.vision.alignment import PRESETS

pytestmark = pytest.mark.real_media

CLIP = "real_face_640x360_30fps.mp4"
FRAMES = 72
NEUTRAL, SMILE = slice(0, 8), slice(30, 45)


@pytest.fixture(scope="module")
def recording(real_media, tmp_path_factory):
    study = tmp_path_factory.mktemp("real") / "S"
    for command in (
        ["init", str(study)],
        ["import-video", str(real_media / CLIP), str(study)],
        ["preprocess", str(study)],
        ["check", str(study)],
    ):
        assert run(command) == 0, command
    dataset = mavfer.load(study, labels=None)
    assert len(dataset) == 1
    return dataset[0]


def in_crop(recording):
    """Landmarks (T, 68, 2) in pixels of the crop."""
    matrix = recording.crop_matrix
    return recording.landmarks @ matrix[:, :, :2].transpose(0, 2, 1) + matrix[:, None, :, 2]


def test_every_frame_is_found_and_valid(recording):
    assert len(recording) == FRAMES
    assert recording.usable.all()
    assert recording.valid["color"].all()
    assert (recording.column("reason") == 0).all()


def test_the_crop_is_upright_and_centred(recording):
    points = in_crop(recording)
    left, right = points[:, 36:42].mean(axis=1), points[:, 42:48].mean(axis=1)
    expected = PRESETS["mavfer224"].canonical()
    eyes = (expected[36:42].mean(axis=0) + expected[42:48].mean(axis=0)) / 2

    assert np.abs(np.degrees(np.arctan2(*(right - left).T[::-1]))).max() < 4
    assert np.linalg.norm((left + right) / 2 - eyes, axis=1).max() < 8
    assert ((points > 0) & (points < 223)).all()


def test_the_smile_is_in_the_landmarks_and_in_the_pixels(recording):
    points = in_crop(recording)
    width = np.linalg.norm(points[:, 54] - points[:, 48], axis=1)
    mouth = recording.color[:, 150:200, 70:155].astype(float)

    assert width[SMILE].mean() > 1.25 * width[NEUTRAL].mean()
    assert mouth[SMILE].max(axis=3).mean() > mouth[NEUTRAL].max(axis=3).mean() + 5  # teeth


def test_landmarks_are_quieter_after_smoothing(recording):
    still = slice(0, 12)

    def noise(landmarks):
        return np.sqrt((np.diff(landmarks[still], 2, axis=0) ** 2).mean() / 6)

    assert noise(recording.landmarks) < 0.7 * noise(recording.column("landmarks_raw"))


def test_streams_that_were_not_recorded_are_masked(recording):
    assert recording.depth[:].shape == (FRAMES, 224, 224)
    assert not recording.depth[:].any()
    assert not recording.valid["depth"].any()
    assert not recording.valid["thermal"].any()
